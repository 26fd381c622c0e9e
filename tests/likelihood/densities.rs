//! Rows that are no images: densities in the user's units, and their variational bound.

use super::gaussian::{GaussianVelocity, diffusions, straight, tight};
use idode::divergence::{Divergence, Exact};
use idode::level::Gamma;
use idode::likelihood::{DensityRows, DrawKey, Each, Evaluator, ImageRecord, ProbabilityFlow, Purpose};
use idode::progress::Silent;
use idode::solver::{ExplicitRk, tables};
use idode::time::Uniform;
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use std::f64::consts::{LN_2, TAU};

const ROWS: [[f64; 2]; 3] = [[0.2, -0.5], [0.9, 0.1], [-0.4, -0.7]];
const UNITS: f64 = 0.7;

fn fixed(row: usize, _: &mut ChaCha8Rng) -> Vec<f64> {
    ROWS[row].to_vec()
}

/// `-log p(x) = -(log p(alpha x) + d ln alpha + units)`.
#[test]
fn nats_are_those_of_the_exact_density() {
    for diffusion in diffusions(17) {
        let network = GaussianVelocity::new(&diffusion, [0.3, -0.6], [0.09, 0.25]);
        let start = diffusion.level(diffusion.range().min());
        let flow = ProbabilityFlow::new(&network, &diffusion)
            .with_solver(ExplicitRk::new(&tables::TSITOURAS), tight());
        let evaluator = Evaluator::new(flow).with_divergence(Exact);
        let data = DensityRows { rows: 3, row: &fixed, log_units: UNITS };
        let found = evaluator.nats_per_row(&data, &mut Silent).unwrap();
        assert_eq!((found.summary.images, found.probe_noise), (3, None));
        for (record, x) in found.records.iter().zip(ROWS) {
            let z = x.map(|x| start.alpha() * x);
            let exact = -(network.log_density(&z, start.gamma()) + 2.0 * start.log_alpha() + UNITS);
            let nats = record.nats_per_row.unwrap();
            assert!((nats - exact).abs() < 1e-6, "{diffusion:?}: {nats}, exactly {exact}");
            assert!((record.bits_per_dim - nats / (2.0 * LN_2)).abs() < 1e-12);
        }
    }
}

/// A row that is drawn: the mean of its draws, each with its own numbers.
#[test]
fn rows_that_are_drawn_are_drawn_as_often_as_asked() {
    let diffusion = straight(17);
    let network = GaussianVelocity::new(&diffusion, [0.3, -0.6], [0.09, 0.25]);
    let start = diffusion.level(diffusion.range().min());
    let spread = |row: usize, rng: &mut ChaCha8Rng| ROWS[row].map(|x| x + rng.gen_range(-0.2..0.2)).to_vec();
    let data = DensityRows { rows: 3, row: &spread, log_units: UNITS };
    for (draws, samples) in [(1, 1), (4, 1), (2, 3)] {
        let flow = ProbabilityFlow::new(&network, &diffusion)
            .with_solver(ExplicitRk::new(&tables::TSITOURAS), tight());
        let evaluator = Evaluator::new(flow).with_divergence(Exact).with_draws(draws, samples).unwrap();
        let found = evaluator.nats_per_row(&data, &mut Silent).unwrap().records;
        assert_eq!(found.len(), 3);
        for (row, record) in found.iter().enumerate() {
            assert_eq!(record.draws, draws * samples);
            let weights: Vec<f64> = (0..draws * samples)
                .map(|draw| {
                    let key = DrawKey { seed: 0, row, draw };
                    let x = spread(row, &mut key.rng(Purpose::Dequantization));
                    let z: Vec<f64> = x.iter().map(|x| start.alpha() * x).collect();
                    network.log_density(&z, start.gamma()) + 2.0 * start.log_alpha() + UNITS
                })
                .collect();
            let bound =
                |weights: &[f64]| (weights.iter().map(|w| w.exp()).sum::<f64>() / weights.len() as f64).ln();
            let bounds: Vec<f64> = weights.chunks(samples).map(bound).collect();
            let mean = bounds.iter().sum::<f64>() / draws as f64;
            assert!((record.nats_per_row.unwrap() + mean).abs() < 1e-6, "{record:?} {mean}");
            // Over its own bounds, where it has several.
            let squares: f64 = bounds.iter().map(|bound| (bound - mean).powi(2)).sum();
            let error = (squares / (draws as f64 - 1.0) / draws as f64).sqrt() / (2.0 * LN_2);
            assert_eq!(record.standard_error.is_some(), draws > 1);
            assert!(record.standard_error.is_none_or(|found| (found - error).abs() < 1e-6), "{record:?}");
        }
    }
}

