//! From a recipe's names to the things themselves.

use super::{
    DequantizerInputs, NetworkInputs, NetworkPlan, ParameterizationInputs, Registry, ScheduleInputs,
    TimeInputs, Weight,
};
use crate::config::{self, Named, Recipe, Stepping};
use crate::data::RowShape;
use crate::dequantization::Dequantizer;
use crate::diffusion::{Diffusion, DynDiffusion};
use crate::divergence::{Blocks, Divergence, Exact, HutchPlusPlus, Hutchinson, Probe};
use crate::error::{Error, Result};
use crate::pixels::PixelGrid;
use crate::solver::controller::{Integral, ProportionalIntegral};
use crate::solver::{self, OdeSolver, OdeState, Tolerances};
use crate::time::TimeSampler;
use std::sync::Arc;

/// The steps of a solve as a recipe has them.
///
/// # Errors
/// A number that the solver does not take.
pub(crate) fn stepping(recipe: &config::Stepping) -> Result<solver::Stepping> {
    let whole = |name: &str, value: u64| {
        u32::try_from(value).map_err(|_| Error::value(name, value, "at most 4294967295"))
    };
    Ok(match recipe {
        config::Stepping::Fixed(fixed) => solver::Stepping::steps(whole("steps", fixed.steps)?)?,
        config::Stepping::Adaptive(adaptive) => solver::Stepping::Adaptive(solver::Adaptive {
            tolerances: Tolerances {
                relative: adaptive.relative,
                absolute: adaptive.absolute,
                log_density: adaptive.log_density,
            },
            controller: match adaptive.controller {
                config::Controller::Pi => Arc::new(ProportionalIntegral::STANDARD),
                config::Controller::Integral => Arc::new(Integral::STANDARD),
                config::Controller::Scipy => Arc::new(Integral::SCIPY),
            },
            max_steps: whole("max_steps", adaptive.max_steps)?,
            ..solver::Adaptive::default()
        }),
    })
}

/// How a recipe's evaluation computes the divergence of rows of `shape`; of numbers without an order, every one is a block.
///
/// # Errors
/// A number that the estimator does not take.
pub(crate) fn divergence(evaluation: &config::Evaluation, shape: RowShape) -> Result<Box<dyn Divergence>> {
    Ok(match evaluation.divergence.as_ref().unwrap_or(&config::Divergence::default()) {
        config::Divergence::Exact => Box::new(Exact),
        config::Divergence::Hutchinson(config::Hutchinson { probe, probes }) => {
            let probe = match probe {
                config::Probe::Rademacher => Probe::Rademacher,
                config::Probe::Gaussian => Probe::Gaussian,
            };
            Box::new(Hutchinson::new(probe, *probes as usize)?)
        }
        config::Divergence::HutchPlusPlus(config::HutchPlusPlus { products }) => {
            Box::new(HutchPlusPlus::new(*products as usize)?)
        }
        config::Divergence::Program(own) => {
            let expected = "one that a recipe can name";
            return Err(Error::value("evaluation.divergence", format!("{} of a program", own.of), expected));
        }
        config::Divergence::Blocks(config::Blocks { stride }) => {
            let shape = shape.image();
            let sides = [shape.height, shape.width, shape.channels];
            Box::new(Blocks::of_images(sides, *stride as usize)?)
        }
    })
}

/// The likelihood weight of a diffusion, `1 / (2 a^2)`, in nats per unit of gamma.
fn weight(diffusion: &DynDiffusion) -> Weight {
    let diffusion = diffusion.clone();
    Arc::new(move |gamma| diffusion.coefficients(gamma).weight)
}

impl<Y: OdeState> Registry<Y> {
    /// The schedule, the parameterization and the range of a recipe.
    ///
    /// # Errors
    /// A name, a setting or a range that cannot be used.
    pub(crate) fn diffusion(&self, recipe: &Recipe) -> Result<DynDiffusion> {
        let range = recipe.gamma_range()?;
        let source = &recipe.source;
        let inputs = ScheduleInputs { range };
        let schedule = self.schedules.build(&recipe.schedule, &inputs, source, "schedule")?;
        let inputs = ParameterizationInputs { range, schedule: schedule.clone() };
        let parameterization =
            self.parameterizations.build(&recipe.parameterization, &inputs, source, "parameterization")?;
        Ok(Diffusion::new(schedule, parameterization, range))
    }

