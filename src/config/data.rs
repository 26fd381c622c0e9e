//! The data set of a recipe, and the noise levels it asks for.

use super::by_name::by_name;
use super::classes::Classes;
use super::field_error::FieldError;
use super::files::{self, ArrayArchives, ArrayFiles, Cifar10, Condition, Digits, Folder, ImageNet32};
use super::source::Source;
use super::table::Table;
use super::unnamed::OwnRows;
use crate::data::imagenet32::Release;
use crate::data::{Augmentation, ImageShape, RowShape, TwoPixel, cifar10, digits, imagenet32};
use crate::error::Result;
use crate::level::GammaRange;
use serde::{Deserialize, Serialize};

/// The data set, by name.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// `"digits"`: 1,797 handwritten digits of 8x8 pixels and 17 grey levels, embedded in the crate.
    Digits(Digits),
    /// `"two_pixel"`: two pixels of 256 levels from a fixed mixture whose entropy is known exactly.
    TwoPixel,
    /// `"cifar10"`: 32x32x3.
    Cifar10(Cifar10),
    /// `"imagenet32"`: 32x32x3, in one of two releases.
    Imagenet32(ImageNet32),
    /// `"npy"`: NumPy arrays.
    Npy(ArrayFiles),
    /// `"npz"`: NumPy arrays in archives.
    Npz(ArrayArchives),
    /// `"idx"`: arrays of bytes, as MNIST comes in.
    Idx(ArrayFiles),
    /// `"folder"`: image files in a folder, tar or zip.
    Folder(Folder),
    /// `"table"`: rows of numbers, from CSV or NumPy files.
    Table(Table),
    /// `"program"`: rows that a program gave its run, which a recipe cannot read.
    Program(OwnRows),
}

by_name!(Data {
    TwoPixel;
    Digits(Digits), Cifar10(Cifar10), Imagenet32(ImageNet32), Npy(ArrayFiles), Npz(ArrayArchives), Idx(ArrayFiles), Folder(Folder), Table(Table), Program(OwnRows)
});

