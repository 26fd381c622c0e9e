//! What a data set is to the rest of the crate: rows of levels, read by index.

use crate::data::fingerprint::Fingerprint;
use crate::data::labels::Labels;
use crate::data::shape::ImageShape;
use crate::data::shuffle::Visit;
use crate::error::{Error, Result};
use crate::pixels::PixelGrid;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The shape of a row of any data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowShape {
    /// An image.
    Image(ImageShape),
    /// So many numbers without an order in space.
    Vector(usize),
}

impl RowShape {
    /// The number of values of a row.
    pub fn dims(self) -> usize {
        match self {
            Self::Image(image) => image.dims(),
            Self::Vector(dims) => dims,
        }
    }

    /// The row as an image: numbers without an order are the channels of one pixel.
    pub fn image(self) -> ImageShape {
        match self {
            Self::Image(image) => image,
            Self::Vector(dims) => ImageShape::new(1, 1, dims),
        }
    }
}

impl fmt::Display for RowShape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Image(image) => image.fmt(f),
            Self::Vector(1) => f.write_str("1 number"),
            Self::Vector(dims) => write!(f, "{dims} numbers"),
        }
    }
}

/// The part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// What the network is fitted to.
    Train,
    /// What choices are made on.
    Validation,
    /// What is reported.
    Test,
}

impl Split {
    /// The lower-case name: "train", "validation" or "test".
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Validation => "validation",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Split {
    type Err = Error;

    fn from_str(s: &str) -> Result<Self> {
        [Self::Train, Self::Validation, Self::Test]
            .into_iter()
            .find(|split| split.name() == s)
            .ok_or_else(|| Error::value("split", format!("\"{s}\""), "train, validation or test"))
    }
}

/// A data set: images of one shape and one number of levels, read by index.
///
/// Whether the levels lie in memory or on disk is the source's own matter; a caller holds one batch.
///
/// # Laws
/// - `read` of a visit gives `shape().dims()` levels, each below `grid().levels()`;
/// - `read` of the same visit always gives the same levels;
/// - `labels`, where there are any, are as many as the images.
pub trait ImageSource: fmt::Debug + Send + Sync {
    /// The data set's name, the same for each of its splits.
    fn name(&self) -> &str;

    /// Which part of the data set this is.
    fn split(&self) -> Split;

    /// The shape of every image.
    fn shape(&self) -> ImageShape;

    /// The grid of levels of every image.
    fn grid(&self) -> PixelGrid;

    /// The number of images, at least 1.
    fn images(&self) -> usize;

    /// Appends the levels of each visited image to `rows`, in the order of `visits`.
    ///
    /// # Shapes
    /// `rows` grows by `visits.len() * dims`, each image in row-major (height, width, channels) order.
    ///
    /// # Errors
    /// If an index is outside `0..images()`, or the file below cannot be read.
    fn read(&self, visits: &[Visit], rows: &mut Vec<u16>) -> Result<()>;

    /// What the set is, in numbers: count, shape, levels and a hash of every level.
    ///
    /// # Errors
    /// If the file below cannot be read.
    fn fingerprint(&self) -> Result<Fingerprint>;

    /// The class of each image, where it is known: nothing, unless the data set says otherwise.
    fn labels(&self) -> Option<&Labels> {
        None
    }

    /// How many files lay beside the images and were not read (texts, thumbnails, hidden files): 0.
    fn passed_over(&self) -> usize {
        0
    }

    /// The levels of each visited image, as one vector.
    ///
    /// # Errors
    /// As [`ImageSource::read`].
    fn batch(&self, visits: &[Visit]) -> Result<Vec<u16>> {
        let mut rows = Vec::with_capacity(visits.len() * self.shape().dims());
        self.read(visits, &mut rows)?;
        Ok(rows)
    }
}

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<T: ImageSource + ?Sized> ImageSource for $pointer {
            fn name(&self) -> &str {
                (**self).name()
            }
            fn split(&self) -> Split {
                (**self).split()
            }
            fn shape(&self) -> ImageShape {
                (**self).shape()
            }
            fn grid(&self) -> PixelGrid {
                (**self).grid()
            }
            fn images(&self) -> usize {
                (**self).images()
            }
            fn read(&self, visits: &[Visit], rows: &mut Vec<u16>) -> Result<()> {
                (**self).read(visits, rows)
            }
            fn fingerprint(&self) -> Result<Fingerprint> {
                (**self).fingerprint()
            }
            fn labels(&self) -> Option<&Labels> {
                (**self).labels()
            }
            fn passed_over(&self) -> usize {
                (**self).passed_over()
            }
        }
    )*};
}

forward!(&T, Box<T>, std::sync::Arc<T>);
