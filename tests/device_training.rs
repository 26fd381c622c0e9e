//! Training on the device of the test against training on the processor with its own kernels: the same draws, the same curve.

#![allow(clippy::unwrap_used)]

mod device;

use device::{OnDevice, on_test_device};
use dfdx::prelude::*;
use idode::data::{ImageSource, Split, digits};
use idode::diffusion::Diffusion;
use idode::level::GammaRange;
use idode::nn::{
    Attention, Checkpointed, Jvp, ModeNetwork, ParameterVisitor, Parameters, Pass, Portable, Role, UNet,
    UNetConfig,
};
use idode::objective::FirstOrder;
use idode::parameterization::Velocity;
use idode::schedule::VariancePreserving;
use idode::tensor::{DropoutKey, Dual, Kernels, Real};
use idode::time::{Importance, Stratified};
use idode::train::{AdamWSettings, GradientSet, Rate, RateDecay, Trainer, TrainerSettings};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A network for the digits, with every layer that draws or depends on the noise level.
type Net<E, D> = UNet<8, 8, 1, 32, E, D>;

fn network<E: Real, D: Kernels<E>>(device: &D) -> Net<E, D> {
    let config = UNetConfig {
        blocks: 1,
        attention: Attention::EveryBlock,
        dropout: 0.1,
        fourier: vec![3, 4],
        fading: Some([-8.0, 5.0]),
        ..UNetConfig::default()
    };
    Net::new(&config, device, &mut ChaCha8Rng::seed_from_u64(5)).unwrap()
}

/// Each step's loss and gradient norm.
fn curve<D: Kernels<f32>, N>(network: N, steps: u64) -> Vec<[f64; 2]>
where
    N: Jvp<f32, D> + Parameters<f32, D>,
{
    let range = GammaRange::for_levels(17);
    let diffusion = Diffusion::new(VariancePreserving, Velocity, range);
    let times = Stratified(Importance::for_weight(range, diffusion.weight_density()).unwrap());
    let settings = TrainerSettings {
        seed: 7,
        accumulation: 1,
        rate: Rate { peak: 1e-3, warmup: 20, decay: RateDecay::Constant, steps },
        optimizer: AdamWSettings {
            beta1: 0.9,
            beta2: 0.99,
            epsilon: 1e-8,
            weight_decay: 0.01,
            ema: 0.99,
            clip: Some(1.0),
        },
    };
    let mut trainer = Trainer::new(network, FirstOrder, diffusion, times, settings);
    let set = digits::load(Split::Train).unwrap();
    let grid = set.grid();
    let batch = 8;
    (1..=steps)
        .map(|step| {
            let first = (step as usize - 1) * batch % (set.images() / batch * batch);
            let x: Vec<f64> =
                (first..first + batch).flat_map(|row| grid.centres(set.row(row).unwrap())).collect();
            let report = trainer.step(step, step, &x).unwrap();
            [report.loss, report.gradient_norm]
        })
        .collect()
}

#[test]
fn two_hundred_steps_have_the_same_losses() {
    struct Train;
    impl OnDevice for Train {
        type Out = Vec<[f64; 2]>;
        fn run<D: Kernels<f32> + Kernels<f64>>(self, device: D) -> Self::Out {
            curve(Portable(network::<f32, D>(&device)), 200)
        }
    }
    let (here, there) = (curve(network::<f32, Cpu>(&Cpu::default()), 200), on_test_device(Train));
    let most = |i: usize| {
        let pairs = here.iter().zip(&there);
        pairs.map(|(a, b)| (a[i] - b[i]).abs() / a[i]).fold(0.0, f64::max)
    };
    let (first, last) = (here[0][0], here[199][0]);
    println!("loss {first:.2} to {last:.2} nats; apart by {:.1e}, gradient norm by {:.1e}", most(0), most(1));
    assert!(last < 0.5 * first, "{first} {last}");
    assert!(most(0) <= 1e-3, "{}", most(0));
}
