//! CIFAR-10: 32x32x3, 256 levels, 50,000 training and 10,000 test images.
//!
//! Reads what is published: `cifar-10-binary.tar.gz` and `cifar-10-python.tar.gz` as downloaded, or the
//! folder that either unpacks to. All four give the same images in the same order.
//!
//! # Reference
//! A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009.

use crate::data::array::Array;
use crate::data::checked_read::read_error;
use crate::data::depth::Depth;
use crate::data::disk_cache::{DiskCacheWriter, StreamedSet};
use crate::data::labels::Labels;
use crate::data::parts::{Parts, read_parts};
use crate::data::pickle::Pickle;
use crate::data::planar::interleave;
use crate::data::shape::ImageShape;
use crate::data::source::Split;
use crate::error::{Error, Result};
use std::io::Read;
use std::path::Path;

/// The data set's name in recipes and results.
pub const NAME: &str = "cifar10";

/// The number of classes: airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck.
pub const CLASSES: usize = 10;

/// The shape of every image, 32x32x3.
pub fn shape() -> ImageShape {
    ImageShape::new(32, 32, 3)
}

/// Reads one split, with its labels; `levels` below 256 merges neighbouring levels.
///
/// # Errors
/// If a batch is missing, truncated or corrupt, or a pickle holds anything but plain data and arrays.
pub fn load(path: impl AsRef<Path>, split: Split, levels: u32) -> Result<StreamedSet> {
    let (path, depth) = (path.as_ref(), Depth::reduced(256, levels)?);
    let mut cache = DiskCacheWriter::new(path, shape(), depth.grid(), None)?;
    let batches: &[&str] = match split {
        Split::Train => &["data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5"],
        Split::Test => &["test_batch"],
        Split::Validation => return Err(Error::value("split of cifar10", split, "train or test")),
    };
    let title = |part: usize| batches[part].to_string();
    let number = |file: &str| batches.iter().position(|b| *b == file.strip_suffix(".bin").unwrap_or(file));
    let mut pixels = Vec::new();
    let parts = read_parts(path, batches.len(), &title, &number, &mut cache, &mut |entry, reader, cache| {
        let mut push = |what: &str, planes: &[u16]| {
            interleave(shape(), planes, &mut pixels);
            cache.push(what, (32, 32), depth, &pixels)
        };
        if entry.ends_with(".bin") {
            binary(path, entry, reader, &mut push).map(Some)
        } else {
            python(path, entry, reader, "data", shape(), &mut push)
        }
    })?;
    let Parts { order, labels } = parts;
    let set = cache.finish(NAME, split, Some(&order))?;
    match labels {
        None => Ok(set),
        Some(labels) => set.with_labels(Labels::new(&path.display().to_string(), labels, CLASSES)?),
    }
}

/// Rows of one label and 3,072 values; gives the labels.
fn binary(
    path: &Path,
    entry: &str,
    reader: &mut dyn Read,
    push: &mut dyn FnMut(&str, &[u16]) -> Result<()>,
) -> Result<Vec<u16>> {
    let row_bytes = 1 + shape().dims();
    let (mut row, mut planes, mut labels) = (Vec::new(), Vec::new(), Vec::new());
    for image in 0.. {
        let what = format!("{entry}: image {image}");
        row.clear();
        let read = Read::take(&mut *reader, row_bytes as u64).read_to_end(&mut row);
        read.map_err(|e| read_error(path, &what, e))?;
        if row.is_empty() {
            break;
        }
        if row.len() < row_bytes {
            return Err(Error::format(path, what, format!("{} bytes", row.len()), format!("{row_bytes}")));
        }
        if usize::from(row[0]) >= CLASSES {
            return Err(Error::format(path, format!("{what}: label"), row[0], "0 to 9"));
        }
        planes.clear();
        planes.extend(row[1..].iter().map(|&b| u16::from(b)));
        push(&what, &planes)?;
        labels.push(row[0].into());
    }
    Ok(labels)
}

/// A pickled dictionary whose array `key` has one planar image a row; gives its labels, if it has any.
pub(crate) fn python(
    path: &Path,
    entry: &str,
    reader: &mut dyn Read,
    key: &str,
    shape: ImageShape,
    push: &mut dyn FnMut(&str, &[u16]) -> Result<()>,
) -> Result<Option<Vec<u16>>> {
    let pickle = Pickle::read(path, entry, reader)?;
    let (array, mut bytes) = pickle.array(path, entry, key)?;
    planar_rows(path, entry, &mut bytes, &array, shape, push)?;
    pickle.labels(path, entry, "labels")
}

/// The rows of an array with axes (image, value).
pub(crate) fn planar_rows(
    path: &Path,
    entry: &str,
    reader: &mut dyn Read,
    array: &Array,
    shape: ImageShape,
    push: &mut dyn FnMut(&str, &[u16]) -> Result<()>,
) -> Result<()> {
    if !matches!(array.shape[..], [_, values] if values == shape.dims()) {
        let expected = format!("2 axes (image, {})", shape.dims());
        return Err(Error::format(path, format!("{entry}: shape"), format!("{:?}", array.shape), expected));
    }
    array.rows(path, entry, reader, push)
}
