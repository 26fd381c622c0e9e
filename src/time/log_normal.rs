//! A normal density of the log noise-to-signal ratio.

use super::TimeSampler;
use crate::error::{Error, Result};
use crate::level::{Gamma, GammaRange};
use crate::math::{LN_2_PI, normal_cdf, normal_quantile};
use crate::number::Positive;
use serde::{Deserialize, Serialize};

/// The settings of [`LogNormal`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogNormalConfig {
    /// The mean of `ln(sigma/alpha)`; EDM's `P_mean`, -1.2.
    pub mean: f64,
    /// Its standard deviation; EDM's `P_std`, 1.2.
    pub std: Positive,
}

impl Default for LogNormalConfig {
    fn default() -> Self {
        Self { mean: -1.2, std: positive!(1.2) }
    }
}

/// Log-normal noise-to-signal ratio: `ln(sigma/alpha) = gamma/2 ~ N(mean, std^2)`, cut to the range.
///
/// # Reference
/// Karras et al. 2022, arXiv 2206.00364, table 1 (noise distribution of EDM).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LogNormal {
    range: GammaRange,
    config: LogNormalConfig,
    /// The mass below, and above, each end of the range.
    below: [f64; 2],
    above: [f64; 2],
    mass: f64,
}

impl LogNormal {
    /// The density on `range` with these settings.
    ///
    /// # Errors
    /// Unless the mean is finite and the range holds some mass.
    pub fn new(range: GammaRange, config: LogNormalConfig) -> Result<Self> {
        if !config.mean.is_finite() {
            return Err(Error::value("log_normal.mean", config.mean, "a finite number"));
        }
        let ends = [range.min(), range.max()].map(|g| (0.5 * g.0 - config.mean) / config.std.get());
        let below = ends.map(normal_cdf);
        let above = ends.map(|t| normal_cdf(-t));
        let mass = if ends[0] > 0.0 { above[0] - above[1] } else { below[1] - below[0] };
        if mass < 1e-290 {
            return Err(Error::value(
                "log_normal.mean",
                config.mean,
                format!(
                    "a mean nearer to the range {} to {} of gamma / 2",
                    0.5 * range.min().0,
                    0.5 * range.max().0
                ),
            ));
        }
        Ok(Self { range, config, below, above, mass })
    }
}

impl TimeSampler for LogNormal {
    fn range(&self) -> GammaRange {
        self.range
    }

    fn pdf(&self, gamma: Gamma) -> f64 {
        let t = (0.5 * gamma.0 - self.config.mean) / self.config.std.get();
        (-0.5 * (t * t + LN_2_PI)).exp() / (2.0 * self.config.std.get() * self.mass)
    }

    fn quantile(&self, u: f64) -> Gamma {
        let mix = |ends: [f64; 2]| (1.0 - u) * ends[0] + u * ends[1];
        let t = normal_quantile(mix(self.below), mix(self.above));
        super::within(self.range, u, 2.0 * (self.config.mean + self.config.std.get() * t))
    }
}
