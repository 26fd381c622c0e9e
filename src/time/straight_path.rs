//! The closed form of importance sampling on the straight path.

use crate::level::GammaRange;
use crate::math::{sigmoid, softplus};
use lambert_w::lambert_w0;

/// The density proportional to `alpha^2` with `alpha = sigmoid(-gamma/2)`, `sigma = 1 - alpha`.
///
/// Its cumulative mass is `2 (c_0 - c)` with `c = sigma - ln sigma`, kept as the excess
/// `c - 1 = -alpha - ln(1 - alpha) >= 0`, which keeps its digits where sigma is near 1.
#[derive(Clone, Copy, Debug)]
pub(super) struct StraightPathLaw {
    below: f64,
    above: f64,
}

impl StraightPathLaw {
    pub(super) fn new(range: GammaRange) -> Self {
        Self { below: excess_at(range.min().0), above: excess_at(range.max().0) }
    }

    /// The integral of `alpha^2` over the range.
    pub(super) fn mass(&self) -> f64 {
        2.0 * (self.below - self.above)
    }

    pub(super) fn quantile(&self, u: f64) -> f64 {
        let excess = (1.0 - u) * self.below + u * self.above;
        // sigma - ln sigma = 1 + excess is solved by sigma = -W0(-e^{-1 - excess}).
        let sigma = -lambert_w0(-(-1.0 - excess).exp());
        if sigma < 0.5 {
            return 2.0 * (sigma.ln() - (-sigma).ln_1p());
        }
        // W0 has a branch point at sigma = 1, so alpha starts from its series there and is then
        // made exact by Newton's method on the excess itself.
        let s = (2.0 * excess).sqrt();
        let mut alpha = if excess < 1e-3 { s * (1.0 + s * (s / 36.0 - 1.0 / 3.0)) } else { 1.0 - sigma };
        for _ in 0..2 {
            alpha -= (excess_of(alpha) - excess) * (1.0 - alpha) / alpha;
        }
        2.0 * ((-alpha).ln_1p() - alpha.ln())
    }
}

/// `-alpha - ln(1 - alpha)` at a level.
fn excess_at(gamma: f64) -> f64 {
    let alpha = sigmoid(-0.5 * gamma);
    if alpha < 0.5 { excess_of(alpha) } else { softplus(-0.5 * gamma) - alpha }
}

/// `-alpha - ln(1 - alpha) = sum_{k >= 2} alpha^k / k`.
fn excess_of(alpha: f64) -> f64 {
    if alpha > 0.1 {
        return -alpha - (-alpha).ln_1p();
    }
    // At 0.1 the terms from k = 18 on are below a rounding of the sum.
    (2..18).rev().fold(0.0, |sum, k| alpha * sum + 1.0 / f64::from(k)) * alpha * alpha
}
