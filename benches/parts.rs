//! The parts of a training step: convolution, group norm, attention, a whole step, a solver step.
//!
//! `cargo bench --bench parts` measures all; `cargo bench --bench parts -- --quick` is the short set.

use criterion::{Criterion, criterion_group, criterion_main};
use dfdx::prelude::*;
use idode::diffusion::Diffusion;
use idode::level::GammaRange;
use idode::nn::{Jvp, Network, Pass, UNet, UNetConfig};
use idode::objective::FirstOrder;
use idode::parameterization::Velocity;
use idode::schedule::VariancePreserving;
use idode::tensor::{Convolution, Dual, GroupNorm, Kernels};
use idode::time::{Importance, Stratified};
use idode::train::{AdamWSettings, Rate, RateDecay, Trainer, TrainerSettings};
use rand::SeedableRng;

type Image<const C: usize> = (usize, Const<8>, Const<8>, Const<C>);

fn parts(c: &mut Criterion) {
    let device = Cpu::default();
    device.enable_cache();
    let x: Tensor<Image<32>, f32, Cpu> =
        device.sample_like(&(128, Const, Const, Const), rand_distr::StandardNormal);
    let weight: Tensor<(usize, Const<32>), f32, Cpu> =
        device.sample_like(&(288, Const), rand_distr::StandardNormal);
    let bias: Tensor<(Const<32>,), f32, Cpu> = device.zeros();
    let operator = Convolution { size: 3, weight: &weight, bias: Some(&bias) };
    c.bench_function("convolution 3x3, 128 x 8x8x32", |b| {
        b.iter(|| Cpu::convolution(vec![x.clone()], &operator, None, None))
    });
    c.bench_function("convolution 3x3, 128 x 8x8x32, with backward", |b| {
        b.iter(|| Cpu::convolution(vec![x.leaky_trace()], &operator, None, None).sum().backward())
    });
    let (scale, shift) = (device.ones_like(&(32usize,)), device.zeros_like(&(32usize,)));
    let norm =
        GroupNorm { scale: &scale, bias: &shift, first_channel: 0, groups: 32, epsilon: 1e-6, swish: true };
    c.bench_function("group norm + swish, 128 x 8x8x32", |b| b.iter(|| Cpu::group_norm(x.clone(), &norm)));
    c.bench_function("group norm + swish, jvp", |b| {
        b.iter(|| Cpu::group_norm_jvp(Dual::new(x.clone(), x.clone()), &norm))
    });
    let tokens = x.clone().reshape_like(&(128usize, 64usize, 32usize));
    c.bench_function("attention, 128 x 64 x 32", |b| {
        b.iter(|| Cpu::attention(tokens.clone(), tokens.clone(), tokens.clone()))
    });
}

fn steps(c: &mut Criterion) {
    let device = Cpu::default();
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
    let config = UNetConfig { blocks: 2, dropout: 0.0, fourier: vec![2, 3], ..UNetConfig::default() };
    let Ok(network) = UNet::<8, 8, 1, 32, f32, Cpu>::new(&config, &device, &mut rng) else { return };
    let z: Tensor<Image<1>, f32, Cpu> =
        device.sample_like(&(64, Const, Const, Const), rand_distr::StandardNormal);
    let times = [0.5; 64];
    c.bench_function("drift, digits, 64 rows", |b| {
        b.iter(|| network.forward(z.clone(), &mut Pass::eval(&times)))
    });
    c.bench_function("drift and divergence, digits, 64 rows", |b| {
        b.iter(|| network.jvp(Dual::new(z.clone(), z.clone()), &mut Pass::eval(&times)))
    });
    let diffusion = Diffusion::new(VariancePreserving, Velocity, GammaRange::for_levels(17));
    let Ok(times) = Importance::for_weight(diffusion.range(), diffusion.weight_density()) else { return };
    let optimizer =
        AdamWSettings { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weight_decay: 0.01, ema: 0.99, clip: None };
    let rate = Rate { peak: 2e-3, warmup: 0, decay: RateDecay::Constant, steps: 1 };
    let settings = TrainerSettings { seed: 0, accumulation: 1, rate, optimizer };
    let mut trainer = Trainer::new(network, FirstOrder, diffusion, Stratified(times), settings);
    let batch = vec![0.25; 128 * 64];
    c.bench_function("training step, digits, 128 rows", |b| b.iter(|| trainer.step(1, 1, &batch)));
}

criterion_group!(benches, parts, steps);
criterion_main!(benches);
