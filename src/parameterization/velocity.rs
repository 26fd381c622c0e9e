//! The normalised velocity.

use super::{Affine, Parameterization};
use crate::level::Level;

/// Normalised velocity, for any schedule: `F = (dz/dgamma) / N` along the path of one `(x, eps)`,
/// with `N = hypot(p alpha, (p + 1/2) sigma)`, hence `a = sigma / (2N)` and `b = p / N`.
///
/// In terms of `(x, eps)`: `F = (p alpha x + (p + 1/2) sigma eps) / N`, a unit vector's weights.
/// VP gives `a = 1/alpha`, `b = -sigma/alpha`, which is `v = alpha eps - sigma x`; the straight
/// path gives `a = 1/(sqrt(2) alpha)`, `b = -a`, which is `(eps - x)/sqrt(2)`. The ODE's drift is
/// `N F`: proportional to the network, whatever the schedule.
///
/// # Reference
/// arXiv 2305.03935 (velocity parameterization, normalised predictor); for VP arXiv 2202.00512,
/// section 4 and appendix D.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Velocity;

impl Parameterization for Velocity {
    fn target(&self, level: &Level) -> Affine {
        let speed = (level.dlog_alpha() * level.alpha()).hypot(level.dlog_sigma() * level.sigma());
        Affine { noise: 0.5 * level.sigma() / speed, state: level.dlog_alpha() / speed }
    }
}
