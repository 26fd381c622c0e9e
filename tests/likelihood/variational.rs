//! The variational bound, term by term, against closed forms.

use super::gaussian::{GaussianVelocity, diffusions, straight};
use idode::level::{Gamma, GammaRange};
use idode::likelihood::{Evaluator, ProbabilityFlow, VlbEstimate};
use idode::math::integrate;
use idode::pixels::PixelGrid;
use idode::progress::Silent;
use idode::time::{Importance, TimeSampler, Uniform};

const COPIES: usize = 200;

fn vlb(
    network: &GaussianVelocity<'_, 2>,
    batch: usize,
    levels: usize,
    time: &dyn TimeSampler,
) -> VlbEstimate {
    let flow = ProbabilityFlow::new(network, network.diffusion).with_batch(batch).unwrap();
    let pixels = [12, 3].repeat(COPIES);
    let grid = PixelGrid::new(17).unwrap();
    Evaluator::new(flow).vlb(&pixels, grid, levels, time, &mut Silent).unwrap()
}

/// With `F*` of Gaussian data, the diffusion term of one `x` is
/// `1/2 int sum_i (alpha^2 s_i^2 / v_i)^2 + (sigma alpha (x_i - m_i) / v_i)^2 dgamma`, `v = alpha^2 s^2 + sigma^2`,
/// whatever the parameterization and the time sampler.
#[test]
fn every_term_has_its_expectation() {
    let grid = PixelGrid::new(17).unwrap();
    let x = [grid.centre(12), grid.centre(3)];
    for diffusion in diffusions(17) {
        let (mean, variance) = ([0.3, -0.6], [0.09, 0.25]);
        let network = GaussianVelocity::new(&diffusion, mean, variance);
        let range = diffusion.range();
        let exact = integrate(range.min().0, range.max().0, 60, |gamma| {
            let level = diffusion.level(Gamma(gamma));
            let (alpha, sigma) = (level.alpha(), level.sigma());
            (0..2)
                .map(|i| {
                    let v = alpha.powi(2) * variance[i] + sigma.powi(2);
                    let spread = (alpha.powi(2) * variance[i] / v).powi(2);
                    0.5 * (spread + (sigma * alpha * (x[i] - mean[i]) / v).powi(2))
                })
                .sum()
        });
        let samplers: [Box<dyn TimeSampler>; 2] = [
            Box::new(Uniform::new(range)),
            Box::new(Importance::for_weight(range, diffusion.weight_density()).unwrap()),
        ];
        for time in samplers {
            let found = vlb(&network, 64, 8, &*time);
            assert_eq!((found.summary.failures, found.summary.evaluations_per_image), (0, 8.0));
            let n = COPIES as f64;
            let terms: Vec<f64> = found.records.iter().map(|record| record.diffusion_nats).collect();
            let mean = terms.iter().sum::<f64>() / n;
            let error = (terms.iter().map(|t| (t - mean).powi(2)).sum::<f64>() / (n - 1.0) / n).sqrt();
            assert!((mean - exact).abs() < 4.0 * error, "{time:?}: {mean} +- {error}, exactly {exact}");
            let record = &found.records[0];
            assert_eq!(record.prior_nats, diffusion.prior_kl(&x));
            assert!(record.reconstruction_nats >= 0.0);
            let nats = record.reconstruction_nats + record.prior_nats + record.diffusion_nats;
            assert!((record.bits_per_dim - nats / (2.0 * 2f64.ln())).abs() < 1e-14);
        }
    }
}

#[test]
fn does_not_depend_on_the_batch() {
    let diffusion = straight(17);
    let network = GaussianVelocity::new(&diffusion, [0.3, -0.6], [0.09, 0.25]);
    let time = Uniform::new(diffusion.range());
    let whole = vlb(&network, 64, 8, &time);
    for batch in [1, 5, 16, 10_000] {
        assert_eq!(vlb(&network, batch, 8, &time), whole);
    }
}

/// Strata lower the error of the mean; images do not share them, so its standard error holds. Data
/// this narrow leaves the noise no say: the loss is a function of the level.
#[test]
fn levels_are_stratified_within_an_image_only() {
    let diffusion = straight(17);
    let network = GaussianVelocity::new(&diffusion, [0.3, -0.6], [1e-7, 1e-7]);
    let time = Uniform::new(diffusion.range());
    let error = |levels| vlb(&network, 64, levels, &time).summary.standard_error;
    let (one, many) = (error(1), error(32));
    assert!(many < 0.5 * one / 32f64.sqrt(), "{one} {many}");
}

#[test]
fn bad_input_is_named() {
    let diffusion = straight(17);
    let network = GaussianVelocity::new(&diffusion, [0.3, -0.6], [0.09, 0.25]);
    let evaluator = Evaluator::new(ProbabilityFlow::new(&network, &diffusion));
    let grid = PixelGrid::new(17).unwrap();
    let time = Uniform::new(diffusion.range());
    let error = |pixels: &[u16], levels, time: &dyn TimeSampler| {
        evaluator.vlb(pixels, grid, levels, time, &mut Silent).unwrap_err().to_string()
    };
    assert_eq!(
        error(&[1, 2, 3], 4, &time),
        "pixels = 3 numbers: expected whole rows of 2, the network's shape"
    );
    assert_eq!(error(&[1, 17], 4, &time), "pixels[1] = 17: expected below 17");
    assert_eq!(error(&[1, 2], 0, &time), "vlb_levels = 0: expected at least 1");
    let other = Uniform::new(GammaRange::new(-1.0, 1.0).unwrap());
    assert!(error(&[1, 2], 4, &other).starts_with("range of the time sampler = [-1, 1]: expected ["));
}
