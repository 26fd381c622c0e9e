//! States on a device against states on the host.

use super::device::{OnDevice, on_test_device};
use super::divergence::shake;
use super::gaussian::{GaussianVelocity, diffusions, loose, straight};
use dfdx::prelude::*;
use idode::diffusion::Diffusion;
use idode::divergence::{Divergence, Exact, HutchPlusPlus, Hutchinson, Jacobian, Probe, ProbeSeed, Trace};
use idode::level::GammaRange;
use idode::likelihood::{Evaluator, ProbabilityFlow, RowDensity, States, TensorState};
use idode::nn::{StaticUNet, UNetConfig};
use idode::parameterization::Velocity;
use idode::schedule::StraightPath;
use idode::solver::{AnyState, ExplicitRk, HostState, OdeState, Stepping, Tolerances, tables};
use idode::tensor::Kernels;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::atomic::Ordering;

/// The same rows, solved with the same steps; log-densities differ by the order of sums alone.
#[track_caller]
fn agree(host: &[RowDensity], device: &[RowDensity], bound: f64) {
    assert_eq!(host.len(), device.len());
    for (a, b) in host.iter().zip(device) {
        assert_eq!(a.report, b.report);
        let both_fail = a.log_density.is_nan() && b.log_density.is_nan();
        assert!(both_fail || (a.log_density - b.log_density).abs() <= bound, "{a:?} {b:?}");
    }
}

#[test]
fn every_operation_is_that_of_the_host() {
    struct Check;
    impl OnDevice for Check {
        type Out = ();
        fn run<D: Kernels<f32> + Kernels<f64>>(self, device: D) {
            let mut rng = ChaCha8Rng::seed_from_u64(1);
            let mut state = |rows: usize| {
                let values = (0..rows * 3).map(|_| rng.gen_range(-2.0..2.0)).collect();
                let density = (0..rows).map(|_| rng.gen_range(-2.0..2.0)).collect();
                HostState::new(3, values).unwrap().with_log_density(density).unwrap()
            };
            let hosts = [state(4), state(4), state(4), state(2)];
            let devices = hosts.clone().map(|y| TensorState::<D>::upload(&y, &device));
            let ([y, k, l, few], [dy, dk, dl, dfew]) = (&hosts, &devices);
            let down = |y: &TensorState<D>| y.download().unwrap();
            let (c, e) = ([1.0, 0.5, -2.0, 0.0], [0.1, 3.0, 0.25, -1.0]);
            assert_eq!(down(&dy.add_scaled(&[(&c, dk), (&e, dl)])), y.add_scaled(&[(&c, k), (&e, l)]));
            assert_eq!(down(&dy.add_scaled(&[])), *y);
            assert_eq!(down(&dy.zeros_like()), y.zeros_like());
            assert_eq!(down(&dy.select(&[2, 0, 2])), y.select(&[2, 0, 2]));
            let (mut host, mut there) = (y.clone(), dy.clone());
            host.scatter(&[3, 1], few);
            there.scatter(&[3, 1], dfew);
            assert_eq!(down(&there), host);
            let tolerances = Tolerances { relative: 0.1, absolute: 0.5, log_density: 0.7 };
            let norms = HostState::error_norm(k, y, l, &tolerances);
            for (a, b) in norms.iter().zip(TensorState::error_norm(dk, dy, dl, &tolerances)) {
                assert!((a - b).abs() <= 1e-14 * a, "{a} {b}");
            }
            let spoiled =
                HostState::from_rows(&[[0.0, 1.0], [f64::NAN, 0.0], [0.0, f64::INFINITY], [3.0, 4.0]]);
            let spoiled = spoiled.with_log_density(vec![0.0, 0.0, 0.0, f64::NAN]).unwrap();
            let there = TensorState::<D>::upload(&spoiled, &device);
            assert_eq!(there.finite(), [true, false, false, false]);
            assert!(TensorState::error_norm(&there, &there, &there, &tolerances)[1].is_nan());
        }
    }
    on_test_device(Check);
}

