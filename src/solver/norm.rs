//! The size of an error relative to the tolerances, for any state.

use super::Tolerances;
use crate::error::{Error, Result};

impl Default for Tolerances {
    /// Relative and absolute 1e-5, as the paper's likelihoods; log-density 1e-3 nats a step: 50
    /// steps that each use all of it, with one sign, add up to 0.05 nats, which is 2e-5 bits/dim on
    /// 3,072 dimensions and 1e-3 on 64.
    fn default() -> Self {
        Self { relative: 1e-5, absolute: 1e-5, log_density: 1e-3 }
    }
}

impl Tolerances {
    /// Checks that every tolerance is a number an error can be divided by.
    ///
    /// # Errors
    /// Unless `relative >= 0`, `absolute > 0` and `log_density > 0` (infinity switches off the
    /// last).
    pub(crate) fn validate(&self) -> Result<()> {
        if !(self.relative >= 0.0 && self.relative.is_finite()) {
            return Err(Error::value("relative tolerance", self.relative, "a finite number, at least 0"));
        }
        if !(self.absolute > 0.0 && self.absolute.is_finite()) {
            return Err(Error::value("absolute tolerance", self.absolute, "a finite number above 0"));
        }
        if self.log_density.is_nan() || self.log_density <= 0.0 {
            return Err(Error::value("log-density tolerance", self.log_density, "a number above 0, in nats"));
        }
        Ok(())
    }

    /// The error that one number may have: `absolute + relative max(|before|, |after|)`.
    pub fn scale(&self, before: f64, after: f64) -> f64 {
        self.absolute + self.relative * before.abs().max(after.abs())
    }

    /// The error norm of a row: the larger of the root mean square of `error / scale` over the
    /// state's numbers, given as `(error, before, after)`, and `|log-density error| / log_density`
    /// where the row has a log-density. NaN where any error is.
    ///
    /// # Reference
    /// Hairer, Norsett and Wanner, Solving Ordinary Differential Equations I, equation II.4.11.
    pub fn row_norm(
        &self,
        numbers: impl IntoIterator<Item = (f64, f64, f64)>,
        log_density_error: Option<f64>,
    ) -> f64 {
        let (mut sum, mut count) = (0.0, 0);
        for (error, before, after) in numbers {
            let ratio = error / self.scale(before, after);
            sum += ratio * ratio;
            count += 1;
        }
        self.norm_of_sum(sum, count, log_density_error)
    }

    /// [`row_norm`](Self::row_norm) from the sum of the squares of `error / scale` over `count` numbers.
    pub(crate) fn norm_of_sum(&self, sum: f64, count: usize, log_density_error: Option<f64>) -> f64 {
        let state = (sum / count.max(1) as f64).sqrt();
        let density = log_density_error.map_or(0.0, |error| error.abs() / self.log_density);
        // `f64::max` would drop a NaN.
        if state.is_nan() || density.is_nan() { f64::NAN } else { state.max(density) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLERANCES: Tolerances = Tolerances { relative: 0.1, absolute: 1.0, log_density: 0.5 };

    #[test]
    fn the_larger_of_state_and_log_density() {
        // Scales 1 + 0.1 * 10 = 2 and 1 + 0.1 * 20 = 3, so ratios 2 and 1.
        let numbers = [(4.0, -10.0, 3.0), (3.0, 5.0, 20.0)];
        let state = 2.5_f64.sqrt();
        assert_eq!(TOLERANCES.row_norm(numbers, None), state);
        assert_eq!(TOLERANCES.row_norm(numbers, Some(-0.25)), state);
        assert_eq!(TOLERANCES.row_norm(numbers, Some(-2.0)), 4.0);
    }

    #[test]
    fn a_nan_is_never_small() {
        assert!(TOLERANCES.row_norm([(f64::NAN, 0.0, 0.0)], Some(9.0)).is_nan());
        assert!(TOLERANCES.row_norm([(9.0, 0.0, 0.0)], Some(f64::NAN)).is_nan());
    }

    #[test]
    fn tolerances_that_cannot_divide_are_refused() {
        let ok = Tolerances::default();
        assert!(ok.validate().is_ok());
        for wrong in [
            Tolerances { relative: -1e-5, ..ok },
            Tolerances { relative: f64::NAN, ..ok },
            Tolerances { absolute: 0.0, ..ok },
            Tolerances { absolute: f64::INFINITY, ..ok },
            Tolerances { log_density: 0.0, ..ok },
            Tolerances { log_density: f64::NAN, ..ok },
        ] {
            assert!(wrong.validate().is_err(), "{wrong:?}");
        }
    }
}
