//! The noise schedules `alpha^q + sigma^q = 1`, `q > 0`: quarters of superellipses.
//!
//! With `sigma = alpha e^{gamma/2}` the equation is `alpha^q (1 + e^{q gamma/2}) = 1`, so
//! `ln alpha = -(1/q) ln(1 + e^{q gamma/2})`. `q = 1` is the straight path, `q = 2` the variance-preserving circle, and
//! everything between joins the two: one number to tune instead of a choice between two names.
//!
//! # Reference
//! The ends are arXiv 2209.03003 (rectified flow) and arXiv 2006.11239, equation 4 (DDPM).

use idode::math::softplus;
use idode::number::Positive;
use idode::registry::{Entry, Registry};
use idode::schedule::LogAlpha;
use idode::solver::OdeState;
use num_dual::DualNum;

/// The schedule `alpha^q + sigma^q = 1`.
#[derive(Clone, Copy, Debug, PartialEq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Superellipse {
    /// The exponent: 1.5, half-way between the straight path (1) and variance preserving (2).
    pub q: Positive,
}

impl Default for Superellipse {
    fn default() -> Self {
        Self { q: idode::positive!(1.5) }
    }
}

impl LogAlpha for Superellipse {
    fn log_alpha<N: DualNum<Primitive = f64> + Copy>(&self, gamma: N) -> N {
        let q = self.q.get();
        softplus(gamma * (0.5 * q)) * (-1.0 / q)
    }
}

/// Adds the name `superellipse`.
pub fn register<Y: OdeState>(registry: &mut Registry<Y>) {
    let formula = "ln alpha = -(1/q) ln(1 + e^(q gamma/2)), i.e. alpha^q + sigma^q = 1";
    let entry = Entry { formula, reference: "arXiv 2209.03003 (q = 1), arXiv 2006.11239 (q = 2)" };
    registry.add_schedule("superellipse", entry, |curve: Superellipse, _| Ok(curve));
}

#[cfg(test)]
mod tests {
    use super::*;
    use idode::level::Gamma;
    use idode::schedule::{NoiseSchedule, StraightPath, VariancePreserving};

    #[test]
    fn the_curve_is_the_superellipse() {
        for q in [0.5, 1.0, 1.5, 2.0, 3.0, 8.0] {
            let curve = Superellipse { q: Positive::new("q", q).expect("positive") };
            for i in -40..=40 {
                let level = curve.level(Gamma(f64::from(i) / 2.0));
                let sum = level.alpha().powf(q) + level.sigma().powf(q);
                assert!((sum - 1.0).abs() < 1e-13, "q {q}, gamma {}: {sum}", level.gamma());
            }
        }
    }

    #[test]
    fn its_ends_are_built_in() {
        let ends: [(Positive, &dyn NoiseSchedule); 2] =
            [(idode::positive!(1.0), &StraightPath), (idode::positive!(2.0), &VariancePreserving)];
        for (q, built_in) in ends {
            for gamma in [-30.0, -13.3, -2.0, 0.0, 1.0, 5.0, 30.0] {
                let (own, other) = (Superellipse { q }.level(Gamma(gamma)), built_in.level(Gamma(gamma)));
                for (own, other) in
                    [(own.log_alpha(), other.log_alpha()), (own.dlog_alpha(), other.dlog_alpha())]
                {
                    assert!(
                        (own - other).abs() <= 4e-16 * other.abs(),
                        "{q:?}, gamma {gamma}: {own} {other}"
                    );
                }
            }
        }
    }
}
