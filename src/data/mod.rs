//! Images as grey levels: the data sets, and the order in which training visits them.
//!
//! A data set is an [`ImageSource`]: rows of levels read by index, a fixed [`ImageShape`] and a
//! [`PixelGrid`](crate::pixels::PixelGrid). [`ImageSet`] holds one in memory. [`Shuffle`] says which
//! images come next; its whole state is a [`Position`]. [`Rows`] are images or a table as training takes them, batch by batch.

mod archive;
mod array;
pub mod augment;
pub mod baseline;
pub mod cifar10;
mod columns;
mod companions;
mod damage;
pub mod dataset;
pub mod depth;
pub mod digits;
mod element;
mod entry;
pub mod fingerprint;
mod hold_back;
pub mod idx;
pub mod image_files;
pub mod imagenet32;
mod jpeg;
pub mod labels;
mod magic;
pub mod npy;
mod parts;
mod pickle;
mod picture;
mod planar;
mod png;
pub mod rows;
pub mod shape;
pub mod shuffle;
pub mod source;
pub mod spool;
pub mod table;
mod tar;
pub mod two_pixel;
mod unpack;
mod zip;

pub use augment::Augmentation;
pub use dataset::ImageSet;
pub use depth::Depth;
pub use fingerprint::Fingerprint;
pub use labels::Labels;
pub use rows::{Batch, Batches, Images, Rows, TableRows};
pub use shape::ImageShape;
pub use shuffle::{Position, Shuffle, Visit};
pub use source::{ImageSource, RowShape, Split};
pub use spool::StreamedSet;
pub use two_pixel::TwoPixel;
