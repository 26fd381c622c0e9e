//! Work by recipe: what the commands `train`, `eval`, `ladder`, `sample` and `compare` do, without a command line. A recipe becomes an
//! [`Experiment`], which does it.

#[cfg(feature = "cli")]
mod bench;
mod compare;
mod dry_run;
mod import_export;

pub use crate::experiment::{Destination, EvaluateOptions, SampleOptions, Trained, resolved};
#[cfg(feature = "cli")]
pub(crate) use bench::{Case, bench, bench_kernels, bench_ranks};
pub use compare::{compare, scatter};
pub use dry_run::{DryRun, StageCost, dry_run};
pub use import_export::{Imported, Weights, export, import};

use crate::communicator::Ranks;
use crate::config::Recipe;
use crate::error::Result;
use crate::experiment::Experiment;
use crate::ladder::Ladder;
use crate::registry::Registry;
use crate::registry::device::{on_device, open};
use crate::result::Outcome;
use crate::run::{Observer, Place, RunFolder, Shard};
use std::path::{Path, PathBuf};

/// Trains a recipe, evaluates the result and draws samples.
///
/// # Errors
/// A recipe, data or a folder that cannot be used: found before anything is written. A loss,
/// gradient or parameter that is not finite: the last good checkpoint is kept.
pub fn train(
    recipe: &Recipe,
    registry: &Registry,
    destination: &Destination,
    observer: &mut dyn Observer,
) -> Result<Trained> {
    train_together(&Ranks::alone(), recipe, registry, destination, observer)
}

/// [`train`] by several processes, of which this is one: see [`Experiment::ranks`].
///
/// # Errors
/// As [`train`], or if a rank is gone.
pub fn train_together(
    ranks: &Ranks,
    recipe: &Recipe,
    registry: &Registry,
    destination: &Destination,
    observer: &mut dyn Observer,
) -> Result<Trained> {
    let recipe = resolved(recipe, registry)?;
    registry.check(&recipe)?;
    if ranks.is_first() {
        destination.check(&recipe)?;
    }
    on_device!(open(recipe.device)?, device => {
        Experiment::named(&device, &recipe, registry)?.ranks(ranks.clone()).train(destination, observer)
    })
}

/// Measures the likelihood of a trained run's held-out images and writes `result.json`.
///
/// # Errors
/// A run without a checkpoint that can be used, or whose folder another process writes in.
pub fn evaluate(run: &RunFolder, registry: &Registry, observer: &mut dyn Observer) -> Result<Outcome> {
    evaluate_with(run, registry, EvaluateOptions::default(), observer)
}

/// [`evaluate`], with options beside what the recipe says.
///
/// # Errors
/// As [`evaluate`].
pub fn evaluate_with(
    run: &RunFolder,
    registry: &Registry,
    options: EvaluateOptions,
    observer: &mut dyn Observer,
) -> Result<Outcome> {
    evaluate_together(&Ranks::alone(), run, registry, options, observer)
}

/// [`evaluate_with`] by several processes, of which this is one: see [`Experiment::ranks`].
///
/// # Errors
/// As [`evaluate`], or if a rank is gone.
pub fn evaluate_together(
    ranks: &Ranks,
    run: &RunFolder,
    registry: &Registry,
    options: EvaluateOptions,
    observer: &mut dyn Observer,
) -> Result<Outcome> {
    on_device!(open(run.recipe().device)?, device => {
        let experiment = Experiment::named(&device, run.recipe(), registry)?.ranks(ranks.clone());
        experiment.evaluate_with(run, options, observer)
    })
}

/// Measures a part of a run's held-out rows: see [`Experiment::evaluate_shard`].
///
/// # Errors
/// As [`Experiment::evaluate_shard`].
pub fn evaluate_shard(
    run: &RunFolder,
    registry: &Registry,
    shard: Shard,
    observer: &mut dyn Observer,
) -> Result<PathBuf> {
    on_device!(open(run.recipe().device)?, device => {
        Experiment::named(&device, run.recipe(), registry)?.evaluate_shard(run, shard, observer)
    })
}

/// Joins the records of shards: see [`Experiment::merge`].
///
/// # Errors
/// As [`Experiment::merge`].
pub fn merge(
    run: &RunFolder,
    registry: &Registry,
    parts: &[PathBuf],
    observer: &mut dyn Observer,
) -> Result<Outcome> {
    on_device!(open(run.recipe().device)?, device => {
        Experiment::named(&device, run.recipe(), registry)?.merge(run, parts, observer)
    })
}

/// Measures images that are not the run's own: see [`Experiment::evaluate_images`].
///
/// # Errors
/// As [`Experiment::evaluate_images`].
pub fn evaluate_images(
    run: &RunFolder,
    registry: &Registry,
    images: &Path,
    options: EvaluateOptions,
    observer: &mut dyn Observer,
) -> Result<(Outcome, Place)> {
    on_device!(open(run.recipe().device)?, device => {
        Experiment::named(&device, run.recipe(), registry)?.evaluate_images(run, images, options, observer)
    })
}

/// Measures a trained run by every bound and writes `ladder.json` and `ladder.png`: see [`Experiment::ladder`].
///
/// # Errors
/// As [`Experiment::ladder`].
pub fn ladder(run: &RunFolder, registry: &Registry, observer: &mut dyn Observer) -> Result<Ladder> {
    on_device!(open(run.recipe().device)?, device => {
        Experiment::named(&device, run.recipe(), registry)?.ladder(run, observer)
    })
}

/// Draws samples from a trained run; writes `samples.png`, and of a table the rows themselves, and gives the path of what it wrote last.
///
/// # Errors
/// A run without a checkpoint that can be used, or whose folder another process writes in; conditions that the model does
/// not have.
pub fn sample(
    run: &RunFolder,
    registry: &Registry,
    options: &SampleOptions,
    observer: &mut dyn Observer,
) -> Result<PathBuf> {
    on_device!(open(run.recipe().device)?, device => {
        Experiment::named(&device, run.recipe(), registry)?.sample(run, options, observer)
    })
}
