//! Samples: their law, their log-density, and the way back.

use super::gaussian::{GaussianVelocity, diffusions, straight, tight};
use idode::divergence::{Exact, Hutchinson};
use idode::likelihood::{Evaluator, ProbabilityFlow};
use idode::pixels::PixelGrid;
use idode::progress::Silent;
use idode::sample::Sampler;
use idode::solver::{ExplicitRk, Stepping, tables};

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
