//! The images of a recipe.

use crate::config::{Data, Recipe};
use crate::data::{ImageSource, Split, TwoPixel, digits};
use crate::error::Result;

/// Pairs of pixels to train on and to measure.
const TWO_PIXEL_TRAIN: usize = 200_000;
const TWO_PIXEL_TEST: usize = 2_000;

/// The images of one split.
///
/// # Errors
/// If the data cannot be read.
pub(super) fn load(recipe: &Recipe, split: Split) -> Result<Box<dyn ImageSource>> {
    Ok(match (&recipe.data, split) {
        (Data::Digits, split) => Box::new(digits::load(split)?),
        // Seeds of the data itself: independent of the run's.
        (Data::TwoPixel, Split::Train) => Box::new(TwoPixel::new().sample(TWO_PIXEL_TRAIN, 1, split)?),
        (Data::TwoPixel, split) => Box::new(TwoPixel::new().sample(TWO_PIXEL_TEST, 2, split)?),
    })
}
