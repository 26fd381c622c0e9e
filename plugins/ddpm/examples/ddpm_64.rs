//! What a step on 64x64 photographs costs: this network beside the paper's, which keeps the full resolution throughout.

use dfdx::prelude::Cpu;
use idode::data::{ImageShape, RowShape};
use idode::error::Result;
use idode::level::GammaRange;
use idode::nn::{Counted, DynNetwork, DynamicUNet, Network, UNetConfig, count};
use idode::prelude::*;
use idode::registry::{BuildNetwork, NetworkInputs};
use idode_ddpm::{Ddpm, Settings};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::Instant;

const BATCH: usize = 4;

fn main() -> Result<()> {
    let image = ImageShape::new(64, 64, 3);
    let range = GammaRange::for_levels(256);
    let inputs = NetworkInputs { shape: RowShape::Image(image), range, levels: Some(256), conditions: 1 };
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let device = Cpu::default();
    let ddpm = Ddpm.build::<f32, _>(&Settings::default(), &inputs, &device, &mut rng)?;
    let config = UNetConfig { blocks: 4, ..UNetConfig::default() };
    let unet =
        DynamicUNet::sized((image.height, image.width, image.channels), 64, &config, &device, &mut rng)?;
    println!("64x64x3, batch {BATCH}   parameters  GFLOP a row  numbers kept a row  seconds a step");
    for (name, network) in [("ddpm", DynNetwork::new(ddpm)), ("unet, width 64", DynNetwork::new(unet))] {
        let operations = network.operations();
        let (parameters, gflop) = (count(&network), operations.total() as f64 / 1e9);
        let seconds = step(network, range)?;
        println!("{name:20} {parameters:12}  {gflop:11.2}  {:18}  {seconds:14.2}", operations.activations);
    }
    Ok(())
}

/// Seconds of the second training step.
fn step(network: DynNetwork<f32, Cpu>, range: GammaRange) -> Result<f64> {
    let diffusion = Diffusion::new(VariancePreserving, Velocity, range);
    let times = Stratified(Importance::for_weight(range, diffusion.weight_density())?);
    let rate = Rate { peak: 1e-4, warmup: 0, decay: RateDecay::Constant, steps: 2 };
    let settings = TrainerConfig { seed: 0, accumulation: 1, rate, optimizer: AdamWConfig::default() };
    let numbers = BATCH * network.dims();
    let mut trainer = Trainer::new(network, FirstOrder, diffusion, times, settings);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let x: Vec<f64> = (0..numbers).map(|_| rng.gen_range(-1.0..1.0)).collect();
    trainer.step(1, 1, &x)?;
    let started = Instant::now();
    trainer.step(2, 2, &x)?;
    Ok(started.elapsed().as_secs_f64())
}
