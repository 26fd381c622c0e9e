//! A whole run in one value: CIFAR-10, the U-Net, two stages, checkpoints that are resumed, metrics, a bar, and a K = 20 bound.
//!
//! ```text
//! cargo run --release --example 09_cifar10 -- cifar-10-binary.tar.gz runs/cifar10 paper
//! ```
//!
//! Ctrl-C stops after a checkpoint; the same command goes on, also after a crash. `small` instead of `paper` is a network, stages and a bound of seconds
//! that show nothing but that it runs. The folder is one that `idode eval`, `sample` and `export` open.

use idode::cli::{Bar, Interrupt, table};
use idode::config::{Adaptive, Cifar10, Evaluation, Fixed, Log, Sample, Stage, Stepping, Unet};
use idode::experiment::{Destination, Experiment, Trained};
use idode::prelude::*;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [data, folder, size] = &arguments[..] else {
        return Err(Error::value("arguments", arguments.len(), "DATA FOLDER paper|small"));
    };
    let (width, blocks, steps, images, vlb_levels, every, stepping) = match size.as_str() {
        "paper" => (128, 32, 6_000_000, 10_000, 1000, 1000, Stepping::Adaptive(Adaptive::default())),
        _ => (32, 1, 24, 1, 8, 3, Stepping::Fixed(Fixed { steps: 1 })),
    };
    let diffusion = Diffusion::new(VariancePreserving, Velocity, GammaRange::for_levels(256));
    let start = TruncatedNormal::new(PixelGrid::new(256)?, diffusion.level(diffusion.range().min()));
    let unet = Unet { width, blocks, dropout: 0.1, ..Unet::default() };
    let first = Stage { steps, batch: if images > 2 { 128 } else { 4 }, ..Stage::default() };
    let second = Stage { steps: steps / 12, ..first.clone() };
    let fine_tuning = FirstOrder + 0.1 * SecondOrderTrace::default();
    let bound = Evaluation { importance_samples: 20, dequantizers: vec![], ..Evaluation::default() };
    let bound = Evaluation { images: Some(images), stage_images: images.min(2), vlb_levels, ..bound };
    let bound = Evaluation { stepping: stepping.clone(), ..bound };
    let run = Experiment::new(Cifar10::new(data), diffusion, unet)
        .stage(FirstOrder, first)
        .stage(fine_tuning, second)
        .log(Log { every, checkpoint_every: every, ..Log::default() })
        .evaluation(bound)
        .dequantizer("truncated_normal", start)
        .samples(Sample { count: images.min(64), stepping, ..Sample::default() });
    let mut observers = Observers::new().and(Bar::new()).and(Interrupt::listen()?);
    match run.train(&Destination::at(folder), &mut observers)? {
        Trained::Finished(outcome) => println!("{}", table(&outcome)),
        Trained::Interrupted { step } => println!("stopped after step {step}: the same command goes on"),
    }
    Ok(())
}
