//! The laws of every built-in dequantizer, on several grids and schedules.

use super::*;
use crate::level::Gamma;
use crate::math::{integrate, softplus};
use crate::pixels::PixelGrid;
use rand::SeedableRng;
use rand::rngs::mock::StepRng;
use rand_chacha::ChaCha8Rng;

fn grid(levels: u32) -> PixelGrid {
    PixelGrid::new(levels).expect("a grid")
}

fn variance_preserving(gamma: Gamma) -> Level {
    Level::new(gamma, -0.5 * softplus(gamma.0), 0.0)
}

fn straight_path(gamma: Gamma) -> Level {
    Level::new(gamma, -softplus(0.5 * gamma.0), 0.0)
}

/// The level of three schedules at `gamma`; no dequantizer asks for a derivative.
fn levels(gamma: Gamma) -> [Level; 3] {
    [variance_preserving(gamma), straight_path(gamma), Level::new(gamma, 0.0, 0.0)]
}

/// Calls `check` with each built-in at the levels around its default, and its bin's half-width in z.
fn each(count: u32, mut check: impl FnMut(&dyn PerCoordinate, f64)) {
    let grid = grid(count);
    for shift in [-1.5, 0.0, 1.5] {
        for level in levels(Gamma(UniformBin::default_gamma(count).0 + shift)) {
            check(&UniformBin::new(grid, level), level.alpha() / f64::from(count));
        }
        for level in levels(Gamma(TruncatedNormal::default_gamma(count).0 + shift)) {
            check(&TruncatedNormal::new(grid, level), level.alpha() / f64::from(count));
            check(&Gaussian::new(grid, level), 12.0 * level.sigma());
        }
    }
}

#[test]
fn normalized_with_the_stated_entropy() {
    for count in [2, 17, 256, 65536] {
        each(count, |q, half| {
            for k in [0, count / 3, count - 1] {
                let k = k as u16;
                let middle = q.start().alpha() * grid(count).centre(k);
                // Just inside the bin, so that no node falls out of the support by rounding.
                let half = half * (1.0 - 1e-12);
                let mass = integrate(middle - half, middle + half, 40, |z| q.log_density(k, z).exp());
                // Where bins are narrow against z, the distance to the centre has few digits.
                let rounding = 1e-15 / half;
                assert!((mass - 1.0).abs() < 1e-11 + rounding, "{q:?} {k}: {mass}");
                let entropy = integrate(middle - half, middle + half, 40, |z| {
                    let log_q = q.log_density(k, z);
                    -log_q * log_q.exp()
                });
                let found = q.entropy_per_dim();
                assert!((entropy - found).abs() < 1e-10 + 20.0 * rounding, "{q:?} {k}: {found} {entropy}");
            }
        });
    }
}

#[test]
fn draws_follow_the_density() {
    // The probability integral transform of 20,000 draws: the mean of `cdf - 1/2` has standard
    // error 0.00204 and its mean square about 1/12 one of 0.00053.
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    each(17, |q, half| {
        let middle = q.start().alpha() * grid(17).centre(5);
        let (mut first, mut second) = (0.0, 0.0);
        for _ in 0..20_000 {
            let z = q.draw_one(5, &mut rng);
            let c = integrate(middle - half, z, 4, |z| q.log_density(5, z).exp()) - 0.5;
            first += c / 20_000.0;
            second += c * c / 20_000.0;
        }
        assert!(first.abs() < 4.0 * 0.00204, "{q:?}: {first}");
        assert!((second - 1.0 / 12.0).abs() < 4.0 * 0.00053, "{q:?}: {second}");
    });
}

#[test]
fn the_bin_is_never_left() {
    for count in [2, 17, 256, 65536] {
        let mut rng = ChaCha8Rng::seed_from_u64(4);
        let grid = grid(count);
        for level in levels(TruncatedNormal::default_gamma(count)) {
            let built: [&dyn PerCoordinate; 2] =
                [&TruncatedNormal::new(grid, level), &UniformBin::new(grid, level)];
            for q in built {
                for i in 0..2000 {
                    let k = (i * 31 % count) as u16;
                    // Extreme uniforms first: 0, and 1 - 2^-53.
                    let z = match i {
                        0..100 => q.draw_one(k, &mut StepRng::new(0, 0)),
                        100..200 => q.draw_one(k, &mut StepRng::new(u64::MAX, 0)),
                        _ => q.draw_one(k, &mut rng),
                    };
                    assert_eq!(decode(grid, &level, z), k, "{q:?}");
                    assert!(q.log_density(k, z).is_finite(), "{q:?} {k}");
                }
            }
        }
    }
}

