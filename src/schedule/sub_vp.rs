//! The sub-VP schedule.

use super::LogAlpha;
use num_dual::DualNum;

/// Sub-variance-preserving: `sigma = 1 - alpha^2`, so `alpha = 2 / (sqrt(r^2 + 4) + r)` with
/// `r = e^{gamma/2}`, which is `ln alpha = -asinh(r / 2)`.
///
/// # Reference
/// Song et al. 2021, arXiv 2011.13456, section 3.4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SubVariancePreserving;

impl LogAlpha for SubVariancePreserving {
    fn log_alpha<N: DualNum<Primitive = f64> + Copy>(&self, gamma: N) -> N {
        -((gamma * 0.5).exp() * 0.5).asinh()
    }
}
