//! The K-sample bound and the noise of probes.

use super::gaussian::{GaussianVelocity, loose, straight};
use idode::dequantization::UniformBin;
use idode::divergence::{Divergence, Exact, Hutchinson};
use idode::likelihood::{Evaluator, OdeEstimate, ProbabilityFlow, Replicate};
use idode::math::normal_cdf;
use idode::pixels::PixelGrid;
use idode::progress::Silent;
use idode::solver::{ExplicitRk, tables};

const LEVELS: u32 = 8;
const COPIES: usize = 400;

fn estimate(network: &GaussianVelocity<'_, 2>, image: [u16; 2], draws: usize, k: usize) -> OdeEstimate {
    let diffusion = network.diffusion;
    let grid = PixelGrid::new(LEVELS).unwrap();
    let dequantizer = UniformBin::new(grid, diffusion.level(diffusion.range().min()));
    let flow = ProbabilityFlow::new(network, diffusion)
        .with_solver(ExplicitRk::new(&tables::BOGACKI_SHAMPINE), loose())
        .with_batch(512)
        .unwrap();
    let evaluator = Evaluator::new(flow).with_divergence(Exact).with_draws(draws, k).unwrap();
    evaluator.bits_per_dim(&image.repeat(COPIES), &dequantizer, &mut Silent).unwrap()
}

/// Data much narrower than a bin, so that the single-draw bound is loose: in expectation it only
/// tightens with K, and stays above the exact value, which is the mass of the model on the bin.
#[test]
fn the_k_sample_bound_tightens_and_stays_a_bound() {
    let diffusion = straight(LEVELS);
    let network = GaussianVelocity::new(&diffusion, [0.1, -0.4], [0.003, 0.006]);
    let grid = PixelGrid::new(LEVELS).unwrap();
    let image = [grid.nearest(0.1), grid.nearest(-0.4)];
    let start = diffusion.level(diffusion.range().min());
    let model = network.model(start.gamma());
    let exact: f64 = image
        .iter()
        .zip(model)
        .map(|(&k, (mean, variance))| {
            let edge = |side: f64| {
                (start.alpha() * (grid.centre(k) + side * grid.bin_width() / 2.0) - mean) / variance.sqrt()
            };
            -(normal_cdf(edge(1.0)) - normal_cdf(edge(-1.0))).log2() / 2.0
        })
        .sum();
    let bounds: Vec<(f64, f64)> = [1, 2, 8, 32]
        .map(|k| {
            let summary = estimate(&network, image, 1, k).summary;
            assert_eq!((summary.images, summary.failures), (COPIES, 0));
            (summary.bits_per_dim, summary.standard_error)
        })
        .to_vec();
    for pair in bounds.windows(2) {
        let ((loose, a), (tight, b)) = (pair[0], pair[1]);
        assert!(tight < loose + 4.0 * a.hypot(b), "{bounds:?}");
    }
    for (bits, error) in &bounds {
        assert!(*bits > exact - 4.0 * error, "{bits} +- {error}, exactly {exact}");
    }
    assert!(bounds[0].0 > exact + 0.1 && bounds[3].0 < exact + 0.02, "{bounds:?}, exactly {exact}");
    // More draws of the same bound: the same expectation, a smaller error.
    let averaged = estimate(&network, image, 8, 1).summary;
    let ratio = averaged.standard_error / bounds[0].1;
    assert!((ratio * 8f64.sqrt() - 1.0).abs() < 0.2, "{ratio}");
    assert!((averaged.bits_per_dim - bounds[0].0).abs() < 4.0 * bounds[0].1.hypot(averaged.standard_error));
}

#[test]
fn probe_noise_is_reported_where_it_matters() {
    let diffusion = straight(LEVELS);
    let network = GaussianVelocity::new(&diffusion, [0.1, -0.4], [0.04, 0.09]);
    let grid = PixelGrid::new(LEVELS).unwrap();
    let dequantizer = UniformBin::new(grid, diffusion.level(diffusion.range().min()));
    let run = |divergence: Box<dyn Divergence>, k| {
        let evaluator = Evaluator::new(ProbabilityFlow::new(&network, &diffusion));
        let evaluator = evaluator.with_divergence(divergence).with_draws(1, k).unwrap();
        evaluator.bits_per_dim(&[3, 4, 5, 6], &dequantizer, &mut Silent).unwrap()
    };
    assert_eq!(run(Box::new(Exact), 2).probe_noise, None);
    assert_eq!(run(Box::<Hutchinson>::default(), 1).probe_noise, None);
    // A diagonal Jacobian: Rademacher probes have no noise but rounding.
    let noise = run(Box::<Hutchinson>::default(), 2).probe_noise.unwrap();
    assert_eq!(noise.images, 2);
    assert!(noise.standard_deviation_nats < 1e-10, "{noise:?}");
}

