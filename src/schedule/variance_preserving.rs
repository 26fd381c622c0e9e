//! The variance-preserving schedule.

use super::LogAlpha;
use crate::math::softplus;
use num_dual::DualNum;

/// Variance preserving: `alpha^2 + sigma^2 = 1`, so `ln alpha = -1/2 ln(1 + e^gamma)`.
///
/// # Reference
/// Ho et al. 2020, arXiv 2006.11239, equation 4; in this form arXiv 2107.00630, section 3.2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VariancePreserving;

impl LogAlpha for VariancePreserving {
    fn log_alpha<N: DualNum<Primitive = f64> + Copy>(&self, gamma: N) -> N {
        softplus(gamma) * -0.5
    }
}
