//! Samples: their law, their log-density, and the way back.

use super::divergence::shake;
use super::gaussian::{GaussianVelocity, diffusions, straight, tight};
use dfdx::prelude::Cpu;
use idode::divergence::{Blocks, Divergence, Exact, Hutchinson};
use idode::likelihood::{Evaluator, ProbabilityFlow};
use idode::nn::{MlpConfig, StaticMlp};
use idode::pixels::PixelGrid;
use idode::progress::Silent;
use idode::sample::Sampler;
use idode::solver::{ExplicitRk, Stepping, tables};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

#[test]
fn samples_have_the_models_law() {
    let diffusion = straight(17);
    let network = GaussianVelocity::new(&diffusion, [0.3, -0.6], [0.09, 0.25]);
    let flow = ProbabilityFlow::new(&network, &diffusion).with_batch(500).unwrap();
    let samples = Sampler::new(flow, 4).sample(2000, &mut Silent).unwrap();
    assert_eq!(samples.failures(), 0);
    for (i, (mean, variance)) in network.model(diffusion.range().min()).into_iter().enumerate() {
        let numbers: Vec<f64> = samples.z().iter().skip(i).step_by(2).copied().collect();
        let found = numbers.iter().sum::<f64>() / 2000.0;
        let spread = numbers.iter().map(|z| (z - found).powi(2)).sum::<f64>() / 1999.0;
        assert!((found - mean).abs() < 4.0 * (variance / 2000.0).sqrt(), "{i}: {found} {mean}");
        assert!(
            (spread / variance - 1.0).abs() < 4.0 * (2.0_f64 / 1999.0).sqrt(),
            "{i}: {spread} {variance}"
        );
    }
    let grid = PixelGrid::new(17).unwrap();
    let nearest: Vec<u16> = samples.data().iter().map(|x| grid.nearest(*x)).collect();
    assert_eq!(samples.pixels(grid), nearest);
}

/// One solve gives a sample and its log-density, which a solve of its own confirms.
#[test]
fn log_density_of_samples_is_that_of_log_prob() {
    for diffusion in diffusions(17) {
        let network = GaussianVelocity::new(&diffusion, [0.3, -0.6], [0.09, 0.25]);
        let flow = || {
            ProbabilityFlow::new(&network, &diffusion)
                .with_solver(ExplicitRk::new(&tables::DORMAND_PRINCE), tight())
        };
        let sampler = Sampler::new(flow(), 1);
        let divergence = Hutchinson::default();
        let samples = sampler.sample_with_log_density(5, &divergence, &mut Silent).unwrap();
        let from = diffusion.range().min();
        let again = Evaluator::new(flow()).log_prob(samples.z(), from).unwrap();
        let rows = samples.log_density().unwrap().iter().zip(&again).zip(samples.z().chunks(2));
        for ((found, again), z) in rows {
            let exact = network.log_density(z, from);
            assert!((found - exact).abs() < 1e-6 && (again.log_density - exact).abs() < 1e-6);
        }
        let agreement = sampler.agreement(&samples, &divergence).unwrap();
        assert_eq!((agreement.samples, agreement.failures), (5, 0));
        assert!(agreement.state < 1e-7 && agreement.log_density_nats < 1e-7, "{agreement:?}");
    }
}

/// There and back, every sample of a network of images: the state and the log-density of one solve are those of the other, whatever
/// the divergence that is a function along the path.
#[test]
fn the_way_back_of_each_sample_lands_where_it_came_from() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let mut network =
        StaticMlp::<4, 16, f64, Cpu>::new(&MlpConfig::default(), &Cpu::default(), &mut rng).unwrap();
    shake(&mut network, rng, 0.2);
    let solves: [(_, Box<dyn Divergence>); 3] = [
        (diffusions(17).swap_remove(0), Box::<Hutchinson>::default()),
        (straight(17), Box::new(Blocks::of_images([2, 2, 1], 2).unwrap())),
        (straight(17), Box::new(Exact)),
    ];
    for (index, (diffusion, divergence)) in solves.iter().enumerate() {
        let sampler = |seed| {
            let flow = ProbabilityFlow::new(&network, diffusion)
                .with_solver(ExplicitRk::new(&tables::DORMAND_PRINCE), tight());
            Sampler::new(flow, seed)
        };
        let samples = sampler(1).sample_with_log_density(2, divergence, &mut Silent).unwrap();
        let back = sampler(1).way_back(&samples, divergence).unwrap();
        assert_eq!(back.len(), 2);
        for (i, back) in back.iter().enumerate() {
            let close = back.state < 1e-6 && back.log_density_nats < 1e-6;
            assert!(close, "{divergence:?}, {diffusion:?}, sample {i}: {back:?}");
        }
        // The draws of another seed are elsewhere.
        if index == 2 {
            let missed = sampler(2).way_back(&samples, divergence).unwrap();
            assert!(missed.iter().all(|back| back.state > 1e-2), "{missed:?}");
        }
    }
}

#[test]
fn agreement_shows_a_coarse_solve() {
    let diffusion = straight(17);
    let network = GaussianVelocity::new(&diffusion, [0.3, -0.6], [0.09, 0.25]);
    let error = |steps| {
        let flow = ProbabilityFlow::new(&network, &diffusion)
            .with_solver(ExplicitRk::new(&tables::HEUN), Stepping::steps(steps).unwrap());
        let sampler = Sampler::new(flow, 1);
        let samples = sampler.sample_with_log_density(5, &Exact, &mut Silent).unwrap();
        sampler.agreement(&samples, &Exact).unwrap()
    };
    let (coarse, fine) = (error(16), error(64));
    assert!(coarse.state > 1e-3 && coarse.log_density_nats > 1e-3, "{coarse:?}");
    // Second order, and one more by the symmetry of there and back.
    assert!(fine.state < coarse.state / 10.0, "{coarse:?} {fine:?}");
    assert!(fine.log_density_nats < coarse.log_density_nats / 10.0, "{coarse:?} {fine:?}");
}

#[test]
fn samples_do_not_depend_on_the_batch_or_on_how_many_there_are() {
    let diffusion = straight(17);
    let network = GaussianVelocity::new(&diffusion, [0.3, -0.6], [0.09, 0.25]);
    let draw = |batch, count| {
        let flow = ProbabilityFlow::new(&network, &diffusion).with_batch(batch).unwrap();
        Sampler::new(flow, 9).sample(count, &mut Silent).unwrap()
    };
    let whole = draw(64, 7);
    assert_eq!(draw(3, 7), whole);
    assert_eq!(draw(64, 4).z(), &whole.z()[..8]);
    let plain = Sampler::new(ProbabilityFlow::new(&network, &diffusion), 9);
    let error = plain.agreement(&whole, &Exact).unwrap_err().to_string();
    assert_eq!(error, "samples = no log-density: expected samples drawn with their log-density");
}

#[test]
fn value_stability() {
    let diffusion = straight(17);
    let network = GaussianVelocity::new(&diffusion, [0.3, -0.6], [0.09, 0.25]);
    let flow = ProbabilityFlow::new(&network, &diffusion)
        .with_solver(ExplicitRk::new(&tables::RK4), Stepping::steps(50).unwrap());
    let samples = Sampler::new(flow, 9).sample(3, &mut Silent).unwrap();
    assert_eq!(samples.pixels(PixelGrid::new(17).unwrap()), [13, 5, 13, 1, 8, 9]);
    assert!(samples.reports().iter().all(|report| report.evaluations == 200));
}