impl Data {
    /// The name in recipes.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Digits(_) => digits::NAME,
            Self::TwoPixel => crate::data::two_pixel::NAME,
            Self::Cifar10(_) => cifar10::NAME,
            Self::Imagenet32(imagenet) => imagenet.release.name(),
            Self::Npy(_) => "npy",
            Self::Npz(_) => "npz",
            Self::Idx(_) => "idx",
            Self::Folder(_) => "folder",
            Self::Table(_) => "table",
            Self::Program(_) => "program",
        }
    }

    /// The number of grey levels of a pixel; none where rows are no images.
    pub fn levels(&self) -> Option<u32> {
        Some(match self {
            Self::Digits(_) => 17,
            Self::TwoPixel => 256,
            Self::Cifar10(cifar) => cifar.levels,
            Self::Imagenet32(imagenet) => imagenet.levels,
            Self::Npy(files) | Self::Idx(files) => files.levels,
            Self::Npz(files) => files.levels,
            Self::Folder(folder) => folder.levels,
            Self::Table(_) => return None,
            Self::Program(rows) => return rows.levels,
        })
    }

    /// The shape of an image, as far as the recipe tells.
    pub fn shape(&self) -> Option<ImageShape> {
        match self {
            Self::Digits(_) => Some(digits::shape()),
            Self::TwoPixel => Some(TwoPixel::shape()),
            Self::Cifar10(_) => Some(cifar10::shape()),
            Self::Imagenet32(_) => Some(imagenet32::shape()),
            Self::Npy(files) | Self::Idx(files) => files.shape.as_ref().map(files::shape),
            Self::Npz(files) => files.shape.as_ref().map(files::shape),
            Self::Folder(folder) => Some(files::shape(&folder.shape)),
            Self::Program(rows) => rows.shape.as_ref().map(files::shape),
            Self::Table(_) => None,
        }
    }

    /// The shape of a row, as far as the recipe tells: of a table, once its columns are named.
    pub(crate) fn row_shape(&self) -> Option<RowShape> {
        match self {
            Self::Table(table) if table.columns.is_empty() => None,
            Self::Table(table) => Some(RowShape::Vector(table.columns.len())),
            Self::Program(OwnRows { columns: Some(columns), .. }) => Some(RowShape::Vector(*columns)),
            _ => self.shape().map(RowShape::Image),
        }
    }

    /// The numbers of the data that each row is conditioned on.
    pub fn conditions(&self) -> usize {
        match self {
            Self::Table(table) => table.condition.len(),
            Self::Program(rows) => rows.conditions,
            _ => self.condition().and_then(|Condition::Label| self.classes()).unwrap_or(0),
        }
    }

    /// What images are conditioned on.
    pub fn condition(&self) -> Option<Condition> {
        match self {
            Self::Digits(digits) => digits.condition,
            Self::Cifar10(cifar) => cifar.condition,
            Self::Imagenet32(imagenet) => imagenet.condition,
            Self::Npy(files) | Self::Idx(files) => files.condition,
            Self::Npz(files) => files.condition,
            Self::Folder(folder) => folder.condition,
            Self::TwoPixel | Self::Table(_) | Self::Program(_) => None,
        }
    }

    /// Whether the images have labels, as far as the recipe tells.
    fn is_labelled(&self) -> bool {
        match self {
            Self::Npy(files) | Self::Idx(files) => files.train_labels.is_some(),
            Self::Npz(files) => files.train_labels.is_some(),
            Self::Folder(folder) => folder.classes.is_some(),
            _ => self.classes().is_some(),
        }
    }

    /// The number of classes that the images have labels of, as far as the recipe tells.
    pub fn classes(&self) -> Option<usize> {
        match self {
            Self::Digits(_) => Some(digits::CLASSES),
            Self::Cifar10(_) => Some(cifar10::CLASSES),
            Self::Imagenet32(imagenet) => (imagenet.release == Release::New).then_some(imagenet32::CLASSES),
            Self::Npy(files) | Self::Idx(files) => files.classes,
            Self::Npz(files) => files.classes,
            Self::Folder(Folder { classes: Some(Classes::Named(names)), .. }) => Some(names.len()),
            Self::TwoPixel | Self::Folder(_) | Self::Table(_) | Self::Program(_) => None,
        }
    }

    /// The same data with the shape of an image written out, where it can be.
    pub(crate) fn with_shape(&self, shape: ImageShape) -> Self {
        let (mut data, sides) = (self.clone(), Some([shape.height, shape.width, shape.channels]));
        match &mut data {
            Self::Npy(files) | Self::Idx(files) => files.shape = sides,
            Self::Npz(files) => files.shape = sides,
            _ => {}
        }
        data
    }

    /// What training does to its images.
    pub fn augmentation(&self) -> Augmentation {
        match self {
            Self::Digits(_) | Self::TwoPixel | Self::Table(_) | Self::Program(_) => Augmentation::default(),
            Self::Cifar10(cifar) => cifar.augmentation,
            Self::Imagenet32(imagenet) => imagenet.augmentation,
            Self::Npy(files) | Self::Idx(files) => files.augmentation,
            Self::Npz(files) => files.augmentation,
            Self::Folder(folder) => folder.augmentation,
        }
    }

    pub(super) fn check(&self) -> Result<(), FieldError> {
        if self.condition().is_some() && !self.is_labelled() {
            let expected = "no such key, as the images have no labels";
            return Err(FieldError::new("condition", "\"label\"", expected));
        }
        match self {
            Self::Digits(_) | Self::TwoPixel | Self::Program(_) => Ok(()),
            Self::Table(table) => table.check().map(drop),
            Self::Cifar10(cifar) => files::check(cifar.levels, 256, Some(&[32, 32, 3]), cifar.augmentation),
            Self::Imagenet32(imagenet) => {
                files::check(imagenet.levels, 256, Some(&[32, 32, 3]), imagenet.augmentation)
            }
            Self::Npy(files) | Self::Idx(files) => files.check(),
            Self::Npz(files) => files.check(),
            Self::Folder(folder) => {
                files::check(folder.levels, files::MOST_LEVELS, Some(&folder.shape), folder.augmentation)?;
                if let Some(classes) = &folder.classes {
                    classes.check().map_err(|error| error.under("classes"))?;
                }
                match folder.shape[2] {
                    1 | 3 => Ok(()),
                    channels => Err(FieldError::new("shape[2]", channels.to_string(), "1 or 3 channels")),
                }
            }
        }
    }
}

/// The range of noise levels, within `[-100, 100]`; an end that is left out has its default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Range {
    /// The least noise: `-2 ln(3.0187 L)` for `L` grey levels; for rows of numbers as for 256.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gamma_min: Option<f64>,
    /// The most noise: 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gamma_max: Option<f64>,
}

impl Range {
    /// The range for pixels of `levels` grey levels, or for rows of numbers.
    pub(super) fn of(&self, levels: Option<u32>, source: &Source) -> Result<GammaRange> {
        let default = GammaRange::for_levels(levels.unwrap_or(256));
        let min = self.gamma_min.unwrap_or(default.min().0);
        let max = self.gamma_max.unwrap_or(default.max().0);
        let (key, found, other) = match (self.gamma_min, self.gamma_max) {
            (Some(_), _) => ("range.gamma_min", min, format!("below gamma_max = {max}")),
            (None, _) => ("range.gamma_max", max, format!("above gamma_min = {min}")),
        };
        for (key, end) in [("range.gamma_min", min), ("range.gamma_max", max)] {
            if !(-100.0..=100.0).contains(&end) {
                return Err(source.error(key, end, "a noise level from -100 to 100"));
            }
        }
        GammaRange::new(min, max).map_err(|_| source.error(key, found, format!("a noise level {other}")))
    }
}
