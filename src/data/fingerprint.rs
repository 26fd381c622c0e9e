//! What a data set is, in numbers that go into a result.

use crate::data::shape::ImageShape;
use crate::error::{Error, Result};
use crate::pixels::PixelGrid;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

/// Count, shape, levels and hash of a data set: two sets with equal fingerprints hold the same images
/// in the same order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fingerprint {
    /// The number of images.
    pub images: usize,
    /// The shape of each.
    pub shape: ImageShape,
    /// The number of grey levels.
    pub levels: u32,
    /// SHA-256 in hexadecimal of every level in order: one byte each up to 256 levels, else two,
    /// low byte first.
    pub sha256: String,
}

impl Fingerprint {
    /// Refuses to compare results on different data.
    ///
    /// # Errors
    /// Names the first of count, shape, levels and hash that differs.
    pub fn require_same(&self, other: &Self) -> Result<()> {
        let rows = [
            ("images", self.images.to_string(), other.images.to_string()),
            ("shape", self.shape.to_string(), other.shape.to_string()),
            ("levels", self.levels.to_string(), other.levels.to_string()),
            ("sha256", self.sha256.clone(), other.sha256.clone()),
        ];
        for (what, a, b) in &rows {
            if a != b {
                return Err(Error::value(
                    format!("data set {what}"),
                    b.clone(),
                    format!("{a}, the same data"),
                ));
            }
        }
        Ok(())
    }
}

/// A fingerprint in the making: rows go in, in order.
#[derive(Clone, Debug)]
pub(crate) struct Fingerprinter {
    shape: ImageShape,
    grid: PixelGrid,
    values: usize,
    hash: Sha256,
    bytes: Vec<u8>,
}

impl Fingerprinter {
    /// Starts with no images.
    pub(crate) fn new(shape: ImageShape, grid: PixelGrid) -> Self {
        Self { shape, grid, values: 0, hash: Sha256::new(), bytes: Vec::new() }
    }

    /// Takes in the levels of one or more whole images.
    pub(crate) fn update(&mut self, rows: &[u16]) {
        self.bytes.clear();
        encode(rows, self.grid, &mut self.bytes);
        self.hash.update(&self.bytes);
        self.values += rows.len();
    }

    /// The fingerprint of all rows so far.
    pub(crate) fn finish(self) -> Fingerprint {
        let mut sha256 = String::with_capacity(64);
        for byte in self.hash.finalize() {
            // Writing to a string cannot fail.
            let _ = write!(sha256, "{byte:02x}");
        }
        let images = self.values / self.shape.dims().max(1);
        Fingerprint { images, shape: self.shape, levels: self.grid.levels(), sha256 }
    }
}

/// Bytes of one level on disk and in the hash: 1 up to 256 levels, else 2.
pub(crate) fn bytes_per_level(grid: PixelGrid) -> usize {
    if grid.levels() <= 256 { 1 } else { 2 }
}

/// Appends levels as bytes, low byte first.
pub(crate) fn encode(rows: &[u16], grid: PixelGrid, bytes: &mut Vec<u8>) {
    if bytes_per_level(grid) == 1 {
        bytes.extend(rows.iter().map(|&k| k as u8));
    } else {
        bytes.reserve(2 * rows.len());
        for k in rows {
            bytes.extend_from_slice(&k.to_le_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(levels: u32, rows: &[u16]) -> Fingerprint {
        let mut f = Fingerprinter::new(ImageShape::new(1, 3, 1), PixelGrid::new(levels).unwrap());
        f.update(rows);
        f.finish()
    }

    #[test]
    fn the_hash_is_that_of_the_bytes() {
        // sha-256("abc"), the standard's first example.
        let f = of(256, &[97, 98, 99]);
        assert_eq!(f.sha256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!((f.images, f.levels), (1, 256));
    }

    #[test]
    fn a_difference_is_named() {
        let a = of(256, &[1, 2, 3]);
        assert!(a.require_same(&a.clone()).is_ok());
        for (b, what) in
            [(of(256, &[1, 2, 4]), "sha256"), (of(255, &[1, 2, 3]), "levels"), (of(256, &[1; 6]), "images")]
        {
            let line = a.require_same(&b).unwrap_err().to_string();
            assert!(line.starts_with(&format!("data set {what} = ")), "{line}");
        }
    }
}
