//! After its first steps training asks the system for no more memory but small change, and nor does a right-hand side.

#![allow(clippy::unwrap_used)]

use dfdx::prelude::Cpu;
use idode::diffusion::Diffusion;
use idode::divergence::{Divergence, Hutchinson};
use idode::level::GammaRange;
use idode::likelihood::Drift;
use idode::nn::{StaticUNet, UNetConfig};
use idode::objective::FirstOrder;
use idode::parameterization::Velocity;
use idode::schedule::VariancePreserving;
use idode::solver::{AnyState, Field, HostState};
use idode::time::{Importance, Stratified};
use idode::train::{AdamWConfig, Rate, RateDecay, Trainer, TrainerConfig};
use peak_alloc::PeakAlloc;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const ROWS: usize = 16;
const DIMS: usize = 8 * 8 * 3;
/// Calls before the memory is watched: the first ones fill the caches.
const WARM_UP: usize = 3;

/// What `run` holds for good after its first calls, what later calls add to that, and what they hold on top meanwhile.
fn watched(mut run: impl FnMut()) -> [usize; 3] {
    let start = MEMORY.current_usage();
    (0..WARM_UP).for_each(|_| run());
    let held = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    (0..5).for_each(|_| run());
    [held - start, MEMORY.current_usage().saturating_sub(held), MEMORY.peak_usage() - held]
}

/// Compares with the `size` of what a training step works on.
fn judge(what: &str, size: usize, [held, more, meanwhile]: [usize; 3]) {
    println!("{what}: {held} bytes held, {more} more after 5 calls, {meanwhile} at most on top");
    assert!(more < size / 1000, "{what} grows: {more} of {size}");
    assert!(meanwhile < size / 20, "{what} allocates: {meanwhile} of {size}");
}

fn train_and_solve() {
    let device = Cpu::default();
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let config = UNetConfig { blocks: 2, dropout: 0.1, ..UNetConfig::default() };
    let network = StaticUNet::<8, 8, 3, 32, f32, Cpu>::new(&config, &device, &mut rng).unwrap();
    let diffusion = Diffusion::new(VariancePreserving, Velocity, GammaRange::for_levels(256));
    let times = Importance::for_weight(diffusion.range(), diffusion.weight_density()).unwrap();
    let rate = Rate { peak: 2e-4, warmup: 0, decay: RateDecay::Constant, steps: 1 };
    let settings = TrainerConfig { seed: 0, accumulation: 1, rate, optimizer: AdamWConfig::default() };
    let x: Vec<f64> = (0..ROWS * DIMS).map(|_| rng.gen_range(-1.0..1.0)).collect();
    let mut trainer = Trainer::new(network, FirstOrder, diffusion, Stratified(times), settings);
    let mut step = 0;
    let training = watched(|| {
        step += 1;
        trainer.step(step, step, &x).unwrap();
    });
    judge("a training step", training[0], training);

    let diffusion = Diffusion::new(VariancePreserving, Velocity, GammaRange::for_levels(256));
    let drift = Drift::<f32, Cpu, _, _, _>::new(&trainer.network, &diffusion, ROWS);
    let seeds: Vec<[u8; 32]> = (0..ROWS).map(|row| [row as u8; 32]).collect();
    let mut drift = drift.with_density(Hutchinson::default().begin(DIMS, &seeds));
    let state = HostState::new(DIMS, x.clone()).unwrap().with_log_density(vec![0.0; ROWS]).unwrap();
    let (y, rows, gammas) = (AnyState::new(state), (0..ROWS).collect::<Vec<_>>(), vec![-3.0; ROWS]);
    let solving = watched(|| drop(drift.eval(&rows, &gammas, &y)));
    judge("a right-hand side with its divergence", training[0], solving);
}

/// On one thread, whose buffers are not another's; the only test of its program, so that nothing else allocates.
#[test]
fn later_calls_allocate_small_change() {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    pool.install(train_and_solve);
}
