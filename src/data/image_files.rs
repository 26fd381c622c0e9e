//! Image files (PNG, JPEG) in a folder, a tar or a zip, with optional random crops.

use crate::data::archive::for_each_file;
use crate::data::checked_read::read_at_most;
use crate::data::companions::is_companion;
use crate::data::decode::{DecodedImage, decode};
use crate::data::depth::Depth;
use crate::data::disk_cache::{DiskCacheWriter, StreamedSet};
use crate::data::labels::Labels;
use crate::data::shape::ImageShape;
use crate::data::source::Split;
use crate::error::{Error, Result};
use crate::order::ordered;
use crate::pixels::PixelGrid;
use std::collections::{BTreeSet, HashSet};
use std::path::Path;

/// The largest file, in bytes.
const LARGEST: u64 = 1 << 28;

/// What the files of a set are to become.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    shape: ImageShape,
    levels: u32,
    crop_seed: Option<u64>,
    classes: Option<Vec<String>>,
}

impl Files {
    /// Images that all have `shape`; `levels` below those of a file merges neighbouring levels.
    pub fn new(shape: ImageShape, levels: u32) -> Self {
        Self { shape, levels, crop_seed: None, classes: None }
    }

    /// Images of at least `shape`, of which each visit sees a crop at a place drawn from (seed, visit).
    pub fn random_crops(self, seed: u64) -> Self {
        Self { crop_seed: Some(seed), ..self }
    }

    /// Images whose label is the place in `classes` of the sub-folder that they lie in.
    pub fn classes(self, classes: Vec<String>) -> Self {
        Self { classes: Some(classes), ..self }
    }
}

/// Reads every image file at `path`, in the order of their names.
///
/// Files of other kinds are an error, but for what lies beside images (texts, lists, thumbnails, hidden files), which
/// is passed over and [counted](crate::data::ImageSource::passed_over). An image is turned as its EXIF orientation
/// says. What loses nothing is taken: grey files for a set of three channels, colours that are all grey for one of a
/// single channel, palettes, alpha that is opaque.
///
/// # Errors
/// If there is no image. If one is corrupt, has transparency, has colours where the set is grey, or is of another shape or of
/// fewer levels than asked. If two have one name, or one is in none of the classes.
pub fn load(path: impl AsRef<Path>, name: &str, split: Split, files: Files) -> Result<StreamedSet> {
    load_files(path.as_ref(), name, split, files)
}

fn load_files(path: &Path, name: &str, split: Split, files: Files) -> Result<StreamedSet> {
    let Files { shape, levels, crop_seed, classes } = files;
    if !matches!(shape.channels, 1 | 3) {
        return Err(Error::value("channels of image files", shape.channels, "1 or 3"));
    }
    let mut cache = DiskCacheWriter::new(path, shape, PixelGrid::new(levels)?, crop_seed)?;
    let (mut names, mut labels, mut passed_over) = (Vec::new(), Vec::new(), 0);
    for_each_file(path, &mut |entry, reader| {
        if is_companion(entry) {
            passed_over += 1;
            return Ok(());
        }
        let bytes = read_at_most(path, entry, reader, LARGEST)?;
        let DecodedImage { size, stored, values } = decode(path, entry, &bytes, shape.channels)?;
        let depth = Depth::reduced(stored, levels).map_err(|_| {
            Error::format(path, format!("{entry}: levels"), stored, format!("at least {levels}"))
        })?;
        cache.push(entry, size, depth, &values)?;
        if let Some(classes) = &classes {
            labels.push(label(path, entry, classes)?);
        }
        names.push(entry.to_string());
        Ok(())
    })?;
    let mut seen = HashSet::new();
    if let Some(name) = names.iter().find(|name| !seen.insert(name.strip_prefix("./").unwrap_or(name))) {
        return Err(Error::format(path, "entries", format!("two called {name}"), "each name once"));
    }
    let order = ordered(names.len(), &|a, b| names[a].cmp(&names[b]));
    let set = cache.finish(name, split, Some(&order))?.beside(passed_over);
    match classes {
        None => Ok(set),
        Some(classes) => {
            let labels = order.iter().map(|&i| labels[i]).collect();
            set.with_labels(Labels::new(&path.display().to_string(), labels, classes.len())?)
        }
    }
}

/// The names of the sub-folders that hold images, in order: a class each.
///
/// # Errors
/// If `path` cannot be read, there is no image, or one lies in no sub-folder.
pub fn classes(path: impl AsRef<Path>) -> Result<Vec<String>> {
    let path = path.as_ref();
    let mut names = BTreeSet::new();
    for_each_file(path, &mut |entry, _| {
        if is_companion(entry) {
            return Ok(());
        }
        let class = folder(entry).ok_or_else(|| {
            Error::format(path, entry, "an image in no sub-folder", "one in the folder of its class")
        })?;
        names.insert(class.to_owned());
        Ok(())
    })?;
    if names.is_empty() {
        return Err(Error::format(path, "classes", "no image", "sub-folders of images"));
    }
    Ok(names.into_iter().collect())
}

/// The folder that an entry lies in, as the last part of its path.
fn folder(entry: &str) -> Option<&str> {
    let (folders, _) = entry.rsplit_once('/')?;
    folders.rsplit('/').next().filter(|folder| !matches!(*folder, "" | "."))
}

fn label(path: &Path, entry: &str, classes: &[String]) -> Result<u16> {
    let class = folder(entry).unwrap_or("no sub-folder");
    let place = classes.iter().position(|known| known == class).and_then(|place| u16::try_from(place).ok());
    place.ok_or_else(|| {
        Error::format(path, format!("{entry}: class"), class, format!("one of the {} classes", classes.len()))
    })
}
