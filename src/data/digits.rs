//! The handwritten digits inside the crate: 1,797 images, 8x8x1, 17 grey levels.
//!
//! # Reference
//! E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", test part, UCI Machine
//! Learning Repository, CC BY 4.0 (see `digits/ATTRIBUTION.md`).

use crate::data::dataset::ImageSet;
use crate::data::idx;
use crate::data::source::{ImageShape, ImageSource, Split};
use crate::error::{Error, Result};
use crate::pixels::PixelGrid;
use std::path::Path;

/// The data set's name in recipes and results.
pub const NAME: &str = "digits";
/// The number of grey levels.
pub const LEVELS: u32 = 17;
/// The images in file order up to here are the training split, the other 297 the test split.
pub const TRAIN_IMAGES: usize = 1500;

const IMAGES: &[u8] = include_bytes!("digits/optdigits-8x8-images.idx3-ubyte.gz");
const LABELS: &[u8] = include_bytes!("digits/optdigits-8x8-labels.idx1-ubyte.gz");

/// The shape of every digit, 8x8x1.
pub fn shape() -> ImageShape {
    ImageShape::new(8, 8, 1)
}

/// The digits of one split, with labels: 1,500 for training, 297 for testing.
///
/// # Errors
/// If `split` is neither `Train` nor `Test`.
pub fn load(split: Split) -> Result<ImageSet> {
    let (images, labels) = (Path::new("optdigits-8x8-images"), Path::new("optdigits-8x8-labels"));
    let grid = PixelGrid::new(LEVELS)?;
    let all = idx::read_from(images, IMAGES)?.into_images(images, NAME, split, grid)?;
    let classes = idx::read_from(labels, LABELS)?.into_labels(labels)?;
    let range = match split {
        Split::Train => 0..TRAIN_IMAGES,
        Split::Test => TRAIN_IMAGES..all.images(),
        Split::Validation => return Err(Error::value("split of digits", split, "train or test")),
    };
    let d = shape().dims();
    let pixels = all.pixels()[range.start * d..range.end * d].to_vec();
    ImageSet::new(NAME, split, shape(), grid, pixels)?.with_labels(classes[range].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_splits_are_fixed() {
        let (train, test) = (load(Split::Train).unwrap(), load(Split::Test).unwrap());
        assert_eq!((train.images(), test.images()), (1500, 297));
        assert_eq!((train.shape(), train.grid().levels()), (shape(), 17));
        assert_eq!(train.pixels().iter().max(), Some(&16));
        // The set starts with 0 to 9 in order; its first image is a zero.
        assert_eq!(train.labels().unwrap()[..10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(train.row(0).unwrap()[..8], [0, 0, 5, 13, 9, 1, 0, 0]);
        assert_eq!(test.labels().unwrap().len(), 297);
        assert!(load(Split::Validation).is_err());
    }

    #[test]
    fn value_stability() {
        let print = |split| load(split).unwrap().fingerprint().unwrap().sha256;
        assert_eq!(print(Split::Train), "ee6301bf158c604c728193674edc03a6cc3988014a924e6e067edddcdcbfd740");
        assert_eq!(print(Split::Test), "2155cbb21b093cdae6d5f69cf8a2ddd7d0a14feeebf8ffe7991092f8e2321fa0");
    }
}
