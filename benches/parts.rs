//! The parts of a training step and of a likelihood: convolutions, group norm, attention, the optimizer, a whole step,
//! a solver step.
//!
//! `cargo bench --bench parts` measures all; `cargo bench --bench parts -- --quick short` is the short set for CI.

use criterion::{Criterion, criterion_group, criterion_main};
use dfdx::prelude::*;
use idode::diffusion::Diffusion;
use idode::level::GammaRange;
use idode::nn::{Jvp, Network, Pass, StaticUNet, UNetConfig};
use idode::objective::FirstOrder;
use idode::parameterization::Velocity;
use idode::schedule::VariancePreserving;
use idode::solver::{ExplicitRk, HostState, Stepping, integrate, tables};
use idode::tensor::{
    AdamStep, Convolution, DropoutKey, Dual, GroupNorm, Kernels, Moments, Preparation, Updates,
};
use idode::time::{Importance, Stratified};
use idode::train::{AdamWConfig, Rate, RateDecay, Trainer, TrainerConfig};
use rand::SeedableRng;
use rand_distr::StandardNormal;

type Image<const SIDE: usize, const C: usize> = (usize, Const<SIDE>, Const<SIDE>, Const<C>);

/// 16 images of 32x32 with 64 channels: an activation of `idode bench --case m`.
type Activation = Tensor<Image<32, 64>, f32, Cpu>;

const SHAPE: Image<32, 64> = (16, Const, Const, Const);

/// The forward pass of a convolution, and its whole tape with gradients to one side only.
fn convolutions(c: &mut Criterion) {
    let device = Cpu::default();
    device.enable_cache();
    let x: Activation = device.sample_like(&SHAPE, StandardNormal);
    let weight: Tensor<(usize, Const<64>), f32, Cpu> = device.sample_like(&(576, Const), StandardNormal);
    let bias: Tensor<(Const<64>,), f32, Cpu> = device.zeros();
    let operator = Convolution { size: 3, weight: &weight, bias: Some(&bias) };
    c.bench_function("convolution 3x3 forward, 16 x 32x32x64", |b| {
        b.iter(|| Cpu::convolution(vec![x.clone()], &operator, None, None))
    });
    c.bench_function("convolution 3x3 forward and backward to inputs and weights", |b| {
        b.iter(|| Cpu::convolution(vec![x.leaky_trace()], &operator, None, None).sum().backward())
    });
    let (scale, shift) = (device.ones_like(&(64usize,)), device.zeros_like(&(64usize,)));
    let norm = || GroupNorm {
        scale: &scale,
        bias: &shift,
        first_channel: 0,
        groups: 32,
        epsilon: 1e-6,
        swish: true,
    };
    let preparation = Preparation { norms: vec![norm()], dropout: Some(DropoutKey { key: 1, rate: 0.1 }) };
    c.bench_function("group norm, swish, dropout and convolution 3x3 forward", |b| {
        b.iter(|| Cpu::norm_convolution(vec![x.clone()], &preparation, &operator, None, None))
    });
    c.bench_function("group norm, swish, dropout and convolution 3x3 forward and backward", |b| {
        b.iter(|| {
            Cpu::norm_convolution(vec![x.leaky_trace()], &preparation, &operator, None, None).sum().backward()
        })
    });
    c.bench_function("group norm, swish, dropout and convolution 3x3, value and tangent", |b| {
        b.iter(|| {
            let x = Dual::new(x.clone(), x.clone());
            Cpu::norm_convolution_jvp(vec![x], &preparation, &operator, None, None)
        })
    });
    let square: Tensor<(usize, Const<64>), f32, Cpu> = device.sample_like(&(64, Const), StandardNormal);
    let pointwise = Convolution { size: 1, weight: &square, bias: Some(&bias) };
    c.bench_function("convolution 1x1 forward and backward", |b| {
        b.iter(|| Cpu::convolution(vec![x.leaky_trace()], &pointwise, None, None).sum().backward())
    });
    c.bench_function("group norm + swish forward", |b| b.iter(|| Cpu::group_norm(x.clone(), &norm())));
    c.bench_function("group norm + swish, value and tangent", |b| {
        b.iter(|| Cpu::group_norm_jvp(Dual::new(x.clone(), x.clone()), &norm()))
    });
    c.bench_function("group norm + swish forward and backward", |b| {
        b.iter(|| Cpu::group_norm(x.leaky_trace(), &norm()).sum().backward())
    });
}

