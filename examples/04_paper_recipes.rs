//! The paper's recipes at full size, composed by types: what `recipes/cifar10_*.toml` and `imagenet32_*.toml` say by name.
//!
//! ```text
//! cargo run --release --example 04_paper_recipes
//! ```
//!
//! Prints each: parameters, images of an optimizer step, operations, and its stage of fine-tuning. A network of width 256 takes 2 GB with
//! its optimizer.

use dfdx::prelude::{Const, Cpu};
use idode::data::Augmentation;
use idode::diffusion::Diffusion;
use idode::error::Result;
use idode::level::GammaRange;
use idode::nn::{Attention, Counted, GroupedWidth, StaticUNet, UNetConfig, count};
use idode::objective::{FirstOrder, SecondOrderTrace, Sum, Weighted};
use idode::parameterization::Velocity;
use idode::schedule::{NoiseSchedule, StraightPath, VariancePreserving};
use idode::time::{Importance, Stratified};
use idode::train::{AdamWConfig, Rate, RateDecay, Trainer, TrainerConfig};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// A 32x32x3 network of the paper in training by the objective `O`.
type Paper<const WIDTH: usize, S, O> =
    Trainer<StaticUNet<32, 32, 3, WIDTH, f32, Cpu>, O, S, Velocity, Stratified<Importance>, f32, Cpu>;

/// What fine-tuning minimises: the first order plus 0.1 times the unbiased second-order trace.
type FineTuning = Sum<FirstOrder, Weighted<SecondOrderTrace>>;

/// What differs from one recipe to the next, beside the width and the schedule.
#[derive(Clone, Copy)]
struct Setting {
    name: &'static str,
    attention: Attention,
    dropout: f64,
    steps: u64,
    /// Steps of the second stage, where there is one.
    fine_tuning: Option<u64>,
    accumulation: usize,
    augmentation: Augmentation,
}

impl Setting {
    /// A stage of `steps` steps.
    fn stage(&self, steps: u64) -> TrainerConfig {
        let rate = Rate { peak: 2e-4, warmup: 100, decay: RateDecay::Constant, steps };
        let optimizer = AdamWConfig {
            beta1: 0.9,
            beta2: 0.99,
            epsilon: 1e-8,
            weight_decay: 0.01,
            ema: 0.9999,
            clip: None,
        };
        TrainerConfig { seed: 1, accumulation: self.accumulation, rate, optimizer }
    }
}

/// Images of one accumulation step.
const BATCH: usize = 128;

/// The first stage.
fn paper<const WIDTH: usize, S: NoiseSchedule>(
    schedule: S,
    setting: &Setting,
) -> Result<Paper<WIDTH, S, FirstOrder>>
where
    Const<WIDTH>: GroupedWidth,
{
    let range = GammaRange::new(-13.3, 5.0)?;
    let diffusion = Diffusion::new(schedule, Velocity, range);
    let times = Stratified(Importance::for_weight(range, diffusion.weight_density())?);
    let Setting { attention, dropout, .. } = *setting;
    let config = UNetConfig { blocks: 32, attention, dropout, fourier: vec![6, 7], ..UNetConfig::default() };
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let network = StaticUNet::new(&config, &Cpu::default(), &mut rng)?;
    Ok(Trainer::new(network, FirstOrder, diffusion, times, setting.stage(setting.steps)))
}

/// The second, from where the first one ended.
fn fine_tuned<const WIDTH: usize, S: NoiseSchedule>(
    first: Paper<WIDTH, S, FirstOrder>,
    setting: &Setting,
    steps: u64,
) -> Paper<WIDTH, S, FineTuning> {
    first.next_stage(FirstOrder + 0.1 * SecondOrderTrace::default(), setting.stage(steps))
}

fn show<const WIDTH: usize, S: NoiseSchedule>(schedule: S, setting: &Setting) -> Result<()>
where
    Const<WIDTH>: GroupedWidth,
{
    let trainer = paper::<WIDTH, S>(schedule, setting)?;
    println!(
        "{:22} width {WIDTH}: {:>11} parameters, {:>7} steps of {:>4} images, {:>6.1} GFLOP a forward pass of an image{}",
        setting.name,
        count(&trainer.network),
        setting.steps,
        BATCH * setting.accumulation,
        trainer.network.operations().total() as f64 / 1e9,
        if setting.augmentation == Augmentation::default() { "" } else { ", augmented" },
    );
    if let Some(steps) = setting.fine_tuning {
        let second = fine_tuned(trainer, setting, steps);
        println!("{:22} then {} steps of {:?}", "", second.settings.rate.steps, second.objective);
    }
    Ok(())
}

fn main() -> Result<()> {
    let cifar = Setting {
        name: "CIFAR-10",
        attention: Attention::Middle,
        dropout: 0.1,
        steps: 6_000_000,
        fine_tuning: Some(200_000),
        accumulation: 1,
        augmentation: Augmentation::default(),
    };
    show::<128, _>(VariancePreserving, &Setting { name: "CIFAR-10, VP", ..cifar })?;
    show::<128, _>(StraightPath, &Setting { name: "CIFAR-10, SP", ..cifar })?;
    let turns = Augmentation { flip: true, quarter_turns: true, permute_channels: false };
    let augmented = Setting {
        name: "CIFAR-10, VP, augmented",
        attention: Attention::EveryBlock,
        dropout: 0.05,
        steps: 1_950_000,
        fine_tuning: None,
        accumulation: 8,
        augmentation: turns,
    };
    show::<256, _>(VariancePreserving, &augmented)?;
    let imagenet =
        Setting { name: "ImageNet-32 new, VP", steps: 2_000_000, fine_tuning: Some(250_000), ..cifar };
    show::<256, _>(VariancePreserving, &imagenet)?;
    let old =
        Setting { name: "ImageNet-32 old, VP", fine_tuning: Some(500_000), accumulation: 4, ..imagenet };
    show::<256, _>(VariancePreserving, &old)
}
