//! The checkpoint that a run goes on from, and whether it is of that run.

use super::{Checkpoints, RunFolder};
use crate::config::{Recipe, Stage};
use crate::error::{Error, Result};
use crate::train::{Checkpoint, CheckpointState};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// The content of a checkpoint's file, which is whole.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) path: PathBuf,
    pub(crate) bytes: Vec<u8>,
    /// Newer checkpoints that are not whole, or not there, one line each.
    pub(crate) corrupt: Vec<String>,
}

impl Found {
    /// The newest checkpoint of a run that is whole.
    ///
    /// # Errors
    /// If there is none, or a file cannot be read: the newest's.
    pub(crate) fn newest(run: &RunFolder) -> Result<Self> {
        let (mut first, mut corrupt) = (None, Vec::new());
        let paths = run.checkpoints_newest_first()?;
        let last = run.checkpoints().join(Checkpoints::LAST);
        if !paths.contains(&last) {
            corrupt.push(Error::format(last, "checkpoint", "nothing", "the newest").to_string());
        }
        for path in paths {
            let bytes = std::fs::read(&path).map_err(Error::io(&path, "read"))?;
            match Checkpoint::parse(&path, &bytes) {
                Ok(_) => return Ok(Self { path, bytes, corrupt }),
                Err(error) => {
                    corrupt.push(error.to_string());
                    first.get_or_insert(error);
                }
            }
        }
        Err(first.unwrap_or_else(|| Error::format(run.checkpoints(), "checkpoints", "none", "one at least")))
    }

    /// The checkpoint.
    ///
    /// # Errors
    /// None that [`newest`](Self::newest) has not met.
    pub(crate) fn checkpoint(&self) -> Result<Checkpoint<'_>> {
        Checkpoint::parse(&self.path, &self.bytes)
    }

    /// Checks that the run of `recipe`, which trains on `data`, has written it.
    ///
    /// # Errors
    /// The first that differs: as [`agree`], or the data.
    pub(crate) fn check(&self, recipe: &Recipe, network: &str, data: &Value) -> Result<()> {
        let checkpoint = self.checkpoint()?;
        agree(&self.path, &checkpoint, recipe, network)?;
        match &checkpoint.state().data {
            Some(trained) if trained != data => {
                Err(Error::format(&self.path, "training data", data, format!("{trained}, as it was")))
            }
            _ => Ok(()),
        }
    }
}

/// Checks that a checkpoint is of the network in words, and of a moment of the training that `recipe` describes.
///
/// # Errors
/// The first of network, precision, seed, stage, step and position among the images that is not.
pub(crate) fn agree(path: &Path, checkpoint: &Checkpoint<'_>, recipe: &Recipe, network: &str) -> Result<()> {
    checkpoint.check_network(network)?;
    agree_on_the_moment(path, checkpoint.state(), recipe)
}

fn agree_on_the_moment(path: &Path, state: &CheckpointState, recipe: &Recipe) -> Result<()> {
    let CheckpointState { precision, step, start, stage, stage_step, seed, position, .. } = state;
    let is = |what: &str, found: &dyn std::fmt::Display, expected: String| {
        Err(Error::format(path, what, found, expected + ", by the recipe of the run"))
    };
    if *precision != recipe.precision {
        return is("precision", precision, recipe.precision.to_string());
    }
    for (what, found) in [("seed", seed), ("seed of the rows' order", &position.seed)] {
        if *found != recipe.seed {
            return is(what, found, recipe.seed.to_string());
        }
    }
    let Some(current) = recipe.stage.get(*stage) else {
        return is("stage", stage, format!("below {}", recipe.stage.len()));
    };
    if *stage_step > current.steps {
        return is("step of its stage", stage_step, format!("at most {}", current.steps));
    }
    // Wide enough for every number that a file can hold.
    let count = |of: fn(&Stage, u64) -> u128| {
        let before = recipe.stage[..*stage].iter().map(|stage| of(stage, stage.steps)).sum::<u128>();
        before + of(current, *stage_step)
    };
    let steps = u128::from(*start) + count(|_, steps| steps.into());
    if u128::from(*step) != steps {
        return is("step", step, steps.to_string());
    }
    let visited =
        count(|stage, steps| [steps, stage.batch, stage.accumulation].map(u128::from).iter().product());
    if u128::from(position.visited) != visited {
        return is("rows seen", &position.visited, visited.to_string());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Data, Named};
    use crate::data::Position;
    use crate::tensor::Precision;

    /// Stages of 4 steps of 32 images and of 6 steps of 2 times 5.
    fn recipe() -> Recipe {
        let mut recipe = Recipe::new(Data::TwoPixel, Named::new("mlp"));
        let stage = |steps, batch, accumulation| Stage { steps, batch, accumulation, ..Stage::default() };
        recipe.seed = 3;
        recipe.stage = vec![stage(4, 32, 1), stage(6, 5, 2)];
        recipe
    }

    /// After an import at step 100, and five steps.
    fn state() -> CheckpointState {
        let position = Position { seed: 3, visited: 4 * 32 + 10 };
        CheckpointState {
            step: 105,
            start: 100,
            stage: 1,
            stage_step: 1,
            seed: 3,
            position,
            ..Default::default()
        }
    }

    #[test]
    fn a_state_that_the_recipe_cannot_have_made_is_named() {
        let path = Path::new("c");
        assert!(agree_on_the_moment(path, &state(), &recipe()).is_ok());
        let cases: [(&str, fn(&mut CheckpointState)); 9] = [
            ("precision: found tf32, expected f32", |state| state.precision = Precision::Tf32),
            ("seed: found 4, expected 3", |state| state.seed = 4),
            ("seed of the rows' order: found 9, expected 3", |state| state.position.seed = 9),
            ("stage: found 999, expected below 2", |state| state.stage = 999),
            ("step of its stage: found 7, expected at most 6", |state| state.stage_step = 7),
            ("step: found 18446744073709551614, expected 105", |state| state.step = u64::MAX - 1),
            ("step: found 105, expected 18446744073709551620", |state| state.start = u64::MAX),
            ("step: found 105, expected 106", |state| state.stage_step = 2),
            ("rows seen: found 0, expected 138", |state| state.position.visited = 0),
        ];
        for (expected, change) in cases {
            let mut changed = state();
            change(&mut changed);
            let line = agree_on_the_moment(path, &changed, &recipe()).unwrap_err().to_string();
            assert_eq!(line, format!("c: {expected}, by the recipe of the run"));
        }
    }
}