fn attention(c: &mut Criterion) {
    let device = Cpu::default();
    device.enable_cache();
    let shape = (16usize, 1024usize, 64usize);
    let x: Tensor<_, f32, Cpu> = device.sample_like(&shape, StandardNormal);
    c.bench_function("attention forward, 16 x 1024 x 64", |b| {
        b.iter(|| Cpu::attention(x.clone(), x.clone(), x.clone()))
    });
    c.bench_function("attention forward and backward", |b| {
        b.iter(|| Cpu::attention(x.leaky_trace(), x.leaky_trace(), x.leaky_trace()).sum().backward())
    });
    c.bench_function("attention, value and tangent", |b| {
        let dual = || Dual::new(x.clone(), x.clone());
        b.iter(|| Cpu::attention_jvp(dual(), dual(), dual()))
    });
}

fn optimizer(c: &mut Criterion) {
    let device = Cpu::default();
    device.enable_cache();
    let len = (1_331_715usize,);
    let [gradient, first, ema] = [(); 3].map(|()| device.sample_like(&len, StandardNormal));
    let mut parameter: Tensor<(usize,), f32, Cpu> = device.sample_like(&len, StandardNormal);
    let mut moments = Moments { first, second: device.ones_like(&len), ema };
    let step = AdamStep {
        rate: 1e-4,
        beta1: 0.9,
        beta2: 0.99,
        epsilon: 1e-8,
        correction1: 0.1,
        correction2: 0.01,
        ema_decay: 0.999,
        gradient_scale: 1.0,
    };
    c.bench_function("AdamW and moving average, 1.33 M parameters", |b| {
        b.iter(|| {
            Updates::all(step, |updates| Cpu::adamw(&mut parameter, &gradient, &mut moments, 0.01, updates));
        })
    });
}

/// One step of Dormand-Prince of the solver alone: its field costs next to nothing.
fn solver(c: &mut Criterion) {
    let Ok(start) = HostState::new(3072, vec![0.5; 64 * 3072]) else { return };
    let method = ExplicitRk::new(&tables::DORMAND_PRINCE);
    let mut field = |_: &[usize], _: &[f64], y: &HostState| {
        y.map_rows(|_, y, out| {
            out.iter_mut().zip(y).for_each(|(out, y)| *out = -y);
            0.0
        })
    };
    let Ok(stepping) = Stepping::steps(1) else { return };
    c.bench_function("short: solver step, 64 x 3072", |b| {
        b.iter(|| integrate(&method, &mut field, start.clone(), 0.0, 0.1, &stepping))
    });
}

fn steps(c: &mut Criterion) {
    let device = Cpu::default();
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
    let config = UNetConfig { blocks: 2, dropout: 0.1, fourier: vec![2, 3], ..UNetConfig::default() };
    let Ok(network) = StaticUNet::<8, 8, 1, 32, f32, Cpu>::new(&config, &device, &mut rng) else { return };
    let z: Tensor<Image<8, 1>, f32, Cpu> = device.sample_like(&(64, Const, Const, Const), StandardNormal);
    let times = [0.5; 64];
    c.bench_function("short: drift, digits, 64 rows", |b| {
        b.iter(|| network.forward(z.clone(), &mut Pass::eval(&times)))
    });
    c.bench_function("short: drift and divergence, digits, 64 rows", |b| {
        b.iter(|| network.jvp(Dual::new(z.clone(), z.clone()), &mut Pass::eval(&times)))
    });
    let diffusion = Diffusion::new(VariancePreserving, Velocity, GammaRange::for_levels(17));
    let Ok(times) = Importance::for_weight(diffusion.range(), diffusion.weight_density()) else { return };
    let optimizer =
        AdamWConfig { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weight_decay: 0.01, ema: 0.99, clip: None };
    let rate = Rate { peak: 2e-3, warmup: 0, decay: RateDecay::Constant, steps: 1 };
    let settings = TrainerConfig { seed: 0, accumulation: 1, rate, optimizer };
    let mut trainer = Trainer::new(network, FirstOrder, diffusion, Stratified(times), settings);
    let batch = vec![0.25; 128 * 64];
    c.bench_function("short: training step, digits, 128 rows", |b| b.iter(|| trainer.step(1, 1, &batch)));
}

criterion_group!(benches, convolutions, attention, optimizer, solver, steps);
criterion_main!(benches);
