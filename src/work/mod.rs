//! Work by recipe: what the commands `train`, `eval` and `sample` do, without a command line.

mod data;
mod networks;
mod training;

use crate::config::Recipe;
use crate::error::{Error, Result};
use crate::progress::Progress;
use crate::registry::Registry;
use crate::result::Outcome;
use crate::run::RunFolder;
use std::path::{Path, PathBuf};

/// Where a training run lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// In a new folder.
    New(PathBuf),
    /// In the folder of an earlier run, which continues from its last checkpoint.
    Resume(PathBuf),
}

/// How training ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Trained {
    /// To the end, evaluated and sampled.
    Finished(Outcome),
    /// On request, after a checkpoint.
    Interrupted {
        /// The step of that checkpoint.
        step: u64,
    },
}

impl Destination {
    /// The folder.
    pub fn path(&self) -> &Path {
        match self {
            Self::New(path) | Self::Resume(path) => path,
        }
    }

    /// Checks what can be checked without touching anything.
    ///
    /// # Errors
    /// As [`RunFolder::vacant`] and [`RunFolder::resume`].
    pub fn check(&self, recipe: &Recipe) -> Result<()> {
        match self {
            Self::New(path) => RunFolder::vacant(path),
            Self::Resume(path) => RunFolder::resume(path, recipe).map(drop),
        }
    }
}

/// Trains a recipe, evaluates the result and draws samples.
///
/// # Errors
/// A recipe, data or a folder that cannot be used: found before anything is written. A loss or
/// gradient that is not finite: the last good checkpoint is kept.
pub fn train(
    recipe: &Recipe,
    registry: &Registry,
    destination: &Destination,
    progress: &mut dyn Progress,
) -> Result<Trained> {
    let recipe = recipe.resolved()?;
    registry.check(&recipe)?;
    destination.check(&recipe)?;
    let _ = progress;
    Err(missing("train"))
}

/// Measures the likelihood of a trained run's held-out images and writes `result.json`.
///
/// # Errors
/// A run without a checkpoint that can be used.
pub fn evaluate(run: &RunFolder, registry: &Registry, progress: &mut dyn Progress) -> Result<Outcome> {
    registry.check(run.recipe())?;
    let _ = progress;
    Err(missing("eval"))
}

/// Draws samples from a trained run, writes `samples.png` and gives its path.
///
/// # Errors
/// A run without a checkpoint that can be used.
pub fn sample(
    run: &RunFolder,
    registry: &Registry,
    count: u64,
    progress: &mut dyn Progress,
) -> Result<PathBuf> {
    registry.check(run.recipe())?;
    let _ = progress;
    let _ = count;
    Err(missing("sample"))
}

fn missing(command: &str) -> Error {
    Error::value(command, "not part of this build", "a build with it")
}
