//! A model cannot beat the entropy of its data: train on two pixels whose entropy is known exactly.
//!
//! ```text
//! cargo run --release --example 01_two_pixel
//! ```
//!
//! The bits/dim of the ODE with truncated-normal noise are an upper bound on what the model needs, so they
//! must not lie below the exact entropy by more than their error bars, and come close to it from above.

use dfdx::prelude::Cpu;
use idode::data::{ImageSource, Shuffle, Split, TwoPixel, two_pixel};
use idode::dequantization::TruncatedNormal;
use idode::diffusion::Diffusion;
use idode::divergence::Exact;
use idode::error::Result;
use idode::level::GammaRange;
use idode::likelihood::{Evaluator, ProbabilityFlow};
use idode::nn::{FadingFourier, MlpConfig, StaticMlp};
use idode::objective::FirstOrder;
use idode::parameterization::Velocity;
use idode::pixels::PixelGrid;
use idode::progress::Silent;
use idode::schedule::VariancePreserving;
use idode::solver::{ExplicitRk, Stepping, Tolerances, tables};
use idode::time::{Importance, Stratified};
use idode::train::{AdamWConfig, Rate, RateDecay, Trainer, TrainerConfig};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::time::Instant;

const STEPS: u64 = 6000;
const BATCH: usize = 256;
const TEST_IMAGES: usize = 8000;

fn main() -> Result<()> {
    let truth = TwoPixel::new();
    let grid = PixelGrid::new(two_pixel::LEVELS)?;
    let range = GammaRange::for_levels(two_pixel::LEVELS);
    let diffusion = Diffusion::new(VariancePreserving, Velocity, range);
    let times = Stratified(Importance::for_weight(range, diffusion.weight_density())?);

    let mut rng = ChaCha8Rng::seed_from_u64(0);
    // One turn of a feature a grey level; it fades where the noise hides the levels.
    let fourier = FadingFourier { exponents: vec![7], gamma: [range.min().0, range.max().0] };
    let config = MlpConfig { fourier: Some(fourier), ..MlpConfig::default() };
    let network = StaticMlp::<2, 64, f32, Cpu>::new(&config, &Cpu::default(), &mut rng)?;
    let settings = TrainerConfig {
        seed: 0,
        accumulation: 1,
        rate: Rate { peak: 3e-3, warmup: 100, decay: RateDecay::Cosine { final_rate: 0.0 }, steps: STEPS },
        optimizer: AdamWConfig {
            beta1: 0.9,
            beta2: 0.99,
            epsilon: 1e-8,
            weight_decay: 0.01,
            ema: 0.995,
            clip: None,
        },
    };
    let mut trainer = Trainer::new(network, FirstOrder, diffusion, times, settings);
    let images = truth.sample(200_000, 1, Split::Train)?;
    let mut order = Shuffle::new(images.images(), 0)?;
    let started = Instant::now();
    let mut loss = 0.0;
    for step in 1..=STEPS {
        let x = grid.centres(&images.batch(&order.next_batch(BATCH))?);
        loss += trainer.step(step, step, &x)?.loss;
        if step.is_multiple_of(500) {
            let bits = loss / 500.0 / 2.0 / std::f64::consts::LN_2;
            println!(
                "step {step:5}  diffusion loss {bits:.3} bits/dim  {:.0} s",
                started.elapsed().as_secs_f64()
            );
            loss = 0.0;
        }
    }

    let network = trainer.optimizer.averaged(&trainer.network);
    let tolerances = Tolerances { relative: 1e-4, absolute: 1e-4, log_density: 1e-2 };
    let flow = ProbabilityFlow::new(&network, &diffusion)
        .with_solver(ExplicitRk::new(&tables::DORMAND_PRINCE), Stepping::adaptive(tolerances))
        .with_batch(500)?;
    let noise = TruncatedNormal::new(grid, diffusion.level(range.min()));
    let test = truth.sample(TEST_IMAGES, 2, Split::Test)?;
    let ode = Evaluator::new(flow).with_divergence(Exact).bits_per_dim(test.pixels(), &noise, &mut Silent)?;

    // The same images under the exact distribution: most of the error bar is common to both.
    let excess: Vec<f64> = (ode.records.iter().zip(test.rows()))
        .filter_map(|(record, row)| Some(record.bits_per_dim + 0.5 * truth.log2_prob(row)?))
        .collect();
    let n = excess.len() as f64;
    let mean = excess.iter().sum::<f64>() / n;
    let error = (excess.iter().map(|e| (e - mean).powi(2)).sum::<f64>() / (n - 1.0) / n).sqrt();
    let entropy = truth.entropy_bits_per_dim();
    let summary = &ode.summary;
    let (bits, bar) = (summary.bits_per_dim, summary.standard_error);
    println!("exact entropy                  {entropy:.4} bits/dim");
    println!(
        "ODE, truncated-normal noise    {bits:.4} +- {bar:.4}, {:.0} evaluations an image",
        summary.evaluations_per_image
    );
    println!("difference from the entropy   {:+.4} +- {bar:.4}", bits - entropy);
    println!("the same, image by image      {mean:+.4} +- {error:.4}");
    println!("{:.0} s", started.elapsed().as_secs_f64());
    Ok(())
}
