//! Noise schedules: curves `(alpha, sigma)` over gamma.
//!
//! How often training visits each gamma is no business of a schedule: see [`crate::time`].

mod ext;
mod straight_path;
mod sub_vp;
mod variance_exploding;
mod variance_preserving;

pub use ext::{Drift, NoiseScheduleExt};
pub use straight_path::StraightPath;
pub use sub_vp::SubVariancePreserving;
pub use variance_exploding::VarianceExploding;
pub use variance_preserving::VariancePreserving;

use crate::level::{Gamma, Level};
use std::fmt::Debug;

/// The built-in schedules: name, formula, reference.
pub const BUILT_IN: &[(&str, &str, &str)] = &[
    ("vp", "ln alpha = -1/2 ln(1 + e^gamma), i.e. alpha^2 + sigma^2 = 1", "arXiv 2006.11239"),
    ("sp", "ln alpha = -ln(1 + e^(gamma/2)), i.e. alpha + sigma = 1", "arXiv 2305.03935"),
    ("ve", "ln alpha = 0, i.e. sigma = e^(gamma/2)", "arXiv 2011.13456"),
    ("sub_vp", "ln alpha = -asinh(e^(gamma/2) / 2), i.e. sigma = 1 - alpha^2", "arXiv 2011.13456"),
];

/// A curve in (alpha, sigma), parameterized by `gamma = ln(sigma^2 / alpha^2)`.
///
/// Whoever has one formula for `ln alpha` implements [`LogAlpha`] and gets this trait with the
/// exact derivative; a table, or anything else, implements it directly.
///
/// # Laws
/// - `derivative`: `dlog_alpha` is the derivative of `log_alpha` with respect to gamma;
/// - `ratio`: `sigma^2 / alpha^2 = e^gamma` at the gamma that was asked for;
/// - `monotone`: alpha does not grow and sigma does not shrink with gamma, so `-1/2 <= dlog_alpha <= 0`;
/// - `finite`: all of it is finite at the ends of any range it is used on.
pub trait NoiseSchedule: Debug + Send + Sync {
    /// The point of the curve at `gamma`.
    fn level(&self, gamma: Gamma) -> Level;
}

/// One formula, `ln alpha(gamma)`, generic over the scalar: the whole of a schedule.
///
/// The blanket implementation evaluates it on dual numbers, so the derivative is exact.
pub trait LogAlpha: Debug + Send + Sync {
    /// `ln alpha` at `gamma`.
    fn log_alpha<N: num_dual::DualNum<Primitive = f64> + Copy>(&self, gamma: N) -> N;
}

impl<T: LogAlpha> NoiseSchedule for T {
    fn level(&self, gamma: Gamma) -> Level {
        let (value, derivative) =
            num_dual::first_derivative(|g: num_dual::Dual64| self.log_alpha(g), gamma.0);
        Level::new(gamma, value, derivative)
    }
}

impl NoiseSchedule for Box<dyn NoiseSchedule> {
    fn level(&self, gamma: Gamma) -> Level {
        (**self).level(gamma)
    }
}

impl NoiseSchedule for std::sync::Arc<dyn NoiseSchedule> {
    fn level(&self, gamma: Gamma) -> Level {
        (**self).level(gamma)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Box<dyn NoiseSchedule>> {
        vec![
            Box::new(VariancePreserving),
            Box::new(StraightPath),
            Box::new(VarianceExploding),
            Box::new(SubVariancePreserving),
        ]
    }

    /// What defines each schedule, in a form that is accurate at its own end: `ln` of both sides.
    #[test]
    fn each_curve_satisfies_its_equation() {
        for i in -80..=80 {
            let gamma = Gamma(f64::from(i) / 2.0);
            let ends: Vec<(f64, f64)> =
                all().iter().map(|s| (s.level(gamma).alpha(), s.level(gamma).sigma())).collect();
            let (a, s) = ends[0];
            assert!((a * a + s * s - 1.0).abs() < 1e-14, "{gamma}");
            let (a, s) = ends[1];
            assert!((a + s - 1.0).abs() < 1e-14, "{gamma}");
            let (a, s) = ends[2];
            assert!(a == 1.0 && (s / (gamma.0 / 2.0).exp() - 1.0).abs() < 1e-14, "{gamma}");
            let (a, s) = ends[3];
            assert!((a * a + s - 1.0).abs() < 1e-14, "{gamma}");
        }
    }

    #[test]
    fn derivative_finite_and_monotone() {
        for schedule in all() {
            for i in -80..=80 {
                let g = f64::from(i) / 2.0;
                let level = schedule.level(Gamma(g));
                let p = level.dlog_alpha();
                assert!((-0.5..=0.0).contains(&p), "{schedule:?} {g}: {p}");
                for v in [level.log_alpha(), level.alpha(), level.sigma(), level.dlog_sigma()] {
                    assert!(v.is_finite());
                }
                // A fourth-order difference: error h^4/30 of the fifth derivative plus rounding / h.
                let h = 1e-2;
                let f = |k: f64| schedule.level(Gamma(g + k * h)).log_alpha();
                let difference = (8.0 * (f(1.0) - f(-1.0)) - f(2.0) + f(-2.0)) / (12.0 * h);
                assert!(
                    (p - difference).abs() < 1e-9 * p.abs() + 1e-12,
                    "{schedule:?} {g}: {p} {difference}"
                );
            }
        }
    }

    #[test]
    fn small_values_keep_their_digits() {
        // At gamma = -40, ln alpha is -e^-40 / 2 (VP), -e^-20 (SP), -e^-20 / 2 (sub-VP), and p its derivative.
        let e20 = (-20f64).exp();
        let expected = [-0.5 * e20 * e20, -e20, 0.0, -0.5 * e20];
        let rate = [1.0, 0.5, 0.0, 0.5];
        for ((schedule, value), rate) in all().iter().zip(expected).zip(rate) {
            let level = schedule.level(Gamma(-40.0));
            assert!((level.log_alpha() - value).abs() <= 3e-9 * value.abs());
            assert!((level.dlog_alpha() - rate * value).abs() <= 3e-9 * value.abs());
        }
    }
}
