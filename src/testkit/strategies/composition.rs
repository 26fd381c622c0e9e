//! Random compositions of all five traits, by name.

use crate::config::{Named, Source};
use crate::dequantization::Dequantizer;
use crate::diffusion::{Diffusion, DynDiffusion};
use crate::error::Result;
use crate::level::GammaRange;
use crate::pixels::PixelGrid;
use crate::registry::{DequantizerInputs, ParameterizationInputs, Registry, ScheduleInputs, TimeInputs};
use crate::solver::{OdeSolver, OdeState};
use crate::time::TimeSampler;
use proptest::prelude::*;
use proptest::sample::select;

/// A schedule, a parameterization, a time sampler, a dequantizer and a solver, by their names.
#[derive(Clone, Debug, PartialEq)]
pub struct Composition {
    /// The noise schedule.
    pub schedule: Named,
    /// The parameterization.
    pub parameterization: Named,
    /// The time sampler.
    pub time: Named,
    /// The dequantizer.
    pub dequantizer: Named,
    /// The solver.
    pub solver: Named,
}

/// What a composition's names stand for.
#[derive(Debug)]
pub struct Parts<Y: OdeState> {
    /// The schedule, the parameterization and the range.
    pub diffusion: DynDiffusion,
    /// The time sampler.
    pub time: Box<dyn TimeSampler>,
    /// The dequantizer.
    pub dequantizer: Box<dyn Dequantizer>,
    /// The solver.
    pub solver: Box<dyn OdeSolver<Y>>,
}

impl Composition {
    /// Builds every part on `range`, for pixels of `grid`.
    ///
    /// # Errors
    /// A name or a setting that the registry does not take.
    pub fn build<Y: OdeState>(
        &self,
        registry: &Registry<Y>,
        range: GammaRange,
        grid: PixelGrid,
    ) -> Result<Parts<Y>> {
        let source = Source::default();
        let inputs = ScheduleInputs { range };
        let schedule = registry.schedules.build(&self.schedule, &inputs, &source, "schedule")?;
        let inputs = ParameterizationInputs { range, schedule: schedule.clone() };
        let parameterization =
            registry.parameterizations.build(&self.parameterization, &inputs, &source, "parameterization")?;
        let diffusion = Diffusion::new(schedule.clone(), parameterization, range);
        let weighed = diffusion.clone();
        let weight = std::sync::Arc::new(move |gamma| weighed.coefficients(gamma).weight);
        let inputs = TimeInputs { range, weight };
        let time = registry.time_samplers.build(&self.time, &inputs, &source, "time")?;
        let inputs = DequantizerInputs { range, grid, schedule, shape: None };
        let dequantizer = registry.dequantizers.build(&self.dequantizer, &inputs, &source, "dequantizer")?;
        let solver = registry.solvers.build(&self.solver, &(), &source, "solver")?;
        Ok(Parts { diffusion, time, dequantizer, solver })
    }
}

/// One of these names, without settings.
pub(super) fn name(names: Vec<&str>) -> impl Strategy<Value = Named> + Clone + use<> {
    select(names.into_iter().map(str::to_owned).collect::<Vec<_>>()).prop_map(Named::new)
}

/// Compositions of whatever is registered, each name as likely as any other of its kind.
///
/// A plugin that has added itself is drawn too; everything keeps its default settings.
pub fn composition<Y: OdeState>(
    registry: &Registry<Y>,
) -> impl Strategy<Value = Composition> + Clone + use<Y> {
    (
        name(registry.schedules.names()),
        name(registry.parameterizations.names()),
        name(registry.time_samplers.names()),
        name(registry.dequantizers.names()),
        name(registry.solvers.names()),
    )
        .prop_map(|(schedule, parameterization, time, dequantizer, solver)| Composition {
            schedule,
            parameterization,
            time,
            dequantizer,
            solver,
        })
}
