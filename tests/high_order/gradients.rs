//! The parameter gradient of every objective, against central differences in `f64`.

use crate::case::{parameterizations, schedules};
use crate::device::{OnDevice, on_test_device};
use crate::network::{difference, diffusion, direction, dot, gradient, losses, mean, moved, problem};
use idode::nn::{FadingFourier, MlpConfig, Parameters, SecondJvp, StaticMlp, StaticUNet, UNetConfig};
use idode::objective::{
    FirstOrder, Objective, SecondOrderJacobian, SecondOrderTrace, Slices, ThirdOrder, TraceEstimator,
};
use idode::tensor::Kernels;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Rounding and the differences' own error, of the largest thing that is differenced.
const TOLERANCE: f64 = 1e-6;

/// One objective on one network, along two random directions of all its parameters. Everything that no gradient goes
/// through is held fixed by taking it from the unmoved network.
///
/// `products` holds the weight of each high-order term that is a product of two probes' errors. One of the two is held
/// fixed, and the gradient is that of twice the other, so that its mean over probes is the mean product's: such a
/// term is differenced twice.
fn check<D: Kernels<f64>, N: SecondJvp<f64, D> + Parameters<f64, D>, O: Objective<f64, D, N>>(
    what: &str,
    network: &N,
    objective: &O,
    products: &[f64],
    levels: &[f64],
) {
    let mut probes = ChaCha8Rng::seed_from_u64(17);
    for (index, gamma) in levels.iter().copied().enumerate() {
        let schedule = schedules().remove(index % 4);
        let diffusion = diffusion(schedule, parameterizations().remove((index + 1) % 4));
        let problem = problem(network, &diffusion, gamma, 2, 40 + index as u64);
        let probes: Vec<Vec<f64>> =
            (0..8).map(|_| idode::objective::Probes::draw(&mut probes, 2 * network.dims())).collect();
        let own = losses(network, network, &problem, objective, &probes);
        let value = mean(&own);
        let found = gradient(network, own);
        for seed in 0..2 {
            let expected = difference(network, seed, |moved| {
                let losses = losses(moved, network, &problem, objective, &probes);
                mean(&losses)
                    + products.iter().zip(&losses.terms).map(|(w, term)| w * term.loss()).sum::<f64>()
            });
            let found = dot(&found, &direction(network, seed));
            let scale = expected.abs().max(value.abs());
            assert!(
                (found - expected).abs() <= TOLERANCE * scale,
                "{what}, gamma {gamma}, direction {seed}: gradient {found}, difference {expected}, value {value}"
            );
        }
    }
}

fn every_objective<D: Kernels<f64>, N: SecondJvp<f64, D> + Parameters<f64, D>>(network: &N, levels: &[f64]) {
    check("first order", network, &FirstOrder, &[], levels);
    check("two probes", network, &SecondOrderTrace(TraceEstimator::TwoProbes), &[1.0], levels);
    for estimator in [TraceEstimator::Projected, TraceEstimator::SquaredProbe, TraceEstimator::Exact] {
        check(&format!("{estimator:?}"), network, &SecondOrderTrace(estimator), &[], levels);
    }
    for slices in [Slices::Probe, Slices::Exact] {
        check(&format!("Jacobian, {slices:?}"), network, &SecondOrderJacobian(slices), &[], levels);
    }
    check("third order, sliced", network, &ThirdOrder(Slices::Probe), &[1.0], levels);
    check("third order, exact", network, &ThirdOrder(Slices::Exact), &[], levels);
    let fine_tuning = FirstOrder + 0.1 * SecondOrderTrace::default();
    check("fine-tuning", network, &fine_tuning, &[0.1], levels);
    check("all three", network, &(0.2 * ThirdOrder::default() + fine_tuning), &[0.2, 0.1], levels);
}

#[test]
fn mlp_gradients_are_central_differences() {
    struct Mlp;
    impl OnDevice for Mlp {
        type Out = ();
        fn run<D: Kernels<f32> + Kernels<f64>>(self, device: D) {
            let mut rng = ChaCha8Rng::seed_from_u64(1);
            let fourier = FadingFourier { exponents: vec![-2, 0], gamma: [-8.0, 4.0] };
            let config = MlpConfig { blocks: 2, fourier: Some(fourier), ..MlpConfig::default() };
            let network = StaticMlp::<3, 8, f64, D>::new(&config, &device, &mut rng).expect("a network");
            every_objective(&moved(&network, 0.1, 100), &[-5.0, 0.5, 3.0]);
        }
    }
    on_test_device(Mlp);
}

#[test]
fn unet_gradients_are_central_differences() {
    struct UNet;
    impl OnDevice for UNet {
        type Out = ();
        fn run<D: Kernels<f32> + Kernels<f64>>(self, device: D) {
            let mut rng = ChaCha8Rng::seed_from_u64(2);
            let config = UNetConfig { blocks: 1, dropout: 0.0, fourier: vec![-2], ..UNetConfig::default() };
            let network =
                StaticUNet::<2, 2, 1, 64, f64, D>::new(&config, &device, &mut rng).expect("a network");
            every_objective(&moved(&network, 0.03, 101), &[0.5]);
        }
    }
    on_test_device(UNet);
}
