//! An untrained network returns its input, so that every likelihood has a closed form: a truth test of the whole chain, for every shape and
//! number of levels.
//!
//! With the variance-preserving schedule and the velocity `dz/dgamma = N(gamma) z`, so `z_1 = e^G z_0` with `G` the integral of `N`, and
//! `log p(z_0) = log N(e^G z_0; 0, sigma_1^2) + d G`.

use dfdx::prelude::Cpu;
use idode::dequantization::{Dequantizer, TruncatedNormal, UniformBin};
use idode::diffusion::{Diffusion, DynDiffusion};
use idode::error::Result;
use idode::level::{Gamma, GammaRange};
use idode::likelihood::{DrawKey, Evaluator, ProbabilityFlow, Purpose};
use idode::nn::{DynNetwork, DynamicMlp, DynamicUNet, MlpConfig, UNetConfig};
use idode::parameterization::Velocity;
use idode::pixels::PixelGrid;
use idode::progress::Silent;
use idode::schedule::{NoiseSchedule, VariancePreserving};
use idode::solver::{ExplicitRk, Stepping, Tolerances, tables};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

fn diffusion(levels: u32) -> DynDiffusion {
    Diffusion::new(Arc::new(VariancePreserving), Arc::new(Velocity), GammaRange::for_levels(levels))
}

/// `G`: the integral of the path's speed from `from` to the range's end, by Simpson's rule.
fn growth(diffusion: &DynDiffusion, from: Gamma) -> f64 {
    let speed = |gamma: f64| {
        let level = VariancePreserving.level(Gamma(gamma));
        (level.dlog_alpha() * level.alpha()).hypot(level.dlog_sigma() * level.sigma())
    };
    let (a, b, n) = (from.0, diffusion.range().max().0, 20_000);
    let h = (b - a) / f64::from(n);
    let inner: f64 = (1..n).map(|i| speed(a + h * f64::from(i)) * f64::from(2 + 2 * (i % 2))).sum();
    (speed(a) + speed(b) + inner) * h / 3.0
}

/// `log p(z_0)` of a row.
fn log_density(diffusion: &DynDiffusion, z: &[f64], from: Gamma) -> f64 {
    let growth = growth(diffusion, from);
    let end: Vec<f64> = z.iter().map(|z| z * growth.exp()).collect();
    diffusion.prior().log_density(&end) + z.len() as f64 * growth
}

/// An image of any levels; its last pixels have the least and the greatest.
fn pixels(dims: usize, levels: u32) -> Vec<u16> {
    let mut rng = ChaCha8Rng::seed_from_u64(u64::from(levels));
    let top = levels - 1;
    let mut pixels: Vec<u16> = (0..dims).map(|_| rng.gen_range(0..=top) as u16).collect();
    pixels.iter_mut().rev().zip([0, top as u16]).for_each(|(pixel, end)| *pixel = end);
    pixels
}

fn unet(shape: (usize, usize, usize)) -> DynNetwork<f32, Cpu> {
    let config = UNetConfig { blocks: 1, fourier: Vec::new(), ..UNetConfig::default() };
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    DynNetwork::new(DynamicUNet::sized(shape, 32, &config, &Cpu::default(), &mut rng).expect("a network"))
}

fn truncated_normal(levels: u32) -> Result<Box<dyn Dequantizer>> {
    let diffusion = diffusion(levels);
    Ok(Box::new(TruncatedNormal::new(PixelGrid::new(levels)?, diffusion.level(diffusion.range().min()))))
}

fn uniform(levels: u32) -> Result<Box<dyn Dequantizer>> {
    let (diffusion, gamma) = (diffusion(levels), UniformBin::default_gamma(levels));
    let gamma = if diffusion.range().contains(gamma) { gamma } else { diffusion.range().min() };
    Ok(Box::new(UniformBin::new(PixelGrid::new(levels)?, diffusion.level(gamma))))
}

/// The bits/dim of an image, dequantized by `noise`, against the closed form of the same draw.
fn check(
    network: &DynNetwork<f32, Cpu>,
    dims: usize,
    (levels, noise): (u32, Box<dyn Dequantizer>),
) -> Result<()> {
    let diffusion = diffusion(levels);
    let pixels = pixels(dims, levels);
    let evaluator = Evaluator::new(ProbabilityFlow::new(network, &diffusion));
    let found = evaluator.bits_per_dim(&pixels, &*noise, &mut Silent)?;
    for (row, record) in pixels.chunks_exact(dims).zip(&found.records) {
        let key = DrawKey { seed: 0, row: record.index, draw: 0 };
        let drawn = noise.draw(row, &mut key.rng(Purpose::Dequantization));
        let price = drawn.log_decoder + noise.entropy(dims).unwrap_or(-drawn.log_q);
        let nats = log_density(&diffusion, &drawn.z, noise.level().gamma()) + price;
        let expected = -nats / (dims as f64 * 2f64.ln());
        // The solver's tolerance, 1e-5 a step, with the state grown to the prior's size.
        let error = (record.bits_per_dim - expected).abs();
        assert!(error < 1e-3, "{dims} numbers, {levels} levels: {} {expected}", record.bits_per_dim);
    }
    Ok(())
}

#[test]
fn images_of_every_shape_at_every_depth() -> Result<()> {
    for shape in [(28, 28, 1), (8, 16, 1), (16, 16, 3), (5, 7, 1), (1, 1, 1)] {
        let network = unet(shape);
        for levels in [2, 17, 256, 65_536] {
            let dims = shape.0 * shape.1 * shape.2;
            check(&network, dims, (levels, truncated_normal(levels)?))?;
            // The noise knows nothing of shapes.
            if dims < 100 {
                check(&network, dims, (levels, uniform(levels)?))?;
            }
        }
    }
    Ok(())
}

#[test]
fn large_images() -> Result<()> {
    check(&unet((32, 32, 1)), 32 * 32, (65_536, truncated_normal(65_536)?))?;
    check(&unet((24, 40, 3)), 24 * 40 * 3, (256, truncated_normal(256)?))
}

#[test]
#[ignore = "attention over 4,096 positions on one thread: minutes"]
fn the_largest_images() -> Result<()> {
    check(&unet((64, 64, 3)), 64 * 64 * 3, (256, truncated_normal(256)?))
}

#[test]
fn rows_of_numbers() -> Result<()> {
    for dims in [1, 3, 5, 70] {
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let config = MlpConfig::default();
        let network = DynamicMlp::sized(dims, 24, &config, &Cpu::default(), &mut rng)?;
        let network: DynNetwork<f32, Cpu> = DynNetwork::new(network);
        let diffusion = diffusion(256);
        let z: Vec<f64> = (0..3 * dims).map(|i| (i as f64).sin()).collect();
        let start = diffusion.range().min();
        // Tighter than by default, whose errors of 1e-5 a step grow with the state.
        let tolerances = Tolerances { relative: 1e-7, absolute: 1e-7, log_density: 1e-7 };
        let flow = ProbabilityFlow::new(&network, &diffusion);
        let flow = flow.with_solver(ExplicitRk::new(&tables::DORMAND_PRINCE), Stepping::adaptive(tolerances));
        let rows = Evaluator::new(flow).log_prob(&z, start)?;
        for (row, found) in z.chunks_exact(dims).zip(rows) {
            let expected = log_density(&diffusion, row, start);
            assert!(
                (found.log_density - expected).abs() < 1e-4 * dims as f64,
                "{dims}: {found:?} {expected}"
            );
        }
        for noise in [truncated_normal(256)?, uniform(256)?] {
            check(&network, dims, (256, noise))?;
        }
    }
    Ok(())
}