#[test]
fn any_state_is_the_state_within() {
    let y = HostState::from_rows(&[[1.0, 2.0], [3.0, 4.0]]).with_log_density(vec![5.0, 6.0]).unwrap();
    let any = AnyState::new(y.clone());
    assert_eq!(any.get::<HostState>(), Some(&y));
    assert!(any.get::<TensorState<Cpu>>().is_none());
    let within = |any: &AnyState| any.get::<HostState>().unwrap().clone();
    let c = [2.0, -1.0];
    assert_eq!(within(&any.add_scaled(&[(&c, &any)])), y.add_scaled(&[(&c, &y)]));
    let mut other = any.select(&[1, 0]);
    other.scatter(&[0], &any.select(&[0]));
    assert_eq!(within(&other).values(), [1.0, 2.0, 1.0, 2.0]);
    assert_eq!((any.rows(), any.finite()), (2, vec![true, true]));
}

/// Every parameterization, one of which scales the network's input; rows that finish at different times, and one that
/// fails.
#[test]
fn gaussians_have_the_same_likelihood() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let z: Vec<f64> = (0..33).map(|_| rng.gen_range(-1.0..1.0)).chain([40.0, 0.0, 0.0]).collect();
    for diffusion in diffusions(17) {
        let mut network = GaussianVelocity::new(&diffusion, [0.3, -0.6, 0.1], [0.09, 0.25, 0.02]);
        network.poison = 20.0;
        let exact: fn() -> Box<dyn Divergence> = || Box::new(Exact);
        let two: fn() -> Box<dyn Divergence> = || Box::new(Hutchinson::new(Probe::Rademacher, 2).unwrap());
        let plus: fn() -> Box<dyn Divergence> = || Box::new(HutchPlusPlus::new(4).unwrap());
        for (divergence, batch) in [(exact, 5), (two, 12), (plus, 5)] {
            let run = |states| {
                let flow = ProbabilityFlow::new(&network, &diffusion)
                    .with_solver(ExplicitRk::new(&tables::DORMAND_PRINCE), loose())
                    .with_batch(batch)
                    .unwrap()
                    .with_states(states);
                let evaluator = Evaluator::new(flow).with_divergence(divergence());
                evaluator.log_prob(&z, diffusion.range().min()).unwrap()
            };
            let host = run(States::Host);
            agree(&host, &run(States::Device), 1e-9);
            assert!(host[..11].iter().all(RowDensity::finished) && !host[11].finished());
        }
    }
}

/// A trace that asks for one product of the second row only.
#[derive(Clone, Copy, Debug)]
struct SecondRow;

impl Divergence for SecondRow {
    fn begin(&self, _: usize, _: &[ProbeSeed]) -> Box<dyn Trace> {
        Box::new(*self)
    }
}

impl Trace for SecondRow {
    fn trace(&mut self, rows: &[usize], jacobian: &mut dyn Jacobian) -> Vec<f64> {
        let dims = jacobian.dims();
        if rows.len() > 1 {
            jacobian.products(&[1], &vec![1.0; dims], &mut vec![0.0; dims]);
        }
        vec![0.0; rows.len()]
    }
    fn renew(&mut self, _: &[usize], _: &[ProbeSeed]) {}
}

/// Rows that a divergence does not ask for move as the others.
#[test]
fn a_divergence_need_not_ask_for_every_row() {
    let diffusion = straight(17);
    let network = GaussianVelocity::new(&diffusion, [0.3, -0.6], [0.09, 0.25]);
    let (from, to) = (diffusion.range().min(), diffusion.range().max());
    let steps = || Stepping::steps(8).unwrap();
    for states in [States::Host, States::Device] {
        let flow = ProbabilityFlow::new(&network, &diffusion)
            .with_solver(ExplicitRk::new(&tables::RK4), steps())
            .with_states(states);
        let start = || HostState::from_rows(&[[0.1, -0.2], [0.4, 0.0], [-0.3, 0.9]]);
        let moved = flow.transport(start(), from, to, None).unwrap();
        let found = flow.transport_density(start(), from, to, &SecondRow, &[[0; 32]; 3], None).unwrap();
        for (a, b) in found.y.values().iter().zip(moved.y.values()) {
            assert!((a - b).abs() < 1e-12, "{states:?}: {a} {b}");
        }
    }
}

