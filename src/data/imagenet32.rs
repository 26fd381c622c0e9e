//! ImageNet at 32x32x3, 256 levels, in its two releases, which are different data.
//!
//! The old one was made with another filter than the new one, and its likelihoods are not comparable with
//! those on the new one: they have names and fingerprints of their own.
//!
//! # Reference
//! Old: A. van den Oord, N. Kalchbrenner, K. Kavukcuoglu, "Pixel Recurrent Neural Networks", 2016.
//! New: P. Chrabaszcz, I. Loshchilov, F. Hutter, "A Downsampled Variant of ImageNet as an Alternative to
//! the CIFAR datasets", 2017.

use crate::data::checked_read::read_at_most;
use crate::data::cifar10::{planar_rows, python};
use crate::data::depth::Depth;
use crate::data::disk_cache::{DiskCacheWriter, StreamedSet};
use crate::data::image_files::{self, Files};
use crate::data::labels::Labels;
use crate::data::npy;
use crate::data::parts::{Parts, read_parts};
use crate::data::planar::interleave;
use crate::data::shape::ImageShape;
use crate::data::source::Split;
use crate::data::zip::for_each_in_zip;
use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};
use std::io::Read;
use std::path::Path;

/// The number of classes of the new release; the old one has none.
pub const CLASSES: usize = 1000;

/// Which of the two data sets called ImageNet-32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Release {
    /// PNG files, a folder or tar for each split.
    Old,
    /// Ten training batches and one of validation, as pickles or `.npz`.
    New,
}

impl Release {
    /// The data set's name in recipes and results.
    pub fn name(self) -> &'static str {
        match self {
            Self::Old => "imagenet32_old",
            Self::New => "imagenet32_new",
        }
    }

    /// The number of images of the whole published split.
    pub fn published_images(self, split: Split) -> usize {
        match (self, split) {
            (Self::Old, Split::Train) => 1_281_149,
            (Self::Old, _) => 49_999,
            (Self::New, Split::Train) => 1_281_167,
            (Self::New, _) => 50_000,
        }
    }
}

/// The shape of every image, 32x32x3.
pub fn shape() -> ImageShape {
    ImageShape::new(32, 32, 3)
}

/// Reads one split (`Train` or `Validation`); `levels` below 256 merges neighbouring levels.
///
/// `path` is a folder, tar or zip. Of the old release it holds the split's PNG files, whose order is that of their names. Of the
/// new one it holds `train_data_batch_1` to `_10`, or `val_data`, each a pickle or `.npz`; memory
/// holds one of them at a time. It has labels if every batch has them from 1 to 1000, as published; here they count from 0.
///
/// # Errors
/// If a batch is missing, a file is truncated or corrupt or of another shape, or a pickle holds anything
/// but plain data and arrays.
pub fn load(path: impl AsRef<Path>, release: Release, split: Split, levels: u32) -> Result<StreamedSet> {
    if split == Split::Test {
        return Err(Error::value("split of imagenet32", split, "train or validation"));
    }
    let path = path.as_ref();
    match release {
        Release::Old => image_files::load(path, release.name(), split, Files::new(shape(), levels)),
        Release::New => new_release(path, split, levels),
    }
}

fn new_release(path: &Path, split: Split, levels: u32) -> Result<StreamedSet> {
    let depth = Depth::reduced(256, levels)?;
    let mut cache = DiskCacheWriter::new(path, shape(), depth.grid(), None)?;
    let train = split == Split::Train;
    let title =
        |part: usize| if train { format!("train_data_batch_{}", part + 1) } else { "val_data".into() };
    let count = if train { 10 } else { 1 };
    let number = |file: &str| {
        let stem = file.strip_suffix(".npz").unwrap_or(file);
        (0..count).find(|&part| title(part) == stem)
    };
    let mut pixels = Vec::new();
    let parts = read_parts(path, count, &title, &number, &mut cache, &mut |entry, reader, cache| {
        let mut push = |what: &str, planes: &[u16]| {
            interleave(shape(), planes, &mut pixels);
            cache.push(what, (32, 32), depth, &pixels)
        };
        if entry.ends_with(".npz") {
            npz(path, entry, reader, &mut push)
        } else {
            python(path, entry, reader, "data", shape(), &mut push)
        }
    })?;
    let Parts { order, labels } = parts;
    let set = cache.finish(Release::New.name(), split, Some(&order))?;
    match labels {
        Some(mut labels) if labels.iter().all(|label| (1..=CLASSES).contains(&usize::from(*label))) => {
            labels.iter_mut().for_each(|label| *label -= 1);
            set.with_labels(Labels::new(&path.display().to_string(), labels, CLASSES)?)
        }
        _ => Ok(set),
    }
}

/// A batch as `.npz` with the array `data`, one planar image a row; gives the array `labels`, if it is there.
fn npz(
    path: &Path,
    entry: &str,
    reader: &mut dyn Read,
    push: &mut dyn FnMut(&str, &[u16]) -> Result<()>,
) -> Result<Option<Vec<u16>>> {
    // A batch of the release has 0.4 GB.
    let bytes = read_at_most(path, entry, reader, 1 << 32)?;
    let (mut found, mut labels) = (false, None);
    for_each_in_zip(path, entry, bytes, &mut |name, reader| {
        let what = format!("{entry}: {name}");
        match name {
            "data.npy" => {
                found = true;
                let array = npy::header(path, &what, reader)?;
                planar_rows(path, &what, reader, &array, shape(), push)
            }
            "labels.npy" => {
                labels = Some(npy::header(path, &what, reader).and_then(|a| a.labels(path, &what, reader)));
                Ok(())
            }
            _ => Ok(()),
        }
    })?;
    if !found {
        return Err(Error::format(path, entry, "no array data", "an array called data"));
    }
    labels.transpose()
}
