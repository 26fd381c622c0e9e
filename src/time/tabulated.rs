//! A density of times proportional to any positive weight.

use super::TimeSampler;
use crate::density;
use crate::error::Result;
use crate::level::{Gamma, GammaRange};

/// A density proportional to a weight of which only a table is kept: see [`density::Tabulated`].
#[derive(Clone, Debug)]
pub struct Tabulated {
    range: GammaRange,
    density: density::Tabulated,
}

/// What messages call the weight.
pub(super) const NAME: &str = "importance weight at gamma";

impl Tabulated {
    /// The density on `range` proportional to `weight`.
    ///
    /// # Errors
    /// Unless `weight` is positive and finite wherever it is evaluated.
    pub fn new(range: GammaRange, weight: impl Fn(Gamma) -> f64) -> Result<Self> {
        let ends = [range.min().0, range.max().0];
        Ok(Self { range, density: density::Tabulated::new(ends, NAME, |gamma| weight(Gamma(gamma)))? })
    }

    /// `Z`, the integral of the weight over the range.
    pub fn normalizer(&self) -> f64 {
        self.density.normalizer()
    }

    /// The fraction of draws below `gamma`.
    pub fn cdf(&self, gamma: Gamma) -> f64 {
        self.density.cdf(gamma.0)
    }
}

impl TimeSampler for Tabulated {
    fn range(&self) -> GammaRange {
        self.range
    }

    fn pdf(&self, gamma: Gamma) -> f64 {
        self.density.pdf(gamma.0)
    }

    fn quantile(&self, u: f64) -> Gamma {
        Gamma(self.density.quantile(u))
    }
}
