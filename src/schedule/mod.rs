//! Noise schedules: curves `(alpha, sigma)` over gamma.
//!
//! How often training visits each gamma is no business of a schedule: see [`crate::time`].

use crate::level::{Gamma, Level};
use std::fmt::Debug;

/// A curve in (alpha, sigma), parameterized by `gamma = ln(sigma^2 / alpha^2)`.
///
/// Whoever has one formula for `ln alpha` implements [`LogAlpha`] and gets this trait with the
/// exact derivative; a table, or anything else, implements it directly.
///
/// # Laws
/// - `derivative`: `dlog_alpha` is the derivative of `log_alpha` with respect to gamma;
/// - `ratio`: `sigma^2 / alpha^2 = e^gamma` (holds by construction of [`Level`]);
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
