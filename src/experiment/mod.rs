//! A training run as a value: composed of typed parts, trained, resumed, watched, measured and sampled.
//!
//! One engine behind both doors. An [`Experiment`] is a [`Recipe`] and parts. The recipe has every number and every name of a run. The parts
//! are what a program gives as types, and go before the names: a diffusion, a network, rows, objectives of any types, a time sampler, a
//! solver, a divergence, dequantizers. `idode train` builds the same value from TOML, where every part is a name of a
//! [`Registry`]; nothing that it does is beyond a program's reach.
//!
//! | file | what it does |
//! |---|---|
//! | `compose` | the builder's methods |
//! | `parts` | what data and networks may be |
//! | `names` | the name that a typed part has in a registry, found by what it does |
//! | `train`, `training` | a run from its beginning to its samples; the loop: stages, checkpoints, resumption |
//! | `validation` | what is measured meanwhile |
//! | `evaluate`, `measure` | the estimates of a trained run; `budget`, `target` and `ladder`: how far they may be trusted |
//! | `journal`, `others` | an evaluation that goes on from its records; data that are not the run's own |
//! | `stage`, `samples` | what follows a stage and training |
//! | `together` | what several ranks do together |
//! | `data` | the rows that a recipe names |
//!
//! Down from here: [`model`](crate::model) measures and samples a trained network, [`run`](crate::run) has the folder and the observers,
//! [`train`](crate::train) the single step, for whoever wants a loop of their own.
//!
//! The folder of a run whose parts all have names is one that `idode eval`, `sample` and `export` open. Of the others the first line of
//! `recipe.toml` says which part has none, and so does whoever cannot build it.

mod budget;
mod compose;
mod data;
mod destination;
mod evaluate;
mod journal;
mod ladder;
mod learners;
mod measure;
mod names;
mod objective;
mod others;
mod parts;
mod sample_densities;
mod samples;
mod stage;
mod step_metrics;
mod target;
mod together;
mod train;
mod training;
mod validation;

pub use data::resolved;
pub(crate) use data::table;
pub use destination::{Destination, SampleOptions, Trained};
pub use evaluate::EvaluateOptions;
pub(crate) use objective::AnyObjective;
pub use parts::{DataPart, NetworkPart};

use crate::communicator::Ranks;
use crate::config::Recipe;
use crate::data::Rows;
use crate::error::{Error, Result};
use crate::model::{Model, Parts, States};
use crate::need::{self, Need};
use crate::nn::{Counted, DynNetwork};
use crate::registry::device::check_precision;
use crate::registry::{ComputeDevice, NetworkPlan, Registry};
use crate::run::{Change, Heeded, Observer, RunFolder};
use crate::tensor::Kernels;
use data::Loaded;
use dfdx::prelude::Cpu;
use litemap::LiteMap;
use std::path::PathBuf;

/// A run: data, network, diffusion, stages, evaluation and sampling, on a device of type `D`.
///
/// ```no_run
/// use idode::config::{Digits, Evaluation, Stage, Unet};
/// use idode::experiment::{Destination, Experiment};
/// use idode::prelude::*;
///
/// # fn main() -> Result<()> {
/// let diffusion = Diffusion::new(VariancePreserving, Velocity, GammaRange::for_levels(17));
/// let fine_tuning = FirstOrder + 0.1 * SecondOrderTrace::default();
/// let run = Experiment::new(Digits::default(), diffusion, Unet { width: 32, ..Unet::default() })
///     .stage(FirstOrder, Stage { steps: 2400, learning_rate: 4e-3, ..Stage::default() })
///     .stage(fine_tuning, Stage { steps: 400, learning_rate: 1e-3, ..Stage::default() })
///     .evaluation(Evaluation { importance_samples: 20, ..Evaluation::default() });
/// run.train(&Destination::at("runs/digits"), &mut Silent)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Experiment<D: ComputeDevice = Cpu> {
    parts: Parts,
    device: D,
    network: Net<D>,
    /// Those that are given as types, by their stages.
    objectives: LiteMap<usize, AnyObjective<D>>,
    /// The rows to train on and those to measure, where a program has its own.
    rows: Option<(Rows, Rows)>,
    /// The processes that share the work.
    ranks: Ranks,
}

/// The network before training.
#[derive(Clone, Debug)]
enum Net<D: ComputeDevice> {
    /// By the recipe's name.
    Named,
    /// A program's, and what it calls it.
    Own(String, DynNetwork<f32, D>),
}

impl<D: ComputeDevice> Experiment<D> {
    /// The run of a recipe, with the names of a registry.
    ///
    /// # Errors
    /// A name, a setting or a range that cannot be used.
    pub fn named(device: &D, recipe: &Recipe, registry: &Registry) -> Result<Self> {
        let (objectives, rows, ranks) = (LiteMap::new(), None, Ranks::alone());
        let parts = Parts::named(recipe, registry)?;
        Ok(Self { parts, device: device.clone(), network: Net::Named, objectives, rows, ranks })
    }

    /// Every number of the run, and the names of its parts.
    pub fn recipe(&self) -> &Recipe {
        &self.parts.recipe
    }

    /// The folder of this run, which has been trained there.
    ///
    /// # Errors
    /// If the run there is another, or none.
    pub fn folder(&self, path: impl Into<PathBuf>) -> Result<RunFolder> {
        RunFolder::resume(&path.into(), self.resolved()?.recipe(), Change::Nothing)
    }

    /// The trained network of a run in its [`folder`](Self::folder), as one value.
    ///
    /// # Errors
    /// A run without a checkpoint that can be used.
    pub fn model(&self, run: &RunFolder) -> Result<Model> {
        self.resolved()?.trained(run)
    }

