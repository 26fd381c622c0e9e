//! Names for the five traits and for networks, so that a recipe can choose by name and a plugin can add its own.
//!
//! [`Registry::default`] holds the built-ins. A plugin adds a name with one call:
//!
//! ```
//! use idode::level::Level;
//! use idode::parameterization::{Affine, Parameterization};
//! use idode::registry::{Entry, Registry};
//!
//! #[derive(Debug, serde::Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Scaled {
//!     by: f64,
//! }
//!
//! impl Parameterization for Scaled {
//!     fn target(&self, _: &Level) -> Affine {
//!         Affine { noise: self.by, state: 0.0 }
//!     }
//! }
//!
//! let mut registry: Registry = Registry::default();
//! let entry = Entry { formula: "F = by eps", reference: "this page" };
//! registry.add_parameterization("scaled", entry, |settings: Scaled, _| Ok(settings));
//! assert!(registry.parameterizations.names().contains(&"scaled"));
//! ```

mod build;
mod builders;
mod built_in;
pub(crate) mod device;
#[cfg(feature = "cuda")]
mod nccl;
mod network;
mod networks;

pub(crate) use build::{divergence, stepping};
pub use builders::{Builders, Context, Entry, NoSettings};
pub use network::{BuildNetwork, ComputeDevice, NetworkInputs, NetworkPlan};

use crate::data::ImageShape;
use crate::dequantization::{Dequantizer, StartConfig};
use crate::error::{Error, Result};
use crate::level::{Gamma, GammaRange, Level};
use crate::parameterization::Parameterization;
use crate::pixels::PixelGrid;
use crate::schedule::NoiseSchedule;
use crate::solver::{OdeSolver, OdeState};
use crate::time::TimeSampler;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// The state that the built-in programs step: a batch of rows, on whatever device the network is.
pub type FlowState = crate::solver::AnyState;

/// A weight over noise levels.
pub type Weight = Arc<dyn Fn(Gamma) -> f64 + Send + Sync>;

/// What the builder of a schedule is given.
#[derive(Clone, Copy, Debug)]
pub struct ScheduleInputs {
    /// The range that the schedule is used on.
    pub range: GammaRange,
}

/// What the builder of a parameterization is given.
#[derive(Clone, Debug)]
pub struct ParameterizationInputs {
    /// The range of noise levels.
    pub range: GammaRange,
    /// The schedule.
    pub schedule: Arc<dyn NoiseSchedule>,
}

/// What the builder of a time sampler is given.
#[derive(Clone)]
pub struct TimeInputs {
    /// The range of the density.
    pub range: GammaRange,
    /// The likelihood weight of `|F - F*|^2`, `1 / (2 a^2)`, in nats per unit of gamma.
    pub weight: Weight,
}

impl std::fmt::Debug for TimeInputs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TimeInputs").field("range", &self.range).finish_non_exhaustive()
    }
}

/// What the builder of a dequantizer is given.
#[derive(Clone, Debug)]
pub struct DequantizerInputs {
    /// The range of noise levels; the ODE starts at its least noise unless a setting says otherwise.
    pub range: GammaRange,
    /// The pixels' bins.
    pub grid: PixelGrid,
    /// The schedule, for another start level.
    pub schedule: Arc<dyn NoiseSchedule>,
    /// The shape of an image; none where it depends on a file that has not been looked at yet.
    pub shape: Option<ImageShape>,
}

impl DequantizerInputs {
    /// The level at which a dequantizer starts: as set, else the range's least noise.
    ///
    /// # Errors
    /// A setting outside the range.
    pub fn start(&self, settings: StartConfig) -> Result<Level> {
        self.start_or(settings, self.range.min())
    }

    /// The same with a default of its own, where the range holds it.
    ///
    /// # Errors
    /// A setting outside the range.
    pub fn start_or(&self, settings: StartConfig, default: Gamma) -> Result<Level> {
        let default = if self.range.contains(default) { default } else { self.range.min() };
        let gamma = settings.or(default)?;
        if !self.range.contains(gamma) {
            let range = format!("a level of the range [{}, {}]", self.range.min(), self.range.max());
            return Err(Error::value("gamma", gamma, range));
        }
        Ok(self.schedule.level(gamma))
    }
}

