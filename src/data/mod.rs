//! Images as grey levels: the data sets, and the order in which training visits them.
//!
//! A data set is an [`ImageSource`]: rows of levels read by index, a fixed [`ImageShape`] and a
//! [`PixelGrid`](crate::pixels::PixelGrid). [`ImageSet`] holds one in memory. [`Shuffle`] says which
//! images come next; its whole state is a [`Position`].

mod archive;
pub mod augment;
pub mod baseline;
pub mod cifar10;
mod damage;
pub mod dataset;
pub mod depth;
pub mod digits;
pub mod fingerprint;
pub mod idx;
pub mod image_files;
pub mod imagenet32;
mod integers;
pub mod npy;
mod parts;
mod pickle;
mod planar;
pub mod shuffle;
pub mod source;
pub mod spool;
pub mod table;
pub mod two_pixel;

pub use augment::Augmentation;
pub use dataset::ImageSet;
pub use depth::Depth;
pub use fingerprint::Fingerprint;
pub use shuffle::{Position, Shuffle, Visit};
pub use source::{ImageShape, ImageSource, Split};
pub use spool::StreamedSet;
pub use two_pixel::TwoPixel;
