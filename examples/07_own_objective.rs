//! An objective of one's own, measured by the bound that it does not minimise.
//!
//! ```text
//! cargo run --release --example 07_own_objective
//! ```
//!
//! Trains the same network on two pixels twice, by the likelihood's own loss and by one that looks away from fine detail, and
//! measures both on the same images with the same draws.

use dfdx::prelude::Cpu;
use idode::nn::{FadingFourier, Network};
use idode::objective::{Passes, RowLosses};
use idode::prelude::*;
use idode::tensor::{Kernels, Real, RowCoefficients};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const STEPS: u64 = 600;
const BATCH: usize = 128;
const TEST_IMAGES: usize = 300;

// ANCHOR: objective
/// The first-order loss times `1 / (1 + e^-(gamma + bias))`: levels below `-bias` count for less.
///
/// # Reference
/// Kingma and Gao, "Understanding Diffusion Objectives as the ELBO with Simple Data Augmentation" (arXiv 2303.00848),
/// the sigmoid weighting.
#[derive(Clone, Copy, Debug)]
struct Sigmoid {
    bias: f64,
}

impl<E: Real, D: Kernels<E>, N: Network<E, D>> Objective<E, D, N> for Sigmoid {
    type Order = typenum::U1;

    fn terms(&self, passes: &mut Passes<'_, '_, E, D, N>) -> Result<RowLosses<E, D>> {
        let gammas = passes.problem().rows.iter().map(|row| row.gamma);
        let weights = gammas.map(|gamma| 1.0 / (1.0 + (-gamma - self.bias).exp())).collect();
        Ok(RowCoefficients::new(weights).scale(FirstOrder.terms(passes)?))
    }
}
// ANCHOR_END: objective

type Net = StaticMlp<2, 32, f32, Cpu>;

/// The bits/dim of each test image, after training by `objective`.
fn measured(objective: impl Objective<f32, Cpu, Net>) -> Result<Vec<f64>> {
    let data = TwoPixel::new();
    let diffusion = Diffusion::new(VariancePreserving, Velocity, GammaRange::for_levels(256));
    let range = diffusion.range();
    let times = Stratified(Importance::for_weight(range, diffusion.weight_density())?);
    let fourier = FadingFourier { exponents: vec![7], gamma: [range.min().0, range.max().0] };
    let config = MlpConfig { fourier: Some(fourier), ..MlpConfig::default() };
    let network = Net::new(&config, &Cpu::default(), &mut ChaCha8Rng::seed_from_u64(0))?;
    let rate = Rate { peak: 3e-3, warmup: 50, decay: RateDecay::Cosine { final_rate: 0.0 }, steps: STEPS };
    let optimizer = AdamWConfig { ema: 0.99, ..AdamWConfig::default() };
    let settings = TrainerConfig { seed: 0, accumulation: 1, rate, optimizer };
    let mut trainer = Trainer::new(network, objective, diffusion, times, settings);
    let images = data.sample(50_000, 1, Split::Train)?;
    let mut order = Shuffle::new(images.images(), 0)?;
    for step in 1..=STEPS {
        let x = images.grid().centres(&images.batch(&order.next_batch(BATCH))?);
        trainer.step(step, step, &x)?;
    }
    let network = trainer.optimizer.averaged(&trainer.network);
    let start = TruncatedNormal::new(images.grid(), diffusion.level(range.min()));
    let test = data.sample(TEST_IMAGES, 2, Split::Test)?;
    let flow = ProbabilityFlow::new(&network, &diffusion).with_batch(TEST_IMAGES)?;
    let found =
        Evaluator::new(flow).with_divergence(Exact).bits_per_dim(test.pixels(), &start, &mut Silent)?;
    Ok(found.records.iter().map(|record| record.bits_per_dim).collect())
}

/// A mean and its standard error.
fn mean(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, (values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0) / n).sqrt())
}

fn main() -> Result<()> {
    let (first, own) = (measured(FirstOrder)?, measured(Sigmoid { bias: 4.0 })?);
    let differences: Vec<f64> = own.iter().zip(&first).map(|(own, first)| own - first).collect();
    println!("exact entropy      {:.4} bits/dim", TwoPixel::new().entropy_bits_per_dim());
    for (name, values) in [("FirstOrder", first), ("Sigmoid", own), ("image by image", differences)] {
        let (mean, error) = mean(&values);
        println!("{name:16} {mean:+8.4} +- {error:.4}");
    }
    Ok(())
}
