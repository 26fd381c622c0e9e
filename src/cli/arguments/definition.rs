//! Every command and its arguments, as they are typed and described.

use super::super::exit::Exit;
use super::super::new_plugin::Kind;
use super::value;
use clap::builder::{PossibleValue, PossibleValuesParser, ValueParser};
use clap::{Arg, ArgAction, Command};

/// What an argument takes.
#[derive(Clone, Copy)]
enum Takes {
    /// Nothing: it is there or not.
    Nothing,
    Path,
    Text,
    /// One of these words, each with what it means, where that is to be said.
    OneOf(&'static [(&'static str, &'static str)]),
    /// A text, of which this says what is wrong with it.
    Checked(fn(&str) -> Result<(), String>),
}

/// How many values an argument has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Times {
    Once,
    AtMostOnce,
    AtLeastOnce,
    Any,
}

/// An argument, by its place or by `--id`.
#[derive(Clone, Copy)]
struct Row {
    id: &'static str,
    by_place: bool,
    value: &'static str,
    takes: Takes,
    times: Times,
    help: &'static str,
    default: Option<&'static str>,
    /// What it cannot be given with.
    against: &'static [&'static str],
    /// Whether its value may begin with a hyphen: then it is told what is wrong with it.
    hyphens: bool,
}

impl Row {
    const fn option(id: &'static str, value: &'static str, takes: Takes, help: &'static str) -> Self {
        Self {
            id,
            by_place: false,
            value,
            takes,
            times: Times::AtMostOnce,
            help,
            default: None,
            against: &[],
            hyphens: false,
        }
    }

    const fn flag(id: &'static str, help: &'static str) -> Self {
        Self::option(id, "", Takes::Nothing, help)
    }

    const fn place(id: &'static str, value: &'static str, takes: Takes, help: &'static str) -> Self {
        Self { by_place: true, times: Times::Once, ..Self::option(id, value, takes, help) }
    }

    const fn times(self, times: Times) -> Self {
        Self { times, ..self }
    }

    const fn default(self, default: &'static str) -> Self {
        Self { default: Some(default), ..self }
    }

    const fn with_hyphens(self) -> Self {
        Self { hyphens: true, ..self }
    }

    const fn against(self, against: &'static [&'static str]) -> Self {
        Self { against, ..self }
    }
}

const DEVICE: Takes = Takes::Checked(|text| value::device(text).map(drop));
const LIMIT: Takes = Takes::Checked(|text| value::limit(text).map(drop));

const RUN: Row = Row::place("run", "RUN", Takes::Path, "The run's folder");
const ON: Row = Row::option(
    "device",
    "DEVICE",
    DEVICE,
    "Where to compute: cpu, cuda:N, or cuda for a GPU for each process of a machine [default: as the recipe says]",
);
const RANK_LIMIT: Row = Row::option(
    "rank-limit",
    "TIME",
    LIMIT,
    "Under mpirun: a process of which nothing is heard for this time is gone, and all end; longer than any step, or batch of rows, takes",
)
.default("10m");
const JSON: Row = Row::flag("json", "Print one JSON object");

