//! The timing of one case.

use super::machine::Machine;
use super::{BenchReport, Case};
use crate::config;
use crate::diffusion::{Diffusion, DynDiffusion};
use crate::divergence::{Divergence, Hutchinson};
use crate::error::Result;
use crate::experiment::AnyObjective;
use crate::level::{Gamma, GammaRange};
use crate::likelihood::{Drift, TensorState};
use crate::nn::{Counted, DynNetwork, Network, count};
use crate::objective::TraceEstimator;
use crate::parameterization::{Parameterization, Velocity};
use crate::registry::ComputeDevice;
use crate::schedule::{NoiseSchedule, VariancePreserving};
use crate::solver::{AnyState, Field, HostState};
use crate::tensor::cpu::product;
use crate::tensor::{Kernels, Precision};
use crate::time::{Importance, Stratified, TimeSampler};
use crate::train::{AdamWConfig, Rate, RateDecay, Trainer, TrainerConfig};
use dfdx::prelude::{Tensor, TryMatMul};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;
use std::time::Instant;

/// The side of the matrices whose product gives the machine's rate.
const SIDE: usize = 2048;

/// Measures a network on a case's batch, training first, so that the peak of memory is training's; `free` is what was free on the device before
/// the network was.
pub(super) fn measure<D: Machine>(
    case: Case,
    network: DynNetwork<f32, D>,
    precision: Precision,
    free: Option<usize>,
) -> Result<BenchReport> {
    let device = network.device().clone();
    let (params, batch, forward) = (count(&network), case.batch, network.operations().total());
    let (network, train_step_s) = train_step(case, network, config::Objective::FirstOrder, precision)?;
    let peak_rss_mib = peak_memory();
    let used = free.zip(device.free()).map(|(before, now)| before.saturating_sub(now));
    let peak_device_mib = used.map(|bytes| bytes as f64 / 1048576.0);
    let (network, train_step_second_order_s) = {
        let estimator = TraceEstimator::SquaredProbe;
        let objective = config::SecondOrder { estimator, ..config::SecondOrder::default() };
        train_step(case, network, config::Objective::SecondOrder(objective), precision)?
    };
    let sides = || right_hand_sides(case, &network);
    let (drift_s, drift_divergence_s) = <D as Kernels<f32>>::with_precision(&device, precision, sides)??;
    let matmul_gflops = matrix_rate(case, &device)?;
    let share = |passes: u64, seconds: f64| {
        (passes * forward * batch as u64) as f64 / seconds / (matmul_gflops * 1e9)
    };
    Ok(BenchReport {
        case: case.name.to_owned(),
        precision,
        params,
        batch,
        train_step_share: share(3, train_step_s),
        drift_divergence_share: share(2, drift_divergence_s),
        train_step_s,
        train_step_second_order_s,
        drift_s,
        drift_divergence_s,
        matmul_gflops,
        peak_rss_mib,
        device: device.name(),
        peak_device_mib,
    })
}

