//! The images of a recipe.

use crate::config::{Data, Recipe};
use crate::data::{ImageSet, Split, TwoPixel, digits};
use crate::error::Result;

/// Pairs of pixels to train on and to measure.
const TWO_PIXEL_TRAIN: usize = 200_000;
const TWO_PIXEL_TEST: usize = 2_000;

/// The name of a data set in `result.json`.
pub(super) fn name(data: &Data) -> &'static str {
    match data {
        Data::Digits => "digits",
        Data::TwoPixel => "two_pixel",
    }
}

/// The images of one split.
///
/// # Errors
/// If the data cannot be read.
pub(super) fn load(recipe: &Recipe, split: Split) -> Result<ImageSet> {
    match (&recipe.data, split) {
        (Data::Digits, split) => digits(split),
        // Seeds of the data itself: independent of the run's.
        (Data::TwoPixel, Split::Train) => TwoPixel::default().sample(TWO_PIXEL_TRAIN, 1),
        (Data::TwoPixel, Split::Test) => TwoPixel::default().sample(TWO_PIXEL_TEST, 2),
    }
}
