//! How large an image is.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Height, width and channels of every image of a set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ImageShape {
    /// Rows of pixels.
    pub height: usize,
    /// Pixels in a row.
    pub width: usize,
    /// Values in a pixel: 1 grey, 3 red, green, blue.
    pub channels: usize,
}

impl ImageShape {
    /// An image of `height` x `width` pixels of `channels` values.
    pub fn new(height: usize, width: usize, channels: usize) -> Self {
        Self { height, width, channels }
    }

    /// The number of values `d = height * width * channels`.
    pub fn dims(&self) -> usize {
        self.height * self.width * self.channels
    }
}

impl fmt::Display for ImageShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}", self.height, self.width, self.channels)
    }
}
