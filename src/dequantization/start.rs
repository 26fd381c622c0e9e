//! Where the ODE starts, as a setting.

use crate::error::{Error, Result};
use crate::level::Gamma;
use serde::{Deserialize, Serialize};

/// The setting that every built-in dequantizer has: its start level.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StartConfig {
    /// The start level gamma; left out, the dequantizer's default.
    pub gamma: Option<f64>,
}

impl StartConfig {
    /// The level that was set, or else `default`.
    ///
    /// # Errors
    /// If it is not finite.
    pub fn or(&self, default: Gamma) -> Result<Gamma> {
        match self.gamma {
            None => Ok(default),
            Some(gamma) if gamma.is_finite() => Ok(Gamma(gamma)),
            Some(gamma) => Err(Error::value("dequantizer.gamma", gamma, "a finite number")),
        }
    }
}

/// The level at which half a bin is `tau` times the noise's scale (both over alpha), whatever the
/// schedule: `gamma = -2 ln(tau levels)`, because half a bin is `1 / levels`.
pub fn gamma_of_half_bin(tau: f64, levels: u32) -> Gamma {
    Gamma(-2.0 * (tau * f64::from(levels)).ln())
}
