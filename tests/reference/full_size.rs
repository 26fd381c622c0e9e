//! The paper's CIFAR-10 network at full size, on one image.

use dfdx::prelude::*;
use idode::diffusion::Diffusion;
use idode::divergence::{Divergence, Hutchinson};
use idode::level::{Gamma, GammaRange};
use idode::likelihood::Drift;
use idode::nn::{Parameters, Pass, StaticUNet, UNetConfig, count};
use idode::objective::{FirstOrder, Given, Matching, Passes};
use idode::parameterization::Velocity;
use idode::schedule::VariancePreserving;
use idode::solver::{Field, HostState};
use idode::tensor::Kernels;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// 128 channels, 32 blocks down and 33 up, attention in the middle, Fourier features: the published defaults.
#[test]
fn cifar10_network_evaluates_its_loss_and_integrand() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let config = UNetConfig::default();
    let mut network =
        StaticUNet::<32, 32, 3, 128, f32, Cpu>::new(&config, &Cpu::default(), &mut rng).unwrap();
    let parameters = count(&network);
    println!("CIFAR-10 network: {parameters} parameters");
    // Per block, with 128 + 1 numbers of time in, 512 out: two convolutions, two norms, the projection of time; and a
    // 1 x 1 convolution where a skip doubles the width.
    let conv = |inputs: usize, outputs: usize| 9 * inputs * outputs + outputs;
    let dense = |inputs: usize, outputs: usize| inputs * outputs + outputs;
    let block = |inputs: usize| 2 * inputs + conv(inputs, 128) + 2 * 128 + conv(128, 128) + 512 * 128;
    let attention = 2 * 128 + 4 * dense(128, 128);
    let expected = dense(129, 512)
        + dense(512, 512)
        + conv(15, 128)
        + 34 * block(128)
        + attention
        + 33 * (block(256) + dense(256, 128))
        + 2 * 128
        + conv(128, 3);
    assert_eq!(parameters, expected);
    // So that no layer is left at its start of zeros.
    let mut moves = rng.clone();
    network.parameters("", &mut |_, _, parameter| {
        let mut numbers = parameter.numbers();
        numbers.iter_mut().for_each(|x| *x += 0.02 * moves.sample::<f32, _>(StandardNormal));
        parameter.replace(numbers);
    });

    let range = GammaRange::for_levels(256);
    let diffusion = Diffusion::new(VariancePreserving, Velocity, range);
    let shape = (1, Const, Const, Const);
    let mut draw = || -> Vec<f32> { (0..3072).map(|_| rng.sample(StandardNormal)).collect() };
    let (image, noise): (Vec<f32>, Vec<f32>) =
        (draw().iter().map(|x| (0.5 * x).clamp(-1.0, 1.0)).collect(), draw());
    let device = Cpu::default();
    let (x, eps) = (device.upload(&image, shape), device.upload(&noise, shape));
    let problem = Matching::new(&diffusion, x, eps, &[Gamma(-2.0)], &[1.0 / range.width()]).unwrap();
    let times = problem.times();
    let (mut pass, mut probes) = (Pass::eval(&times), Given::default());
    let losses = Passes::new(&network, &problem, &mut pass, &mut probes).evaluate(&FirstOrder).unwrap();
    let loss = losses.rows.as_vec()[0];

    let z: Vec<f64> = problem.z.as_vec().into_iter().map(f64::from).collect();
    let y = HostState::new(3072, z).unwrap().with_log_density(vec![0.0]).unwrap();
    let trace = Hutchinson::default().begin(3072, &[[3; 32]]);
    let rates = Drift::new(&network, &diffusion, 1).with_density(trace).eval(&[0], &[-2.0], &y);
    let size = rates.values().iter().map(|x| x * x).sum::<f64>().sqrt();
    let divergence = -rates.log_density().unwrap()[0];
    println!("CIFAR-10 network: loss {loss} nats, drift of norm {size}, divergence {divergence} nats");
    assert!(loss.is_finite() && loss > 0.0);
    assert!(size.is_finite() && size > 0.0);
    assert!(divergence.is_finite() && divergence != 0.0);
}
