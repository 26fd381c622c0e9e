//! The variance of a log-density by each estimate of the divergence, at an equal number of Jacobian-vector products.
//!
//! ```text
//! cargo run --release --example 06_trace_variance
//! ```
//!
//! Trains a network on the digits (8x8x1) and one on digits enlarged, coloured and made noisy (32x32x3). Then each solves the
//! ODE of a few held-out images again and again on a fixed grid, with other probes each time: the variance over probes of the
//! log-density, in nats^2, as a mean over the images, with its standard error. Hutchinson's at `m` products is a hundred single
//! probes' variance divided by `m`. Hutch++ takes `m / 2` products more at a solve's first evaluation.

use dfdx::prelude::Cpu;
use idode::data::{ImageSource, Shuffle, Split, digits};
use idode::dequantization::{Dequantizer, TruncatedNormal};
use idode::diffusion::Diffusion;
use idode::divergence::{Blocks, Divergence, HutchPlusPlus, Hutchinson};
use idode::error::Result;
use idode::level::GammaRange;
use idode::likelihood::{Evaluator, ProbabilityFlow};
use idode::nn::{Jvp, Parameters, StaticUNet, UNetConfig};
use idode::objective::FirstOrder;
use idode::parameterization::Velocity;
use idode::pixels::PixelGrid;
use idode::schedule::VariancePreserving;
use idode::solver::{ExplicitRk, Stepping, tables};
use idode::time::{Importance, Stratified};
use idode::train::{AdamWConfig, Rate, RateDecay, Trainer, TrainerConfig};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use std::time::Instant;

type Path = Diffusion<VariancePreserving, Velocity>;

/// Grey levels of whole images, and what they are.
struct Images {
    sides: [usize; 3],
    grid: PixelGrid,
    train: Vec<u16>,
    test: Vec<u16>,
}

/// What is measured of a network.
struct Plan {
    steps: u64,
    batch: usize,
    rate: f64,
    images: usize,
    repeats: usize,
    grid: u32,
    /// The strides of blocks, each with as many products for the others.
    strides: &'static [usize],
}

fn small() -> Result<Images> {
    let (train, test) = (digits::load(Split::Train)?, digits::load(Split::Test)?);
    let (grid, [train, test]) = (train.grid(), [train, test].map(|set| set.pixels().to_vec()));
    Ok(Images { sides: [8, 8, 1], grid, train, test })
}

/// Every digit four times as large, in a colour of its own, with noise of four grey levels of 256.
fn large() -> Result<Images> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut enlarge = |split: Split| -> Result<Vec<u16>> {
        let set = digits::load(split)?;
        let mut pixels = Vec::new();
        for row in set.rows().take(600) {
            let colour: [f64; 3] = std::array::from_fn(|_| rng.gen_range(0.3..1.0));
            for (y, x) in (0..32).flat_map(|y| (0..32).map(move |x| (y, x))) {
                let grey = f64::from(row[y / 4 * 8 + x / 4]) / 16.0;
                pixels.extend(colour.map(|part| {
                    let level = 20.0 + 210.0 * part * grey + 4.0 * rng.sample::<f64, _>(StandardNormal);
                    level.round().clamp(0.0, 255.0) as u16
                }));
            }
        }
        Ok(pixels)
    };
    let (train, test) = (enlarge(Split::Train)?, enlarge(Split::Test)?);
    Ok(Images { sides: [32, 32, 3], grid: PixelGrid::new(256)?, train, test })
}

fn trained<N>(network: N, images: &Images, diffusion: Path, plan: &Plan) -> Result<N>
where
    N: Jvp<f32, Cpu> + Parameters<f32, Cpu>,
{
    let times = Stratified(Importance::for_weight(diffusion.range(), diffusion.weight_density())?);
    let rate =
        Rate { peak: plan.rate, warmup: 20, decay: RateDecay::Cosine { final_rate: 0.0 }, steps: plan.steps };
    let optimizer = AdamWConfig { ema: 0.99, ..AdamWConfig::default() };
    let settings = TrainerConfig { seed: 0, accumulation: 1, rate, optimizer };
    let mut trainer = Trainer::new(network, FirstOrder, diffusion, times, settings);
    let dims: usize = images.sides.iter().product();
    let mut order = Shuffle::new(images.train.len() / dims, 0)?;
    let started = Instant::now();
    for step in 1..=plan.steps {
        let visits = order.next_batch(plan.batch);
        let rows = visits.iter().flat_map(|visit| &images.train[visit.index * dims..][..dims]).copied();
        trainer.step(step, step, &images.grid.centres(&rows.collect::<Vec<u16>>()))?;
    }
    println!("{:?}: {} steps in {:.0} s", images.sides, plan.steps, started.elapsed().as_secs_f64());
    Ok(trainer.optimizer.averaged(&trainer.network))
}

