//! Real data that needs no download: 1,797 handwritten digits of 8x8 pixels and 17 grey levels.
//!
//! "Optical Recognition of Handwritten Digits", E. Alpaydin and C. Kaynak, UCI Machine Learning Repository,
//! CC BY 4.0 (its test part; see `ATTRIBUTION.md` beside the files).

use super::{ImageSet, ImageShape, read_idx};
use crate::error::Result;
use crate::pixels::PixelGrid;
use std::path::Path;

const IMAGES: &[u8] = include_bytes!("digits/optdigits-8x8-images.idx3-ubyte.gz");

/// The number of images to train on; the others are held out.
const TRAIN: usize = 1500;

/// A part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// What a model is trained on.
    Train,
    /// What it is measured on.
    Test,
}

impl std::fmt::Display for Split {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Train => "train",
            Self::Test => "test",
        })
    }
}

/// The first 1,500 digits to train on, or the last 297 to measure.
///
/// # Errors
/// None that a user can cause: the data is part of the crate.
pub fn digits(split: Split) -> Result<ImageSet> {
    let (sizes, bytes) = read_idx(Path::new("optdigits-8x8-images.idx3-ubyte.gz"), IMAGES)?;
    let shape = ImageShape { height: sizes[1], width: sizes[2], channels: 1 };
    let levels = bytes.into_iter().map(u16::from).collect();
    let all = ImageSet::new(shape, PixelGrid::new(17)?, levels)?;
    match split {
        Split::Train => all.slice(0, TRAIN),
        Split::Test => all.slice(TRAIN, all.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_splits_are_fixed() {
        let (train, test) = (digits(Split::Train).unwrap(), digits(Split::Test).unwrap());
        assert_eq!((train.len(), test.len()), (1500, 297));
        assert_eq!(train.shape().to_string(), "8x8x1");
        assert_eq!(&train.image(0)[..8], [0, 0, 5, 13, 9, 1, 0, 0]);
        assert_eq!(test.fingerprint().sha256.len(), 64);
        assert_ne!(test.fingerprint(), train.fingerprint());
    }
}
