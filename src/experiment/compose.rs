//! Composing an experiment of typed parts.

use super::parts::{Given, Part};
use super::{AnyObjective, DataPart, Experiment, Net, NetworkPart, data, names, objective};
use crate::communicator::Ranks;
use crate::config::{self, Evaluation, Log, Named, Range, Recipe, Sample, Stage, Unnamed, Validation};
use crate::dequantization::Dequantizer;
use crate::diffusion::{Diffusion, DynDiffusion};
use crate::divergence::Divergence;
use crate::error::{Error, Result};
use crate::model::{Fresh, Parts};
use crate::nn::DynNetwork;
use crate::objective::Objective;
use crate::parameterization::Parameterization;
use crate::registry::{ComputeDevice, FlowState, Registry};
use crate::schedule::NoiseSchedule;
use crate::solver::OdeSolver;
use crate::tensor::Precision;
use crate::time::TimeSampler;
use dfdx::prelude::Cpu;
use litemap::LiteMap;
use std::any::type_name;
use std::sync::Arc;

impl Experiment<Cpu> {
    /// A run on the processor; see [`on`](Self::on).
    pub fn new<S: NoiseSchedule + 'static, P: Parameterization + 'static>(
        data: impl Into<DataPart>,
        diffusion: Diffusion<S, P>,
        network: impl Into<NetworkPart<Cpu>>,
    ) -> Self {
        Self::on(&Cpu::default(), data, diffusion, network)
    }
}

impl<D: ComputeDevice> Experiment<D> {
    /// A run of these data, this diffusion and this network on `device`. It has no stage yet; everything else is as in a
    /// [`Recipe`] that does not say it.
    pub fn on<S: NoiseSchedule + 'static, P: Parameterization + 'static>(
        device: &D,
        data: impl Into<DataPart>,
        diffusion: Diffusion<S, P>,
        network: impl Into<NetworkPart<D>>,
    ) -> Self {
        let (data, network) = (data.into(), network.into());
        let mut recipe = Recipe::new(data.described(), Named::new(""));
        network.describe(&mut recipe);
        let (range, prior) = (diffusion.range(), diffusion.prior());
        recipe.range = Range { gamma_min: Some(range.min().0), gamma_max: Some(range.max().0) };
        recipe.schedule = Named::unnamed(type_name::<S>());
        recipe.parameterization = Named::unnamed(type_name::<P>());
        recipe.stage.clear();
        let (schedule, parameterization, _) = diffusion.into_parts();
        let diffusion: DynDiffusion = Diffusion::new(
            Arc::new(schedule) as Arc<dyn NoiseSchedule>,
            Arc::new(parameterization) as _,
            range,
        );
        let parts = Parts::new(recipe, Registry::default(), diffusion.with_prior(prior));
        let network = match network.0 {
            Part::Named(_) => Net::Named,
            Part::Own(called, network) => Net::Own(called, network),
        };
        let rows = match data.0 {
            Given::Named(_) => None,
            Given::Own(train, held_out) => Some((train, held_out)),
        };
        Self {
            parts,
            device: device.clone(),
            network,
            objectives: LiteMap::new(),
            rows,
            ranks: Ranks::alone(),
        }
    }

    /// The same run by several processes, of which this is one: all of them [train](Self::train) or [evaluate](Self::evaluate) it, and rank 0
    /// writes the folder, which the others must see. No number of them changes a bit of what is written, times aside, on processors; see
    /// [`communicator`](crate::communicator).
    pub fn ranks(mut self, ranks: Ranks) -> Self {
        self.ranks = ranks;
        self
    }

    /// The same with these names beside the built-in ones: those of plugins, which the run's folder may then hold.
    pub fn registry(mut self, registry: Registry) -> Self {
        self.parts.registry = registry;
        self
    }

    /// The same with another seed of initialisation, of the rows' order and of training noise: 0 without. A network of one's own has been
    /// initialised already.
    pub fn seed(mut self, seed: u64) -> Self {
        self.parts.recipe.seed = seed;
        self
    }

    /// The same, trained with products in another precision: `f32` without. What is measured has its own, of its [`Evaluation`].
    pub fn precision(mut self, precision: Precision) -> Self {
        self.parts.recipe.precision = precision;
        self
    }

    /// The same, whose folder says that it is measured and sampled on this device when a command opens it.
    pub fn device(mut self, device: config::Device) -> Self {
        self.parts.recipe.device = device;
        self
    }

