//! The information-estimation identity against closed forms.

use super::gaussian::{GaussianVelocity, diffusions, straight};
use idode::level::Gamma;
use idode::likelihood::{Evaluator, ImmseEstimate, ProbabilityFlow};
use idode::pixels::PixelGrid;
use idode::progress::Silent;
use std::f64::consts::LN_2;

const COPIES: usize = 200;
const IMAGE: [u16; 2] = [12, 3];

fn immse(network: &GaussianVelocity<'_, 2>, levels: usize) -> ImmseEstimate {
    let flow = ProbabilityFlow::new(network, network.diffusion).with_batch(3).unwrap();
    let grid = PixelGrid::new(17).unwrap();
    Evaluator::new(flow).immse(&IMAGE.repeat(COPIES), grid, levels, &mut Silent).unwrap()
}

/// `1/2 int from 0 to snr of E|x - x^(z)|^2 d snr` of data `N(mean, variance)`: with `u = snr variance` it is
/// `1/2 sum_i ((x_i - m_i)^2 / s_i^2 u / (1 + u) + ln(1 + u) - u / (1 + u))`.
fn integral(gamma: Gamma, x: [f64; 2], mean: [f64; 2], variance: [f64; 2]) -> f64 {
    let of = |i: usize| {
        let u = (-gamma.0).exp() * variance[i];
        let shrink = u / (1.0 + u);
        0.5 * ((x[i] - mean[i]).powi(2) / variance[i] * shrink + (1.0 + u).ln() - shrink)
    };
    of(0) + of(1)
}

/// The reference itself leaves nothing to estimate; other data have the expectation of the closed form.
#[test]
fn every_term_has_its_expectation() {
    let grid = PixelGrid::new(17).unwrap();
    let x = IMAGE.map(|level| grid.centre(level));
    let third = [1.0 / 3.0; 2];
    for diffusion in diffusions(17) {
        let (low, high) = (diffusion.range().max(), diffusion.range().min());
        let tail = integral(low, x, [0.0; 2], third);
        for (mean, variance) in [([0.0; 2], third), ([0.3, -0.6], [0.09, 0.25])] {
            let network = GaussianVelocity::new(&diffusion, mean, variance);
            let exact = integral(high, x, mean, variance) - integral(low, x, mean, variance);
            let found = immse(&network, 8);
            assert_eq!((found.summary.failures, found.summary.evaluations_per_image), (0, 8.0));
            let n = COPIES as f64;
            let terms: Vec<f64> = found.records.iter().map(|record| record.integral_nats).collect();
            let mean = terms.iter().sum::<f64>() / n;
            let error = (terms.iter().map(|t| (t - mean).powi(2)).sum::<f64>() / (n - 1.0) / n).sqrt();
            assert!(
                (mean - exact).abs() < 4.0 * error + 1e-9,
                "{diffusion:?}: {mean} +- {error}, exactly {exact}"
            );
            assert!(variance != third || error < 1e-9, "{error}");
            for record in &found.records {
                assert!((record.tail_nats - tail).abs() < 1e-12);
                assert!(record.reconstruction_nats >= 0.0);
                let nats = record.reconstruction_nats + record.integral_nats + record.tail_nats;
                assert!((record.bits_per_dim - nats / (2.0 * LN_2)).abs() < 1e-12);
            }
        }
    }
}

/// Strata lower the error of the mean more than as many levels of their own would.
#[test]
fn levels_are_stratified() {
    let diffusion = straight(17);
    let network = GaussianVelocity::new(&diffusion, [0.3, -0.6], [1e-7, 1e-7]);
    let error = |levels| immse(&network, levels).summary.standard_error;
    let (one, many) = (error(1), error(32));
    assert!(many < 0.5 * one / 32f64.sqrt(), "{one} {many}");
}

#[test]
fn bad_input_is_named() {
    let diffusion = straight(17);
    let network = GaussianVelocity::new(&diffusion, [0.3, -0.6], [0.09, 0.25]);
    let evaluator = Evaluator::new(ProbabilityFlow::new(&network, &diffusion));
    let grid = PixelGrid::new(17).unwrap();
    let error =
        |pixels: &[u16], levels| evaluator.immse(pixels, grid, levels, &mut Silent).unwrap_err().to_string();
    assert_eq!(error(&[1, 17], 4), "pixels[1] = 17: expected below 17");
    assert_eq!(error(&[1, 2], 0), "levels = 0: expected at least 1");
}