    /// Draws samples from a trained run; writes `samples.png`, and of a table the rows themselves, and gives the path of what it wrote last.
    ///
    /// # Errors
    /// A run without a checkpoint that can be used, or whose folder another process writes in; conditions that the model does
    /// not have.
    pub fn sample(
        &self,
        run: &RunFolder,
        options: &SampleOptions,
        observer: &mut dyn Observer,
    ) -> Result<PathBuf> {
        together::all_told(&self.ranks, || {
            let _lock = self.ranks.is_first().then(|| run.lock()).transpose()?;
            self.resolved()?.draw_samples(run, options, &mut Heeded::new(observer))
        })
    }

    fn draw_samples(
        &self,
        run: &RunFolder,
        options: &SampleOptions,
        observer: &mut dyn Observer,
    ) -> Result<PathBuf> {
        let recipe = self.recipe();
        let count = options.count.unwrap_or(recipe.sample.count);
        let dims = self.parts.shape()?.dims();
        need::check(recipe, &[need::of_samples(count, dims)], need::available())?;
        let ranks = &self.ranks;
        if options.log_prob && ranks.size() > 1 {
            return Err(Error::value("log-densities of samples by ranks", ranks.size(), "1"));
        }
        let count = count as usize;
        let own = together::share(ranks, count);
        let model = self.shared_model(run)?.with_first_sample(own.start);
        let request = samples::Request {
            count,
            own,
            conditions: &options.conditions,
            log_prob: options.log_prob,
            ranks,
        };
        match model.schema() {
            Some(schema) => {
                let held_out = self.held_out();
                samples::of_table(run, &model, held_out, schema, request, options.npy, observer)
            }
            None if options.npy => {
                let expected = "a table, whose rows can be written as NumPy's";
                Err(Error::value("samples", format!("images of {}", model.shape()), expected))
            }
            None => samples::of_images(run, &model, request, observer),
        }
    }

    /// The checkpoint of a run that is measured and sampled.
    fn trained(&self, run: &RunFolder) -> Result<Model> {
        run.keep_choices(&self.device)?;
        self.checkpoint(run.read_chosen()?)
    }

    /// A checkpoint, by its path and content.
    fn checkpoint(&self, checkpoint: (PathBuf, Vec<u8>)) -> Result<Model> {
        Model::trained(checkpoint, self.parts.clone(), &self.description()?, || self.fresh())
    }

    /// Every row, and what the user should know of them.
    fn load(&self) -> Result<Loaded> {
        match self.rows.clone() {
            Some((train, held_out)) => Loaded::new(train, held_out, Vec::new()).hold_back(self.recipe()),
            None => data::load_both(self.recipe()),
        }
    }

    /// The rows that a run is measured on.
    ///
    /// # Errors
    /// If the data cannot be read, or has another shape than the recipe says.
    pub(crate) fn held_out(&self) -> Result<Rows> {
        match &self.rows {
            Some((_, held_out)) => Ok(held_out.clone()),
            None => data::held_out(self.recipe()),
        }
    }

    /// Makes every part and drops it: what is wrong shows before any work.
    fn check(&self) -> Result<()> {
        let (parts, recipe) = (&self.parts, self.recipe());
        recipe.check()?;
        check_precision(&self.device, recipe, "precision", recipe.precision)?;
        check_precision(&self.device, recipe, "evaluation.precision", recipe.evaluation.precision)?;
        (0..recipe.stage.len()).try_for_each(|stage| self.objective(stage).map(drop))?;
        parts.times()?;
        parts.dequantizers(&States::new())?;
        parts.solver()?;
        parts.sample_solver()?;
        parts.divergence()?;
        self.description().map(drop)
    }

    /// What the numbers of the recipe ask for of the host's memory.
    ///
    /// # Errors
    /// A network that no memory holds, or that cannot be built.
    fn needs(&self) -> Result<Vec<Need>> {
        let (recipe, dims) = (self.recipe(), self.parts.shape()?.dims());
        if !<D as Kernels<f32>>::ON_HOST {
            return Ok(need::of_recipe(recipe, dims, 0));
        }
        let mut is_checkpointed = false;
        if let Net::Named = self.network {
            let plan = self.plan()?;
            need::check(recipe, &[need::of_network(&plan)], need::available())?;
            is_checkpointed = plan.settings().get("checkpoint").and_then(toml::Value::as_bool) == Some(true);
        }
        let activations = if is_checkpointed { 0 } else { self.fresh()?.operations().activations };
        Ok(need::of_recipe(recipe, dims, activations))
    }

    /// What a stage minimises.
    fn objective(&self, stage: usize) -> Result<AnyObjective<D>> {
        match self.objectives.get(&stage) {
            Some(own) => Ok(own.clone()),
            None => {
                AnyObjective::by_name(&self.recipe().stage[stage].objective).map_err(|error| match error {
                    Error::Value { found, expected, .. } => {
                        self.recipe().source.error(&format!("stage[{stage}].objective"), found, expected)
                    }
                    other => other,
                })
            }
        }
    }

    fn plan(&self) -> Result<NetworkPlan> {
        self.parts.registry.network(self.recipe(), self.parts.shape()?)
    }

    /// The network in words: what tells two of them apart in checkpoints.
    fn description(&self) -> Result<String> {
        match &self.network {
            Net::Named => Ok(self.plan()?.description().to_owned()),
            Net::Own(called, _) => Ok(called.clone()),
        }
    }

    /// The network before training.
    pub(crate) fn fresh(&self) -> Result<DynNetwork<f32, D>> {
        match &self.network {
            Net::Named => self.plan()?.fresh(self.recipe().seed, &self.device),
            Net::Own(_, network) => Ok(network.clone()),
        }
    }
}