/// Every command, what it does, and its arguments.
const COMMANDS: &[(&str, &str, &[Row])] = &[
    (
        "train",
        "Train a recipe, measure its likelihood and draw samples",
        &[
            Row::place("recipe", "RECIPE", Takes::Path, "The recipe, a TOML file"),
            Row::option("out", "DIR", Takes::Path, "The run's folder [default: runs/ and the recipe's name]"),
            Row::flag("resume", "Continue the run in that folder from its last checkpoint"),
            Row::option(
                "continue",
                "RUN",
                Takes::Path,
                "Train a run, finished or not, for longer: the recipe has more steps in its last stage, or stages after it",
            )
            .against(&["out", "resume"]),
            Row::option(
                "max-time",
                "TIME",
                Takes::Checked(|text| value::time(text).map(drop)),
                "Stop with a checkpoint after this time, such as 23h, 90m or 1h30m, to go on with --resume (exit code 130)",
            )
            .with_hyphens(),
            RANK_LIMIT,
            Row::flag("dry-run", "Build the network and say what training would cost; read no data and write nothing")
                .against(&["out", "resume", "continue", "max-time"]),
            ON,
        ],
    ),
    (
        "eval",
        "Measure the likelihood of a run by its last checkpoint, also while it trains; what was stopped or killed goes on from its records",
        &[
            Row::place(
                "subject",
                "RUN|IMAGES",
                Takes::Path,
                "The run's folder, to measure its held-out images or rows; with --run, other images",
            ),
            Row::option(
                "run",
                "RUN",
                Takes::Path,
                "Measure IMAGES by the run in this folder: a .npy, .npz or IDX file, or a folder or archive of images, with the run's shape and levels",
            ),
            Row::option(
                "shard",
                "I/N",
                Takes::Checked(|text| value::shard(text).map(drop)),
                "Measure part I of N only (rows I-1, I-1+N, ...), for idode merge",
            )
            .against(&["run", "budget", "target"]),
            Row::flag(
                "budget",
                "Say which part of each estimate's error comes from the data, the draws, the probes and the solver",
            ),
            Row::option(
                "target",
                "ERROR",
                Takes::Checked(|text| value::positive(text).map(drop)),
                "Spend images, draws and probes until each estimate's total error is at most this, in its unit, or say what that would take",
            ),
            RANK_LIMIT,
            ON,
        ],
    ),
    (
        "merge",
        "Join the shards of an evaluation: writes what idode eval of the whole would",
        &[
            RUN,
            Row::place(
                "parts",
                "SHARD",
                Takes::Path,
                "The files that idode eval --shard has written [default: all in the run's folder]",
            )
            .times(Times::Any),
            Row::option(
                "device",
                "DEVICE",
                DEVICE,
                "Where to compute what is left, such as an error budget: cpu or cuda:N, as the shards were [default: as the recipe says]",
            ),
        ],
    ),
    (
        "ladder",
        "Measure a trained run by every bound on the same images, and test the order that they must have",
        &[RUN, ON],
    ),
    (
        "sample",
        "Draw samples from a trained run",
        &[
            RUN,
            Row::option(
                "count",
                "N",
                Takes::Checked(|text| value::count(text).map(drop)),
                "The number of images, or rows [default: as the recipe says]",
            ),
            Row::option(
                "condition",
                "NAME=VALUE",
                Takes::Checked(|text| value::condition(text).map(drop)),
                "A condition of a model of a table, for every sample; once for each condition [default: those of held-out rows]",
            )
            .times(Times::Any),
            Row::option(
                "format",
                "FORMAT",
                Takes::OneOf(&[("csv", ""), ("npy", "")]),
                "How rows of a table are written: csv or npy",
            )
            .default("csv"),
            Row::flag(
                "log-prob",
                "Write sample_densities.csv too: each sample's log-density, from the same solve, and how far its way back misses",
            ),
            ON,
        ],
    ),
    (
        "report",
        "Write a run as one page of HTML, which loads nothing from elsewhere",
        &[RUN, Row::option("out", "FILE", Takes::Path, "The page [default: report.html in the run's folder]")],
    ),
    (
        "compare",
        "Compare measured runs with the first of them, image by image, or with published figures",
        &[
            Row::place("runs", "RUN", Takes::Path, "The runs' folders").times(Times::AtLeastOnce),
            Row::option(
                "estimate",
                "NAME",
                Takes::Text,
                "The estimate, as result.json calls it [default: all that every run has]",
            ),
            Row::option(
                "reference",
                "NAME",
                Takes::Text,
                "A published figure, such as i-dode-cifar10; may come more than once",
            )
            .times(Times::Any),
            JSON,
            Row::option("out", "FILE", Takes::Path, "The plot of every image").default("compare.png"),
        ],
    ),
    (
        "import",
        "Make a run of a checkpoint of the published code: Flax's msgpack, or safetensors by the file's name",
        &[
            Row::place("checkpoint", "CHECKPOINT", Takes::Path, "The checkpoint"),
            Row::option(
                "recipe",
                "RECIPE",
                Takes::Path,
                "The recipe of the run: its network must fit, and its stages are what may follow",
            )
            .times(Times::Once),
            Row::option("out", "DIR", Takes::Path, "The run's folder").times(Times::Once),
            Row::flag("raw", "Measure and sample the parameters themselves, not their moving average"),
        ],
    ),
    (
        "export",
        "Write a run's checkpoint for the published code, or, to a .safetensors, the averaged parameters",
        &[RUN, Row::place("checkpoint", "CHECKPOINT", Takes::Path, "The new file")],
    ),
    (
        "bench",
        "Time a training step and the ODE's right-hand side on this machine",
        &[
            Row::option("case", "CASE", Takes::Text, "The network and batch: s, m or full").default("m"),
            Row::option(
                "batch",
                "N",
                Takes::Checked(|text| value::batch(text).map(drop)),
                "The images of a batch [default: the case's own]",
            ),
            JSON,
            Row::option(
                "threads",
                "N",
                Takes::Checked(|text| value::threads(text).map(drop)),
                "The number of threads [default: as many as the machine has]",
            ),
            Row::option(
                "precision",
                "PRECISION",
                Takes::Checked(|text| value::precision(text).map(drop)),
                "What products are made in: f32, or tf32 on a GPU that has it",
            )
            .default("f32"),
            Row::flag(
                "kernels",
                "Time the case's operations one by one, by each way that a CUDA device has, with errors and shares of its rate or bandwidth",
            )
            .against(&["ranks"]),
            Row::flag(
                "ranks",
                "Under mpirun: time a training step that the processes share, and what of it their sums take",
            ),
            RANK_LIMIT,
            Row::option(
                "device",
                "DEVICE",
                DEVICE,
                "Where to compute: cpu, cuda:N, or cuda for a GPU for each process of a machine",
            )
            .default("cpu"),
        ],
    ),
    ("list", "List every name that a recipe can use, with its formula and reference", &[]),
    (
        "new-plugin",
        "Write the crate of a new plugin, which compiles and has one formula to fill in",
        &[
            Row::place("kind", "KIND", Takes::OneOf(Kind::WORDS), "What it adds"),
            Row::place("name", "NAME", Takes::Text, "The crate's name, and its folder's"),
        ],
    ),
];

