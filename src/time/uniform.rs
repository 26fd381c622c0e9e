//! Every gamma equally often.

use super::TimeSampler;
use crate::level::{Gamma, GammaRange};

/// Uniform: `pdf = 1 / (gamma_max - gamma_min)`.
///
/// # Reference
/// The loss as an integral over log SNR: arXiv 2107.00630, section 5.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Uniform {
    range: GammaRange,
}

impl Uniform {
    /// The uniform density on `range`.
    pub fn new(range: GammaRange) -> Self {
        Self { range }
    }
}

impl TimeSampler for Uniform {
    fn range(&self) -> GammaRange {
        self.range
    }

    fn pdf(&self, _: Gamma) -> f64 {
        1.0 / self.range.width()
    }

    fn quantile(&self, u: f64) -> Gamma {
        super::within(self.range, u, self.range.at(u).0)
    }
}
