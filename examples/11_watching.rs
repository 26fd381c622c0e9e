//! What it costs to watch a run: steps with every observer at work, against the same steps with none.
//!
//! ```text
//! cargo run --release --example 11_watching
//! ```
//!
//! Both runs train one network on the digits for 10,000 steps, in turn, in twenty parts of 500. One is a loop over a [`Trainer`] that
//! nothing looks at. The other is an [`Experiment`] in a folder, with a line of metrics, the losses by level and TensorBoard's events every
//! 100 steps, the curve, the bar, and Ctrl-C heard; its time ends where its last step does, since checkpoints and what is measured at the end
//! are no observers' work.

use dfdx::prelude::Cpu;
use idode::cli::{Bar, Interrupt};
use idode::config::{self, Digits, Evaluation, Fixed, Log, Sample, Stage, Stepping};
use idode::data::{ImageSource, Shuffle, Split, digits};
use idode::experiment::{Destination, Experiment};
use idode::nn::{DynamicMlp, FadingFourier, MlpConfig};
use idode::prelude::*;
use idode::progress::StepMetrics;
use idode::time::{Importance, Stratified};
use idode::train::{AdamWConfig, Rate, RateDecay, Trainer, TrainerConfig};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::time::Instant;

const PART: u64 = 500;
const PARTS: u64 = 20;
const BATCH: usize = 64;
const RATE: f64 = 1e-3;
const WIDTH: usize = 64;
const FOURIER: [i32; 2] = [2, 3];

fn main() -> Result<()> {
    let (mut alone, mut watched) = (Vec::new(), Vec::new());
    for part in 0..PARTS {
        // Each is as often the first of the two as the second.
        if part % 2 == 0 {
            alone.push(by_itself()?);
            watched.push(with_everyone()?);
        } else {
            watched.push(with_everyone()?);
            alone.push(by_itself()?);
        }
    }
    let (steps, ratios) = (PART - 1, watched.iter().zip(&alone).map(|(watched, alone)| watched / alone));
    let mut ratios: Vec<f64> = ratios.collect();
    println!("{PARTS} parts of {steps} steps, ms a step: least, median, most");
    for (name, times) in [("alone", &mut alone), ("watched", &mut watched)] {
        let [least, median, most] = spread(times).map(|seconds| 1e3 * seconds / steps as f64);
        println!("{name:8} {least:.3} {median:.3} {most:.3}");
    }
    println!("watched / alone, of two parts in turn: {:.3?}", spread(&mut ratios));
    println!("ratio of the sums: {:.3}", watched.iter().sum::<f64>() / alone.iter().sum::<f64>());
    Ok(())
}

/// The least, the median and the largest.
fn spread(values: &mut [f64]) -> [f64; 3] {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    [values[0], (values[middle - 1] + values[middle]) / 2.0, values[values.len() - 1]]
}

fn diffusion() -> Diffusion<VariancePreserving, Velocity> {
    Diffusion::new(VariancePreserving, Velocity, GammaRange::for_levels(17))
}

/// Seconds from the end of the first step to the end of the last one, in a loop of one's own.
fn by_itself() -> Result<f64> {
    let data = digits::load(Split::Train)?;
    let (diffusion, grid) = (diffusion(), data.grid());
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let gamma = [diffusion.range().min().0, diffusion.range().max().0];
    let fourier = Some(FadingFourier { exponents: FOURIER.to_vec(), gamma });
    let config = MlpConfig { conditions: 0, fourier, ..MlpConfig::default() };
    let network = DynamicMlp::<f32, Cpu>::sized(64, WIDTH, &config, &Cpu::default(), &mut rng)?;
    let times = Stratified(Importance::for_weight(diffusion.range(), diffusion.weight_density())?);
    let rate = Rate { peak: RATE, warmup: 0, decay: RateDecay::Constant, steps: PART };
    let config = TrainerConfig { seed: 0, accumulation: 1, rate, optimizer: AdamWConfig::default() };
    let mut trainer = Trainer::new(network, FirstOrder, diffusion, times, config);
    let mut order = Shuffle::new(data.images(), 0)?;
    let mut first = Instant::now();
    for step in 1..=PART {
        let rows: Vec<u16> = data.batch(&order.next_batch(BATCH))?;
        trainer.step(step, step, &grid.centres(&rows))?;
        if step == 1 {
            first = Instant::now();
        }
    }
    Ok(first.elapsed().as_secs_f64())
}

/// When the first step ended, and how long after it the last one did.
#[derive(Default)]
struct Clock {
    first: Option<Instant>,
    seconds: f64,
}

impl Observer for Clock {
    fn step(&mut self, _: &StepMetrics) -> Result<()> {
        self.seconds = self.first.get_or_insert_with(Instant::now).elapsed().as_secs_f64();
        Ok(())
    }
}

/// The same of a run in a folder, with all that can watch it.
fn with_everyone() -> Result<f64> {
    let stepping = Stepping::Fixed(Fixed { steps: 1 });
    let stage = Stage { steps: PART, batch: BATCH as u64, learning_rate: RATE, ..Stage::default() };
    let nearly_nothing =
        Evaluation { images: Some(1), vlb_levels: 1, dequantizers: vec![], ..Evaluation::default() };
    let network = config::Mlp { width: WIDTH, fourier: Some(FOURIER.to_vec()), ..config::Mlp::default() };
    let run = Experiment::new(Digits::default(), diffusion(), network)
        .stage(FirstOrder, stage)
        .log(Log { every: 100, checkpoint_every: PART, tensorboard: true, ..Log::default() })
        .evaluation(Evaluation { stage_images: 1, ..nearly_nothing })
        .samples(Sample { count: 1, stepping, ..Sample::default() });
    let folder = tempfile::tempdir().map_err(Error::io("a temporary folder", "make"))?;
    let mut clock = Clock::default();
    let mut observers = Observers::new().and(Bar::new()).and(Interrupt::listen()?).and(&mut clock);
    run.train(&Destination::New(folder.path().join("run")), &mut observers)?;
    drop(observers);
    Ok(clock.seconds)
}
