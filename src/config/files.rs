//! Data sets that a recipe reads from files.
//!
//! Paths are as the process sees them: absolute, or relative to the folder it runs in. Nothing here opens one.

use super::classes::Classes;
use super::field_error::FieldError;
use super::limits::levels;
use crate::data::imagenet32::Release;
use crate::data::{Augmentation, ImageShape, Labels};
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
    /// `"label"`: each image is conditioned on its class, one input of the network for each class. Without it nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
}

impl Cifar10 {
    /// All levels, as they are.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        let augmentation = Augmentation::default();
        Self { path: path.into(), levels: all_levels(), augmentation, condition: None }
    }
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
    /// `"label"`: each image is conditioned on its class, one input of the network for each class. Without it nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
}

/// What each image is conditioned on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Its class.
    Label,
}

/// Settings of the digits.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Digits {
    /// `"label"`: each image is conditioned on its class, one input of the network for each class. Without it nothing is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
}

/// Settings that hold the same keys for every kind of arrays, and those that it has alone.
macro_rules! arrays {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $key:ident: $type:ty,)* }) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            /// The training images, with axes (image, height, width) or (image, height, width, channels).
            pub train: PathBuf,
            /// The held-out images.
            pub test: PathBuf,
            $(
                $(#[$doc])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $key: Option<$type>,
            )*
            /// The number of classes; without it, one more than the largest training label.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub classes: Option<usize>,
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
            /// `"label"`: each image is conditioned on its class, one input of the network for each class. Without it nothing is.
            #[serde(default, skip_serializing_if = "Option::is_none")]
            pub condition: Option<Condition>,
        }

        impl $name {
            /// Grey levels in the files.
            pub fn stored(&self) -> u32 {
                self.stored_levels.unwrap_or(self.levels)
            }

            pub(super) fn check(&self) -> Result<(), FieldError> {
                if let Some(stored) = self.stored_levels {
                    levels("stored_levels", stored, MOST_LEVELS)?;
                    if self.levels > stored {
                        let expected = format!("at most {stored}, the stored_levels");
                        return Err(FieldError::new("levels", self.levels.to_string(), expected));
                    }
                }
                check(self.levels, MOST_LEVELS, self.shape.as_ref(), self.augmentation)?;
                check_labels(self.train_labels.is_some(), self.test_labels.is_some(), self.classes)
            }
        }
    };
}

arrays! {
    /// Settings of files that hold one array each: `.npy` and IDX.
    ArrayFiles {
        /// A file of the same kind with a label for each training image; without it there are none.
        train_labels: PathBuf,
        /// The labels of the held-out images.
        test_labels: PathBuf,
    }
}

arrays! {
    /// Settings of `.npz`, which holds arrays by their names.
    ArrayArchives {
        /// The name of the training array; without it there must be one alone.
        train_key: String,
        /// The name of the held-out array.
        test_key: String,
        /// The name of an array, in the same archive, with a label for each training image; without it there are none.
        train_labels: String,
        /// The name of the array of the held-out images' labels.
        test_labels: String,
    }
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
    /// The sub-folders whose images are a class each: `"folders"` for all of the training images, or a list of names;
    /// without it images have no label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<Classes>,
    /// Whether files may be larger than `shape`, of which each visit sees a part at a random place: false.
    #[serde(default)]
    pub random_crops: bool,
    /// Grey levels, into which those of the files are merged evenly: 256.
    #[serde(default = "all_levels")]
    pub levels: u32,
    /// What training does to its images: nothing.
    #[serde(default, skip_serializing_if = "is_default")]
    pub augmentation: Augmentation,
    /// `"label"`: each image is conditioned on its class, one input of the network for each class. Without it nothing is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Condition>,
}

/// The most grey levels that any file has.
pub(super) const MOST_LEVELS: u32 = 65536;

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

/// Checks the keys of labels: those of both splits or of none, and a number of classes only beside them.
fn check_labels(train: bool, test: bool, classes: Option<usize>) -> Result<(), FieldError> {
    match (train, test, classes) {
        (true, false, _) => {
            Err(FieldError::new("test_labels", "nothing", "this key, as there is train_labels"))
        }
        (false, true, _) => {
            Err(FieldError::new("train_labels", "nothing", "this key, as there is test_labels"))
        }
        (false, false, Some(found)) => {
            Err(FieldError::new("classes", found.to_string(), "no such key, as there are no labels"))
        }
        (true, true, Some(found)) if !(1..=Labels::MOST_CLASSES).contains(&found) => {
            Err(FieldError::new("classes", found.to_string(), "1 to 65536"))
        }
        _ => Ok(()),
    }
}

/// Checks what every one of these has; without a shape, turns are checked when it is known.
pub(super) fn check(
    used: u32,
    most: u32,
    sides: Option<&[usize; 3]>,
    augmentation: Augmentation,
) -> Result<(), FieldError> {
    levels("levels", used, most)?;
    let Some(sides) = sides else { return Ok(()) };
    if let Some(axis) = sides.iter().position(|side| !(1..=65536).contains(side)) {
        return Err(FieldError::new(format!("shape[{axis}]"), sides[axis].to_string(), "1 to 65536"));
    }
    let shape = shape(sides);
    match augmentation.misfit(shape) {
        None => Ok(()),
        Some((step, expected)) => Err(FieldError::new(
            format!("augmentation.{step}"),
            format!("true for images of {shape}"),
            expected,
        )),
    }
}
