//! Whole runs of a plugin's recipe, made small.

use super::{Subject, temporary, write};
use crate::result::Outcome;
use crate::testkit::{Law, Verdict, Violation};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use toml::{Table, Value};

/// Optimizer steps of each stage of a run that is trained and measured, and of one that is stopped.
const TRAINED: i64 = 24;
const STOPPED: i64 = 400;

/// The settings that make a recipe small, beside its stages' steps: the rest is the recipe's own.
const SMALL: &str = "
    log = { every = 4, checkpoint_every = 8 }
    evaluation = { images = 4, stage_images = 4, batch = 4, vlb_levels = 2 }
    sample = { count = 4 }
";

/// The recipe with few rows, `steps` steps a stage, and little to measure.
fn small(subject: &Subject<'_>, law: &Law, steps: i64) -> Result<String, Violation> {
    let refused = |error: &dyn std::fmt::Display| {
        let line = error.to_string().split_whitespace().collect::<Vec<_>>().join(" ");
        law.broken(subject.recipe, line, "a recipe in TOML")
    };
    let text = subject.text(law)?;
    let mut recipe: Table = text.parse().map_err(|error: toml::de::Error| refused(&error))?;
    let settings: Table = SMALL.parse().map_err(|error: toml::de::Error| refused(&error))?;
    for (key, settings) in settings {
        let own = recipe.entry(key).or_insert_with(|| Value::Table(Table::new()));
        if let (Value::Table(own), Value::Table(settings)) = (own, settings) {
            own.extend(settings);
        }
    }
    let stages = recipe.entry("stage").or_insert_with(|| Value::Array(vec![Value::Table(Table::new())]));
    for stage in stages.as_array_mut().into_iter().flatten().filter_map(Value::as_table_mut) {
        stage.insert("steps".to_owned(), steps.into());
        stage.insert("batch".to_owned(), 16.into());
        stage.insert("warmup".to_owned(), 4.into());
    }
    toml::to_string(&recipe).map_err(|error| refused(&error))
}

/// A run in a folder.
struct Run<'a> {
    subject: &'a Subject<'a>,
    law: &'a Law,
    recipe: PathBuf,
    root: PathBuf,
}

impl<'a> Run<'a> {
    fn new(subject: &'a Subject<'a>, law: &'a Law, folder: &Path, steps: i64) -> Result<Self, Violation> {
        let recipe = write(law, folder, &small(subject, law, steps)?)?;
        Ok(Self { subject, law, recipe, root: folder.join("run") })
    }

    /// The same recipe in another folder of the run.
    fn again(&self, name: &str) -> Self {
        Self { root: self.root.with_file_name(name), recipe: self.recipe.clone(), ..*self }
    }

    fn arguments(&self) -> [String; 4] {
        let [recipe, root] = [&self.recipe, &self.root].map(|path| path.to_string_lossy().into_owned());
        ["train".to_owned(), recipe, "--out".to_owned(), root]
    }

    fn train(&self, resume: bool) -> Verdict {
        let arguments = self.arguments();
        let resume = resume.then_some("--resume");
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).chain(resume).collect();
        self.subject.succeeds(self.law, &arguments).map(drop)
    }

    fn checkpoint(&self) -> PathBuf {
        self.root.join("checkpoints/last.safetensors")
    }

    fn last(&self) -> Result<Vec<u8>, Violation> {
        let path = self.checkpoint();
        fs::read(&path).map_err(|error| self.law.broken(path.display(), error, "a checkpoint"))
    }

    /// The bits/dim of every estimate, by name.
    fn estimates(&self, when: &str) -> Result<Vec<(String, f64)>, Violation> {
        let outcome = self.law.given(when, Outcome::read(&self.root.join("result.json")))?;
        let found: Vec<_> = outcome.estimates.into_iter().map(|e| (e.name, e.bits_per_dim)).collect();
        let finite = found.iter().all(|(_, bits)| bits.is_finite());
        self.law.holds(when, finite, format_args!("{found:?}"), "finite bits/dim")?;
        Ok(found)
    }

    /// Starts the run and stops it after its first checkpoint.
    fn stop(&self) -> Verdict {
        let arguments = self.arguments();
        let mut command = self.subject.command(&arguments.each_ref().map(String::as_str));
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let broken = |error: std::io::Error| self.law.broken("train", error, "a binary that runs");
        let mut child = child.map_err(broken)?;
        let begun = Instant::now();
        while !self.checkpoint().exists() {
            let ended = child.try_wait().map_err(broken)?;
            if ended.is_some() || begun.elapsed() > Duration::from_secs(120) {
                let _ = child.kill();
                let _ = child.wait();
                return Err(self.law.broken("train", "none", "a first checkpoint"));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        let code = interrupt(&mut child).map_err(broken)?;
        self.law.holds("train, stopped", code != Some(0), "a run to its end", "a stop before it")
    }
}

/// Ends a process as Ctrl-C does, where there is such a signal; gives its exit code.
fn interrupt(child: &mut Child) -> std::io::Result<Option<i32>> {
    #[cfg(unix)]
    std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status()?;
    #[cfg(not(unix))]
    child.kill()?;
    Ok(child.wait()?.code())
}

/// The recipe, made small, is trained, measured and sampled; `eval` measures the same again.
///
/// # Errors
/// What fails, and an estimate that is not finite or another the second time.
pub fn trained(subject: &Subject<'_>) -> Verdict {
    let law = subject.law("trained");
    let folder = temporary(&law)?;
    let run = Run::new(subject, &law, folder.path(), TRAINED)?;
    run.train(false)?;
    let first = run.estimates("train")?;
    for file in ["samples.png", "curve.png", "metrics.jsonl", "records.json"] {
        law.holds("train", run.root.join(file).is_file(), "nothing", format_args!("the file {file}"))?;
    }
    let _ = fs::remove_file(run.root.join("result.json"));
    subject.succeeds(&law, &["eval", &run.root.to_string_lossy()])?;
    let second = run.estimates("eval")?;
    law.holds("eval", first == second, format_args!("{second:?}"), format_args!("{first:?}, as before"))
}

/// A run that is stopped and goes on ends with the checkpoint of one that is not stopped, byte for byte.
///
/// # Errors
/// What fails, and other bytes.
pub fn resumed(subject: &Subject<'_>) -> Verdict {
    let law = subject.law("resumed");
    let folder = temporary(&law)?;
    let stopped = Run::new(subject, &law, folder.path(), STOPPED)?;
    stopped.stop()?;
    let early = stopped.last()?;
    stopped.train(true)?;
    let whole = stopped.again("whole");
    whole.train(false)?;
    let (found, expected) = (stopped.last()?, whole.last()?);
    law.holds("the stop", early != expected, "the last checkpoint", "an earlier one")?;
    let differs = found.iter().zip(&expected).position(|(a, b)| a != b);
    let place = differs.map_or_else(|| "its length".to_owned(), |at| format!("byte {at}"));
    let same = found == expected;
    law.holds("train --resume", same, format_args!("another checkpoint from {place}"), "the same bytes")
}
