//! Work by recipe: what the commands `train`, `eval`, `sample` and `compare` do, without a command line.

mod bench;
mod compare;
pub(crate) mod data;
pub(crate) mod device;
mod dry_run;
mod exchange;
pub(crate) mod learners;
pub(crate) mod networks;
mod objective;
mod sampling;
mod stage;
mod training;

pub use bench::{Case, Figures, bench};
pub use compare::{compare, scatter};
pub use data::resolved;
pub use dry_run::{DryRun, StageCost, dry_run};
pub use exchange::{Chosen, Imported, export, import};
pub use sampling::{sample, sample_with_log_prob};

use crate::config::Recipe;
use crate::data::{ImageSource, Split, Visit};
use crate::error::{Error, Result};
use crate::files::write_atomically;
use crate::likelihood::Summary;
use crate::model::Model;
use crate::picture;
use crate::progress::Progress;
use crate::registry::Registry;
use crate::result::{DataRecord, Outcome, StageRecord, VLB, ode_name};
use crate::run::{MetricsLog, RunFolder};
use device::ComputeDevice;
use networks::{Trainable, WithNetwork};
use std::path::{Path, PathBuf};
use std::time::Instant;
use training::Training;

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
    let recipe = resolved(recipe)?;
    registry.check(&recipe)?;
    destination.check(&recipe)?;
    device::open(recipe.device)?;
    let images = data::load(&recipe, Split::Train)?;
    // What the end of the run needs is looked at before its beginning.
    data::load(&recipe, Split::Test)?;
    networks::with_network(&recipe, images.shape(), Exists)?;
    let (run, resume) = match destination {
        Destination::New(root) => (RunFolder::create(root, &recipe)?, false),
        Destination::Resume(root) => {
            let run = RunFolder::resume(root, &recipe)?;
            Training::check(&run, &recipe, images.shape())?;
            run.write_recipe()?;
            (run, true)
        }
    };
    let training =
        Training { recipe: &recipe, registry, run: &run, images: &*images, resume, progress: &mut *progress };
    if let Some(step) = networks::with_network(&recipe, images.shape(), training)? {
        return Ok(Trained::Interrupted { step });
    }
    match finish(&run, registry, progress) {
        Ok(outcome) => Ok(Trained::Finished(outcome)),
        Err(Error::Interrupted) => {
            Ok(Trained::Interrupted { step: recipe.stage.iter().map(|s| s.steps).sum() })
        }
        Err(error) => Err(error),
    }
}

/// What follows training.
fn finish(run: &RunFolder, registry: &Registry, progress: &mut dyn Progress) -> Result<Outcome> {
    let outcome = evaluate(run, registry, progress)?;
    sample(run, registry, run.recipe().sample.count, progress)?;
    draw_curve(run, &outcome)?;
    Ok(outcome)
}

/// Whether the binary holds the network of a recipe.
struct Exists;

impl WithNetwork for Exists {
    type Output = ();
    fn run<D: ComputeDevice, N: Trainable<D>>(self, _: N) -> Result<()> {
        Ok(())
    }
}

/// Measures the likelihood of a trained run's held-out images and writes `result.json`.
///
/// # Errors
/// A run without a checkpoint that can be used.
pub fn evaluate(run: &RunFolder, registry: &Registry, progress: &mut dyn Progress) -> Result<Outcome> {
    let recipe = run.recipe();
    let model = Model::of(run, registry.clone())?;
    let images = data::load(recipe, Split::Test)?;
    let fingerprint = images.fingerprint()?;
    data::check_same(run, &fingerprint)?;
    let count = recipe.evaluation.images.map_or(images.images(), |n| images.images().min(n as usize));
    let visits: Vec<Visit> = (0..count).map(Visit::from).collect();
    let pixels = images.batch(&visits)?;

    let mut estimates = Vec::new();
    let mut records = serde_json::Map::new();
    let mut add = |name: String, summary: &Summary, started: Instant, own: serde_json::Value| {
        estimates.push(summary.estimate(&name, started.elapsed().as_secs_f64()));
        records.insert(name, own);
    };
    progress.begin("VLB", "images", 0, count as u64);
    let started = Instant::now();
    let vlb = model.vlb(&pixels, progress)?;
    progress.end();
    warn(progress, VLB, &vlb.summary);
    add(VLB.to_owned(), &vlb.summary, started, json(run, &vlb.records)?);
    for (name, dequantizer) in model.dequantizers()? {
        progress.begin(&format!("ODE, {}", name.replace('_', " ")), "images", 0, count as u64);
        let started = Instant::now();
        let ode = model.ode(&pixels, &*dequantizer, progress)?;
        progress.end();
        let name = ode_name(&name);
        warn(progress, &name, &ode.summary);
        if let Some(noise) = &ode.probe_noise {
            progress.message(&format!(
                "{name}: random probes make the K-sample bound too good by at most {:.4} bits/dim",
                noise.bias_bound
            ));
        }
        add(name, &ode.summary, started, json(run, &ode)?);
    }
    let baseline = data::baseline(recipe, count)?;
    let outcome = Outcome {
        data: DataRecord {
            name: images.name().to_owned(),
            split: images.split().to_string(),
            fingerprint: json(run, &fingerprint)?,
        },
        step: model.step(),
        seed: recipe.evaluation.seed,
        baseline,
        estimates,
        stages: StageRecord::read(&run.stages())?,
    };
    let text = serde_json::to_vec(&records)
        .map_err(|error| Error::format(run.records(), "content", error, "values that JSON can hold"))?;
    write_atomically(&run.records(), &text)?;
    outcome.write(&run.result())?;
    Ok(outcome)
}

/// Draws `curve.png` from the metrics, with the test estimates beside it.
fn draw_curve(run: &RunFolder, outcome: &Outcome) -> Result<()> {
    let baseline = outcome.baseline.iter().map(|b| (b.name.clone(), b.bits_per_dim));
    let estimates = outcome.estimates.iter().map(|e| (format!("test, {}", e.name), e.bits_per_dim));
    let references: Vec<(String, f64)> = baseline.chain(estimates).collect();
    picture::curve(&MetricsLog::read(&run.metrics())?, &references)?.write(&run.curve())
}

/// Says how many images have no value.
fn warn(progress: &mut dyn Progress, name: &str, summary: &Summary) {
    if summary.failures > 0 {
        let (failed, images) = (summary.failures, summary.failures + summary.images);
        progress
            .message(&format!("{name}: {failed} of {images} images have no value and are not in the mean"));
    }
}

fn json(run: &RunFolder, value: &impl serde::Serialize) -> Result<serde_json::Value> {
    serde_json::to_value(value)
        .map_err(|error| Error::format(run.result(), "content", error, "values that JSON can hold"))
}
