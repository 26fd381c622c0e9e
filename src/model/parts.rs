//! The parts of a run: what a program gives as types, and everything else by name.

use super::learned::{States, key};
use crate::config::{Evaluation, Recipe};
use crate::data::RowShape;
use crate::dequantization::Dequantizer;
use crate::diffusion::DynDiffusion;
use crate::divergence::Divergence;
use crate::error::Result;
use crate::registry::{self, FlowState, Registry};
use crate::solver::{self, OdeSolver};
use crate::time::TimeSampler;
use litemap::LiteMap;
use std::fmt;
use std::sync::Arc;

type Make<T> = Arc<dyn Fn() -> Box<T> + Send + Sync>;

/// Something of a run that is made anew whenever it is needed.
pub(crate) struct Fresh<T: ?Sized>(Make<T>);

impl<T: ?Sized> Fresh<T> {
    pub(crate) fn new(make: impl Fn() -> Box<T> + Send + Sync + 'static) -> Self {
        Self(Arc::new(make))
    }

    pub(crate) fn make(&self) -> Box<T> {
        (self.0)()
    }
}

impl<T: ?Sized> Clone for Fresh<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: ?Sized> fmt::Debug for Fresh<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Fresh")
    }
}

/// A recipe, which has every number and name of a run; what a program has given as types goes before its names.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(crate) recipe: Recipe,
    pub(crate) registry: Registry,
    pub(crate) diffusion: DynDiffusion,
    pub(crate) times: Option<Fresh<dyn TimeSampler>>,
    pub(crate) solver: Option<Fresh<dyn OdeSolver<FlowState>>>,
    pub(crate) sample_solver: Option<Fresh<dyn OdeSolver<FlowState>>>,
    pub(crate) divergence: Option<Fresh<dyn Divergence>>,
    /// By their names in the recipe.
    pub(crate) dequantizers: LiteMap<String, Fresh<dyn Dequantizer>>,
}

impl Parts {
    /// A diffusion, and everything else by name.
    pub(crate) fn new(recipe: Recipe, registry: Registry, diffusion: DynDiffusion) -> Self {
        Self {
            recipe,
            registry,
            diffusion,
            times: None,
            solver: None,
            sample_solver: None,
            divergence: None,
            dequantizers: LiteMap::new(),
        }
    }

    /// Everything by name.
    ///
    /// # Errors
    /// A name, a setting or a range that cannot be used.
    pub(crate) fn named(recipe: &Recipe, registry: &Registry) -> Result<Self> {
        registry.check(recipe)?;
        let diffusion = registry.diffusion(recipe)?;
        Ok(Self::new(recipe.clone(), registry.clone(), diffusion))
    }

    /// The same with another evaluation. A solver or a divergence of a program stays where the name is the same; another name stands for itself.
    pub(crate) fn with_evaluation(&self, evaluation: Evaluation) -> Self {
        let now = &self.recipe.evaluation;
        let solver = self.solver.clone().filter(|_| now.solver == evaluation.solver);
        let divergence = self.divergence.clone().filter(|_| now.divergence == evaluation.divergence);
        let recipe = Recipe { evaluation, ..self.recipe.clone() };
        Self { recipe, solver, divergence, ..self.clone() }
    }

    pub(crate) fn shape(&self) -> Result<RowShape> {
        self.recipe.row_shape()
    }

    /// How often training visits each noise level, before it has learned anything.
    pub(crate) fn times(&self) -> Result<Box<dyn TimeSampler>> {
        match &self.times {
            Some(times) => Ok(times.make()),
            None => self.registry.time_sampler(&self.recipe, &self.diffusion),
        }
    }

    /// The solver of the evaluation.
    pub(crate) fn solver(&self) -> Result<Box<dyn OdeSolver<FlowState>>> {
        match &self.solver {
            Some(solver) => Ok(solver.make()),
            None => self.registry.evaluation_solver(&self.recipe),
        }
    }

    /// The solver that samples are drawn with.
    pub(crate) fn sample_solver(&self) -> Result<Box<dyn OdeSolver<FlowState>>> {
        match &self.sample_solver {
            Some(solver) => Ok(solver.make()),
            None => self.registry.sample_solver(&self.recipe),
        }
    }

    /// The steps of the evaluation's solver.
    pub(crate) fn stepping(&self) -> Result<solver::Stepping> {
        registry::stepping(&self.recipe.evaluation.stepping)
    }

    /// How the evaluation computes divergences.
    pub(crate) fn divergence(&self) -> Result<Box<dyn Divergence>> {
        match &self.divergence {
            Some(divergence) => Ok(divergence.make()),
            None => registry::divergence(&self.recipe.evaluation, self.shape()?),
        }
    }

    /// The dequantizers of the evaluation, each with its name, as they were when `states` was written.
    ///
    /// # Errors
    /// A name, a setting or a state that cannot be used.
    pub(crate) fn dequantizers(&self, states: &States) -> Result<Vec<(String, Box<dyn Dequantizer>)>> {
        let all = &self.recipe.evaluation.dequantizers;
        let by_name = all.iter().filter(|named| !self.dequantizers.contains_key(&named.name)).cloned();
        let evaluation = Evaluation { dequantizers: by_name.collect(), ..self.recipe.evaluation.clone() };
        let recipe = Recipe { evaluation, ..self.recipe.clone() };
        let mut named = self.registry.dequantizers(&recipe, &self.diffusion)?.into_iter();
        let mut found = Vec::new();
        for settings in all {
            let next = match self.dequantizers.get(&settings.name) {
                Some(own) => Some((settings.without_name().unwrap_or(&settings.name).to_owned(), own.make())),
                None => named.next(),
            };
            // Of a table without any, names are none.
            let Some((name, mut dequantizer)) = next else { break };
            if let Some(state) = states.get(&key(settings)?) {
                dequantizer.restore(state)?;
            }
            found.push((name, dequantizer));
        }
        Ok(found)
    }
}
