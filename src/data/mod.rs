//! Images as grey levels: the data sets, and the order in which training visits them.
//!
//! A data set is an [`ImageSource`]: rows of levels read by index, a fixed [`ImageShape`] and a
//! [`PixelGrid`](crate::pixels::PixelGrid). [`ImageSet`] holds one in memory. [`Shuffle`] says which
//! images come next; its whole state is a [`Position`]. [`Rows`] are images or a table as training takes them, batch by batch.

mod archive;
mod array;
pub(crate) mod augment;
pub(crate) mod baseline;
mod checked_read;
pub mod cifar10;
mod columns;
mod companions;
pub(crate) mod dataset;
mod decode;
pub(crate) mod depth;
pub mod digits;
pub(crate) mod disk_cache;
mod element;
mod entry;
pub(crate) mod fingerprint;
mod hold_back;
pub mod idx;
pub mod image_files;
pub mod imagenet32;
mod jpeg;
pub(crate) mod labels;
mod magic;
pub mod npy;
mod parts;
mod pickle;
mod planar;
mod png;
pub(crate) mod rows;
pub(crate) mod shape;
pub(crate) mod shuffle;
pub(crate) mod source;
pub mod table;
mod tar;
pub mod two_pixel;
mod unpack;
mod zip;

pub use augment::Augmentation;
pub use dataset::ImageSet;
pub use depth::Depth;
pub use disk_cache::StreamedSet;
pub use fingerprint::Fingerprint;
pub use labels::Labels;
pub use rows::{Batch, Batches, Images, Rows, TableRows};
pub use shape::ImageShape;
pub use shuffle::{Position, Shuffle, Visit};
pub use source::{ImageSource, RowShape, Split};
pub use two_pixel::TwoPixel;