/// The first term in closed form, the others as those of images.
#[test]
fn the_bound_of_densities_has_its_terms() {
    let diffusion = straight(17);
    let network = GaussianVelocity::new(&diffusion, [0.3, -0.6], [0.09, 0.25]);
    let evaluator = Evaluator::new(ProbabilityFlow::new(&network, &diffusion));
    let data = DensityRows { rows: 3, row: &fixed, log_units: UNITS };
    let time = Uniform::new(diffusion.range());
    let found = evaluator.vlb_of_density(&data, 400, &time, &mut Silent).unwrap().records;
    let Gamma(start) = diffusion.range().min();
    assert_eq!(found.len(), 3);
    for (record, x) in found.iter().zip(ROWS) {
        assert!((record.reconstruction_nats - (1.0 + TAU.ln() + start - UNITS)).abs() < 1e-12);
        assert_eq!(record.prior_nats, diffusion.prior_kl(&x));
        let nats = record.nats_per_row.unwrap();
        let sum = record.reconstruction_nats + record.prior_nats + record.diffusion_nats;
        assert!((nats - sum).abs() < 1e-12);
        assert!((record.bits_per_dim - nats / (2.0 * LN_2)).abs() < 1e-12);
    }
}

#[test]
fn one_solve_of_chosen_rows_with_seeds_of_ones_own() {
    let diffusion = straight(17);
    let network = GaussianVelocity::new(&diffusion, [0.3, -0.6], [0.09, 0.25]);
    let flow =
        ProbabilityFlow::new(&network, &diffusion).with_solver(ExplicitRk::new(&tables::TSITOURAS), tight());
    let from = diffusion.range().min();
    let exact: &dyn Divergence = &Exact;
    let found = flow.log_density(ROWS.concat(), from, exact, &[[0; 32]; 3], None).unwrap();
    assert_eq!(found.len(), 3);
    for (row, z) in found.iter().zip(ROWS) {
        assert!((row.log_density - network.log_density(&z, from)).abs() < 1e-6, "{row:?}");
    }
    let error = flow.log_density(ROWS.concat(), from, exact, &[[0; 32]; 2], None).unwrap_err().to_string();
    assert_eq!(error, "probe seeds = 2: expected 3, one a row");
}

/// A level that misses the range by rounding is one of the range.
#[test]
fn levels_just_outside_of_the_range() {
    let diffusion = straight(17);
    let network = GaussianVelocity::new(&diffusion, [0.3, -0.6], [0.09, 0.25]);
    let evaluator = Evaluator::new(ProbabilityFlow::new(&network, &diffusion)).with_divergence(Exact);
    let Gamma(start) = diffusion.range().min();
    assert!(evaluator.log_prob(&[0.1, 0.2], Gamma(start - 5e-12)).is_ok());
    assert!(evaluator.log_prob(&[0.1, 0.2], Gamma(start - 1e-9)).is_err());
}

#[test]
fn rows_that_there_are_not_are_refused() {
    let diffusion = straight(17);
    let network = GaussianVelocity::new(&diffusion, [0.3, -0.6], [0.09, 0.25]);
    let evaluator = Evaluator::new(ProbabilityFlow::new(&network, &diffusion));
    let data = DensityRows { rows: 3, row: &fixed, log_units: UNITS };
    let take: &mut dyn FnMut(&[ImageRecord]) -> idode::error::Result<()> = &mut |_| Ok(());
    let each = Each { rows: &[2, 3], take };
    assert_eq!(format!("{data:?} {each:?}"), "DensityRows { rows: 3, log_units: 0.7 } Each { rows: 2, .. }");
    let error = evaluator.each_nats_per_row(&data, each).unwrap_err().to_string();
    assert_eq!(error, "row = 3: expected an index below 3");
}
