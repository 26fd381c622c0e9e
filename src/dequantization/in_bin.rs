//! Noise inside a pixel's bin, from the formula of its density.

use super::PerCoordinate;
use crate::density::Tabulated;
use crate::error::Result;
use crate::level::Level;
use crate::math::integrate;
use crate::pixels::PixelGrid;
use rand::{Rng, RngCore};
use std::fmt::Debug;

/// A density on `[-1, 1]`, a pixel's bin in units of half a bin: the one formula of a dequantizer [`InBin`].
///
/// ```
/// use idode::dequantization::{BinDensity, InBin, PerCoordinate};
/// use idode::level::Gamma;
/// use idode::pixels::PixelGrid;
/// use idode::schedule::{NoiseSchedule, VariancePreserving};
///
/// #[derive(Debug)]
/// struct Flat;
///
/// impl BinDensity for Flat {
///     fn density(&self, _: f64) -> f64 {
///         1.0
///     }
/// }
///
/// # fn main() -> idode::error::Result<()> {
/// let (grid, level) = (PixelGrid::new(256)?, VariancePreserving.level(Gamma(-13.3)));
/// let uniform = InBin::new(Flat, grid, level)?;
/// let bin = (level.alpha() * grid.bin_width()).ln();
/// assert!((uniform.entropy_per_dim() - bin).abs() < 1e-12);
/// # Ok(())
/// # }
/// ```
pub trait BinDensity: Debug + Send + Sync {
    /// The density of `v` in `[-1, 1]`, up to a factor: positive and finite.
    fn density(&self, v: f64) -> f64;
}

/// Noise that never leaves the bin, `z0 = alpha_0 (x + v / L)` with `v` of a density `p` on `[-1, 1]`.
///
/// Per dimension `log q = ln p(v) - ln(alpha_0 / L)`, and the entropy is `-int p ln p + ln(alpha_0 / L)` nats. The bins
/// tile the space of `z`, so there is no decoder term.
#[derive(Clone, Debug)]
pub struct InBin<F> {
    formula: F,
    grid: PixelGrid,
    level: Level,
    density: Tabulated,
    /// Of `v`.
    entropy: f64,
}

/// Parts of the bin in which `p ln p` is integrated.
const PANELS: usize = 200;

impl<F: BinDensity> InBin<F> {
    /// The dequantizer of `grid` at `level` of the model's schedule.
    ///
    /// # Errors
    /// Where the formula is not a positive number.
    pub fn new(formula: F, grid: PixelGrid, level: Level) -> Result<Self> {
        let density = Tabulated::new([-1.0, 1.0], "density of the noise at v =", |v| formula.density(v))?;
        let entropy = integrate(-1.0, 1.0, PANELS, |v| -density.pdf(v) * density.pdf(v).ln());
        Ok(Self { formula, grid, level, density, entropy })
    }

    /// The formula that it is made of.
    pub fn formula(&self) -> &F {
        &self.formula
    }

    /// Half a bin in units of `z`, `alpha_0 / L`.
    fn half_bin(&self) -> f64 {
        0.5 * self.level.alpha() * self.grid.bin_width()
    }
}

impl<F: BinDensity> PerCoordinate for InBin<F> {
    fn start(&self) -> Level {
        self.level
    }

    fn draw_one(&self, k: u16, rng: &mut dyn RngCore) -> f64 {
        let v = self.density.quantile(rng.r#gen()) * super::INSIDE;
        self.level.alpha() * self.grid.centre(k) + self.half_bin() * v
    }

    fn log_density(&self, k: u16, z: f64) -> f64 {
        let v = (z - self.level.alpha() * self.grid.centre(k)) / self.half_bin();
        if v.abs() > 1.0 {
            return f64::NEG_INFINITY;
        }
        self.density.pdf(v).ln() - self.half_bin().ln()
    }

    fn entropy_per_dim(&self) -> f64 {
        self.entropy + self.half_bin().ln()
    }
}
