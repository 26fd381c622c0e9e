//! A network whose type is forgotten: image shape, width, and device.

use crate::dequantization::Dequantizer;
use crate::diffusion::DynDiffusion;
use crate::divergence::Divergence;
use crate::error::{Error, Result};
use crate::level::Gamma;
use crate::likelihood::{Evaluator, OdeEstimate, ProbabilityFlow, RowDensity, VlbEstimate};
use crate::parameterization::Parameterization;
use crate::pixels::PixelGrid;
use crate::progress::Progress;
use crate::registry::FlowState;
use crate::sample::{Sampler, Samples, WayBack};
use crate::schedule::NoiseSchedule;
use crate::solver::{OdeSolver, Stepping};
use crate::time::TimeSampler;
use crate::train::Checkpoint;
use crate::work::device::ComputeDevice;
use crate::work::networks::{Trainable, WithNetwork};
use std::fmt::Debug;
use std::marker::PhantomData;
use std::sync::Arc;

/// How a likelihood is measured.
pub(super) struct Measurement {
    pub(super) solver: Box<dyn OdeSolver<FlowState>>,
    pub(super) stepping: Stepping,
    pub(super) divergence: Box<dyn Divergence>,
    pub(super) batch: usize,
    pub(super) seed: u64,
    pub(super) draws: usize,
    pub(super) importance_samples: usize,
}

pub(super) type Sampling = (Box<dyn OdeSolver<FlowState>>, Stepping, usize, u64);

/// What can be measured of a network whose type is forgotten.
pub(super) trait Measured: Debug {
    fn log_prob(&self, z: &[f64], from: Gamma, how: Measurement) -> Result<Vec<RowDensity>>;

    fn ode(
        &self,
        pixels: &[u16],
        dequantizer: &dyn Dequantizer,
        how: Measurement,
        progress: &mut dyn Progress,
    ) -> Result<OdeEstimate>;

    fn vlb(
        &self,
        pixels: &[u16],
        grid: PixelGrid,
        levels: usize,
        times: Box<dyn TimeSampler>,
        how: Measurement,
        progress: &mut dyn Progress,
    ) -> Result<VlbEstimate>;

    fn sample(
        &self,
        count: usize,
        grid: PixelGrid,
        how: Sampling,
        progress: &mut dyn Progress,
    ) -> Result<Vec<u16>>;

    /// Samples with their log-density, and how far each one's way back misses.
    fn sample_with_log_density(
        &self,
        count: usize,
        how: Sampling,
        divergence: Box<dyn Divergence>,
        progress: &mut dyn Progress,
    ) -> Result<(Samples, Vec<WayBack>)>;
}

/// A network of a type that the binary holds.
struct Typed<D, N> {
    network: N,
    diffusion: DynDiffusion,
    device: PhantomData<fn() -> D>,
}

impl<D, N> Debug for Typed<D, N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Typed").field("diffusion", &self.diffusion).finish_non_exhaustive()
    }
}

impl<D: ComputeDevice, N: Trainable<D>> Typed<D, N> {
    #[allow(clippy::type_complexity)]
    fn sampler(
        &self,
        (solver, stepping, batch, seed): Sampling,
    ) -> Result<Sampler<'_, f32, D, N, Arc<dyn NoiseSchedule>, Arc<dyn Parameterization>>> {
        let flow = ProbabilityFlow::new(&self.network, &self.diffusion)
            .with_solver(solver, stepping)
            .with_batch(batch)?;
        Ok(Sampler::new(flow, seed))
    }

    #[allow(clippy::type_complexity)]
    fn evaluator(
        &self,
        how: Measurement,
    ) -> Result<Evaluator<'_, f32, D, N, Arc<dyn NoiseSchedule>, Arc<dyn Parameterization>>> {
        let flow = ProbabilityFlow::new(&self.network, &self.diffusion)
            .with_solver(how.solver, how.stepping)
            .with_batch(how.batch)?;
        Evaluator::new(flow)
            .with_divergence(how.divergence)
            .with_seed(how.seed)
            .with_draws(how.draws, how.importance_samples)
    }
}

impl<D: ComputeDevice, N: Trainable<D>> Measured for Typed<D, N> {
    fn log_prob(&self, z: &[f64], from: Gamma, how: Measurement) -> Result<Vec<RowDensity>> {
        self.evaluator(how)?.log_prob(z, from)
    }

    fn ode(
        &self,
        pixels: &[u16],
        dequantizer: &dyn Dequantizer,
        how: Measurement,
        progress: &mut dyn Progress,
    ) -> Result<OdeEstimate> {
        self.evaluator(how)?.bits_per_dim(pixels, dequantizer, progress)
    }

    fn vlb(
        &self,
        pixels: &[u16],
        grid: PixelGrid,
        levels: usize,
        times: Box<dyn TimeSampler>,
        how: Measurement,
        progress: &mut dyn Progress,
    ) -> Result<VlbEstimate> {
        self.evaluator(how)?.vlb(pixels, grid, levels, &*times, progress)
    }

    fn sample(
        &self,
        count: usize,
        grid: PixelGrid,
        how: Sampling,
        progress: &mut dyn Progress,
    ) -> Result<Vec<u16>> {
        let samples = self.sampler(how)?.sample(count, progress)?;
        all_finished(&samples)?;
        Ok(samples.pixels(grid))
    }

    fn sample_with_log_density(
        &self,
        count: usize,
        how: Sampling,
        divergence: Box<dyn Divergence>,
        progress: &mut dyn Progress,
    ) -> Result<(Samples, Vec<WayBack>)> {
        let sampler = self.sampler(how)?;
        let samples = sampler.sample_with_log_density(count, &divergence, progress)?;
        all_finished(&samples)?;
        let back = sampler.way_back(&samples, &divergence)?;
        Ok((samples, back))
    }
}

fn all_finished(samples: &Samples) -> Result<()> {
    match samples.failures() {
        0 => Ok(()),
        failures => {
            let found = format!("{failures} of {} that the solver could not finish", samples.reports().len());
            Err(Error::value("samples", found, "all of them: try sample.stepping with more steps"))
        }
    }
}

/// Loads the moving average into a network.
pub(super) struct Load<'a> {
    pub(super) checkpoint: &'a Checkpoint<'a>,
    pub(super) diffusion: DynDiffusion,
}

impl WithNetwork for Load<'_> {
    type Output = Box<dyn Measured>;

    fn run<D: ComputeDevice, N: Trainable<D>>(self, mut network: N) -> Result<Box<dyn Measured>> {
        self.checkpoint.load("ema", &mut network)?;
        Ok(Box::new(Typed { network, diffusion: self.diffusion, device: PhantomData::<fn() -> D> }))
    }
}
