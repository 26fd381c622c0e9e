//! What can be typed.

use super::exit::Exit;
use super::new_plugin::Kind;
use super::output::{complain, print};
use crate::config::Device;
use crate::error::Error;
use crate::run::Shard;
use crate::tensor::Precision;
use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use std::ffi::OsString;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Train diffusion ODEs by maximum likelihood and measure them in bits/dim.
#[derive(Debug, Parser)]
#[command(name = "idode", version, after_help = Exit::HELP)]
pub(super) struct Arguments {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Train a recipe, measure its likelihood and draw samples.
    Train {
        /// The recipe, a TOML file.
        recipe: PathBuf,
        /// The run's folder [default: runs/ and the recipe's name].
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// Continue the run in that folder from its last checkpoint.
        #[arg(long)]
        resume: bool,
        /// Train a run, finished or not, for longer: the recipe has more steps in its last stage, or stages after it.
        #[arg(long = "continue", value_name = "RUN", conflicts_with_all = ["out", "resume"])]
        longer: Option<PathBuf>,
        /// Stop with a checkpoint after this time, such as 23h, 90m or 1h30m, to go on with --resume (exit code 130).
        #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, allow_hyphen_values = true)]
        max_time: Option<Duration>,
        /// Under mpirun: a process of which nothing is heard for this time is gone, and all end; longer than any step, or batch of rows, takes.
        #[arg(long, value_name = "TIME", value_parser = limit, default_value = "10m")]
        rank_limit: Duration,
        /// Build the network and say what training would cost; read no data and write nothing.
        #[arg(long, conflicts_with_all = ["out", "resume", "longer", "max_time"])]
        dry_run: bool,
        /// Where to compute: cpu, cuda:N, or cuda for a GPU for each process of a machine [default: as the recipe says].
        #[arg(long, value_name = "DEVICE", value_parser = device)]
        device: Option<Device>,
    },
    /// Measure the likelihood of a run by its last checkpoint, also while it trains; what was stopped or killed goes on from its records.
    Eval {
        /// The run's folder, to measure its held-out images or rows; with --run, other images.
        #[arg(value_name = "RUN|IMAGES")]
        subject: PathBuf,
        /// Measure IMAGES by the run in this folder: a .npy, .npz or IDX file, or a folder or archive of images, with the run's shape and levels.
        #[arg(long = "run", value_name = "RUN")]
        by: Option<PathBuf>,
        /// Measure part I of N only (rows I-1, I-1+N, ...), for idode merge.
        #[arg(long, value_name = "I/N", conflicts_with_all = ["by", "budget", "target"])]
        shard: Option<Shard>,
        /// Say which part of each estimate's error comes from the data, the draws, the probes and the solver.
        #[arg(long)]
        budget: bool,
        /// Spend images, draws and probes until each estimate's total error is at most this, in its unit, or say what that would take.
        #[arg(long, value_name = "ERROR", value_parser = positive)]
        target: Option<f64>,
        /// Under mpirun: a process of which nothing is heard for this time is gone, and all end; longer than any step, or batch of rows, takes.
        #[arg(long, value_name = "TIME", value_parser = limit, default_value = "10m")]
        rank_limit: Duration,
        /// Where to compute: cpu, cuda:N, or cuda for a GPU for each process of a machine [default: as the recipe says].
        #[arg(long, value_name = "DEVICE", value_parser = device)]
        device: Option<Device>,
    },
    /// Join the shards of an evaluation: writes what idode eval of the whole would.
    Merge {
        /// The run's folder.
        run: PathBuf,
        /// The files that idode eval --shard has written [default: all in the run's folder].
        #[arg(value_name = "SHARD")]
        parts: Vec<PathBuf>,
        /// Where to compute what is left, such as an error budget: cpu or cuda:N, as the shards were [default: as the recipe says].
        #[arg(long, value_name = "DEVICE", value_parser = device)]
        device: Option<Device>,
    },
    /// Measure a trained run by every bound on the same images, and test the order that they must have.
    Ladder {
        /// The run's folder.
        run: PathBuf,
        /// Where to compute: cpu, cuda:N, or cuda for a GPU for each process of a machine [default: as the recipe says].
        #[arg(long, value_name = "DEVICE", value_parser = device)]
        device: Option<Device>,
    },
    /// Draw samples from a trained run.
    Sample {
        /// The run's folder.
        run: PathBuf,
        /// The number of images, or rows [default: as the recipe says].
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
        count: Option<u64>,
        /// A condition of a model of a table, for every sample; once for each condition [default: those of held-out rows].
        #[arg(long = "condition", value_name = "NAME=VALUE", value_parser = condition)]
        conditions: Vec<(String, f64)>,
        /// How rows of a table are written: csv or npy.
        #[arg(long, value_name = "FORMAT", default_value = "csv", value_parser = ["csv", "npy"])]
        format: String,
        /// Write sample_densities.csv too: each sample's log-density, from the same solve, and how far its way back misses.
        #[arg(long)]
        log_prob: bool,
        /// Where to compute: cpu, cuda:N, or cuda for a GPU for each process of a machine [default: as the recipe says].
        #[arg(long, value_name = "DEVICE", value_parser = device)]
        device: Option<Device>,
    },
    /// Write a run as one page of HTML, which loads nothing from elsewhere.
    Report {
        /// The run's folder.
        run: PathBuf,
        /// The page [default: report.html in the run's folder].
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Compare measured runs with the first of them, image by image, or with published figures.
    Compare {
        /// The runs' folders.
        #[arg(required = true, value_name = "RUN")]
        runs: Vec<PathBuf>,
        /// The estimate, as result.json calls it [default: all that every run has].
        #[arg(long, value_name = "NAME")]
        estimate: Option<String>,
        /// A published figure, such as i-dode-cifar10; may come more than once.
        #[arg(long, value_name = "NAME")]
        reference: Vec<String>,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
        /// The plot of every image.
        #[arg(long, value_name = "FILE", default_value = "compare.png")]
        out: PathBuf,
    },
    /// Make a run of a checkpoint of the published code: Flax's msgpack, or safetensors by the file's name.
    Import {
        /// The checkpoint.
        checkpoint: PathBuf,
        /// The recipe of the run: its network must fit, and its stages are what may follow.
        #[arg(long, value_name = "RECIPE")]
        recipe: PathBuf,
        /// The run's folder.
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
        /// Measure and sample the parameters themselves, not their moving average.
        #[arg(long)]
        raw: bool,
    },
    /// Write a run's checkpoint for the published code, or, to a .safetensors, the averaged parameters.
    Export {
        /// The run's folder.
        run: PathBuf,
        /// The new file.
        checkpoint: PathBuf,
    },
    /// Time a training step and the ODE's right-hand side on this machine.
    Bench {
        /// The network and batch: s, m or full.
        #[arg(long, value_name = "CASE", default_value = "m")]
        case: String,
        /// The images of a batch [default: the case's own].
        #[arg(long, value_name = "N")]
        batch: Option<NonZeroU16>,
        /// Print one JSON object.
        #[arg(long)]
        json: bool,
        /// The number of threads [default: as many as the machine has].
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
        threads: Option<u16>,
        /// What products are made in: f32, or tf32 on a GPU that has it.
        #[arg(long, value_name = "PRECISION", value_parser = precision, default_value = "f32")]
        precision: Precision,
        /// Time the case's operations one by one, by each way that a CUDA device has, with errors and shares of its rate or bandwidth.
        #[arg(long, conflicts_with = "ranks")]
        kernels: bool,
        /// Under mpirun: time a training step that the processes share, and what of it their sums take.
        #[arg(long)]
        ranks: bool,
        /// Under mpirun: a process of which nothing is heard for this time is gone, and all end; longer than any step, or batch of rows, takes.
        #[arg(long, value_name = "TIME", value_parser = limit, default_value = "10m")]
        rank_limit: Duration,
        /// Where to compute: cpu, cuda:N, or cuda for a GPU for each process of a machine.
        #[arg(long, value_name = "DEVICE", value_parser = device, default_value_t)]
        device: Device,
    },
    /// List every name that a recipe can use, with its formula and reference.
    List,
    /// Write the crate of a new plugin, which compiles and has one formula to fill in.
    NewPlugin {
        /// What it adds.
        #[arg(value_enum)]
        kind: Kind,
        /// The crate's name, and its folder's.
        name: String,
    },
}

/// A number above 0.
fn positive(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value),
        _ => Err(format!("\"{text}\": expected a number above 0, such as 0.002")),
    }
}