#[test]
fn truncated_normal_quantile_inverts_its_cdf() {
    for gamma in [-20.0, -13.3, -11.8, -8.0, 0.0] {
        let q = TruncatedNormal::new(grid(256), variance_preserving(Gamma(gamma)));
        for u in [1e-9, 1e-4, 0.1, 0.3, 0.5, 0.8, 0.999, 1.0 - 1e-9] {
            let eps = q.quantile(u);
            let density = |e: f64| (-0.5 * (e * e + crate::math::LN_2_PI)).exp() / q.mass();
            let (tail, exact) = if u < 0.5 {
                (integrate(-q.tau(), eps, 200, density), u)
            } else {
                (integrate(eps, q.tau(), 200, density), 1.0 - u)
            };
            let rounding = 1e-15 * (1.0 + eps.abs()) * density(eps);
            assert!((tail - exact).abs() < 1e-10 * exact + rounding, "{gamma} {u}: {tail}");
            assert!((q.quantile(1.0 - u) + eps).abs() < 1e-6 * eps.abs().max(1e-3));
        }
    }
}

#[test]
fn the_decoder_is_a_distribution_and_its_mode_is_decode() {
    for count in [2, 17, 256] {
        let grid = grid(count);
        for gamma in [-16.0, -13.3, -8.0, -2.0, 3.0] {
            for level in levels(Gamma(gamma)) {
                for x in [-40.0, -1.01, -0.4, 0.013, 0.9, 1.0, 40.0] {
                    let z = level.alpha() * x;
                    let all: Vec<f64> = (0..count).map(|k| log_decoder(grid, &level, k as u16, z)).collect();
                    let sum: f64 = all.iter().map(|v| v.exp()).sum();
                    // Logits are up to (40 e^{8})^2 / 2, and lose as many digits.
                    let rounding = 1e-15 * (x * x).max(1.0) * (-gamma).exp();
                    assert!((sum - 1.0).abs() < 1e-13 + rounding, "{count} {gamma} {x}: {sum}");
                    let best = all.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
                    let best = best.map(|(k, _)| all[k]);
                    assert_eq!(best, Some(all[usize::from(decode(grid, &level, z))]));
                }
            }
        }
    }
}

#[test]
fn alpha_divides_once() {
    // At z = alpha x_k the decoder is symmetric about level k, which a second division breaks.
    let level = straight_path(Gamma(-13.3));
    let z = level.alpha() * grid(256).centre(250);
    let (below, above) = (log_decoder(grid(256), &level, 249, z), log_decoder(grid(256), &level, 251, z));
    assert!((below - above).abs() < 1e-8, "{below} {above}");
}

#[test]
fn bounds_of_given_weights() {
    let w = [-3.0, -1.0, -2.0];
    assert!((mean_of_draws(&w) + 2.0).abs() < 1e-15);
    let exact = ((-3f64).exp() + (-1f64).exp() + (-2f64).exp()).ln() - 3f64.ln();
    assert!((k_sample_bound(&w) - exact).abs() < 1e-15);
    assert!(k_sample_bound(&[-1e4; 20]) == -1e4 && k_sample_bound(&w[..1]) == -3.0);
    assert!(mean_of_draws(&[]).is_nan() && k_sample_bound(&[]).is_nan());
    assert!((nats_to_bits_per_dim(192.0 * 2f64.ln(), 64) - 3.0).abs() < 1e-15);
}

#[test]
fn start_levels() {
    assert!((UNIFORM_TAU - 5.9f64.exp() / 256.0).abs() < 1e-15);
    assert!((UniformBin::default_gamma(256).0 + 11.8).abs() < 1e-14);
    assert_eq!(TruncatedNormal::default_gamma(17), crate::level::GammaRange::for_levels(17).min());
    let set: StartConfig = toml::from_str("gamma = -9.0").expect("a setting");
    assert_eq!(set.or(Gamma(0.0)).expect("finite"), Gamma(-9.0));
    assert_eq!(StartConfig::default().or(Gamma(1.0)).expect("default"), Gamma(1.0));
    assert!(StartConfig { gamma: Some(f64::NAN) }.or(Gamma(0.0)).is_err());
    assert!(toml::from_str::<StartConfig>("gama = -9.0").is_err());
}

#[test]
fn value_stability() {
    let (grid, level) = (grid(256), variance_preserving(Gamma(-11.8)));
    let built: [Box<dyn Dequantizer>; 3] = [
        Box::new(UniformBin::new(grid, level)),
        Box::new(TruncatedNormal::new(grid, level)),
        Box::new(Gaussian::new(grid, level)),
    ];
    let expected = [
        ([-0.9931107991301857, 0.004284600849323333, 0.9983497758473595], 14.556102048553486, 0.0),
        ([-0.9937613682661984, 0.002184635335519234, 0.9971362334882437], 14.812818578158161, 0.0),
        (
            [-0.9932753404055376, -0.0023236003516414467, 0.9946085511857289],
            11.68328839307436,
            -2.862727261621529,
        ),
    ];
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for (q, (z, log_q, log_decoder)) in built.iter().zip(expected) {
        let draw = q.draw(&[0, 128, 255], &mut rng);
        // The draws are exact; what is left is the platform's exp and ln, which the width of a
        // bin magnifies by 2^8.
        let close = |a: f64, b: f64| (a - b).abs() <= 1e-13 * b.abs();
        assert!(draw.z.iter().zip(z).all(|(a, b)| close(*a, b)), "{draw:?}");
        assert!((draw.log_q - log_q).abs() < 1e-10, "{draw:?}");
        assert!((draw.log_decoder - log_decoder).abs() < 1e-10, "{draw:?}");
    }
}