    /// The same with another time sampler. A stage begins with what the one before has learned.
    pub fn times<T: TimeSampler + Clone + Send + Sync + 'static>(mut self, times: T) -> Self {
        self.parts.recipe.time = Named::unnamed(type_name::<T>());
        self.parts.times = Some(Fresh::new(move || Box::new(times.clone()) as _));
        self
    }

    /// The same with one more stage, which minimises `objective`; what `stage` says of an objective is not looked at.
    pub fn stage<O: Objective<f32, D, DynNetwork<f32, D>> + 'static>(
        mut self,
        objective: O,
        stage: Stage,
    ) -> Self {
        let stages = &mut self.parts.recipe.stage;
        let named =
            objective::name(&objective).unwrap_or_else(|| config::Objective::Program(Unnamed::of::<O>()));
        self.objectives.insert(stages.len(), AnyObjective::new(objective));
        stages.push(Stage { objective: named, ..stage });
        self
    }

    /// The same with other intervals of metrics and checkpoints.
    pub fn log(mut self, log: Log) -> Self {
        self.parts.recipe.log = log;
        self
    }

    /// The same, measured while it is trained on rows that are not trained on.
    pub fn validation(mut self, validation: Validation) -> Self {
        self.parts.recipe.validation = Some(validation);
        self
    }

    /// The same with another evaluation: its numbers, and by name its solver, divergence and dequantizers. Those that are given as types come
    /// after.
    pub fn evaluation(mut self, evaluation: Evaluation) -> Self {
        self.parts.recipe.evaluation = evaluation;
        self.parts.dequantizers.clear();
        (self.parts.solver, self.parts.divergence) = (None, None);
        self
    }

    /// The same whose evaluation has another solver.
    pub fn solver<M: OdeSolver<FlowState> + Clone + Send + Sync + 'static>(mut self, solver: M) -> Self {
        self.parts.recipe.evaluation.solver = names::solver(&self.parts.registry, &solver);
        self.parts.solver = Some(Fresh::new(move || Box::new(solver.clone()) as _));
        self
    }

    /// The same whose evaluation computes divergences otherwise.
    pub fn divergence<V: Divergence + Clone + 'static>(mut self, divergence: V) -> Self {
        self.parts.recipe.evaluation.divergence = Some(names::divergence(&divergence));
        self.parts.divergence = Some(Fresh::new(move || Box::new(divergence.clone()) as _));
        self
    }

    /// The same whose evaluation has one more estimate, `ode_NAME` with this dequantizer; or another one of that name.
    pub fn dequantizer<Q: Dequantizer + Clone + 'static>(mut self, name: &str, dequantizer: Q) -> Self {
        let named = &mut self.parts.recipe.evaluation.dequantizers;
        if named.iter().all(|own| own.name != name) {
            named.push(Named::new(name));
        }
        self.parts
            .dequantizers
            .insert(name.to_owned(), Fresh::new(move || Box::new(dequantizer.clone()) as _));
        self
    }

    /// The same with other samples: their number and seed, and by name their solver.
    pub fn samples(mut self, samples: Sample) -> Self {
        self.parts.recipe.sample = samples;
        self.parts.sample_solver = None;
        self
    }

    /// The same whose samples are drawn with another solver.
    pub fn sample_solver<M: OdeSolver<FlowState> + Clone + Send + Sync + 'static>(
        mut self,
        solver: M,
    ) -> Self {
        self.parts.recipe.sample.solver = names::solver(&self.parts.registry, &solver);
        self.parts.sample_solver = Some(Fresh::new(move || Box::new(solver.clone()) as _));
        self
    }

    /// The same schedule and parameterization by these names, which may have settings; without this a name without settings is found.
    ///
    /// # Errors
    /// Names that the registry does not have, or that stand for something else.
    pub fn called(mut self, schedule: Named, parameterization: Named) -> Result<Self> {
        let recipe = Recipe { schedule, parameterization, ..self.parts.recipe.clone() };
        let named = self.parts.registry.diffusion(&recipe)?;
        if !names::is_same_diffusion(&named, &self.parts.diffusion) {
            let found = format!("\"{}\" and \"{}\"", recipe.schedule.name, recipe.parameterization.name);
            return Err(Error::value("names", found, "names of the diffusion that the run has"));
        }
        self.parts.recipe = recipe;
        Ok(self)
    }

    /// The same with every default that depends on the data or on the network written out, and the names of the parts that have any.
    pub(super) fn resolved(&self) -> Result<Self> {
        let mut ready = self.clone();
        ready.parts.recipe = data::resolved(&ready.parts.recipe, &ready.parts.registry)?;
        names::find(&mut ready.parts);
        Ok(ready)
    }
}
