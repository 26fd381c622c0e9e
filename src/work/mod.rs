//! Work by recipe: what the commands `train`, `eval`, `sample` and `compare` do, without a command line.

mod bench;
mod compare;
pub(crate) mod data;
pub(crate) mod device;
mod dry_run;
mod exchange;
pub(crate) mod learners;
mod measure;
pub(crate) mod networks;
mod objective;
pub(crate) mod resume;
mod sample_densities;
mod samples;
pub(crate) mod source;
mod stage;
mod training;

pub use bench::{Case, Figures, bench};
pub use compare::{compare, scatter};
pub use data::resolved;
pub use dry_run::{DryRun, StageCost, dry_run};
pub use exchange::{Chosen, Imported, export, import};

use crate::config::Recipe;
use crate::error::{Error, Result};
use crate::files::write_atomically;
use crate::model::Model;
use crate::registry::Registry;
use crate::result::{DataRecord, Outcome, StageRecord};
use crate::run::{Change, Curve, Evaluated, Heeded, Observer, Observers, RunFolder};
use device::{on_device, open};
use resume::Found;
use source::Source;
use std::path::{Path, PathBuf};
use training::Training;

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
    /// As [`RunFolder::vacant`] and [`RunFolder::resume`].
    pub fn check(&self, recipe: &Recipe) -> Result<()> {
        match self.change() {
            None => RunFolder::vacant(self.path()),
            Some(change) => RunFolder::resume(self.path(), recipe, change).map(drop),
        }
    }

    /// What may be trained otherwise than an earlier run's recipe says; none if there is no earlier run.
    fn change(&self) -> Option<Change> {
        match self {
            Self::New(_) => None,
            Self::Resume(path) => (!RunFolder::is_unbegun(path)).then_some(Change::Nothing),
            Self::Continue(_) => Some(Change::Longer),
        }
    }
}

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
    let observer = &mut Heeded::new(observer) as &mut dyn Observer;
    let recipe = resolved(recipe, registry)?;
    registry.check(&recipe)?;
    destination.check(&recipe)?;
    let device = open(recipe.device)?;
    // What the end of the run needs is looked at before its beginning.
    let (rows, held_out, warnings) = data::load_both(&recipe)?;
    warnings.iter().for_each(|warning| observer.message(warning));
    data::baseline(&recipe, held_out.rows())?;
    let plan = registry.network(&recipe, rows.shape())?;
    let fingerprint = rows.fingerprint()?;
    let (run, _lock, from) = match destination.change() {
        None => {
            if let Destination::Resume(path) = destination {
                let said = format!("{}: nothing had begun there: trains from the start", path.display());
                observer.message(&said);
            }
            let (run, lock) = RunFolder::create(destination.path(), &recipe)?;
            (run, lock, None)
        }
        Some(change) => {
            let lock = RunFolder::open(destination.path())?.lock()?;
            let run = RunFolder::resume(destination.path(), &recipe, change)?;
            let from = Found::newest(&run)?;
            from.check(&recipe, plan.description(), &fingerprint)?;
            data::check_same(&run, &held_out)?;
            StageRecord::read(&run.stages())?;
            run.write_recipe()?;
            (run, lock, Some(from))
        }
    };
    drop(held_out);
    let training = Training {
        recipe: &recipe,
        registry,
        plan: &plan,
        run: &run,
        rows: &rows,
        fingerprint,
        from,
        observer: &mut *observer,
    };
    let ended = on_device!(device, device => training.run(&device))?;
    if ended.early {
        return Ok(Trained::Interrupted { step: ended.step });
    }
    match finish(&run, registry, observer) {
        Ok(outcome) => Ok(Trained::Finished(outcome)),
        Err(Error::Interrupted) => Ok(Trained::Interrupted { step: ended.step }),
        Err(error) => Err(error),
    }
}

/// What follows training.
fn finish(run: &RunFolder, registry: &Registry, observer: &mut dyn Observer) -> Result<Outcome> {
    let outcome = measured(run, registry, &mut Observers::new().and(Curve::of(run)).and(&mut *observer))?;
    draw_samples(run, registry, &Wanted::default(), observer)?;
    Ok(outcome)
}

/// Measures the likelihood of a trained run's held-out images and writes `result.json`.
///
/// # Errors
/// A run without a checkpoint that can be used, or whose folder another process writes in.
pub fn evaluate(run: &RunFolder, registry: &Registry, observer: &mut dyn Observer) -> Result<Outcome> {
    let _lock = run.lock()?;
    measured(run, registry, &mut Heeded::new(observer))
}

fn measured(run: &RunFolder, registry: &Registry, observer: &mut dyn Observer) -> Result<Outcome> {
    let recipe = run.recipe();
    let model = Model::of(run, registry.clone())?;
    let held_out = data::held_out(recipe)?;
    data::check_same(run, &held_out)?;
    let count = recipe.evaluation.images.map_or(held_out.rows(), |n| held_out.rows().min(n as usize));
    let found = match &held_out {
        Source::Images(images) => {
            data::passed_over(&**images).iter().for_each(|said| observer.message(said));
            measure::images(run, &model, &**images, count, observer)?
        }
        Source::Table(table) => measure::table(run, &model, &table.rows.truncated(count), observer)?,
    };
    let baseline = data::baseline(recipe, count)?;
    let (name, split) = held_out.name();
    let outcome = Outcome {
        data: DataRecord { name, split: split.to_string(), fingerprint: held_out.fingerprint()? },
        step: model.step(),
        seed: recipe.evaluation.seed,
        baseline,
        estimates: found.estimates,
        stages: StageRecord::read(&run.stages())?,
    };
    let text = serde_json::to_vec(&found.records)
        .map_err(|error| Error::format(run.records(), "content", error, "values that JSON can hold"))?;
    write_atomically(&run.records(), &text)?;
    outcome.write(&run.result())?;
    observer.evaluation(Evaluated::Run(&outcome))?;
    Ok(outcome)
}

/// What samples are drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wanted {
    /// How many; without it as the recipe says.
    pub count: Option<u64>,
    /// The value of each condition of the model by name; without any, those of the first held-out rows.
    pub conditions: Vec<(String, f64)>,
    /// Whether rows of a table are written as `samples.npy` instead of `samples.csv`.
    pub npy: bool,
    /// Whether each one's log-density is taken from the same solve, into `sample_densities.csv`.
    pub log_prob: bool,
}

/// Draws samples from a trained run; writes `samples.png`, and of a table the rows themselves, and gives the path of what it wrote last.
///
/// # Errors
/// A run without a checkpoint that can be used, or whose folder another process writes in; conditions that the model does
/// not have.
pub fn sample(
    run: &RunFolder,
    registry: &Registry,
    wanted: &Wanted,
    observer: &mut dyn Observer,
) -> Result<PathBuf> {
    let _lock = run.lock()?;
    draw_samples(run, registry, wanted, &mut Heeded::new(observer))
}

fn draw_samples(
    run: &RunFolder,
    registry: &Registry,
    wanted: &Wanted,
    observer: &mut dyn Observer,
) -> Result<PathBuf> {
    let model = Model::of(run, registry.clone())?;
    let count = wanted.count.unwrap_or(run.recipe().sample.count) as usize;
    let asked = (count, &wanted.conditions[..], wanted.log_prob);
    match model.schema() {
        Some(schema) => samples::of_table(run, &model, schema, asked, wanted.npy, observer),
        None if wanted.npy => {
            let expected = "a table, whose rows can be written as NumPy's";
            Err(Error::value("samples", format!("images of {}", model.shape()), expected))
        }
        None => samples::of_images(run, &model, asked, observer),
    }
}
