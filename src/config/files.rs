//! Data sets that a recipe reads from files.
//!
//! Paths are as the process sees them: absolute, or relative to the folder it runs in. Nothing here opens one.

use super::fault::Fault;
use super::limits::levels;
use crate::data::imagenet32::Release;
use crate::data::{Augmentation, ImageShape};
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// Settings of CIFAR-10.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cifar10 {
    /// The archive as downloaded, binary or for Python, or the folder that it unpacks to.
    pub path: PathBuf,
    /// Grey levels, of which 256 are merged evenly into fewer: 256.
    #[serde(default = "all_levels")]
    pub levels: u32,
    /// What training does to its images: nothing.
    #[serde(default, skip_serializing_if = "is_default")]
    pub augmentation: Augmentation,
}

/// Settings of ImageNet-32.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageNet32 {
    /// `"old"` or `"new"`: two data sets whose likelihoods cannot be compared.
    pub release: Release,
    /// The training images: for the old release a folder, tar or zip of PNG files, for the new one of its batches.
    pub train: PathBuf,
    /// The validation images, on which likelihoods are measured; the new release may have both in one place.
    pub test: PathBuf,
    /// Grey levels, of which 256 are merged evenly into fewer: 256.
    #[serde(default = "all_levels")]
    pub levels: u32,
    /// What training does to its images: nothing.
    #[serde(default, skip_serializing_if = "is_default")]
    pub augmentation: Augmentation,
}

/// Settings of NumPy arrays and of IDX files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ArrayFiles {
    /// The training images, with axes (image, height, width) or (image, height, width, channels).
    pub train: PathBuf,
    /// The held-out images.
    pub test: PathBuf,
    /// The name of the training array in a `.npz`; without it there must be one alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub train_key: Option<String>,
    /// The name of the held-out array in a `.npz`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_key: Option<String>,
    /// Grey levels: 256.
    #[serde(default = "all_levels")]
    pub levels: u32,
    /// Grey levels in the file, which are merged evenly into `levels`: as many.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stored_levels: Option<u32>,
    /// Height, width and channels of an image; without it, as the training file has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<[usize; 3]>,
    /// What training does to its images: nothing.
    #[serde(default, skip_serializing_if = "is_default")]
    pub augmentation: Augmentation,
}

/// Settings of image files, PNG or JPEG.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Folder {
    /// The training images: a folder, tar or zip.
    pub train: PathBuf,
    /// The held-out images.
    pub test: PathBuf,
    /// Height, width and channels (1 or 3) of an image.
    pub shape: [usize; 3],
    /// Whether files may be larger than `shape`, of which each visit sees a part at a random place: false.
    #[serde(default)]
    pub random_crops: bool,
    /// Grey levels, into which those of the files are merged evenly: 256.
    #[serde(default = "all_levels")]
    pub levels: u32,
    /// What training does to its images: nothing.
    #[serde(default, skip_serializing_if = "is_default")]
    pub augmentation: Augmentation,
}

fn all_levels() -> u32 {
    256
}

fn is_default(augmentation: &Augmentation) -> bool {
    *augmentation == Augmentation::default()
}

/// The shape that a recipe writes as `[height, width, channels]`.
pub(super) fn shape(&[height, width, channels]: &[usize; 3]) -> ImageShape {
    ImageShape::new(height, width, channels)
}

/// Checks what every one of these has; without a shape, turns are checked when it is known.
pub(super) fn check(
    used: u32,
    stored: u32,
    sides: Option<&[usize; 3]>,
    augmentation: Augmentation,
) -> Result<(), Fault> {
    levels("levels", used)?;
    levels("stored_levels", stored)?;
    if used > stored {
        let expected = format!("at most {stored}, as the files have");
        return Err(Fault::new("levels", used.to_string(), expected));
    }
    let Some(sides) = sides else { return Ok(()) };
    if let Some(axis) = sides.iter().position(|side| !(1..=65536).contains(side)) {
        return Err(Fault::new(format!("shape[{axis}]"), sides[axis].to_string(), "1 to 65536"));
    }
    let shape = shape(sides);
    augmentation.check(shape).map_err(|_| {
        Fault::new("augmentation.quarter_turns", format!("true for images of {shape}"), "square images")
    })
}