/// The median time of `run`, until the device is done with it, after one run that does not count.
pub(super) fn median<D: ComputeDevice>(
    case: Case,
    device: &D,
    run: &mut dyn FnMut() -> Result<()>,
) -> Result<f64> {
    let mut run = || run().map(|()| device.finish());
    run()?;
    let mut times = Vec::with_capacity(case.repeats);
    for _ in 0..case.repeats {
        let started = Instant::now();
        run()?;
        times.push(started.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok(times[times.len() / 2])
}

/// The paper's diffusion of images, of the types that recipes have: what they train with is what is timed.
fn diffusion() -> DynDiffusion {
    Diffusion::new(Arc::new(VariancePreserving), Arc::new(Velocity), GammaRange::for_levels(256))
}

/// A training step with an objective, and the network after the steps.
fn train_step<D: ComputeDevice>(
    case: Case,
    network: DynNetwork<f32, D>,
    objective: config::Objective,
    precision: Precision,
) -> Result<(DynNetwork<f32, D>, f64)> {
    let device = network.device().clone();
    let mut training = Training::new(case, network, objective, (1, precision))?;
    let seconds = median(case, &device, &mut || training.step())?;
    Ok((training.trainer.network, seconds))
}

type BenchTrainer<D> = Trainer<
    DynNetwork<f32, D>,
    AnyObjective<D>,
    Arc<dyn NoiseSchedule>,
    Arc<dyn Parameterization>,
    Box<dyn TimeSampler>,
    f32,
    D,
>;

/// A network that is trained on noise.
pub(super) struct Training<D: ComputeDevice> {
    pub(super) trainer: BenchTrainer<D>,
    x: Vec<f64>,
    step: u64,
}

impl<D: ComputeDevice> Training<D> {
    pub(super) fn new(
        case: Case,
        network: DynNetwork<f32, D>,
        objective: config::Objective,
        (accumulation, precision): (usize, Precision),
    ) -> Result<Self> {
        let diffusion = diffusion();
        let times = Importance::for_weight(diffusion.range(), diffusion.weight_density())?;
        let times: Box<dyn TimeSampler> = Box::new(Stratified(times));
        let rate = Rate { peak: 2e-4, warmup: 0, decay: RateDecay::Constant, steps: 1 };
        let settings = TrainerConfig { seed: 0, accumulation, rate, optimizer: AdamWConfig::default() };
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let numbers = case.batch * network.dims();
        let x = (0..numbers).map(|_| rng.gen_range(-1.0..1.0)).collect();
        let objective = AnyObjective::by_name(&objective)?;
        let trainer = Trainer::new(network, objective, diffusion, times, settings);
        Ok(Self { trainer: trainer.with_precision(precision)?, x, step: 0 })
    }

    pub(super) fn step(&mut self) -> Result<()> {
        self.step += 1;
        self.trainer.step(self.step, self.step, &self.x).map(drop)
    }
}

/// The drift, and the drift with the divergence, as the likelihood's solver calls them.
fn right_hand_sides<D: ComputeDevice>(case: Case, network: &DynNetwork<f32, D>) -> Result<(f64, f64)> {
    let device = network.device();
    let place = |state: &HostState| match <D as Kernels<f32>>::ON_HOST {
        true => AnyState::new(state.clone()),
        false => AnyState::new(TensorState::upload(state, device)),
    };
    let diffusion = diffusion();
    let (batch, dims) = (case.batch, network.dims());
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let z: Vec<f64> = (0..batch * dims).map(|_| rng.gen_range(-1.0..1.0)).collect();
    let state = HostState::new(dims, z)?;
    let rows: Vec<usize> = (0..batch).collect();
    let gammas: Vec<f64> = rows.iter().map(|&row| middle(diffusion.range(), row, batch)).collect();
    let mut drift = Drift::<f32, D, _, _, _>::new(network, &diffusion, batch);
    let y = place(&state);
    let plain = median(case, device, &mut || {
        std::hint::black_box(drift.eval(&rows, &gammas, &y));
        Ok(())
    })?;
    let seeds: Vec<[u8; 32]> = rows.iter().map(|&row| [row as u8; 32]).collect();
    let mut drift = drift.with_density(Hutchinson::default().begin(dims, &seeds));
    let y = place(&state.with_log_density(vec![0.0; batch])?);
    let density = median(case, device, &mut || {
        std::hint::black_box(drift.eval(&rows, &gammas, &y));
        Ok(())
    })?;
    Ok((plain, density))
}

/// Levels spread over the range.
fn middle(range: GammaRange, row: usize, rows: usize) -> f64 {
    let Gamma(min) = range.min();
    min + range.width() * (row as f64 + 0.5) / rows as f64
}

/// 1e9 operations a second of a large product: on all threads of the host, or on the device.
pub(super) fn matrix_rate<D: ComputeDevice>(case: Case, device: &D) -> Result<f64> {
    let seconds = if <D as Kernels<f32>>::ON_HOST {
        let (a, b) = (vec![1.0; SIDE * SIDE], vec![1.0; SIDE * SIDE]);
        let mut c = vec![0.0; SIDE * SIDE];
        median(case, device, &mut || {
            product((SIDE, SIDE, SIDE), &mut c, &a, &b);
            Ok(())
        })?
    } else {
        let a: Tensor<(usize, usize), f32, D> = device.ones_like(&(SIDE, SIDE));
        let b = a.clone();
        median(case, device, &mut || {
            drop(a.clone().matmul(b.clone()));
            Ok(())
        })?
    };
    Ok(2.0 * (SIDE as f64).powi(3) / seconds / 1e9)
}

/// The most memory that this process has held, in MiB, where the system tells.
fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}
