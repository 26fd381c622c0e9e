//! Pixels with any number of grey levels, as real numbers.
//!
//! Level `k` of `L` is the bin `[-1 + 2k/L, -1 + 2(k+1)/L)` of `[-1, 1]`, and `x` is its centre.
//! A density over `[-1, 1]^d` becomes bits per pixel of 0..L by `log2(L / 2)` bits per dimension:
//! the offset is derived from `L`, never typed in.

use crate::error::{Error, Result};

/// The grid of `levels` bins that tile `[-1, 1]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PixelGrid {
    levels: u32,
}

impl PixelGrid {
    /// The grid with `levels` bins.
    ///
    /// # Errors
    /// Unless `2 <= levels <= 65536`.
    pub fn new(levels: u32) -> Result<Self> {
        if !(2..=65536).contains(&levels) {
            return Err(Error::value("levels", levels, "2 to 65536"));
        }
        Ok(Self { levels })
    }

    /// The number of grey levels `L`.
    pub fn levels(&self) -> u32 {
        self.levels
    }

    /// The width of a bin, `2 / L`.
    pub fn bin_width(&self) -> f64 {
        2.0 / f64::from(self.levels)
    }

    /// The centre of level `k`'s bin, `(2k + 1) / L - 1`.
    pub fn centre(&self, k: u16) -> f64 {
        (2.0 * f64::from(k) + 1.0) / f64::from(self.levels) - 1.0
    }

    /// The centres of a row of levels.
    pub fn centres(&self, row: &[u16]) -> Vec<f64> {
        row.iter().map(|&k| self.centre(k)).collect()
    }

    /// The level whose bin holds `x`; the end bins reach to infinity.
    pub fn nearest(&self, x: f64) -> u16 {
        let k = ((x + 1.0) / self.bin_width()).floor();
        k.clamp(0.0, f64::from(self.levels - 1)) as u16
    }

    /// Refuses what is no grey level.
    ///
    /// # Errors
    /// At the first that is none: names its index.
    pub fn check(&self, pixels: &[u16]) -> Result<()> {
        match pixels.iter().enumerate().find(|(_, k)| u32::from(**k) >= self.levels()) {
            Some((i, k)) => Err(Error::value(format!("pixels[{i}]"), k, format!("below {}", self.levels()))),
            None => Ok(()),
        }
    }
}
