//! Training on the device of the test against training on the processor with its own kernels: the same draws, the same curve.

#![allow(clippy::unwrap_used)]

mod device;

use device::{OnDevice, on_test_device};
use dfdx::prelude::*;
use idode::data::{ImageSource, Split, digits};
use idode::diffusion::Diffusion;
use idode::level::GammaRange;
use idode::nn::{Attention, Checkpointed, Parameters, Pass, Portable, SecondJvp, StaticUNet, UNetConfig};
use idode::objective::FirstOrder;
use idode::parameterization::Velocity;
use idode::schedule::VariancePreserving;
use idode::tensor::{DropoutKey, Dual, Kernels, Real};
use idode::time::{Importance, Stratified};
use idode::train::{AdamWConfig, GradientSet, Rate, RateDecay, Trainer, TrainerConfig};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A network for the digits, with every layer that draws or depends on the noise level.
type Net<E, D> = StaticUNet<8, 8, 1, 32, E, D>;

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
    N: SecondJvp<f32, D> + Parameters<f32, D>,
{
    let range = GammaRange::for_levels(17);
    let diffusion = Diffusion::new(VariancePreserving, Velocity, range);
    let times = Stratified(Importance::for_weight(range, diffusion.weight_density()).unwrap());
    let settings = TrainerConfig {
        seed: 7,
        accumulation: 1,
        rate: Rate { peak: 1e-3, warmup: 20, decay: RateDecay::Constant, steps },
        optimizer: AdamWConfig {
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
        type Out = [Vec<[f64; 2]>; 2];
        fn run<D: Kernels<f32> + Kernels<f64>>(self, device: D) -> Self::Out {
            let own = network::<f32, D>(&device);
            [curve(own.clone(), 200), curve(Portable(own), 200)]
        }
    }
    let (here, there) = (curve(network::<f32, Cpu>(&Cpu::default()), 200), on_test_device(Train));
    let (first, last) = (here[0][0], here[199][0]);
    assert!(last < 0.5 * first, "{first} {last}");
    for (name, there) in ["own kernels", "portable"].iter().zip(&there) {
        let most = |i: usize| {
            let pairs = here.iter().zip(there);
            pairs.map(|(a, b)| (a[i] - b[i]).abs() / a[i]).fold(0.0, f64::max)
        };
        println!(
            "{name}: loss {first:.2} to {last:.2} nats; apart by {:.1e}, gradient norm by {:.1e}",
            most(0),
            most(1)
        );
        assert!(most(0) <= 1e-3, "{name}: {}", most(0));
    }
}

/// What a network in training gives: its value, two derivatives, and the gradient of every parameter, by name.
fn answers<E: Real, D: Kernels<E>, N>(network: &N) -> Vec<(String, Vec<f64>)>
where
    N: SecondJvp<E, D> + Parameters<E, D>,
{
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let shape = network.batch(3);
    let mut draw = || {
        let numbers = (0..shape.num_elements()).map(|_| E::of(rng.gen_range(-1.0f32..1.0).into()));
        network.device().upload(&numbers.collect::<Vec<E>>(), shape)
    };
    let (z, v, w) = (draw(), draw(), draw());
    let host = |x: &[E]| x.iter().map(|x| x.to64()).collect::<Vec<f64>>();
    let mut keys = ChaCha8Rng::seed_from_u64(11);
    let times = [0.2, 0.5, 0.9];
    let mut pass = Pass::train(&times, &mut keys);
    let y = network.jvp(Dual::new(z.leaky_trace(), v.retaped()), &mut pass);
    let mut found = vec![("value".to_owned(), host(&y.value.as_vec()))];
    found.push(("derivative".to_owned(), host(&y.tangent.as_vec())));
    let loss = (y.value.square() + y.tangent.square()).sum::<Rank0, _>();
    for (name, gradient) in GradientSet::of(network, loss.backward()).iter() {
        found.push((name.to_owned(), host(&gradient.as_vec())));
    }
    let none = network.device().zeros_like(&shape);
    let mut pass = Pass::eval(&times);
    let y = network.second_jvp(Dual::new(Dual::new(z, v), Dual::new(w, none)), &mut pass);
    found.push(("second derivative".to_owned(), host(&y.tangent.tangent.as_vec())));
    found
}

/// Compares to within `bound` of an answer's largest entry. Gradients that are the rounding of 0 are held to the largest of all.
#[track_caller]
fn agree(what: &str, here: &[(String, Vec<f64>)], there: &[(String, Vec<f64>)], bound: f64) {
    let largest = |x: &[f64]| x.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    let of_all = here.iter().map(|(_, x)| largest(x)).fold(0.0, f64::max);
    assert_eq!(here.len(), there.len());
    let mut most: f64 = 0.0;
    for ((name, here), (_, there)) in here.iter().zip(there) {
        let difference: Vec<f64> = here.iter().zip(there).map(|(a, b)| a - b).collect();
        assert!(here.len() == there.len() && there.iter().all(|x| x.is_finite()), "{what}: {name}");
        let part = largest(&difference) / largest(here).max(1e-2 * of_all);
        assert!(part <= bound, "{what}: {name} differs by {part:.1e}");
        most = most.max(part);
    }
    println!("{what}: {} answers, apart by at most {most:.1e}", here.len());
}

#[test]
fn values_derivatives_and_gradients_agree() {
    /// The network with every parameter moved, so that no layer is left at its start of zeros.
    fn moved<E: Real, D: Kernels<E>>(device: &D) -> Net<E, D> {
        let (mut network, mut rng) = (network::<E, D>(device), ChaCha8Rng::seed_from_u64(6));
        network.parameters("", &mut |_, _, parameter| {
            let old = parameter.numbers().into_iter();
            let new = old.map(|x| E::of(x.to64() + f64::from(rng.gen_range(-0.1f32..0.1))));
            parameter.replace(new.collect());
        });
        network
    }
    struct Check;
    impl OnDevice for Check {
        type Out = ();
        fn run<D: Kernels<f32> + Kernels<f64>>(self, device: D) {
            let here = answers::<f64, Cpu, _>(&moved::<f64, Cpu>(&Cpu::default()));
            let double = moved::<f64, D>(&device);
            agree("f64", &here, &answers::<f64, D, _>(&double), 1e-10);
            agree("f64, checkpointed", &here, &answers::<f64, D, _>(&Checkpointed(double)), 1e-10);
            let single = moved::<f32, D>(&device);
            agree("f32", &here, &answers::<f32, D, _>(&single), 1e-4);
            agree("f32, portable", &here, &answers::<f32, D, _>(&Portable(single)), 1e-4);
        }
    }
    on_test_device(Check);
}

/// Weights and masks are the host's draws: the same numbers on every device.
#[test]
fn draws_are_those_of_the_processor() {
    struct Draw;
    impl OnDevice for Draw {
        type Out = (Vec<f32>, Vec<f32>, Vec<f64>);
        fn run<D: Kernels<f32> + Kernels<f64>>(self, device: D) -> Self::Out {
            let mut weights = Vec::new();
            network::<f32, D>(&device)
                .parameters("", &mut |_, _, parameter| weights.extend(parameter.numbers()));
            let (key, shape) = (DropoutKey { key: 3, rate: 0.3 }, (5usize, 7usize, 11usize));
            let single: Tensor<_, f32, D> = device.ones_like(&shape);
            let double: Tensor<_, f64, D> = device.ones_like(&shape);
            let single = <D as Kernels<f32>>::dropout(single, key).as_vec();
            (weights, single, <D as Kernels<f64>>::dropout(double, key).as_vec())
        }
    }
    let (here, there) = (Draw.run(Cpu::default()), on_test_device(Draw));
    assert!(here == there);
    assert!(here.1.contains(&0.0) && here.0.iter().any(|weight| *weight != 0.0));
}

/// Two ranks on one device, whose gradients NCCL adds there, against one rank. A card takes no two ranks, a device of host memory does.
#[cfg(feature = "cuda")]
#[test]
fn ranks_of_a_device_agree_with_one() {
    use idode::communicator::{Ranks, Threads};
    use idode::registry::ComputeDevice;
    use std::time::Duration;

    if std::env::var_os("IDODE_MEMORY_DRIVER").is_none() {
        eprintln!("not run: no device of host memory");
        return;
    }
    /// Every parameter after three steps of two parts of two rows.
    fn trained(link: Threads) -> Vec<f32> {
        let (device, ranks) = (Cuda::try_build(0, 0).unwrap(), Ranks::new(link, Duration::from_secs(120)));
        let range = GammaRange::for_levels(17);
        let diffusion = Diffusion::new(VariancePreserving, Velocity, range);
        let times = Stratified(Importance::for_weight(range, diffusion.weight_density()).unwrap());
        let rate = Rate { peak: 1e-3, warmup: 0, decay: RateDecay::Constant, steps: 3 };
        let settings = TrainerConfig { seed: 7, accumulation: 2, rate, optimizer: AdamWConfig::default() };
        let trainer = Trainer::new(network::<f32, Cuda>(&device), FirstOrder, diffusion, times, settings);
        let engine = device.gradient_sum(&ranks).unwrap();
        assert_eq!(engine.is_some(), ranks.size() > 1);
        let mut trainer = trainer.with_ranks(ranks).unwrap().with_gradient_sum(engine);
        let x: Vec<f64> = (0..4 * 64).map(|i| (f64::from(i) * 0.37).sin()).collect();
        (1..=3).for_each(|step| drop(trainer.step(step, step, &x).unwrap()));
        let mut found = Vec::new();
        trainer.network.parameters("", &mut |_, _, parameter| found.extend(parameter.numbers()));
        found
    }
    let by = |size: usize| -> Vec<Vec<f32>> {
        std::thread::scope(|scope| {
            let threads: Vec<_> =
                Threads::new(size).into_iter().map(|link| scope.spawn(|| trained(link))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        })
    };
    let alone = by(1).remove(0);
    for own in by(2) {
        // Two terms have one sum in any order; kernels of dfdx's that add atomically have no order on a card, and one here.
        assert!(own == alone);
    }
}
