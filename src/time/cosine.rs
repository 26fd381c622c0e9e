//! The cosine schedule's density.

use super::TimeSampler;
use crate::level::{Gamma, GammaRange};
use std::f64::consts::{FRAC_2_PI, FRAC_PI_2};

/// Cosine: a uniform `t` with `e^{gamma/2} = tan(pi t / 2)` (for VP `alpha = cos(pi t / 2)`), so
/// `pdf = 1 / (2 pi Z cosh(gamma/2))`, cut to the range, which holds the mass
/// `Z = (2/pi) atan(sinh((gamma_max - gamma_min)/4) / cosh((gamma_min + gamma_max)/4))`.
///
/// # Reference
/// Nichol and Dhariwal 2021, arXiv 2102.09672, equation 17 (with offset `s = 0`).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cosine {
    range: GammaRange,
    mass: f64,
}

/// `t` of a level; `1 - t` is `fraction(-gamma)`, so that neither end loses digits.
fn fraction(gamma: f64) -> f64 {
    FRAC_2_PI * (0.5 * gamma).exp().atan()
}

impl Cosine {
    /// The cosine density on `range`.
    pub fn new(range: GammaRange) -> Self {
        let (min, max) = (range.min().0, range.max().0);
        let mass = FRAC_2_PI * ((max - min) / 4.0).sinh().atan2(((min + max) / 4.0).cosh());
        Self { range, mass }
    }
}

impl TimeSampler for Cosine {
    fn range(&self) -> GammaRange {
        self.range
    }

    fn pdf(&self, gamma: Gamma) -> f64 {
        0.25 * FRAC_2_PI / ((0.5 * gamma.0).cosh() * self.mass)
    }

    fn quantile(&self, u: f64) -> Gamma {
        let (min, max) = (self.range.min().0, self.range.max().0);
        let below = (1.0 - u) * fraction(min) + u * fraction(max);
        let above = (1.0 - u) * fraction(-min) + u * fraction(-max);
        let gamma = if below < above {
            2.0 * (FRAC_PI_2 * below).tan().ln()
        } else {
            -2.0 * (FRAC_PI_2 * above).tan().ln()
        };
        super::within(self.range, u, gamma)
    }
}
