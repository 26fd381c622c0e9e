//! Uniform dequantization.

use super::{PerCoordinate, gamma_of_half_bin};
use crate::level::{Gamma, Level};
use crate::pixels::PixelGrid;
use rand::{Rng, RngCore};

/// Half a bin over the noise's scale at the default start level: `e^{5.9} / 256`, which puts 256
/// levels at the paper's gamma = -11.8 (a tuned number; no closed form is known).
pub const UNIFORM_TAU: f64 = 1.425_927_608_848_941;

/// Uniform noise on the pixels, as wide as a bin and scaled by alpha at its own start level:
/// `z0 = alpha_0 (x + u)`, `u ~ U[-1/L, 1/L)`, `log q = -ln(2 alpha_0 / L)` per dimension.
///
/// The network never saw such noise in training, so it starts later than the others: where the
/// model's density at neighbouring levels overlaps.
///
/// # Reference
/// Theis, van den Oord, Bethge 2016, arXiv 1511.01844, section 3.1; the start level is
/// arXiv 2305.03935's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct UniformBin {
    grid: PixelGrid,
    level: Level,
}

impl UniformBin {
    /// Uniform dequantization of `grid` at `level` of the model's schedule.
    pub fn new(grid: PixelGrid, level: Level) -> Self {
        Self { grid, level }
    }

    /// The default start level, `-2 ln(1.42593 levels)`: -11.8 at 256 levels.
    pub fn default_gamma(levels: u32) -> Gamma {
        gamma_of_half_bin(UNIFORM_TAU, levels)
    }

    /// The width of a bin in units of `z`.
    fn width(&self) -> f64 {
        self.level.alpha() * self.grid.bin_width()
    }
}

impl PerCoordinate for UniformBin {
    fn start(&self) -> Level {
        self.level
    }

    fn draw_one(&self, k: u16, rng: &mut dyn RngCore) -> f64 {
        let u: f64 = rng.r#gen();
        // Kept off the bin's edges, where rounding could put it in the next bin.
        let u = (u - 0.5).clamp(-0.5 * super::INSIDE, 0.5 * super::INSIDE);
        self.level.alpha() * (self.grid.centre(k) + self.grid.bin_width() * u)
    }

    fn log_density(&self, k: u16, z: f64) -> f64 {
        let distance = (z - self.level.alpha() * self.grid.centre(k)).abs();
        if distance <= 0.5 * self.width() { -self.width().ln() } else { f64::NEG_INFINITY }
    }

    fn entropy_per_dim(&self) -> f64 {
        self.width().ln()
    }
}
