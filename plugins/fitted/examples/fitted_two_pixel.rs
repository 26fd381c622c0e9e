//! Trains noise prediction on two pixels with fitted times, and prints what the fit is worth.
//!
//! ```text
//! cargo run --release -p idode-fitted --example fitted_two_pixel
//! ```
//!
//! The variance ratio is that of one row's loss, over the variance with uniform times: 1 is no gain.

use dfdx::prelude::Cpu;
use idode::data::{ImageSource, Shuffle, Split, TwoPixel};
use idode::diffusion::Diffusion;
use idode::error::Result;
use idode::level::GammaRange;
use idode::nn::{MlpConfig, StaticMlp};
use idode::objective::FirstOrder;
use idode::parameterization::Noise;
use idode::schedule::VariancePreserving;
use idode::time::Stratified;
use idode::train::{AdamWConfig, Rate, RateDecay, Trainer, TrainerConfig};
use idode_fitted::{Fitted, LeastVariance};
use rand::SeedableRng;

fn main() -> Result<()> {
    let diffusion = Diffusion::new(VariancePreserving, Noise, GammaRange::for_levels(256));
    let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
    let network = StaticMlp::<2, 64, f32, Cpu>::new(&MlpConfig::default(), &Cpu::default(), &mut rng)?;
    let rate = Rate { peak: 2e-3, warmup: 50, decay: RateDecay::Constant, steps: 900 };
    let settings = TrainerConfig { seed: 0, accumulation: 1, rate, optimizer: AdamWConfig::default() };
    let times = Stratified(Fitted::new(LeastVariance, diffusion.range()));
    let mut trainer = Trainer::new(network, FirstOrder, diffusion, times, settings);
    let images = TwoPixel::new().sample(50_000, 1, Split::Train)?;
    let mut order = Shuffle::new(images.images(), 0)?;
    for step in 1..=rate.steps {
        trainer.step(step, step, &images.grid().centres(&images.batch(&order.next_batch(128))?))?;
        if step.is_multiple_of(300) {
            let report = trainer.times.0.diagnostics();
            let (ratio, best) = (report.variance_ratio, report.best_variance_ratio);
            println!("step {step}: variance ratio {ratio:.3} (best possible {best:.3})");
        }
    }
    println!("gamma    density  losses  mean    root mean square  effective samples");
    for bin in trainer.times.0.diagnostics().bins.iter().step_by(5) {
        println!(
            "{:7.2}  {:.4}  {:6.0}  {:.4}  {:16.4}  {:17.0}",
            bin.gamma.0, bin.pdf, bin.losses, bin.mean, bin.root_mean_square, bin.effective_samples
        );
    }
    Ok(())
}
