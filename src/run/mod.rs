//! The folder of a run: its recipe and everything that the run writes.
//!
//! `recipe.toml` is put in place when everything that a run begins with is there, its first checkpoint too: a folder that
//! has it is a run, and one of a run without a checkpoint has lost it. Before that the folder is a new one.

mod checkpoints;
mod choices;
mod curve;
mod events;
mod levels;
mod lines;
mod metrics;
mod observer;
mod place;
mod recipe_diff;
mod records;
mod resume;

pub(crate) use checkpoints::Checkpoints;
pub(crate) use choices::ChoicesWriter;
pub use curve::Curve;
pub(crate) use events::Events;
pub use levels::LevelLosses;
pub(crate) use levels::{LevelTally, LevelWriter};
pub use lines::{StepLog, Stepped};
pub use metrics::MetricsLog;
pub(crate) use metrics::MetricsWriter;
pub use observer::{Evaluated, Observer, Observers, Phase, RowLosses};
pub(crate) use observer::{Heeded, Watched};
pub use place::{Place, Shard};
pub(crate) use recipe_diff::Change;
pub(crate) use records::{Header, RecordsLog};
pub(crate) use resume::{Found, agree};

use crate::config::{Device, Recipe};
use crate::error::{Error, Result};
use crate::files::{self, Lock, write_atomically};
use crate::train::{Best, Checkpoint};
use recipe_diff::first_diff;
use std::fs;
use std::path::{Path, PathBuf};

/// A folder that holds the resolved recipe of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunFolder {
    root: PathBuf,
    recipe: Recipe,
}

const RECIPE: &str = "recipe.toml";
/// The recipe of a run that has not begun.
const UNBEGUN: &str = "recipe.toml.unbegun";
const CHECKPOINTS: &str = "checkpoints";
/// Everything else that a run writes, but for its checkpoints.
const METRICS: &str = "metrics.jsonl";
const LEVELS: &str = "levels.jsonl";
const SAMPLES: &str = "samples.png";
const ROWS: [&str; 2] = ["samples.csv", "samples.npy"];
const CURVE: &str = "curve.png";
const RECORDS: &str = "records.json";
const STAGES: &str = "stages.json";
const CANDIDATES: &str = "candidates.json";
const IMPORTED: &str = "imported.msgpack";
const REPORT: &str = "report.html";
const RESULT: &str = "result.json";
/// How often a checkpoint is looked for that was renamed meanwhile.
const TRIES: u32 = 10;
const LADDER: [&str; 2] = ["ladder.json", "ladder.png"];