/// The reported variance is that of the integrated estimate, measured here from many probes.
#[test]
fn probe_noise_is_the_variance_over_probes() {
    let diffusion = straight(LEVELS);
    let network = GaussianVelocity::new(&diffusion, [0.1, -0.4], [0.003, 0.9]);
    let grid = PixelGrid::new(LEVELS).unwrap();
    let dequantizer = UniformBin::new(grid, diffusion.level(diffusion.range().min()));
    let probe = || Hutchinson::new(idode::divergence::Probe::Gaussian, 1).unwrap();
    let flow = || ProbabilityFlow::new(&network, &diffusion).with_batch(512).unwrap();
    let pixels = [3, 4].repeat(500);
    let evaluator = Evaluator::new(flow()).with_divergence(probe()).with_draws(1, 2).unwrap();
    let noise = evaluator.bits_per_dim(&pixels, &dequantizer, &mut Silent).unwrap().probe_noise.unwrap();
    // One point, 500 probes: the flow is affine, so the divergence does not depend on the point.
    let z = [0.1, 0.2].repeat(500);
    let rows = Evaluator::new(flow()).with_divergence(probe()).log_prob(&z, diffusion.range().min()).unwrap();
    let mean = rows.iter().map(|row| row.log_density).sum::<f64>() / 500.0;
    let variance = rows.iter().map(|row| (row.log_density - mean).powi(2)).sum::<f64>() / 499.0;
    let found = noise.standard_deviation_nats.powi(2);
    // Each variance has a relative standard error of at most sqrt(2 / 500) for light-tailed noise.
    assert!((found / variance - 1.0).abs() < 4.0 * (4.0_f64 / 500.0).sqrt(), "{found} {variance}");
    let bits = 0.5 * found / (2.0 * 2f64.ln());
    assert!((noise.bias_bound - bits).abs() < 1e-12);
}

/// The draws of an estimate are its replicates' draws, each a bound of its own; and only random probes tell two sets of probes apart.
#[test]
fn replicates_are_the_draws_of_an_estimate() {
    let diffusion = straight(LEVELS);
    let network = GaussianVelocity::new(&diffusion, [0.1, -0.4], [0.03, 0.9]);
    let grid = PixelGrid::new(LEVELS).unwrap();
    let dequantizer = UniformBin::new(grid, diffusion.level(diffusion.range().min()));
    let run = |divergence: Box<dyn Divergence>, replicate, draws, k| {
        let evaluator = Evaluator::new(ProbabilityFlow::new(&network, &diffusion));
        let evaluator = evaluator.with_divergence(divergence).with_replicate(replicate);
        let evaluator = evaluator.with_draws(draws, k).unwrap();
        let found = evaluator.bits_per_dim(&[3, 4, 5, 6], &dequantizer, &mut Silent).unwrap();
        found.records.iter().map(|record| record.bits_per_dim).collect::<Vec<_>>()
    };
    let gaussian = || Box::new(Hutchinson::new(idode::divergence::Probe::Gaussian, 1).unwrap());
    for k in [1, 2] {
        let whole = run(gaussian(), Replicate::default(), 2, k);
        let [first, second] = [0, 1].map(|draw| run(gaussian(), Replicate { draw, probe: 0 }, 1, k));
        for ((whole, first), second) in whole.iter().zip(&first).zip(second) {
            assert!((whole - 0.5 * (first + second)).abs() < 1e-12, "{whole} {first} {second}");
        }
        let other = Replicate { draw: 0, probe: 1 };
        assert!(first.iter().zip(run(gaussian(), other, 1, k)).all(|(a, b)| *a != b));
        assert_eq!(run(Box::new(Exact), other, 1, k), run(Box::new(Exact), Replicate::default(), 1, k));
    }
}