/// Every name of the six traits; `Y` is the state that the solvers step.
#[derive(Clone, Debug)]
pub struct Registry<Y: OdeState = FlowState> {
    /// Noise schedules.
    pub schedules: Builders<ScheduleInputs, Arc<dyn NoiseSchedule>>,
    /// Parameterizations.
    pub parameterizations: Builders<ParameterizationInputs, Arc<dyn Parameterization>>,
    /// Time samplers.
    pub time_samplers: Builders<TimeInputs, Box<dyn TimeSampler>>,
    /// Dequantizers.
    pub dequantizers: Builders<DequantizerInputs, Box<dyn Dequantizer>>,
    /// ODE solvers.
    pub solvers: Builders<(), Box<dyn OdeSolver<Y>>>,
    /// Networks.
    pub networks: Builders<NetworkInputs, NetworkPlan>,
}

/// The context of a schedule's builder.
pub type ScheduleContext<'a> = Context<'a, ScheduleInputs, Arc<dyn NoiseSchedule>>;
/// The context of a parameterization's builder.
pub type ParameterizationContext<'a> = Context<'a, ParameterizationInputs, Arc<dyn Parameterization>>;
/// The context of a time sampler's builder.
pub type TimeContext<'a> = Context<'a, TimeInputs, Box<dyn TimeSampler>>;
/// The context of a dequantizer's builder.
pub type DequantizerContext<'a> = Context<'a, DequantizerInputs, Box<dyn Dequantizer>>;
/// The context of a solver's builder.
pub type SolverContext<'a, Y> = Context<'a, (), Box<dyn OdeSolver<Y>>>;

impl<Y: OdeState> Registry<Y> {
    /// A registry without any name.
    pub fn empty() -> Self {
        Self {
            schedules: Builders::new("noise schedule"),
            parameterizations: Builders::new("parameterization"),
            time_samplers: Builders::new("time sampler"),
            dequantizers: Builders::new("dequantizer"),
            solvers: Builders::new("ODE solver"),
            networks: Builders::new("network"),
        }
    }

    /// Adds a noise schedule, or replaces the one of that name. `C` holds its settings.
    pub fn add_schedule<C: DeserializeOwned, S: NoiseSchedule + 'static>(
        &mut self,
        name: &str,
        entry: Entry,
        build: impl Fn(C, &ScheduleContext<'_>) -> Result<S> + Send + Sync + 'static,
    ) {
        self.schedules.add(name, entry, move |settings, context| Ok(Arc::new(build(settings, context)?)));
    }

    /// Adds a parameterization, or replaces the one of that name. `C` holds its settings.
    pub fn add_parameterization<C: DeserializeOwned, P: Parameterization + 'static>(
        &mut self,
        name: &str,
        entry: Entry,
        build: impl Fn(C, &ParameterizationContext<'_>) -> Result<P> + Send + Sync + 'static,
    ) {
        self.parameterizations
            .add(name, entry, move |settings, context| Ok(Arc::new(build(settings, context)?)));
    }

    /// Adds a time sampler, or replaces the one of that name. `C` holds its settings.
    pub fn add_time_sampler<C: DeserializeOwned, T: TimeSampler + 'static>(
        &mut self,
        name: &str,
        entry: Entry,
        build: impl Fn(C, &TimeContext<'_>) -> Result<T> + Send + Sync + 'static,
    ) {
        self.time_samplers.add(name, entry, move |settings, context| Ok(Box::new(build(settings, context)?)));
    }

    /// Adds a dequantizer, or replaces the one of that name. `C` holds its settings.
    pub fn add_dequantizer<C: DeserializeOwned, Q: Dequantizer + 'static>(
        &mut self,
        name: &str,
        entry: Entry,
        build: impl Fn(C, &DequantizerContext<'_>) -> Result<Q> + Send + Sync + 'static,
    ) {
        self.dequantizers.add(name, entry, move |settings, context| Ok(Box::new(build(settings, context)?)));
    }

    /// Adds a solver, or replaces the one of that name. `C` holds its settings.
    pub fn add_solver<C: DeserializeOwned, M: OdeSolver<Y> + 'static>(
        &mut self,
        name: &str,
        entry: Entry,
        build: impl Fn(C, &SolverContext<'_, Y>) -> Result<M> + Send + Sync + 'static,
    ) {
        self.solvers.add(name, entry, move |settings, context| Ok(Box::new(build(settings, context)?)));
    }

    /// Adds a network, or replaces the one of that name.
    pub fn add_network<B: BuildNetwork>(&mut self, name: &str, entry: Entry, network: B) {
        network::add(&mut self.networks, name, entry, network);
    }
}

#[cfg(test)]
mod tests;