    /// The network of a recipe for rows of `shape`.
    ///
    /// # Errors
    /// A name, a setting or a shape that cannot be used.
    pub fn network(&self, recipe: &Recipe, shape: RowShape) -> Result<NetworkPlan> {
        let inputs = NetworkInputs {
            shape,
            range: recipe.gamma_range()?,
            levels: recipe.data.levels(),
            conditions: 1 + recipe.data.conditions(),
        };
        self.networks.build(&recipe.network, &inputs, &recipe.source, "network")
    }

    /// The time sampler of a recipe.
    ///
    /// # Errors
    /// A name or a setting that cannot be used.
    pub(crate) fn time_sampler(
        &self,
        recipe: &Recipe,
        diffusion: &DynDiffusion,
    ) -> Result<Box<dyn TimeSampler>> {
        let inputs = TimeInputs { range: diffusion.range(), weight: weight(diffusion) };
        self.time_samplers.build(&recipe.time, &inputs, &recipe.source, "time")
    }

    /// The dequantizers of a recipe's evaluation, each with its name.
    ///
    /// # Errors
    /// A name or a setting that cannot be used.
    pub(crate) fn dequantizers(
        &self,
        recipe: &Recipe,
        diffusion: &DynDiffusion,
    ) -> Result<Vec<(String, Box<dyn Dequantizer>)>> {
        let Some(levels) = recipe.data.levels() else {
            let set = &recipe.evaluation.dequantizers;
            return match set.first().filter(|_| *set != config::Evaluation::default().dequantizers) {
                None => Ok(Vec::new()),
                Some(named) => {
                    let expected = "[]: rows of numbers are measured as they are";
                    let found = format!("\"{}\"", named.name);
                    Err(recipe.source.error("evaluation.dequantizers[0]", found, expected))
                }
            };
        };
        let (range, grid) = (diffusion.range(), PixelGrid::new(levels)?);
        let (schedule, shape) = (diffusion.schedule().clone(), recipe.data.shape());
        let inputs = DequantizerInputs { range, grid, schedule, shape };
        let mut found = Vec::with_capacity(recipe.evaluation.dequantizers.len());
        for (index, named) in recipe.evaluation.dequantizers.iter().enumerate() {
            let key = format!("evaluation.dequantizers[{index}]");
            let built = self.dequantizers.build(named, &inputs, &recipe.source, &key)?;
            found.push((named.name.clone(), built));
        }
        Ok(found)
    }

    /// The solver of a recipe's evaluation.
    ///
    /// # Errors
    /// A name or a setting that cannot be used; adaptive steps with a solver that has no error estimate.
    pub(crate) fn evaluation_solver(&self, recipe: &Recipe) -> Result<Box<dyn OdeSolver<Y>>> {
        let evaluation = &recipe.evaluation;
        self.solver(recipe, &evaluation.solver, &evaluation.stepping, "evaluation.solver")
    }

    /// The solver of a recipe's samples.
    ///
    /// # Errors
    /// As [`evaluation_solver`](Self::evaluation_solver).
    pub(crate) fn sample_solver(&self, recipe: &Recipe) -> Result<Box<dyn OdeSolver<Y>>> {
        self.solver(recipe, &recipe.sample.solver, &recipe.sample.stepping, "sample.solver")
    }

    fn solver(
        &self,
        recipe: &Recipe,
        named: &Named,
        stepping: &Stepping,
        key: &str,
    ) -> Result<Box<dyn OdeSolver<Y>>> {
        let solver = self.solvers.build(named, &(), &recipe.source, key)?;
        if matches!(stepping, Stepping::Adaptive(_)) && solver.error_order().is_none() {
            let found = format!("\"{}\", which has no error estimate", named.name);
            let expected = "a solver with one, or stepping = { name = \"fixed\", steps = ... }";
            return Err(recipe.source.error(key, found, expected));
        }
        Ok(solver)
    }

    /// Builds everything that a recipe names and drops it: what is wrong shows before any work.
    ///
    /// # Errors
    /// The first name or value that cannot be used.
    pub fn check(&self, recipe: &Recipe) -> Result<()> {
        recipe.check()?;
        let diffusion = self.diffusion(recipe)?;
        self.time_sampler(recipe, &diffusion)?;
        self.dequantizers(recipe, &diffusion)?;
        self.evaluation_solver(recipe)?;
        self.sample_solver(recipe)?;
        if let Some(shape) = recipe.data.row_shape() {
            self.network(recipe, shape)?;
        }
        Ok(())
    }
}