impl RunFolder {
    /// Checks that a run can start in `root`: nothing is there, or a folder that holds nothing but what a run left that
    /// was ended before it began. Touches nothing.
    ///
    /// # Errors
    /// If anything else is there.
    pub(crate) fn vacant(root: &Path) -> Result<()> {
        let entries = match fs::read_dir(root) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            entries => entries.map_err(Error::io(root, "use as run folder"))?,
        };
        if root.join(RECIPE).exists() {
            let expected = "a new folder (--out), or --resume to continue that run";
            return Err(Error::format(root, "run folder", "an earlier run", expected));
        }
        let was_begun = root.join(UNBEGUN).exists();
        for entry in entries {
            let name = entry.map_err(Error::io(root, "use as run folder"))?.file_name();
            let is_left = name == Lock::NAME
                || name == UNBEGUN
                || was_begun && name == CHECKPOINTS
                || name.to_str().and_then(files::made_of).is_some_and(is_written);
            if !is_left {
                let expected = "a new or an empty folder";
                return Err(Error::format(root, "run folder", "other files", expected));
            }
        }
        Ok(())
    }

    /// Whether `root` is a folder in which no run has begun, and one can.
    pub(crate) fn is_unbegun(root: &Path) -> bool {
        root.is_dir() && Self::vacant(root).is_ok()
    }

    /// Creates and locks the folder of a new run with the recipe, which must be resolved; the run is there once it has
    /// [begun](Self::begin).
    ///
    /// # Errors
    /// As [`vacant`](Self::vacant), and if the folder cannot be created or written, or another process writes in it.
    pub(crate) fn create(root: &Path, recipe: &Recipe) -> Result<(Self, Lock)> {
        Self::vacant(root)?;
        let text = recipe.to_toml()?;
        files::create_folder(root)?;
        let lock = lock(root)?;
        // Another process may have been faster.
        Self::vacant(root)?;
        write_atomically(&root.join(UNBEGUN), text.as_bytes())?;
        Ok((Self { root: root.to_owned(), recipe: recipe.clone() }, lock))
    }

    /// The folder of a run with the recipe that another process makes, keeps and writes.
    pub(crate) fn kept_by_another(root: &Path, recipe: &Recipe) -> Self {
        Self { root: root.to_owned(), recipe: recipe.clone() }
    }

    /// Makes the folder a run: everything that it begins with has been written.
    ///
    /// # Errors
    /// If the recipe cannot be put in its place.
    pub(crate) fn begin(&self) -> Result<()> {
        files::rename(&self.root.join(UNBEGUN), &self.root.join(RECIPE))
    }

    /// Opens the folder of a run.
    ///
    /// # Errors
    /// If it holds no recipe, or one that cannot be used.
    pub fn open(root: &Path) -> Result<Self> {
        let path = root.join(RECIPE);
        if !path.is_file() {
            let found = if root.exists() { "no recipe.toml" } else { "nothing" };
            return Err(Error::format(root, "run folder", found, "a folder that idode train has written"));
        }
        Ok(Self { root: root.to_owned(), recipe: Recipe::load(&path)? })
    }

    /// Takes the right to write in the folder, and removes what processes left in it that were ended while they wrote.
    ///
    /// # Errors
    /// If another process writes in it.
    pub(crate) fn lock(&self) -> Result<Lock> {
        lock(&self.root)
    }

    /// Opens the folder of a run to continue it with `recipe`, which must be resolved. What the
    /// run logs, measures and samples may have changed, and what `change` allows. Touches nothing.
    ///
    /// # Errors
    /// As [`open`](Self::open), and at the first key that differs.
    pub(crate) fn resume(root: &Path, recipe: &Recipe, change: Change) -> Result<Self> {
        let mut run = Self::open(root)?;
        if let Some(diff) = first_diff(&run.recipe, recipe, change)? {
            let expected = format!("{}, as the run in {} has it{}", diff.old, root.display(), diff.allowed);
            return Err(recipe.source.error(&diff.key, diff.new, expected));
        }
        run.recipe = recipe.clone();
        Ok(run)
    }

    /// The same run on `device`, where one is given; the folder's recipe stays as it is.
    pub fn on(self, device: Option<Device>) -> Self {
        Self { recipe: self.recipe.on(device), ..self }
    }

    /// Writes the recipe: after [`resume`](Self::resume), what may have changed.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn write_recipe(&self) -> Result<()> {
        write_atomically(&self.root.join(RECIPE), self.recipe.to_toml()?.as_bytes())
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The resolved recipe.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// `metrics.jsonl`: a line per logged training step.
    pub fn metrics(&self) -> PathBuf {
        self.root.join(METRICS)
    }

    /// `levels.jsonl`: the losses over noise levels, a line for each stretch between two checkpoints.
    pub fn levels(&self) -> PathBuf {
        self.root.join(LEVELS)
    }

    /// `events/`: what TensorBoard reads, where the recipe asks for it.
    pub fn events(&self) -> PathBuf {
        self.root.join("events")
    }

    /// The folder of the checkpoints.
    pub fn checkpoints(&self) -> PathBuf {
        self.root.join(CHECKPOINTS)
    }

    /// Every checkpoint, the newest first.
    ///
    /// # Errors
    /// If there is none, or the folder cannot be read.
    pub(crate) fn checkpoints_newest_first(&self) -> Result<Vec<PathBuf>> {
        let folder = self.checkpoints();
        let found = checkpoints::newest_first(&folder)?;
        match found.is_empty() {
            true => Err(Error::format(
                folder,
                "checkpoints",
                "none",
                "the last one of the run, which was removed",
            )),
            false => Ok(found),
        }
    }

    /// The newest checkpoint: `last.safetensors`, or where a crash has left none, the one of the largest step.
    ///
    /// # Errors
    /// If there is none, or their folder cannot be read.
    pub fn last_checkpoint(&self) -> Result<PathBuf> {
        Ok(self.checkpoints_newest_first()?.swap_remove(0))
    }

    /// The checkpoint that is measured, sampled and exported: with validation the best, once there is one; else the newest.
    ///
    /// # Errors
    /// As [`last_checkpoint`](Self::last_checkpoint), and if the best was removed.
    pub fn chosen_checkpoint(&self) -> Result<PathBuf> {
        let (best, last) = (self.checkpoints().join(Checkpoints::BEST), self.last_checkpoint()?);
        if self.recipe.validation.is_none() {
            return Ok(last);
        }
        if best.exists() {
            return Ok(best);
        }
        let bytes = fs::read(&last).map_err(Error::io(&last, "read"))?;
        // Whoever uses a corrupt one says so.
        match Checkpoint::parse(&last, &bytes).ok().and_then(|found| found.state().best) {
            None => Ok(last),
            Some(Best { step, .. }) => {
                let expected =
                    format!("the checkpoint of step {step}, the best by validation, which was removed");
                Err(Error::format(best, "checkpoint", "nothing", expected))
            }
        }
    }

    /// The path and the content of [`chosen_checkpoint`](Self::chosen_checkpoint), also while training replaces it by a newer one.
    ///
    /// # Errors
    /// As [`chosen_checkpoint`](Self::chosen_checkpoint), or if it cannot be read.
    pub(crate) fn read_chosen(&self) -> Result<(PathBuf, Vec<u8>)> {
        self.read_checkpoint(Self::chosen_checkpoint)
    }

    /// The path and the content of [`last_checkpoint`](Self::last_checkpoint), also while training replaces it by a newer one.
    ///
    /// # Errors
    /// As [`last_checkpoint`](Self::last_checkpoint), or if it cannot be read.
    pub(crate) fn read_last(&self) -> Result<(PathBuf, Vec<u8>)> {
        self.read_checkpoint(Self::last_checkpoint)
    }

    fn read_checkpoint(&self, path: impl Fn(&Self) -> Result<PathBuf>) -> Result<(PathBuf, Vec<u8>)> {
        let mut tries = 0;
        loop {
            tries += 1;
            let path = path(self)?;
            match fs::read(&path) {
                Ok(bytes) => return Ok((path, bytes)),
                // It has another name since.
                Err(error) if error.kind() == std::io::ErrorKind::NotFound && tries < TRIES => {}
                Err(error) => return Err(Error::io(&path, "read")(error)),
            }
        }
    }

    /// `samples.png`.
    pub fn samples(&self) -> PathBuf {
        self.root.join(SAMPLES)
    }

    /// `sample_densities.csv`: the log-density of each sample, where it was asked for.
    pub fn sample_densities(&self) -> PathBuf {
        self.root.join("sample_densities.csv")
    }

    /// `curve.png`: bits/dim over training.
    pub fn curve(&self) -> PathBuf {
        self.root.join(CURVE)
    }

    /// `records.json`: what each estimate found for each image.
    pub fn records(&self) -> PathBuf {
        self.root.join(RECORDS)
    }

    /// `stages.json`: the model after each stage of a recipe with several.
    pub fn stages(&self) -> PathBuf {
        self.root.join(STAGES)
    }

    /// `candidates.json`: what computed each operation on a CUDA device.
    pub(crate) fn choices(&self) -> PathBuf {
        self.root.join(CANDIDATES)
    }

    /// `imported.msgpack`: what an imported checkpoint held beside its parameters and moments.
    pub fn imported(&self) -> PathBuf {
        self.root.join(IMPORTED)
    }

    /// `ladder.json`: every bound on the same images.
    pub fn ladder(&self) -> PathBuf {
        self.root.join(LADDER[0])
    }

    /// `ladder.png`.
    pub fn ladder_plot(&self) -> PathBuf {
        self.root.join(LADDER[1])
    }

    /// `report.html`: the run as a page.
    pub fn report(&self) -> PathBuf {
        self.root.join(REPORT)
    }

    /// `result.json`.
    pub fn result(&self) -> PathBuf {
        self.root.join(RESULT)
    }
}

/// Whether a run writes a file of this name into its folder.
fn is_written(name: &str) -> bool {
    let others = [
        RECIPE, UNBEGUN, METRICS, LEVELS, SAMPLES, CURVE, RECORDS, STAGES, CANDIDATES, IMPORTED, REPORT,
        RESULT,
    ];
    others.contains(&name) || ROWS.contains(&name) || LADDER.contains(&name)
}

fn lock(root: &Path) -> Result<Lock> {
    let lock = Lock::take(root)?;
    files::remove_abandoned(root, &is_written);
    files::remove_abandoned(&root.join(CHECKPOINTS), &|name| {
        [Checkpoints::LAST, Checkpoints::BEST].contains(&name)
    });
    Ok(lock)
}

#[cfg(test)]
mod tests;
