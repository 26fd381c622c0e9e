//! The straight-path schedule.

use super::LogAlpha;
use crate::math::softplus;
use num_dual::DualNum;

/// Straight path: `alpha + sigma = 1`, so `ln alpha = -ln(1 + e^{gamma/2})`.
///
/// # Reference
/// arXiv 2305.03935 (i-DODE), the SP model; the path of arXiv 2209.03003 (rectified flow) and, with
/// no residual noise, of arXiv 2210.02747 (flow matching).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StraightPath;

impl LogAlpha for StraightPath {
    fn log_alpha<N: DualNum<Primitive = f64> + Copy>(&self, gamma: N) -> N {
        -softplus(gamma * 0.5)
    }
}
