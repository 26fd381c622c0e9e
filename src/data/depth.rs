//! From the levels a file stores to the levels a model sees.

use crate::error::{Error, Result};
use crate::pixels::PixelGrid;

/// How many levels a file stores, and how many of them are kept apart.
///
/// Level `k` of `stored` becomes `floor(k * used / stored)`: with powers of two, the high bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth {
    stored: PixelGrid,
    used: PixelGrid,
}

impl Depth {
    /// Levels as they are stored.
    ///
    /// # Errors
    /// Unless `2 <= levels <= 65536`.
    pub fn of(levels: u32) -> Result<Self> {
        Self::reduced(levels, levels)
    }

    /// `stored` levels merged into `used`, such as 256 into 32 for 5 bits.
    ///
    /// # Errors
    /// Unless `2 <= used <= stored <= 65536`.
    pub fn reduced(stored: u32, used: u32) -> Result<Self> {
        let (stored, used) = (PixelGrid::new(stored)?, PixelGrid::new(used)?);
        if used.levels() > stored.levels() {
            let expected = format!("at most {}, as the file stores", stored.levels());
            return Err(Error::value("levels", used.levels(), expected));
        }
        Ok(Self { stored, used })
    }

    /// The grid of the levels that are kept.
    pub fn grid(self) -> PixelGrid {
        self.used
    }

    /// The number of levels in the file.
    pub fn stored(self) -> u32 {
        self.stored.levels()
    }

    /// The kept level of a stored one, or nothing if the file may not hold it.
    pub fn keep(self, k: u16) -> Option<u16> {
        let (stored, used) = (u64::from(self.stored.levels()), u64::from(self.used.levels()));
        (u64::from(k) < stored).then(|| (u64::from(k) * used / stored) as u16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_merged_evenly() {
        let five_bits = Depth::reduced(256, 32).unwrap();
        assert_eq!([0u16, 7, 8, 255].map(|k| five_bits.keep(k)), [Some(0), Some(0), Some(1), Some(31)]);
        assert_eq!(five_bits.keep(256), None);
        let all = Depth::of(65536).unwrap();
        assert_eq!(all.keep(65535), Some(65535));
        assert!(Depth::reduced(16, 17).is_err());
    }
}
