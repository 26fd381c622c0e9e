//! What every schedule has, derived from its curve.

use super::NoiseSchedule;
use crate::level::Gamma;

/// The coefficients of a schedule's own drift, `dz/dgamma = state * z + noise * eps`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drift {
    /// The coefficient of the state, `p = d ln alpha / d gamma`.
    pub state: f64,
    /// The coefficient of the noise, `sigma / 2`.
    pub noise: f64,
}

/// What every schedule has, derived from its curve; nobody can override it.
pub trait NoiseScheduleExt: NoiseSchedule {
    /// The probability-flow ODE's drift in terms of the noise: `dz/dgamma = p z + (sigma/2) eps`.
    ///
    /// Along the path of one `(x, eps)` it is the derivative of `alpha x + sigma eps`, because
    /// `d ln sigma / d gamma = p + 1/2`.
    fn drift(&self, gamma: Gamma) -> Drift {
        let level = self.level(gamma);
        Drift { state: level.dlog_alpha(), noise: 0.5 * level.sigma() }
    }
}

impl<S: NoiseSchedule + ?Sized> NoiseScheduleExt for S {}
