//! Where a run lives, how its training ended, and what samples are drawn of it.

use crate::config::Recipe;
use crate::error::Result;
use crate::result::Outcome;
use crate::run::{Change, RunFolder};
use std::path::{Path, PathBuf};

/// Where a training run lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// In a new folder.
    New(PathBuf),
    /// In the folder of an earlier run, which continues from its last checkpoint; one in which no run has begun is new.
    Resume(PathBuf),
    /// In the folder of an earlier run, finished or not, which is trained for longer than its recipe said.
    Continue(PathBuf),
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
            Self::New(path) | Self::Resume(path) | Self::Continue(path) => path,
        }
    }

    /// Checks what can be checked without touching anything.
    ///
    /// # Errors
    /// A new run where there is something already; a run to go on with that is another, or none.
    pub fn check(&self, recipe: &Recipe) -> Result<()> {
        match self.change() {
            None => RunFolder::vacant(self.path()),
            Some(change) => RunFolder::resume(self.path(), recipe, change).map(drop),
        }
    }

    /// In the folder `path`: goes on with what has begun there, or begins.
    pub fn at(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        if path.is_dir() { Self::Resume(path) } else { Self::New(path) }
    }

    /// What may be trained otherwise than an earlier run's recipe says; none if there is no earlier run.
    pub(super) fn change(&self) -> Option<Change> {
        match self {
            Self::New(_) => None,
            Self::Resume(path) => (!RunFolder::is_unbegun(path)).then_some(Change::Nothing),
            Self::Continue(_) => Some(Change::Longer),
        }
    }
}

/// What samples are drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SampleOptions {
    /// How many; without it as the recipe says.
    pub count: Option<u64>,
    /// The value of each condition of the model by name; without any, those of the first held-out rows.
    pub conditions: Vec<(String, f64)>,
    /// Whether rows of a table are written as `samples.npy` instead of `samples.csv`.
    pub npy: bool,
    /// Whether each one's log-density is taken from the same solve, into `sample_densities.csv`.
    pub log_prob: bool,
}
