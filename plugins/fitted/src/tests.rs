//! That the fit is right, and that nothing depends on when it happens.

use super::*;
use idode::level::{Gamma, GammaRange};
use idode::time::{Stratified, TimeSampler, TimeSamplerExt};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

fn range() -> GammaRange {
    GammaRange::new(-13.3, 5.0).expect("a range")
}

const BINS: usize = LeastVariance::BINS;

fn fresh() -> Fitted {
    Fitted::new(LeastVariance, range())
}

/// A loss per unit of gamma whose size and spread depend on the level: `E L = s`, `E L^2 = s^2 (1 + k^2 / 3)`.
fn loss(gamma: Gamma, rng: &mut ChaCha8Rng) -> f64 {
    let (scale, spread) = shape(gamma);
    scale * (1.0 + spread * (2.0 * rng.r#gen::<f64>() - 1.0))
}

fn shape(gamma: Gamma) -> (f64, f64) {
    ((-0.5 * ((gamma.0 + 2.0) / 2.0).powi(2)).exp() + 0.02, if gamma.0 < 0.0 { 1.0 } else { 0.1 })
}

/// A sampler that has seen `steps` batches of 128.
fn trained(steps: usize, rng: &mut ChaCha8Rng) -> Stratified<Fitted> {
    let mut sampler = Stratified(fresh());
    for _ in 0..steps {
        for gamma in sampler.draw(128, rng) {
            let loss = loss(gamma, rng);
            sampler.observe(gamma, loss);
        }
    }
    sampler
}

#[test]
fn the_density_is_the_best_one() {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let sampler = trained(2000, &mut rng).0;
    let best: Vec<f64> = (0..BINS)
        .map(|i| {
            let (scale, spread) = shape(range().at((i as f64 + 0.5) / BINS as f64));
            scale * (1.0 + spread * spread / 3.0).sqrt()
        })
        .collect();
    let total: f64 = best.iter().sum::<f64>() * range().width() / BINS as f64;
    for (i, best) in best.iter().enumerate() {
        let gamma = range().at((i as f64 + 0.5) / BINS as f64);
        let expected = 0.9 * best / total + 0.1 / range().width();
        let found = sampler.pdf(gamma);
        // A bin's mean square of 1,000 losses, curved over the bin.
        assert!((found / expected - 1.0).abs() < 0.06, "gamma {gamma}: {found} instead of {expected}");
    }
}

#[test]
fn the_variance_is_what_the_diagnostics_say() {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let sampler = trained(2000, &mut rng).0;
    let uniform = fresh();
    let mut variance = |sampler: &Fitted| {
        let draws = 200_000;
        let values: Vec<f64> = (0..draws)
            .map(|_| {
                let gamma = sampler.quantile(rng.r#gen());
                loss(gamma, &mut rng) / sampler.pdf(gamma)
            })
            .collect();
        let mean = values.iter().sum::<f64>() / draws as f64;
        (mean, values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / draws as f64)
    };
    let ((mean, fitted), (other, plain)) = (variance(&sampler), variance(&uniform));
    // Unbiased: the standard error of the mean of uniform draws is 0.013.
    assert!((mean - other).abs() < 4.0 * (plain / 200_000.0).sqrt(), "{mean} {other}");
    let report = sampler.diagnostics();
    let ratio = fitted / plain;
    assert!((report.variance_ratio / ratio - 1.0).abs() < 0.05, "{} {ratio}", report.variance_ratio);
    assert!(ratio < 0.35 && report.best_variance_ratio < report.variance_ratio, "{ratio} {report:?}");
    for bin in &report.bins {
        let (_, spread) = shape(bin.gamma);
        let effective = bin.losses / (1.0 + spread * spread / 3.0);
        assert!((bin.effective_samples / effective - 1.0).abs() < 0.1, "{bin:?}");
    }
    assert!(fresh().diagnostics().variance_ratio.is_nan());
}

#[test]
fn a_restored_sampler_goes_on_bit_for_bit() {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let mut sampler = trained(37, &mut rng);
    let mut other = Stratified(fresh());
    other.restore(&sampler.state().expect("it learns")).expect("its own state");
    let mut second = rng.clone();
    for _ in 0..5 {
        for _ in 0..2 {
            let (own, its) = (sampler.draw(31, &mut rng), other.draw(31, &mut second));
            assert_eq!(own, its);
            for (&gamma, &same) in own.iter().zip(&its) {
                assert_eq!(sampler.pdf(gamma), other.pdf(same));
                sampler.observe(gamma, loss(gamma, &mut rng));
                other.observe(same, loss(same, &mut second));
            }
        }
        assert_eq!(sampler.state(), other.state());
    }
}

#[test]
fn a_corrupt_state_is_refused_and_changes_nothing() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut sampler = trained(2, &mut rng).0;
    let state = sampler.state().expect("it learns");
    let short = state.rsplit_once(' ').expect("many numbers").0.to_owned();
    for bad in
        ["", "1 2 3", "x", &short, &format!("{state} 1"), &format!("{short} NaN"), &format!("{state} x")]
    {
        assert!(bad.ends_with(" x") || sampler.restore(bad).is_err(), "{bad}");
        assert_eq!(sampler.state().as_deref(), Some(state.as_str()));
    }
}

#[test]
fn it_is_uniform_before_any_loss_and_a_density_after_useless_ones() {
    let mut sampler = fresh();
    for u in [0.0, 0.1, 0.5, 0.9, 1.0] {
        assert!((sampler.quantile(u).0 - range().at(u).0).abs() < 1e-13);
        assert!((sampler.pdf(sampler.quantile(u)) * range().width() - 1.0).abs() < 1e-13);
    }
    for loss in [0.0, f64::NAN, f64::INFINITY, 1e200, 1e-200] {
        (0..=20).for_each(|i| sampler.observe(range().at(f64::from(i) / 20.0), loss));
        let total: f64 = sampler.masses().iter().sum();
        assert!((total - 1.0).abs() < 1e-12, "{loss}: {total}");
        assert!(sampler.masses().iter().all(|mass| *mass >= 0.1 / BINS as f64), "{loss}");
    }
}

#[test]
fn value_stability() {
    let mut rng = ChaCha8Rng::seed_from_u64(4);
    let found: Vec<f64> = trained(3, &mut rng).draw(3, &mut rng).iter().map(|gamma| gamma.0).collect();
    let expected = [-0.3730715194335108, -7.478107737510431, -2.571647169893872];
    assert!(found.iter().zip(expected).all(|(f, e)| (f - e).abs() <= 1e-11 * e.abs()), "{found:?}");
}
