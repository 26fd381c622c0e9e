//! Truth: a model trained on data of known entropy needs at least that entropy, and comes close to it.
//!
//! `examples/01_two_pixel.rs` is the same at a larger budget.

use dfdx::prelude::Cpu;
use idode::data::{ImageSource, Shuffle, Split, TwoPixel, two_pixel};
use idode::dequantization::TruncatedNormal;
use idode::diffusion::Diffusion;
use idode::divergence::Exact;
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

/// A few seconds of training.
const STEPS: u64 = 1500;
const BATCH: usize = 256;
const IMAGES: usize = 2000;

/// What the small budget may leave to learn, in bits/dim. Measured: 0.019 with a standard error of 0.014.
const LEFT: f64 = 0.06;

/// The mean of differences and its standard error.
fn mean(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    (mean, (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0) / n).sqrt())
}

#[test]
fn ode_bits_per_dim_are_the_entropy_and_never_less() {
    let truth = TwoPixel::new();
    let entropy = truth.entropy_bits_per_dim();
    let grid = PixelGrid::new(two_pixel::LEVELS).unwrap();
    let range = GammaRange::for_levels(two_pixel::LEVELS);
    let diffusion = Diffusion::new(VariancePreserving, Velocity, range);
    let times = Stratified(Importance::for_weight(range, diffusion.weight_density()).unwrap());
    let fourier = FadingFourier { exponents: vec![7], gamma: [range.min().0, range.max().0] };
    let config = MlpConfig { fourier: Some(fourier), ..MlpConfig::default() };
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let network = StaticMlp::<2, 64, f32, Cpu>::new(&config, &Cpu::default(), &mut rng).unwrap();
    let settings = TrainerConfig {
        seed: 0,
        accumulation: 1,
        rate: Rate { peak: 3e-3, warmup: 50, decay: RateDecay::Cosine { final_rate: 0.0 }, steps: STEPS },
        optimizer: AdamWConfig {
            beta1: 0.9,
            beta2: 0.99,
            epsilon: 1e-8,
            weight_decay: 0.01,
            ema: 0.99,
            clip: None,
        },
    };
    let mut trainer = Trainer::new(network, FirstOrder, diffusion, times, settings);
    let images = truth.sample(100_000, 1, Split::Train).unwrap();
    let mut order = Shuffle::new(images.images(), 0).unwrap();
    for step in 1..=STEPS {
        let x = grid.centres(&images.batch(&order.next_batch(BATCH)).unwrap());
        trainer.step(step, step, &x).unwrap();
    }

    let network = trainer.optimizer.averaged(&trainer.network);
    // Errors of the solver are far below the standard errors: 1e-2 nats a step is the ceiling, not the mean.
    let tolerances = Tolerances { relative: 1e-4, absolute: 1e-4, log_density: 1e-2 };
    let flow = ProbabilityFlow::new(&network, &diffusion)
        .with_solver(ExplicitRk::new(&tables::DORMAND_PRINCE), Stepping::adaptive(tolerances))
        .with_batch(500)
        .unwrap();
    let noise = TruncatedNormal::new(grid, diffusion.level(range.min()));
    let test = truth.sample(IMAGES, 2, Split::Test).unwrap();
    let ode = Evaluator::new(flow).with_divergence(Exact);
    let ode = ode.bits_per_dim(test.pixels(), &noise, &mut Silent).unwrap();
    assert_eq!((ode.summary.images, ode.summary.failures), (IMAGES, 0));

    let (above, error) = (ode.summary.bits_per_dim - entropy, ode.summary.standard_error);
    // The same images under the exact distribution: what images have in common cancels.
    let exact = test.rows().map(|row| -0.5 * truth.log2_prob(row).unwrap());
    let excess: Vec<f64> =
        ode.records.iter().zip(exact).map(|(record, exact)| record.bits_per_dim - exact).collect();
    let (excess, paired) = mean(&excess);
    println!(
        "above the entropy {entropy:.4}: {above:+.4} +- {error:.4}; by image {excess:+.4} +- {paired:.4}"
    );
    assert!(above > -3.0 * error, "{above} +- {error} below the entropy");
    assert!(excess > -3.0 * paired, "{excess} +- {paired} below the exact probabilities");
    assert!(paired < error, "pairs that do not belong together");
    assert!(excess < LEFT, "{excess} +- {paired}: not learned");
}
