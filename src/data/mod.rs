//! Images with any number of grey levels: sets, their order, and the sets that need no download.

mod baseline;
mod digits;
mod idx;
mod images;
mod order;
mod two_pixel;

pub use baseline::{IndependentPixels, independent_pixels};
pub use digits::{Split, digits};
pub use idx::read_idx;
pub use images::{Fingerprint, ImageSet, ImageShape};
pub use order::Order;
pub use two_pixel::TwoPixel;