/// No call of the network has more rows than asked for, and none fewer than could be.
#[test]
fn calls_have_the_size_of_a_batch() {
    let diffusion = straight(17);
    let from = diffusion.range().min();
    for states in [States::Host, States::Device] {
        for batch in [1, 3, 8] {
            let network = GaussianVelocity::new(&diffusion, [0.3, -0.6], [0.09, 0.25]);
            let flow = ProbabilityFlow::new(&network, &diffusion).with_batch(batch).unwrap();
            assert_eq!(flow.batch(), batch);
            let evaluator = Evaluator::new(flow.with_states(states)).with_divergence(Exact);
            evaluator.log_prob(&[0.1; 16], from).unwrap();
            assert_eq!(network.most.load(Ordering::Relaxed), batch, "{states:?}");
        }
    }
}

#[test]
fn a_u_net_in_single_precision_has_the_same_likelihood_and_samples() {
    struct Check;
    impl OnDevice for Check {
        type Out = ();
        fn run<D: Kernels<f32> + Kernels<f64>>(self, device: D) {
            let mut rng = ChaCha8Rng::seed_from_u64(3);
            let config = UNetConfig { blocks: 1, fading: Some([-8.0, 5.0]), ..UNetConfig::default() };
            let mut network = StaticUNet::<8, 8, 1, 32, f32, D>::new(&config, &device, &mut rng).unwrap();
            shake(&mut network, rng.clone(), 0.05);
            let diffusion = Diffusion::new(StraightPath, Velocity, GammaRange::for_levels(17));
            let z: Vec<f64> = (0..6 * 64).map(|_| rng.gen_range(-1.0..1.0)).collect();
            let conditioning = [0.0, 1.0, 2.0, 0.0, 0.5, 0.0];
            let run = |states| {
                let flow = ProbabilityFlow::new(&network, &diffusion).with_states(states);
                let found =
                    Evaluator::new(flow).log_prob_given(&z, diffusion.range().min(), Some(&conditioning));
                found.unwrap()
            };
            let host = run(States::Host);
            agree(&host, &run(States::Device), 1e-6);
            let bits = |row: &RowDensity| -row.log_density / 64.0 / 2f64.ln();
            println!("{:?} bits/dim", host.iter().map(bits).collect::<Vec<_>>());

            let samples = |states| {
                let flow = ProbabilityFlow::new(&network, &diffusion).with_states(states);
                let start = HostState::new(64, z.clone()).unwrap();
                let (from, to) = (diffusion.range().max(), diffusion.range().min());
                flow.transport(start, from, to, Some(&conditioning)).unwrap()
            };
            let (host, there) = (samples(States::Host), samples(States::Device));
            assert_eq!(host.rows, there.rows);
            for (a, b) in host.y.values().iter().zip(there.y.values()) {
                assert!((a - b).abs() <= 1e-6, "{a} {b}");
            }
        }
    }
    on_test_device(Check);
}

/// Where there is nothing to carry, nothing happens.
#[test]
fn no_rows_are_no_error() {
    let diffusion = straight(17);
    let network = GaussianVelocity::new(&diffusion, [0.0; 2], [1.0; 2]);
    let flow = ProbabilityFlow::new(&network, &diffusion).with_states(States::Device);
    let (from, to) = (diffusion.range().min(), diffusion.range().max());
    let none = flow.transport(HostState::new(2, vec![]).unwrap(), from, to, None).unwrap();
    assert!(none.rows.is_empty() && none.y.values().is_empty());
}
