//! The images of a recipe.

use crate::config::{Data, Recipe};
use crate::data::{ImageShape, ImageSource, Split, TwoPixel, baseline, digits};
use crate::error::Result;
use crate::result::Baseline;

/// Pairs of pixels to train on and to measure.
const TWO_PIXEL_TRAIN: usize = 200_000;
const TWO_PIXEL_TEST: usize = 2_000;

/// The images of one split.
///
/// # Errors
/// If the data cannot be read.
pub(crate) fn load(recipe: &Recipe, split: Split) -> Result<Box<dyn ImageSource>> {
    Ok(match (&recipe.data, split) {
        (Data::Digits, split) => Box::new(digits::load(split)?),
        // Seeds of the data itself: independent of the run's.
        (Data::TwoPixel, Split::Train) => Box::new(TwoPixel::new().sample(TWO_PIXEL_TRAIN, 1, split)?),
        (Data::TwoPixel, split) => Box::new(TwoPixel::new().sample(TWO_PIXEL_TEST, 2, split)?),
    })
}

/// The shape of the images, which every split has.
pub(crate) fn shape(recipe: &Recipe) -> ImageShape {
    match recipe.data {
        Data::Digits => digits::shape(),
        Data::TwoPixel => TwoPixel::shape(),
    }
}

/// What the first `count` held-out images cost without any network.
///
/// # Errors
/// If the data cannot be read.
pub(super) fn baseline(recipe: &Recipe, count: usize) -> Result<Option<Baseline>> {
    Ok(Some(match recipe.data {
        Data::Digits => {
            let test = digits::load(Split::Test)?.truncated(count);
            let bits = baseline::independent_pixels(&digits::load(Split::Train)?, &test)?;
            Baseline { name: "independent pixels".to_owned(), bits_per_dim: bits.bits_per_dim }
        }
        Data::TwoPixel => {
            let exact = TwoPixel::new().entropy_bits_per_dim();
            Baseline { name: "exact entropy".to_owned(), bits_per_dim: exact }
        }
    }))
}
