//! The laws of every sampler, on several ranges.

use super::*;
use crate::math::{integrate, sigmoid};
use crate::number::Positive;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

fn range(min: f64, max: f64) -> GammaRange {
    GammaRange::new(min, max).unwrap_or(GammaRange::for_levels(256))
}

fn importance(range: GammaRange, weight: impl Fn(f64) -> f64 + Send + Sync) -> Importance {
    Importance::for_weight(range, move |g| weight(g.0)).expect("a positive weight")
}

/// Every sampler, by name, on a range.
fn all(r: GammaRange) -> Vec<(String, Box<dyn TimeSampler>)> {
    let mut list: Vec<(&str, Box<dyn TimeSampler>)> = vec![
        ("uniform", Box::new(Uniform::new(r))),
        ("vp", Box::new(importance(r, |g| 3.0 * sigmoid(-g)))),
        ("sp", Box::new(importance(r, |g| 0.5 * sigmoid(-0.5 * g).powi(2)))),
        ("constant", Box::new(importance(r, |_| 0.5))),
        ("data", Box::new(importance(r, |g| (-g).exp()))),
        ("bump", Box::new(importance(r, |g| 1e-3 + (-(g + 2.0) * (g + 2.0) / 0.5).exp()))),
        ("kink", Box::new(importance(r, |g| 0.1 + (g + 1.234).abs()))),
        ("cosine", Box::new(Cosine::new(r))),
        ("log_normal", Box::new(LogNormal::new(r, LogNormalConfig::default()).expect("mass"))),
    ];
    list.push(("stratified", Box::new(Stratified(Cosine::new(r)))));
    list.into_iter().map(|(name, s)| (format!("{name} on {r:?}"), s)).collect()
}

fn ranges() -> [GammaRange; 4] {
    [range(-13.3, 5.0), range(-20.0, 10.0), range(-7.9, 1.0), range(2.0, 6.0)]
}

#[test]
fn normalized_and_quantile_inverts_the_cdf() {
    for r in ranges() {
        for (name, s) in all(r) {
            // Panels end at the kink of the sampler that has one, so that quadrature is exact to rounding.
            let kink = (-1.234f64).clamp(r.min().0, r.max().0);
            let mass = |from: f64, to: f64| {
                let cut = kink.clamp(from, to);
                let part = |a, b| integrate(a, b, 400, |g| s.pdf(Gamma(g)));
                part(from, cut) + part(cut, to)
            };
            let total = mass(r.min().0, r.max().0);
            assert!((total - 1.0).abs() < 1e-10, "{name}: {total}");
            assert_eq!(s.quantile(0.0), r.min(), "{name}");
            assert_eq!(s.quantile(1.0), r.max(), "{name}");
            let mut last = r.min();
            for u in [1e-12, 1e-6, 0.01, 0.1, 0.3, 0.5, 0.7, 0.9, 0.99, 1.0 - 1e-6, 1.0 - 1e-12] {
                let gamma = s.quantile(u);
                assert!(gamma >= last && r.contains(gamma), "{name} {u}");
                last = gamma;
                // The tail beyond gamma, from the nearer end: relative accuracy in both tails.
                let (tail, expected) =
                    if u < 0.5 { (mass(r.min().0, gamma.0), u) } else { (mass(gamma.0, r.max().0), 1.0 - u) };
                // Half an ulp of gamma moves the tail by pdf * ulp.
                let rounding = 4e-15 * (1.0 + gamma.0.abs()) * s.pdf(gamma);
                assert!(
                    (tail - expected).abs() <= 1e-10 * expected + rounding,
                    "{name} at {u}: {tail} instead of {expected}"
                );
            }
        }
    }
}

#[test]
fn weights_leave_a_known_integral_unbiased() {
    // 1 / pdf at the quantiles of an even grid: the mean is the integral of cos(gamma) over the range.
    let r = range(-3.0, 2.0);
    for (name, s) in all(r) {
        let row = |u| {
            let gamma = s.quantile(u);
            gamma.0.cos() / s.pdf(gamma)
        };
        // Split where the sampler with a kink has it.
        let kink = integrate(r.min().0, -1.234, 400, |g| s.pdf(Gamma(g)));
        let value = integrate(0.0, kink, 500, row) + integrate(kink, 1.0, 500, row);
        let exact = 2f64.sin() + 3f64.sin();
        assert!((value - exact).abs() < 1e-9, "{name}: {value} instead of {exact}");
    }
}

