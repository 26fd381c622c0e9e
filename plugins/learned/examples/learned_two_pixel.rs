//! Trains a diffusion model of two pixels and the noise that dequantizes them, turn by turn, and compares bounds.
//!
//! ```text
//! cargo run --release -p idode-learned --example learned_two_pixel [noise.safetensors]
//! ```
//!
//! The ODE starts at gamma = -11, where the model's density of neighbouring grey levels overlaps: fixed noise pays for
//! that. The file is what `dequantizers = [{ name = "learned", parameters = "noise.safetensors" }]` reads.

use dfdx::prelude::Cpu;
use idode::data::{ImageSource, Shuffle, Split, TwoPixel, two_pixel};
use idode::dequantization::{Dequantizer, TruncatedNormal};
use idode::diffusion::Diffusion;
use idode::divergence::Exact;
use idode::error::Result;
use idode::level::{Gamma, GammaRange};
use idode::likelihood::{Evaluator, ProbabilityFlow};
use idode::nn::{FadingFourier, MlpConfig, StaticMlp};
use idode::objective::FirstOrder;
use idode::parameterization::Velocity;
use idode::pixels::PixelGrid;
use idode::progress::Silent;
use idode::schedule::VariancePreserving;
use idode::solver::{ExplicitRk, Stepping, Tolerances, tables};
use idode::time::{Importance, Stratified};
use idode::train::{AdamWConfig, Rate, RateDecay, Trainer, TrainerConfig, network_score};
use idode_learned::{Learned, Learner};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

const STEPS: u64 = 1500;
const START: Gamma = Gamma(-11.0);

fn main() -> Result<()> {
    let grid = PixelGrid::new(two_pixel::LEVELS)?;
    let range = GammaRange::for_levels(two_pixel::LEVELS);
    let diffusion = Diffusion::new(VariancePreserving, Velocity, range);
    let times = Stratified(Importance::for_weight(range, diffusion.weight_density())?);
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let fourier = FadingFourier { exponents: vec![7], gamma: [range.min().0, range.max().0] };
    let config = MlpConfig { fourier: Some(fourier), ..MlpConfig::default() };
    let network = StaticMlp::<2, 64, f32, Cpu>::new(&config, &Cpu::default(), &mut rng)?;
    let rate = Rate { peak: 3e-3, warmup: 100, decay: RateDecay::Cosine { final_rate: 0.0 }, steps: STEPS };
    let optimizer = AdamWConfig { ema: 0.99, ..AdamWConfig::default() };
    let settings = TrainerConfig { seed: 0, accumulation: 1, rate, optimizer };
    let mut trainer = Trainer::new(network, FirstOrder, diffusion, times, settings);
    let fresh = Learned::new(grid, diffusion.level(START), TwoPixel::shape(), &mut rng)?;
    let mut learner = Learner::new(fresh, AdamWConfig { weight_decay: 0.0, ..optimizer });

    let images = TwoPixel::new().sample(200_000, 1, Split::Train)?;
    let mut order = Shuffle::new(images.images(), 0)?;
    for step in 1..=STEPS {
        let batch = images.batch(&order.next_batch(256))?;
        trainer.step(step, step, &grid.centres(&batch))?;
        let score = |z: &[f64]| network_score(&trainer.network, &diffusion, START, z);
        let report = learner.step(&batch, 0.3 * rate.at(step), &mut rng, score)?;
        if step.is_multiple_of(500) {
            println!("step {step}: entropy of the noise {:.4} bits/dim", report.entropy);
        }
    }

    let (network, learned) = (trainer.optimizer.averaged(&trainer.network), learner.averaged());
    if let Some(path) = std::env::args_os().nth(1) {
        learned.save(path.as_ref())?;
    }
    let tolerances = Tolerances { relative: 1e-4, absolute: 1e-4, log_density: 1e-2 };
    let test = TwoPixel::new().sample(400, 2, Split::Test)?;
    let cut = TruncatedNormal::new(grid, diffusion.level(START));
    let noises: [(&str, &dyn Dequantizer, usize); 3] =
        [("truncated normal", &cut, 1), ("learned", &learned, 1), ("truncated normal", &cut, 8)];
    println!("exact entropy            {:.4} bits/dim", TwoPixel::new().exact_bits_per_dim(&test)?);
    for (name, noise, k) in noises {
        let flow = ProbabilityFlow::new(&network, &diffusion)
            .with_solver(ExplicitRk::new(&tables::DORMAND_PRINCE), Stepping::adaptive(tolerances))
            .with_batch(400)?;
        let evaluator = Evaluator::new(flow).with_divergence(Exact).with_draws(1, k)?;
        let bits = evaluator.bits_per_dim(test.pixels(), noise, &mut Silent)?.summary;
        println!("{name:16}, K = {k}: {:.4} +- {:.4}", bits.bits_per_dim, bits.standard_error);
    }
    Ok(())
}
