//! A network whose device is forgotten.

use crate::dequantization::Dequantizer;
use crate::diffusion::DynDiffusion;
use crate::divergence::Divergence;
use crate::error::{Error, Result};
use crate::level::Gamma;
use crate::likelihood::{
    Conditioning, DensityRows, Each, Evaluator, ImageRecord, ImmseEstimate, ProbabilityFlow, Replicate,
    RowDensity, VlbRecord,
};
use crate::nn::{DynNetwork, Network};
use crate::parameterization::Parameterization;
use crate::pixels::PixelGrid;
use crate::progress::Progress;
use crate::registry::{ComputeDevice, FlowState};
use crate::sample::{Sampler, Samples, WayBack};
use crate::schedule::NoiseSchedule;
use crate::solver::{OdeSolver, Stepping};
use crate::tensor::{Kernels, Precision};
use crate::time::TimeSampler;
use crate::train::Checkpoint;
use std::fmt::Debug;
use std::rc::Rc;
use std::sync::Arc;

/// How a likelihood is measured.
pub(super) struct Measurement {
    pub(super) solver: Box<dyn OdeSolver<FlowState>>,
    pub(super) stepping: Stepping,
    pub(super) divergence: Box<dyn Divergence>,
    pub(super) batch: usize,
    pub(super) precision: Precision,
    pub(super) seed: u64,
    pub(super) draws: usize,
    pub(super) importance_samples: usize,
    pub(super) replicate: Replicate,
}

/// How samples are drawn.
pub(super) struct Sampling {
    pub(super) solver: Box<dyn OdeSolver<FlowState>>,
    pub(super) stepping: Stepping,
    pub(super) batch: usize,
    pub(super) precision: Precision,
    pub(super) seed: u64,
    /// Which of the seed's samples is the first.
    pub(super) first: usize,
}

/// The conditioning numbers of rows, as [`Conditioning`] has them.
type Given<'g> = Conditioning<'g>;

/// What can be measured of a network whose device is forgotten.
pub(super) trait Measured: Debug {
    fn log_prob(&self, z: &[f64], from: Gamma, given: Given<'_>, how: Measurement)
    -> Result<Vec<RowDensity>>;

    fn ode(
        &self,
        pixels: &[u16],
        dequantizer: &dyn Dequantizer,
        given: Given<'_>,
        how: Measurement,
        each: Each<'_, ImageRecord>,
    ) -> Result<()>;

    fn vlb(
        &self,
        pixels: &[u16],
        grid: PixelGrid,
        times: (usize, Box<dyn TimeSampler>),
        given: Given<'_>,
        how: Measurement,
        each: Each<'_, VlbRecord>,
    ) -> Result<()>;

    fn immse(
        &self,
        pixels: &[u16],
        times: (PixelGrid, usize),
        given: Given<'_>,
        how: Measurement,
        progress: &mut dyn Progress,
    ) -> Result<ImmseEstimate>;

    fn density(
        &self,
        rows: &DensityRows<'_>,
        given: Given<'_>,
        how: Measurement,
        each: Each<'_, ImageRecord>,
    ) -> Result<()>;

    fn vlb_of_density(
        &self,
        rows: &DensityRows<'_>,
        times: (usize, Box<dyn TimeSampler>),
        given: Given<'_>,
        how: Measurement,
        each: Each<'_, VlbRecord>,
    ) -> Result<()>;

    fn sample(
        &self,
        count: usize,
        given: Given<'_>,
        how: Sampling,
        progress: &mut dyn Progress,
    ) -> Result<Samples>;

    /// Samples with their log-density, and how far each one's way back misses.
    fn sample_with_log_density(
        &self,
        count: usize,
        given: Given<'_>,
        how: Sampling,
        divergence: Box<dyn Divergence>,
        progress: &mut dyn Progress,
    ) -> Result<(Samples, Vec<WayBack>)>;
}

/// A network on a device of type `D`.
#[derive(Debug)]
struct Typed<D: ComputeDevice> {
    network: DynNetwork<f32, D>,
    diffusion: DynDiffusion,
}

type DynSampler<'s, D> =
    Sampler<'s, f32, D, DynNetwork<f32, D>, Arc<dyn NoiseSchedule>, Arc<dyn Parameterization>>;
type DynEvaluator<'s, D> =
    Evaluator<'s, f32, D, DynNetwork<f32, D>, Arc<dyn NoiseSchedule>, Arc<dyn Parameterization>>;

/// A sampler and an evaluator are lent to work that runs in the precision that was asked for, and are to be had in no other way.
impl<D: ComputeDevice> Typed<D> {
    fn sampled<'s, R>(
        &'s self,
        how: Sampling,
        given: Given<'s>,
        work: impl FnOnce(DynSampler<'s, D>) -> Result<R>,
    ) -> Result<R> {
        let flow = ProbabilityFlow::new(&self.network, &self.diffusion)
            .with_solver(how.solver, how.stepping)
            .with_batch(how.batch)?;
        let sampler = Sampler::new(flow, how.seed).with_first(how.first).with_conditioning(given);
        let device = Network::device(&self.network);
        <D as Kernels<f32>>::with_precision(device, how.precision, || work(sampler))?
    }

