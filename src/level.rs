//! Noise levels: the only place where a sign convention lives.
//!
//! `z = alpha x + sigma eps`, and time is `gamma = ln(sigma^2 / alpha^2) = -log SNR`: noise grows
//! with gamma (arXiv 2305.03935, section 3; arXiv 2107.00630, equation 1).

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// A noise level, `gamma = ln(sigma^2 / alpha^2)`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Gamma(pub f64);

impl Gamma {
    /// The signal-to-noise ratio `alpha^2 / sigma^2 = e^-gamma`.
    pub fn snr(self) -> f64 {
        (-self.0).exp()
    }
}

impl std::fmt::Display for Gamma {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// A point of a noise schedule's curve, with the derivative there.
///
/// Only [`Level::new`] makes one, so `sigma^2 / alpha^2 = e^gamma` holds for every level of every
/// schedule.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    gamma: f64,
    log_alpha: f64,
    dlog_alpha: f64,
}

impl Level {
    /// The level at `gamma` with `ln alpha` and `d ln alpha / d gamma` as given.
    pub fn new(gamma: Gamma, log_alpha: f64, dlog_alpha: f64) -> Self {
        Self { gamma: gamma.0, log_alpha, dlog_alpha }
    }

    /// `gamma = ln(sigma^2 / alpha^2)`.
    pub fn gamma(&self) -> Gamma {
        Gamma(self.gamma)
    }

    /// `ln alpha`.
    pub fn log_alpha(&self) -> f64 {
        self.log_alpha
    }

    /// `ln sigma = ln alpha + gamma / 2`.
    pub fn log_sigma(&self) -> f64 {
        self.log_alpha + 0.5 * self.gamma
    }

    /// The signal's scale alpha.
    pub fn alpha(&self) -> f64 {
        self.log_alpha().exp()
    }

    /// The noise's scale sigma.
    pub fn sigma(&self) -> f64 {
        self.log_sigma().exp()
    }

    /// `p = d ln alpha / d gamma`.
    pub fn dlog_alpha(&self) -> f64 {
        self.dlog_alpha
    }

    /// `d ln sigma / d gamma = p + 1/2`, for every schedule.
    pub fn dlog_sigma(&self) -> f64 {
        self.dlog_alpha + 0.5
    }
}

/// The range of noise levels `[min, max]` that a model is trained and measured on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GammaRange {
    min: f64,
    max: f64,
}

/// Half the width of a pixel's bin over the noise's scale at the default start level: the cut of
/// the truncated normal in the paper (alpha / (256 sigma) at gamma = -13.3).
pub const DEFAULT_TAU: f64 = 3.0187;

/// The default end level (the paper's configurations).
pub const DEFAULT_GAMMA_MAX: f64 = 5.0;

impl GammaRange {
    /// The range from `min` to `max`.
    ///
    /// # Errors
    /// Unless both are finite and `min < max`.
    pub fn new(min: f64, max: f64) -> Result<Self> {
        if !min.is_finite() || !max.is_finite() || min >= max {
            return Err(Error::value(
                "gamma range",
                format!("[{min}, {max}]"),
                "two finite numbers, gamma_min < gamma_max",
            ));
        }
        Ok(Self { min, max })
    }

    /// The default for images with `levels` grey levels: `gamma_min = -2 ln(3.0187 levels)`, so
    /// that the truncated normal's cut is 3.0187 as in the paper, and `gamma_max = 5`.
    pub fn for_levels(levels: u32) -> Self {
        Self { min: -2.0 * (DEFAULT_TAU * f64::from(levels)).ln(), max: DEFAULT_GAMMA_MAX }
    }

    /// The least noise, where the data side of the ODE starts.
    pub fn min(&self) -> Gamma {
        Gamma(self.min)
    }

    /// The most noise, where the prior is.
    pub fn max(&self) -> Gamma {
        Gamma(self.max)
    }

    /// `max - min`.
    pub fn width(&self) -> f64 {
        self.max - self.min
    }

    /// The level at fraction `u` of the range.
    pub fn at(&self, u: f64) -> Gamma {
        Gamma(self.min + u * self.width())
    }

    /// Where `gamma` lies in the range: 0 at `min`, 1 at `max`.
    pub fn fraction(&self, gamma: Gamma) -> f64 {
        (gamma.0 - self.min) / self.width()
    }

    /// Whether `gamma` lies in the range, ends included.
    pub fn contains(&self, gamma: Gamma) -> bool {
        (self.min..=self.max).contains(&gamma.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_that_do_not_rise_are_refused() {
        assert!(GammaRange::new(-13.3, 5.0).is_ok());
        let (infinite, nan) = (f64::INFINITY, f64::NAN);
        for (min, max) in
            [(5.0, 5.0), (5.0, -13.3), (-infinite, 5.0), (-13.3, infinite), (nan, 5.0), (-13.3, nan)]
        {
            let error = GammaRange::new(min, max).expect_err("no range").to_string();
            assert!(error.starts_with(&format!("gamma range = [{min}, {max}]:")), "{error}");
        }
    }
}
