//! The variance-exploding schedule.

use super::LogAlpha;
use num_dual::DualNum;

/// Variance exploding: the signal keeps its scale, `alpha = 1`, so `ln alpha = 0` and
/// `sigma = e^{gamma/2}`.
///
/// # Reference
/// Song et al. 2021, arXiv 2011.13456, section 3.4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct VarianceExploding;

impl LogAlpha for VarianceExploding {
    fn log_alpha<N: DualNum<Primitive = f64> + Copy>(&self, gamma: N) -> N {
        gamma * 0.0
    }
}
