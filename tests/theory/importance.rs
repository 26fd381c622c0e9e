//! Importance sampling of the time: normalizers and closed-form inverses.

use idode::diffusion::Diffusion;
use idode::level::{Gamma, GammaRange};
use idode::parameterization::Velocity;
use idode::schedule::{NoiseSchedule, StraightPath, VariancePreserving};
use idode::time::{Importance, TimeSampler, Uniform};

fn range(min: f64, max: f64) -> GammaRange {
    GammaRange::new(min, max).expect("a range")
}

fn importance<S: NoiseSchedule>(schedule: S, range: GammaRange) -> Importance {
    let diffusion = Diffusion::new(schedule, Velocity, range);
    Importance::for_weight(range, diffusion.weight_density()).expect("a positive weight")
}

#[test]
fn normalizers_of_the_papers_range() {
    let r = range(-13.3, 5.0);
    let (vp, sp) = (importance(VariancePreserving, r), importance(StraightPath, r));
    assert_eq!((vp.inverse(), sp.inverse()), ("variance preserving", "straight path"));
    // The weight is 1/(2 a^2): alpha^2 / 2 for VP, alpha^2 for the straight path.
    assert_eq!(format!("{:.4}", 2.0 * vp.normalizer()), "13.2933");
    assert_eq!(format!("{:.4}", sp.normalizer()), "11.2991");
    assert_eq!(format!("{:.1}", r.width()), "18.3");
    assert!((Uniform::new(r).pdf(Gamma(0.0)) * 18.3 - 1.0).abs() < 1e-14);
    let exact = ((1.0 + 13.3f64.exp()) / (1.0 + (-5f64).exp())).ln();
    assert!((2.0 * vp.normalizer() - exact).abs() < 1e-13, "{}", vp.normalizer());
}

/// The gamma at which `mass`, which falls with gamma, is `target`.
fn bisect(r: GammaRange, target: f64, mass: impl Fn(f64) -> f64) -> f64 {
    let (mut low, mut high) = (r.min().0, r.max().0);
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if mass(middle) > target {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// A mass above a level, up to a constant factor.
type Mass = fn(f64) -> f64;

/// `-ln sigma^2` of VP, and half the mass above a level of SP, as series where terms cancel.
fn vp_mass(gamma: f64) -> f64 {
    (-gamma).exp().ln_1p()
}

fn sp_mass(gamma: f64) -> f64 {
    let r = (-0.5 * gamma).exp();
    if r > 0.05 {
        return (1.0 / (1.0 + r) + r.ln_1p()) - 1.0;
    }
    // sigma - ln sigma - 1 = ln(1 + r) - r/(1 + r) = sum_k (-1)^k (1 - 1/k) r^k.
    (2..30).map(|k| (1.0 - 1.0 / f64::from(k)) * (-r).powi(k)).sum()
}

#[test]
fn inverses_agree_with_bisection_in_both_tails() {
    for r in [range(-13.3, 5.0), range(-20.0, 10.0), range(-2.0, 20.0)] {
        let cases: [(Importance, Mass); 2] =
            [(importance(VariancePreserving, r), vp_mass), (importance(StraightPath, r), sp_mass)];
        for (sampler, mass) in cases {
            assert_ne!(sampler.inverse(), "tabulated", "{r:?}");
            let (below, above) = (mass(r.min().0), mass(r.max().0));
            for u in [1e-12, 1e-6, 1e-3, 0.1, 0.25, 0.5, 0.75, 0.9, 0.999, 1.0 - 1e-6, 1.0 - 1e-12] {
                let exact = bisect(r, (1.0 - u) * below + u * above, mass);
                let found = sampler.quantile(u).0;
                // Rounding of the mass, 4 eps |target|, over its slope.
                let slope = (mass(exact - 1e-4) - mass(exact + 1e-4)) / 2e-4;
                let bound = 1e-13 + 1e-15 * mass(exact) / slope;
                assert!((found - exact).abs() < bound, "{sampler:?} {u}: {found} instead of {exact}");
            }
        }
    }
}

#[test]
fn log_variance_is_uniform_for_vp_and_alpha_is_a_root_near_the_end_for_sp() {
    let r = range(-13.3, 5.0);
    let vp = importance(VariancePreserving, r);
    let log_variance = |u: f64| 2.0 * VariancePreserving.level(vp.quantile(u)).log_sigma();
    for u in [0.1, 0.35, 0.8] {
        let linear = (1.0 - u) * log_variance(0.0) + u * log_variance(1.0);
        assert!((log_variance(u) - linear).abs() < 1e-13);
    }
    // Near sigma = 1: alpha = sqrt(2 (c - 1)) + O(c - 1), with c = sigma - ln sigma.
    let far = range(-2.0, 30.0);
    let sp = importance(StraightPath, far);
    for u in [0.9999, 0.999_999, 0.999_999_99] {
        let gamma = sp.quantile(u).0;
        let excess = (1.0 - u) * sp_mass(-2.0) + u * sp_mass(30.0);
        let alpha = StraightPath.level(Gamma(gamma)).alpha();
        assert!((alpha - (2.0 * excess).sqrt()).abs() < excess, "{u}: {alpha}");
    }
}
