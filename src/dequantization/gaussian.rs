//! Gaussian dequantization with the exact decoder ("variational").

use super::{PerCoordinate, gamma_of_half_bin};
use crate::level::{DEFAULT_TAU, Gamma, Level};
use crate::math::{LN_2_PI, log_sum_exp};
use crate::pixels::PixelGrid;
use rand::{Rng, RngCore};
use rand_distr::StandardNormal;

/// The diffusion's own noise, uncut: `z0 = alpha_0 x + sigma_0 eps`, and what left the bin is paid
/// for by the decoder `P(x | z0)`, the posterior under equally likely levels:
/// a softmax over the `L` levels of `-1/2 ((z0/alpha_0 - x_k) alpha_0/sigma_0)^2`.
///
/// Per dimension `log q = -1/2 ln(2 pi sigma_0^2) - eps^2/2`; entropy `1/2 (1 + ln(2 pi sigma_0^2))`.
///
/// # Reference
/// arXiv 2305.03935 (variational dequantization); the decoder is
/// arXiv 2107.00630, section 3.3.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gaussian {
    grid: PixelGrid,
    level: Level,
}

impl Gaussian {
    /// Gaussian dequantization of `grid` at `level` of the model's schedule.
    pub fn new(grid: PixelGrid, level: Level) -> Self {
        Self { grid, level }
    }

    /// The default start level, `-2 ln(3.0187 levels)`: -13.3 at 256 levels.
    pub fn default_gamma(levels: u32) -> Gamma {
        gamma_of_half_bin(DEFAULT_TAU, levels)
    }
}

impl PerCoordinate for Gaussian {
    fn start(&self) -> Level {
        self.level
    }

    fn draw_one(&self, k: u16, rng: &mut dyn RngCore) -> f64 {
        let eps: f64 = rng.sample(StandardNormal);
        self.level.alpha() * self.grid.centre(k) + self.level.sigma() * eps
    }

    fn log_density(&self, k: u16, z: f64) -> f64 {
        let eps = (z - self.level.alpha() * self.grid.centre(k)) / self.level.sigma();
        -0.5 * (LN_2_PI + eps * eps) - self.level.log_sigma()
    }

    fn log_decoder(&self, k: u16, z: f64) -> f64 {
        log_decoder(self.grid, &self.level, k, z)
    }

    fn entropy_per_dim(&self) -> f64 {
        0.5 * (1.0 + LN_2_PI) + self.level.log_sigma()
    }
}

/// Two levels further apart than this many noise scales do not share a float's digits: e^{-800} is 0.
const REACH: f64 = 40.0;

/// `log P(k | z)` in nats of one coordinate: the log-softmax over all levels of
/// `-1/2 ((z/alpha - x_k) alpha/sigma)^2`. It is also the VLB's reconstruction term.
pub fn log_decoder(grid: PixelGrid, level: &Level, k: u16, z: f64) -> f64 {
    let scale = (-0.5 * level.gamma().0).exp();
    let x = z / level.alpha();
    let logit = |j: u16| -0.5 * ((x - grid.centre(j)) * scale).powi(2);
    // Levels beyond the reach of the nearest one add exactly nothing to the sum.
    let reach = (REACH / (grid.bin_width() * scale)).ceil().min(f64::from(u16::MAX)) as u16;
    let nearest = grid.nearest(x);
    let last = (grid.levels() - 1) as u16;
    let window = nearest.saturating_sub(reach)..=nearest.saturating_add(reach).min(last);
    logit(k) - log_sum_exp(window.map(logit))
}

/// The level of one coordinate that the decoder finds most likely: the one nearest to `z / alpha`.
pub fn decode(grid: PixelGrid, level: &Level, z: f64) -> u16 {
    grid.nearest(z / level.alpha())
}

/// [`decode`] of a row.
pub fn decode_row(grid: PixelGrid, level: &Level, z: &[f64]) -> Vec<u16> {
    z.iter().map(|&z| decode(grid, level, z)).collect()
}