/// A device; `cuda` is the GPU of this process among those of its machine.
fn device(text: &str) -> Result<Device, Error> {
    match text {
        "cuda" => Ok(Device::Cuda(super::ranks::local_rank())),
        _ => text.parse(),
    }
}

/// A precision by its name in recipes.
fn precision(text: &str) -> Result<Precision, String> {
    let all = [Precision::F32, Precision::Tf32];
    let found = all.into_iter().find(|precision| precision.to_string() == text);
    found.ok_or_else(|| format!("\"{text}\": expected f32 or tf32"))
}

/// A time that is not over at once.
fn limit(text: &str) -> Result<Duration, String> {
    match humantime::parse_duration(text) {
        Ok(time) if time > Duration::ZERO => Ok(time),
        Ok(_) => Err(format!("\"{text}\": expected a time above 0, such as 10m")),
        Err(error) => Err(error.to_string()),
    }
}

/// A condition by name.
fn condition(text: &str) -> Result<(String, f64), String> {
    let expected = || format!("\"{text}\": expected NAME=VALUE with a finite number, such as y=1.5");
    let (name, value) = text.rsplit_once('=').ok_or_else(expected)?;
    match value.trim().parse::<f64>() {
        Ok(value) if value.is_finite() => Ok((name.to_owned(), value)),
        _ => Err(expected()),
    }
}

/// What to say instead of running a command.
pub(super) enum Answer {
    /// Help, or the version.
    Help(String),
    /// What is wrong with the arguments.
    Complaint(String),
}

impl Arguments {
    pub(super) fn read(arguments: impl Iterator<Item = OsString>) -> Result<Self, Answer> {
        Self::try_parse_from(arguments).map_err(|error| match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Answer::Help(error.to_string()),
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => Answer::Complaint(
                "no command: expected train, eval, merge, ladder, sample, report, compare, import, export, bench, list or new-plugin (see idode --help)"
                    .into(),
            ),
            _ => Answer::Complaint(one_line(&error.to_string())),
        })
    }
}

impl Answer {
    pub(super) fn give(self) -> ExitCode {
        match self {
            Self::Help(text) => match print(&text) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    complain(&error.to_string());
                    Exit::BadInput.into()
                }
            },
            Self::Complaint(text) => {
                complain(&text);
                Exit::BadInput.into()
            }
        }
    }
}

/// The parser's message and its tip without the usage that follows them.
fn one_line(message: &str) -> String {
    let body = message.split("\nUsage:").next().unwrap_or(message);
    let body = body.split("\nFor more information").next().unwrap_or(body);
    let body = body.trim_start_matches("error: ");
    let parts: Vec<&str> = body.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    format!("{} (see idode --help)", parts.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definition_is_sound() {
        use clap::CommandFactory;
        Arguments::command().debug_assert();
    }
}