#[test]
fn cosine_is_symmetric_far_out() {
    // 1 - u is exact, so the two tails must agree to rounding.
    let s = Cosine::new(range(-60.0, 60.0));
    for i in 2..50 {
        let u = 0.5f64.powi(i);
        let (low, high) = (s.quantile(u).0, s.quantile(1.0 - u).0);
        assert!((low + high).abs() < 1e-13 * high, "{u}: {low} {high}");
    }
}

#[test]
fn the_inverse_is_chosen_by_the_weight() {
    let r = GammaRange::for_levels(256);
    assert_eq!(importance(r, |g| 7.0 * sigmoid(-g)).inverse(), "variance preserving");
    assert_eq!(importance(r, |g| sigmoid(-0.5 * g).powi(2)).inverse(), "straight path");
    assert_eq!(importance(r, |g| sigmoid(-g) * (1.0 + 1e-8 * g)).inverse(), "tabulated");
}

#[test]
fn the_table_agrees_with_the_closed_forms() {
    let r = range(-20.0, 10.0);
    let weights: [fn(f64) -> f64; 2] = [|g| sigmoid(-g), |g| sigmoid(-0.5 * g).powi(2)];
    for weight in weights {
        let table = Tabulated::new(r, |g| weight(g.0)).expect("positive");
        let closed = importance(r, weight);
        assert_ne!(closed.inverse(), "tabulated");
        assert!((table.normalizer() / closed.normalizer() - 1.0).abs() < 1e-12);
        for i in 0..=1000 {
            let u = f64::from(i) / 1000.0;
            let (a, b) = (table.quantile(u), closed.quantile(u));
            assert!((a.0 - b.0).abs() < 1e-10, "{u}: {a} {b}");
            assert!((table.cdf(b) - u).abs() < 1e-11, "{u}");
            assert!((table.pdf(b) / closed.pdf(b) - 1.0).abs() < 1e-10, "{u}");
        }
    }
}

#[test]
fn a_bad_weight_or_setting_is_refused() {
    let r = range(-5.0, 5.0);
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert!(Importance::for_weight(r, |_| bad).is_err());
    }
    for (mean, std) in [(f64::NAN, 1.0), (0.0, 0.0), (0.0, -1.0), (0.0, f64::INFINITY), (1e3, 1.0)] {
        let config = Positive::new("std", std).map(|std| LogNormalConfig { mean, std });
        assert!(config.and_then(|config| LogNormal::new(r, config)).is_err());
    }
    assert!(toml::from_str::<LogNormalConfig>("mean = 1.0\nsdt = 2.0").is_err());
    assert_eq!(toml::from_str::<LogNormalConfig>("").expect("defaults"), LogNormalConfig::default());
}

#[test]
fn stratified_is_one_per_stratum() {
    let mut s = Stratified(Uniform::new(range(0.0, 1.0)));
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    // The counts for which a float32 grid by steps of 1/n has n + 1 entries.
    for n in [1, 2, 49, 98, 103, 107, 196, 512] {
        let u = s.uniforms(n, &mut rng);
        assert_eq!(u.len(), n);
        let mut strata: Vec<usize> = u.iter().map(|v| (v * n as f64) as usize).collect();
        strata.sort_unstable();
        assert_eq!(strata, (0..n).collect::<Vec<_>>());
        assert!(u.iter().all(|v| (0.0..1.0).contains(v)));
    }
}

#[test]
fn value_stability() {
    let expected = [
        [-5.934512354933281, -11.82897812658499, -2.3829486888921565],
        [-10.38442631812935, -9.528748688367262, -3.8322264436244025],
        [-8.023859388675454, -11.568054883561661, -2.4528577396982185],
        [-0.36877948083422213, -4.456394039023708, -2.737072790453147],
        [-13.19523983552983, -12.993586837338217, -12.695852732159622],
        [-2.2980680513728045, -0.6960061054472274, -1.3103135364955443],
        [4.158883193333473, -12.222142110671413, -10.264211150470643],
        [-0.27932798930841146, -0.7920428477957635, -7.663293802365767],
        [-6.374130752034759, -4.552054720154658, -2.249573463431631],
        [-1.7208067589540632, 0.4462039764734996, 3.4204247535386925],
    ];
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    for ((name, mut s), expected) in all(range(-13.3, 5.0)).into_iter().zip(expected) {
        let found: Vec<f64> = s.draw(3, &mut rng).iter().map(|g| g.0).collect();
        // The draws are exact; what is left is the platform's exp and ln.
        for (f, e) in found.iter().zip(expected) {
            assert!((f - e).abs() <= 1e-12 * e.abs(), "{name}: {found:?} instead of {expected:?}");
        }
    }
}
