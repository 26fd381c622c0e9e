//! What can be typed.

mod definition;
mod value;

use super::exit::Exit;
use super::new_plugin::Kind;
use super::output::{complain, print};
use crate::config::Device;
use crate::run::Shard;
use crate::tensor::Precision;
use clap::ArgMatches;
use clap::error::ErrorKind;
use std::ffi::OsString;
use std::num::NonZeroU16;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// A command with its arguments, which `definition` describes.
#[derive(Debug)]
pub(super) enum Command {
    Train {
        recipe: PathBuf,
        out: Option<PathBuf>,
        resume: bool,
        longer: Option<PathBuf>,
        max_time: Option<Duration>,
        rank_limit: Duration,
        dry_run: bool,
        device: Option<Device>,
    },
    Eval {
        subject: PathBuf,
        by: Option<PathBuf>,
        shard: Option<Shard>,
        budget: bool,
        target: Option<f64>,
        rank_limit: Duration,
        device: Option<Device>,
    },
    Merge {
        run: PathBuf,
        parts: Vec<PathBuf>,
        device: Option<Device>,
    },
    Ladder {
        run: PathBuf,
        device: Option<Device>,
    },
    Sample {
        run: PathBuf,
        count: Option<u64>,
        conditions: Vec<(String, f64)>,
        format: String,
        log_prob: bool,
        device: Option<Device>,
    },
    Report {
        run: PathBuf,
        out: Option<PathBuf>,
    },
    Compare {
        runs: Vec<PathBuf>,
        estimate: Option<String>,
        reference: Vec<String>,
        json: bool,
        out: PathBuf,
    },
    Import {
        checkpoint: PathBuf,
        recipe: PathBuf,
        out: PathBuf,
        raw: bool,
    },
    Export {
        run: PathBuf,
        checkpoint: PathBuf,
    },
    Bench {
        case: String,
        batch: Option<NonZeroU16>,
        json: bool,
        threads: Option<u16>,
        precision: Precision,
        kernels: bool,
        ranks: bool,
        rank_limit: Duration,
        device: Device,
    },
    List,
    NewPlugin {
        kind: Kind,
        name: String,
    },
}

impl Command {
    /// Reads the arguments of this process.
    pub(super) fn read(arguments: impl Iterator<Item = OsString>) -> Result<Self, Answer> {
        let given =
            definition::program().try_get_matches_from(arguments).map_err(|error| match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Answer::Help(error.to_string()),
                ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => no_command(),
                _ => Answer::Complaint(one_line(&error.to_string())),
            })?;
        given.subcommand().and_then(|(name, given)| Self::of(name, given)).ok_or_else(no_command)
    }

    /// The command `name`, of what was given to it and has been checked; nothing if that is not as it was defined.
    fn of(name: &str, given: &ArgMatches) -> Option<Self> {
        Some(match name {
            "train" => Self::Train {
                recipe: path(given, "recipe")?,
                out: path(given, "out"),
                resume: given.get_flag("resume"),
                longer: path(given, "continue"),
                max_time: parsed(given, "max-time", value::time)?,
                rank_limit: parsed(given, "rank-limit", value::limit)??,
                dry_run: given.get_flag("dry-run"),
                device: parsed(given, "device", value::device)?,
            },
            "eval" => Self::Eval {
                subject: path(given, "subject")?,
                by: path(given, "run"),
                shard: parsed(given, "shard", value::shard)?,
                budget: given.get_flag("budget"),
                target: parsed(given, "target", value::positive)?,
                rank_limit: parsed(given, "rank-limit", value::limit)??,
                device: parsed(given, "device", value::device)?,
            },
            "merge" => Self::Merge {
                run: path(given, "run")?,
                parts: paths(given, "parts"),
                device: parsed(given, "device", value::device)?,
            },
            "ladder" => {
                Self::Ladder { run: path(given, "run")?, device: parsed(given, "device", value::device)? }
            }
            "sample" => Self::Sample {
                run: path(given, "run")?,
                count: parsed(given, "count", value::count)?,
                conditions: conditions(given)?,
                format: text(given, "format")?,
                log_prob: given.get_flag("log-prob"),
                device: parsed(given, "device", value::device)?,
            },
            "report" => Self::Report { run: path(given, "run")?, out: path(given, "out") },
            "compare" => Self::Compare {
                runs: paths(given, "runs"),
                estimate: text(given, "estimate"),
                reference: texts(given, "reference"),
                json: given.get_flag("json"),
                out: path(given, "out")?,
            },
            "import" => Self::Import {
                checkpoint: path(given, "checkpoint")?,
                recipe: path(given, "recipe")?,
                out: path(given, "out")?,
                raw: given.get_flag("raw"),
            },
            "export" => Self::Export { run: path(given, "run")?, checkpoint: path(given, "checkpoint")? },
            "bench" => Self::Bench {
                case: text(given, "case")?,
                batch: parsed(given, "batch", value::batch)?,
                json: given.get_flag("json"),
                threads: parsed(given, "threads", value::threads)?,
                precision: parsed(given, "precision", value::precision)??,
                kernels: given.get_flag("kernels"),
                ranks: given.get_flag("ranks"),
                rank_limit: parsed(given, "rank-limit", value::limit)??,
                device: parsed(given, "device", value::device)??,
            },
            "list" => Self::List,
            "new-plugin" => {
                Self::NewPlugin { kind: Kind::named(&text(given, "kind")?)?, name: text(given, "name")? }
            }
            _ => return None,
        })
    }
}

/// The paths of an argument.
fn paths(given: &ArgMatches, id: &str) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    if let Some(raw) = given.get_raw(id) {
        for part in raw {
            paths.push(PathBuf::from(part));
        }
    }
    paths
}

/// The last path of an argument.
fn path(given: &ArgMatches, id: &str) -> Option<PathBuf> {
    paths(given, id).pop()
}

/// The texts of an argument.
fn texts(given: &ArgMatches, id: &str) -> Vec<String> {
    let mut texts = Vec::new();
    for path in paths(given, id) {
        if let Ok(text) = path.into_os_string().into_string() {
            texts.push(text);
        }
    }
    texts
}

/// The last text of an argument.
fn text(given: &ArgMatches, id: &str) -> Option<String> {
    texts(given, id).pop()
}

/// Every condition of samples.
fn conditions(given: &ArgMatches) -> Option<Vec<(String, f64)>> {
    let mut conditions = Vec::new();
    for text in texts(given, "condition") {
        conditions.push(value::condition(&text).ok()?);
    }
    Some(conditions)
}

/// What the last text of an argument means, if it was given; nothing at all of one that means nothing, which is never taken for not given.
fn parsed<T>(given: &ArgMatches, id: &str, parse: fn(&str) -> Result<T, String>) -> Option<Option<T>> {
    match text(given, id) {
        Some(text) => parse(&text).ok().map(Some),
        None => Some(None),
    }
}

/// What to say instead of running a command.
pub(super) enum Answer {
    /// Help, or the version.
    Help(String),
    /// What is wrong with the arguments.
    Complaint(String),
}

fn no_command() -> Answer {
    Answer::Complaint(
        "no command: expected train, eval, merge, ladder, sample, report, compare, import, export, bench, list or new-plugin (see idode --help)"
            .into(),
    )
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
    let mut parts = Vec::new();
    for line in body.lines() {
        if !line.trim().is_empty() {
            parts.push(line.trim());
        }
    }
    format!("{} (see idode --help)", parts.join(" "))
}
