//! Step-size controllers: how much longer the next step is, from the error of this one.
//!
//! With `q` the embedded order and `e_n` the error norm of step `n` (1 is just good enough), the
//! next step is `h_n (s / e_n)^(beta1/(q+1)) (s / e_(n-1))^(beta2/(q+1))`, clipped: steady steps
//! have the error `s = safety^(q+1)`, whatever the exponents. A controller keeps no memory: the
//! driver hands it what it needs of the row's past.

use std::fmt::Debug;

/// What a controller may know of the step that a row just tried.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Attempt {
    /// The error norm; finite. The step is accepted when it is at most 1.
    pub error: f64,
    /// The error norm of the last step that the row accepted before this one, if any.
    pub previous: Option<f64>,
    /// Whether the row's last attempt, from this same point, was rejected.
    pub retry: bool,
    /// The order of the embedded solution.
    pub error_order: u32,
}

/// A rule for the length of a row's next step.
pub trait Controller: Debug + Send + Sync {
    /// The next step's length over this one's: below 1 after a rejection.
    fn factor(&self, attempt: &Attempt) -> f64;
}

impl<C: Controller + ?Sized> Controller for Box<C> {
    fn factor(&self, attempt: &Attempt) -> f64 {
        (**self).factor(attempt)
    }
}

/// The safety factor and the range of a controller's answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// The length of a steady step over the one whose error would be just good enough.
    pub safety: f64,
    /// The smallest factor.
    pub shrink: f64,
    /// The largest factor; 1 right after a rejection.
    pub grow: f64,
}

impl Limits {
    /// Safety 0.9, factors in [0.2, 5].
    pub const STANDARD: Self = Self { safety: 0.9, shrink: 0.2, grow: 5.0 };

    /// Safety 0.9, factors in [0.2, 10], as scipy's explicit Runge-Kutta methods.
    pub const SCIPY: Self = Self { safety: 0.9, shrink: 0.2, grow: 10.0 };

    fn clip(&self, factor: f64, retry: bool) -> f64 {
        factor.max(self.shrink).min(if retry { 1.0 } else { self.grow })
    }
}

/// The integral (I) controller: `beta1 = 1`, `beta2 = 0`.
///
/// # Reference
/// Hairer, Norsett and Wanner, Solving Ordinary Differential Equations I, equation II.4.13.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Integral {
    /// The safety factor and the range.
    pub limits: Limits,
}

impl Integral {
    /// The standard controller.
    pub const STANDARD: Self = Self { limits: Limits::STANDARD };

    /// The rule of scipy's RK23 and RK45 (which differ from it only in that they reject an error
    /// norm of exactly 1).
    pub const SCIPY: Self = Self { limits: Limits::SCIPY };
}

impl Controller for Integral {
    fn factor(&self, attempt: &Attempt) -> f64 {
        self.limits.clip(self.limits.safety * attempt.error.powf(exponent(attempt)), attempt.retry)
    }
}

/// The proportional-integral (PI) controller: smoother steps, fewer rejections.
///
/// `beta1 = integral + proportional`, `beta2 = -proportional`. A rejected step, and a row's first,
/// get the I controller's answer: the error before tells nothing of them.
///
/// # Reference
/// Gustafsson, ACM Trans. Math. Softw. 17 (1991) 533-554; Hairer and Wanner, Solving Ordinary
/// Differential Equations II, section IV.2.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ProportionalIntegral {
    /// The exponent of the error itself, times `q + 1`.
    pub integral: f64,
    /// The exponent of the error's change, times `q + 1`.
    pub proportional: f64,
    /// The safety factor and the range.
    pub limits: Limits,
}

/// The least previous error that counts: one far below 1 says only that the step was too short.
const LEAST_PREVIOUS: f64 = 1e-4;

impl ProportionalIntegral {
    /// Gustafsson's gains, 0.3 and 0.4, so `beta1 = 0.7` and `beta2 = -0.4`.
    pub const STANDARD: Self = Self { integral: 0.3, proportional: 0.4, limits: Limits::STANDARD };
}

impl Controller for ProportionalIntegral {
    fn factor(&self, attempt: &Attempt) -> f64 {
        let previous = match attempt.previous {
            Some(previous) if attempt.error <= 1.0 => previous.max(LEAST_PREVIOUS),
            _ => return Integral { limits: self.limits }.factor(attempt),
        };
        let exponent = exponent(attempt);
        let factor = self.limits.safety.powf(self.integral)
            * attempt.error.powf((self.integral + self.proportional) * exponent)
            * previous.powf(-self.proportional * exponent);
        self.limits.clip(factor, attempt.retry)
    }
}

/// `-1 / (q + 1)`: a step's error is proportional to `h^(q + 1)`.
fn exponent(attempt: &Attempt) -> f64 {
    -1.0 / f64::from(attempt.error_order + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ATTEMPT: Attempt = Attempt { error: 1.0, previous: None, retry: false, error_order: 4 };

    #[test]
    fn the_integral_controller_aims_at_the_tolerance() {
        let factor = |error| Integral::STANDARD.factor(&Attempt { error, ..ATTEMPT });
        assert_eq!(factor(1.0), 0.9);
        assert!((factor(32.0) - 0.45).abs() < 1e-15);
        assert!((factor(1.0 / 32.0) - 1.8).abs() < 1e-15);
        assert_eq!((factor(1e9), factor(0.0)), (0.2, 5.0));
        assert_eq!(Integral::SCIPY.factor(&Attempt { error: 0.0, ..ATTEMPT }), 10.0);
        let boxed: Box<dyn Controller> = Box::new(Integral::STANDARD);
        assert_eq!(boxed.factor(&ATTEMPT), 0.9);
    }

    #[test]
    fn no_growth_right_after_a_rejection() {
        let attempt = Attempt { error: 1e-3, retry: true, ..ATTEMPT };
        assert_eq!(Integral::SCIPY.factor(&attempt), 1.0);
        assert_eq!(ProportionalIntegral::STANDARD.factor(&attempt), 1.0);
    }

    #[test]
    fn the_pi_controller_sees_the_errors_trend() {
        let factor = |previous| {
            ProportionalIntegral::STANDARD.factor(&Attempt {
                error: 0.5,
                previous: Some(previous),
                ..ATTEMPT
            })
        };
        // An error of 0.9^5 is steady. A rising one asks for a shorter step.
        let steady = Attempt { error: 0.9_f64.powi(5), previous: Some(0.9_f64.powi(5)), ..ATTEMPT };
        assert!((ProportionalIntegral::STANDARD.factor(&steady) - 1.0).abs() < 1e-15);
        assert!((Integral::STANDARD.factor(&steady) - 1.0).abs() < 1e-15);
        assert!((factor(0.5) - (0.9_f64.powi(5) / 0.5).powf(0.06)).abs() < 1e-15);
        assert!(factor(0.1) < factor(0.5) && factor(0.5) < factor(0.9));
        assert_eq!(factor(0.0), factor(LEAST_PREVIOUS));
    }

    #[test]
    fn rejected_and_first_steps_get_the_integral_answer() {
        let pi = ProportionalIntegral::STANDARD;
        let rejected = Attempt { error: 7.0, previous: Some(0.3), ..ATTEMPT };
        let first = Attempt { error: 0.2, ..ATTEMPT };
        assert_eq!(pi.factor(&rejected), Integral::STANDARD.factor(&rejected));
        assert_eq!(pi.factor(&first), Integral::STANDARD.factor(&first));
    }
}