    fn measured<'s, R>(
        &'s self,
        how: Measurement,
        given: Given<'s>,
        work: impl FnOnce(DynEvaluator<'s, D>) -> Result<R>,
    ) -> Result<R> {
        let flow = ProbabilityFlow::new(&self.network, &self.diffusion)
            .with_solver(how.solver, how.stepping)
            .with_batch(how.batch)?;
        let evaluator = Evaluator::new(flow)
            .with_divergence(how.divergence)
            .with_seed(how.seed)
            .with_conditioning(given)
            .with_replicate(how.replicate)
            .with_draws(how.draws, how.importance_samples)?;
        let device = Network::device(&self.network);
        <D as Kernels<f32>>::with_precision(device, how.precision, || work(evaluator))?
    }
}

impl<D: ComputeDevice> Measured for Typed<D> {
    fn log_prob(
        &self,
        z: &[f64],
        from: Gamma,
        given: Given<'_>,
        how: Measurement,
    ) -> Result<Vec<RowDensity>> {
        self.measured(how, given, |evaluator| evaluator.log_prob(z, from))
    }

    fn ode(
        &self,
        pixels: &[u16],
        dequantizer: &dyn Dequantizer,
        given: Given<'_>,
        how: Measurement,
        each: Each<'_, ImageRecord>,
    ) -> Result<()> {
        self.measured(how, given, |evaluator| evaluator.each_bits_per_dim(pixels, dequantizer, each))
    }

    fn vlb(
        &self,
        pixels: &[u16],
        grid: PixelGrid,
        (levels, times): (usize, Box<dyn TimeSampler>),
        given: Given<'_>,
        how: Measurement,
        each: Each<'_, VlbRecord>,
    ) -> Result<()> {
        self.measured(how, given, |evaluator| evaluator.each_vlb(pixels, grid, (levels, &*times), each))
    }

    fn immse(
        &self,
        pixels: &[u16],
        (grid, levels): (PixelGrid, usize),
        given: Given<'_>,
        how: Measurement,
        progress: &mut dyn Progress,
    ) -> Result<ImmseEstimate> {
        self.measured(how, given, |evaluator| evaluator.immse(pixels, grid, levels, progress))
    }

    fn density(
        &self,
        rows: &DensityRows<'_>,
        given: Given<'_>,
        how: Measurement,
        each: Each<'_, ImageRecord>,
    ) -> Result<()> {
        self.measured(how, given, |evaluator| evaluator.each_nats_per_row(rows, each))
    }

    fn vlb_of_density(
        &self,
        rows: &DensityRows<'_>,
        (levels, times): (usize, Box<dyn TimeSampler>),
        given: Given<'_>,
        how: Measurement,
        each: Each<'_, VlbRecord>,
    ) -> Result<()> {
        self.measured(how, given, |evaluator| evaluator.each_vlb_of_density(rows, (levels, &*times), each))
    }

    fn sample(
        &self,
        count: usize,
        given: Given<'_>,
        how: Sampling,
        progress: &mut dyn Progress,
    ) -> Result<Samples> {
        self.sampled(how, given, |sampler| all_finished(sampler.sample(count, progress)?))
    }

    fn sample_with_log_density(
        &self,
        count: usize,
        given: Given<'_>,
        how: Sampling,
        divergence: Box<dyn Divergence>,
        progress: &mut dyn Progress,
    ) -> Result<(Samples, Vec<WayBack>)> {
        self.sampled(how, given, |sampler| {
            let samples = all_finished(sampler.sample_with_log_density(count, &divergence, progress)?)?;
            let back = sampler.way_back(&samples, &divergence)?;
            Ok((samples, back))
        })
    }
}

fn all_finished(samples: Samples) -> Result<Samples> {
    match samples.failures() {
        0 => Ok(samples),
        failures => {
            let found = format!("{failures} of {} that the solver could not finish", samples.reports().len());
            Err(Error::value("samples", found, "all of them: try sample.stepping with more steps"))
        }
    }
}

/// A network with the moving average of a checkpoint.
pub(super) fn load<D: ComputeDevice>(
    mut network: DynNetwork<f32, D>,
    checkpoint: &Checkpoint<'_>,
    diffusion: DynDiffusion,
) -> Result<Rc<dyn Measured>> {
    checkpoint.load("ema", &mut network)?;
    Network::device(&network).empty_cache();
    Ok(of(network, diffusion))
}

/// A network as it is.
pub(super) fn of<D: ComputeDevice>(network: DynNetwork<f32, D>, diffusion: DynDiffusion) -> Rc<dyn Measured> {
    Rc::new(Typed { network, diffusion })
}