/// The program with all of its commands.
pub(super) fn program() -> Command {
    let mut program = Command::new("idode")
        .version(env!("CARGO_PKG_VERSION"))
        .about("Train diffusion ODEs by maximum likelihood and measure them in bits/dim")
        .after_help(Exit::HELP)
        .subcommand_required(true)
        .arg_required_else_help(true);
    for (name, about, rows) in COMMANDS {
        let mut command = Command::new(*name).about(*about);
        for row in *rows {
            command = command.arg(argument(row));
        }
        program = program.subcommand(command);
    }
    program
}

fn argument(row: &Row) -> Arg {
    let mut argument = Arg::new(row.id).help(row.help);
    if !row.by_place {
        argument = argument.long(row.id);
    }
    for other in row.against {
        argument = argument.conflicts_with(*other);
    }
    let parser = match row.takes {
        Takes::Nothing => return argument.action(ArgAction::SetTrue),
        Takes::Path => ValueParser::path_buf(),
        Takes::Text => ValueParser::string(),
        Takes::OneOf(words) => one_of(words),
        Takes::Checked(check) => ValueParser::new(check),
    };
    argument = argument.value_name(row.value).value_parser(parser);
    if let Some(default) = row.default {
        argument = argument.default_value(default);
    }
    let many = matches!(row.times, Times::AtLeastOnce | Times::Any);
    if many {
        argument = argument.action(ArgAction::Append);
    }
    if many && row.by_place {
        argument = argument.num_args(1..);
    }
    let needed = matches!(row.times, Times::Once | Times::AtLeastOnce);
    argument.allow_hyphen_values(row.hyphens).required(needed)
}

fn one_of(words: &[(&'static str, &'static str)]) -> ValueParser {
    let mut values = Vec::with_capacity(words.len());
    for (word, meaning) in words {
        let value = PossibleValue::new(*word);
        values.push(if meaning.is_empty() { value } else { value.help(*meaning) });
    }
    PossibleValuesParser::new(values).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definition_is_sound() {
        program().debug_assert();
    }
}
