//! Truncated-normal dequantization.

use super::{PerCoordinate, gamma_of_half_bin};
use crate::level::{DEFAULT_TAU, Gamma, Level};
use crate::math::{LN_2_PI, normal_cdf, normal_quantile};
use crate::pixels::PixelGrid;
use rand::{Rng, RngCore};
use std::f64::consts::FRAC_1_SQRT_2;

/// The diffusion's own noise, cut to the pixel's bin: `z0 = alpha_0 x + sigma_0 eps` with
/// `eps ~ N(0, 1)` on `[-tau, tau]`, `tau = alpha_0 / (L sigma_0) = e^{-gamma_0/2} / L`.
///
/// Per dimension, with `Z = erf(tau / sqrt 2)`:
/// `log q = -1/2 ln(2 pi sigma_0^2) - eps^2/2 - ln Z`, and the entropy is
/// `1/2 (1 + ln(2 pi sigma_0^2)) + ln Z - tau e^{-tau^2/2} / (sqrt(2 pi) Z)` nats. The bins tile
/// the space of `z`, so there is no decoder term.
///
/// # Reference
/// arXiv 2305.03935 (truncated-normal dequantization).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TruncatedNormal {
    grid: PixelGrid,
    level: Level,
    tau: f64,
}

impl TruncatedNormal {
    /// Truncated-normal dequantization of `grid` at `level` of the model's schedule.
    pub fn new(grid: PixelGrid, level: Level) -> Self {
        let tau = (-0.5 * level.gamma().0).exp() / f64::from(grid.levels());
        Self { grid, level, tau }
    }

    /// The default start level, `-2 ln(3.0187 levels)`: -13.3 at 256 levels.
    pub fn default_gamma(levels: u32) -> Gamma {
        gamma_of_half_bin(DEFAULT_TAU, levels)
    }

    /// `tau`, half a bin in units of the noise.
    pub fn tau(&self) -> f64 {
        self.tau
    }

    /// `Z = erf(tau / sqrt 2)`, the mass of `N(0, 1)` on `[-tau, tau]`.
    pub fn mass(&self) -> f64 {
        libm::erf(self.tau * FRAC_1_SQRT_2)
    }

    /// The entropy of `eps` in nats per dimension, `entropy_per_dim - ln sigma_0`.
    pub fn standard_entropy(&self) -> f64 {
        let edge = (-0.5 * (self.tau * self.tau + LN_2_PI)).exp();
        0.5 * (1.0 + LN_2_PI) + self.mass().ln() - self.tau * edge / self.mass()
    }

    /// The quantile of `eps` at `u` in `[0, 1]`, inside the open interval `(-tau, tau)`.
    pub fn quantile(&self, u: f64) -> f64 {
        let tail = normal_cdf(-self.tau);
        let (lower, upper) = ((1.0 - u) * tail + u * (1.0 - tail), u * tail + (1.0 - u) * (1.0 - tail));
        // Kept off the bin's edges, where rounding could put z in the next bin.
        let edge = self.tau * super::INSIDE;
        normal_quantile(lower, upper).clamp(-edge, edge)
    }
}

impl PerCoordinate for TruncatedNormal {
    fn start(&self) -> Level {
        self.level
    }

    fn draw_one(&self, k: u16, rng: &mut dyn RngCore) -> f64 {
        self.level.alpha() * self.grid.centre(k) + self.level.sigma() * self.quantile(rng.r#gen())
    }

    fn log_density(&self, k: u16, z: f64) -> f64 {
        let eps = (z - self.level.alpha() * self.grid.centre(k)) / self.level.sigma();
        if eps.abs() > self.tau {
            return f64::NEG_INFINITY;
        }
        -0.5 * (LN_2_PI + eps * eps) - self.level.log_sigma() - self.mass().ln()
    }

    fn entropy_per_dim(&self) -> f64 {
        self.standard_entropy() + self.level.log_sigma()
    }
}
