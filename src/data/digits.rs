//! The handwritten digits inside the crate: 1,797 images, 8x8x1, 17 grey levels.
//!
//! # Reference
//! E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", test part, UCI Machine
//! Learning Repository, CC BY 4.0 (see `digits/ATTRIBUTION.md`).

use crate::data::dataset::ImageSet;
use crate::data::idx;
use crate::data::labels::Labels;
use crate::data::shape::ImageShape;
use crate::data::source::Split;
use crate::data::unpack::gunzip;
use crate::error::{Error, Result};
use crate::pixels::PixelGrid;
use std::path::Path;

/// The data set's name in recipes and results.
pub const NAME: &str = "digits";
/// The number of grey levels.
pub const LEVELS: u32 = 17;
/// The number of classes, one for each digit.
pub const CLASSES: usize = 10;
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
    let unpacked = |name: &str, bytes: &[u8]| idx::values(Path::new(name), &mut gunzip(bytes));
    let (pixels, labels) =
        (unpacked("optdigits-8x8-images", IMAGES)?, unpacked("optdigits-8x8-labels", LABELS)?);
    let range = match split {
        Split::Train => 0..TRAIN_IMAGES,
        Split::Test => TRAIN_IMAGES..labels.len(),
        Split::Validation => return Err(Error::value("split of digits", split, "train or test")),
    };
    let d = shape().dims();
    let pixels = pixels[range.start * d..range.end * d].to_vec();
    let labels = Labels::new(NAME, labels[range].to_vec(), CLASSES)?;
    ImageSet::new(NAME, split, shape(), PixelGrid::new(LEVELS)?, pixels)?.with_labels(labels)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::source::ImageSource;

    #[test]
    fn the_splits_are_fixed() {
        let (train, test) = (load(Split::Train).unwrap(), load(Split::Test).unwrap());
        assert_eq!((train.images(), test.images()), (1500, 297));
        assert_eq!((train.shape(), train.grid().levels()), (shape(), 17));
        assert_eq!(train.pixels().iter().max(), Some(&16));
        // The set starts with 0 to 9 in order; its first image is a zero.
        assert_eq!(train.labels().unwrap().values()[..10], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!(train.row(0).unwrap()[..8], [0, 0, 5, 13, 9, 1, 0, 0]);
        assert_eq!((test.labels().unwrap().values().len(), test.labels().unwrap().classes()), (297, 10));
        assert!(load(Split::Validation).is_err());
    }

    #[test]
    fn value_stability() {
        let print = |split| load(split).unwrap().fingerprint().unwrap().sha256;
        assert_eq!(print(Split::Train), "ee6301bf158c604c728193674edc03a6cc3988014a924e6e067edddcdcbfd740");
        assert_eq!(print(Split::Test), "2155cbb21b093cdae6d5f69cf8a2ddd7d0a14feeebf8ffe7991092f8e2321fa0");
    }
}