/// The mean over images of the variance over probes of the log-density, with its standard error, in nats^2.
fn variance<N: Jvp<f32, Cpu>>(
    network: &N,
    diffusion: &Path,
    z: &[Vec<f64>],
    (repeats, grid): (usize, u32),
    divergence: impl Divergence + 'static,
) -> Result<(f64, f64)> {
    let flow = ProbabilityFlow::new(network, diffusion)
        .with_solver(ExplicitRk::new(&tables::HEUN), Stepping::steps(grid)?);
    let evaluator = Evaluator::new(flow).with_divergence(divergence);
    let rows: Vec<f64> = z.iter().flat_map(|z| z.repeat(repeats)).collect();
    let densities: Vec<f64> =
        evaluator.log_prob(&rows, diffusion.range().min())?.iter().map(|row| row.log_density).collect();
    let variances = densities.chunks(repeats).map(|own| {
        let (n, mean) = (own.len() as f64, own.iter().sum::<f64>() / own.len() as f64);
        own.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0)
    });
    let mean = variances.sum::<f64>() / z.len() as f64;
    // Of normal values; each image has a variance of its own.
    Ok((mean, mean * (2.0 / (z.len() * (repeats - 1)) as f64).sqrt()))
}

fn measure<N>(network: N, images: &Images, range: GammaRange, plan: &Plan) -> Result<()>
where
    N: Jvp<f32, Cpu> + Parameters<f32, Cpu>,
{
    let diffusion = Diffusion::new(VariancePreserving, Velocity, range);
    let network = trained(network, images, diffusion, plan)?;
    let dims: usize = images.sides.iter().product();
    let start = TruncatedNormal::new(images.grid, diffusion.level(range.min()));
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let z: Vec<Vec<f64>> =
        images.test.chunks_exact(dims).take(plan.images).map(|row| start.draw(row, &mut rng).z).collect();
    let one = variance(&network, &diffusion, &z, (100, plan.grid), Hutchinson::default())?;
    println!(
        "{:>8}  {:>18}  {:>18} {:>6}  {:>18} {:>6}",
        "products", "Hutchinson", "Hutch++", "ratio", "blocks", "ratio"
    );
    for &stride in plan.strides {
        let blocks = Blocks::of_images(images.sides, stride)?;
        let products = blocks.blocks();
        let hutchinson = one.0 / products as f64;
        let own = |divergence: Box<dyn Divergence>| {
            variance(&network, &diffusion, &z, (plan.repeats, plan.grid), divergence)
        };
        let sketched = own(Box::new(HutchPlusPlus::new(products)?))?;
        let probed = own(Box::new(blocks))?;
        let shown = |(value, error): (f64, f64)| format!("{value:.4} +- {error:.4}");
        println!(
            "{products:>8}  {:>18}  {:>18} {:>6.2}  {:>18} {:>6.2}",
            shown((hutchinson, one.1 / products as f64)),
            shown(sketched),
            sketched.0 / hutchinson,
            shown(probed),
            probed.0 / hutchinson,
        );
    }
    Ok(())
}

fn main() -> Result<()> {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let images = small()?;
    let range = GammaRange::for_levels(images.grid.levels());
    let config = UNetConfig {
        blocks: 2,
        fourier: vec![2, 3],
        fading: Some([range.min().0, range.max().0]),
        ..UNetConfig::default()
    };
    let network = StaticUNet::<8, 8, 1, 32, f32, Cpu>::new(&config, &Cpu::default(), &mut rng)?;
    let plan =
        Plan { steps: 800, batch: 128, rate: 4e-3, images: 8, repeats: 50, grid: 25, strides: &[2, 3, 4] };
    measure(network, &images, range, &plan)?;

    let images = large()?;
    let range = GammaRange::for_levels(images.grid.levels());
    let config =
        UNetConfig { blocks: 1, fading: Some([range.min().0, range.max().0]), ..UNetConfig::default() };
    let network = StaticUNet::<32, 32, 3, 32, f32, Cpu>::new(&config, &Cpu::default(), &mut rng)?;
    let plan = Plan { steps: 300, batch: 16, rate: 2e-3, images: 3, repeats: 20, grid: 12, strides: &[2] };
    measure(network, &images, range, &plan)
}
