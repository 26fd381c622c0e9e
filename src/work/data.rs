//! The images of a recipe.

use crate::config::{ArrayFiles, Data, Recipe};
use crate::data::image_files::{self, Files};
use crate::data::{Depth, Fingerprint, ImageShape, ImageSource, Split, TwoPixel};
use crate::data::{baseline, cifar10, digits, idx, imagenet32, npy};
use crate::error::{Error, Result};
use crate::pixels::PixelGrid;
use crate::result::{Baseline, Outcome};
use crate::run::RunFolder;
use std::path::Path;

/// Pairs of pixels to train on and to measure.
const TWO_PIXEL_TRAIN: usize = 200_000;
const TWO_PIXEL_TEST: usize = 8_000;

/// The recipe with every default that depends on the data written out: the range of noise levels, and the shape of
/// an image, for which only the beginning of a file is read.
///
/// # Errors
/// As [`Recipe::resolved`], and if the file is needed and cannot be used.
pub fn resolved(recipe: &Recipe) -> Result<Recipe> {
    let recipe = recipe.resolved()?;
    let shape = match (&recipe.data, recipe.data.shape()) {
        (_, Some(_)) => return Ok(recipe),
        (Data::Idx(files), None) => idx::shape(&files.train)?,
        (Data::Npy(files) | Data::Npz(files), None) => npy::shape(&files.train, files.train_key.as_deref())?,
        (_, None) => shape(&recipe)?,
    };
    recipe.data.augmentation().check(shape)?;
    let recipe = Recipe { data: recipe.data.with_shape(shape), ..recipe };
    recipe.check()?;
    Ok(recipe)
}

/// The shape of the images, as the recipe has it once it is [`resolved`].
///
/// # Errors
/// If it depends on a file, and the recipe is not resolved.
pub(crate) fn shape(recipe: &Recipe) -> Result<ImageShape> {
    recipe.data.shape().ok_or_else(|| {
        let expected = "the shape [height, width, channels], since the data is not looked at";
        recipe.source.error("data.shape", "nothing", expected)
    })
}

/// The images of one split.
///
/// # Errors
/// If the data cannot be read, or has another shape than the recipe says.
pub(crate) fn load(recipe: &Recipe, split: Split) -> Result<Box<dyn ImageSource>> {
    let images = open(recipe, split)?;
    let expected = shape(recipe)?;
    if images.shape() != expected {
        let what = format!("data.shape of the {split} images");
        return Err(recipe.source.error(&what, images.shape(), expected.to_string()));
    }
    Ok(images)
}

fn open(recipe: &Recipe, split: Split) -> Result<Box<dyn ImageSource>> {
    let is_train = split == Split::Train;
    let name = recipe.data.name();
    Ok(match &recipe.data {
        Data::Digits => Box::new(digits::load(split)?),
        // Seeds of the data itself: independent of the run's.
        Data::TwoPixel if is_train => Box::new(TwoPixel::new().sample(TWO_PIXEL_TRAIN, 1, split)?),
        Data::TwoPixel => Box::new(TwoPixel::new().sample(TWO_PIXEL_TEST, 2, split)?),
        Data::Cifar10(cifar) => Box::new(cifar10::load(&cifar.path, split, cifar.levels)?),
        Data::Imagenet32(imagenet) => {
            // Nothing else was published to be measured on.
            let (path, split) = match is_train {
                true => (&imagenet.train, Split::Train),
                false => (&imagenet.test, Split::Validation),
            };
            Box::new(imagenet32::load(path, imagenet.release, split, imagenet.levels)?)
        }
        Data::Npy(files) | Data::Npz(files) => {
            let (path, key) = place(files, is_train);
            let depth = Depth::reduced(files.stored_levels.unwrap_or(files.levels), files.levels)?;
            Box::new(npy::load(path, key, name, split, depth)?)
        }
        Data::Idx(files) => {
            let path = place(files, is_train).0;
            Box::new(idx::read_images(path, None, name, split, PixelGrid::new(files.levels)?)?)
        }
        Data::Folder(folder) => {
            let [height, width, channels] = folder.shape;
            let files = Files::new(ImageShape::new(height, width, channels), folder.levels);
            let (path, seed) = if is_train { (&folder.train, recipe.seed) } else { (&folder.test, 0) };
            let files = if folder.random_crops { files.random_crops(seed) } else { files };
            Box::new(image_files::load(path, name, split, files)?)
        }
    })
}

fn place(files: &ArrayFiles, is_train: bool) -> (&Path, Option<&str>) {
    match is_train {
        true => (&files.train, files.train_key.as_deref()),
        false => (&files.test, files.test_key.as_deref()),
    }
}

/// Refuses to put a result on other images in the place of an earlier one.
///
/// # Errors
/// If `result.json` is there, and its fingerprint is another or cannot be read.
pub(super) fn check_same(run: &RunFolder, images: &Fingerprint) -> Result<()> {
    let path = run.result();
    if !path.exists() {
        return Ok(());
    }
    let refused = |found: String| {
        let expected = "the images of that result (move it away to measure others)";
        Error::format(&path, "data.fingerprint", found, expected)
    };
    let unreadable = || refused("nothing that can be read".to_owned());
    let earlier = Outcome::read(&path).map_err(|_| unreadable())?;
    let earlier: Fingerprint = serde_json::from_value(earlier.data.fingerprint).map_err(|_| unreadable())?;
    earlier.require_same(images).map_err(|error| refused(error.to_string()))
}

/// What the first `count` held-out images cost without any network, where that is known.
///
/// # Errors
/// If the data cannot be read.
pub(super) fn baseline(recipe: &Recipe, count: usize) -> Result<Option<Baseline>> {
    Ok(match recipe.data {
        Data::Digits => {
            let test = digits::load(Split::Test)?.truncated(count);
            let bits = baseline::independent_pixels(&digits::load(Split::Train)?, &test)?;
            Some(Baseline { name: "independent pixels".to_owned(), bits_per_dim: bits.bits_per_dim })
        }
        Data::TwoPixel => {
            let exact = TwoPixel::new().entropy_bits_per_dim();
            Some(Baseline { name: "exact entropy".to_owned(), bits_per_dim: exact })
        }
        _ => None,
    })
}
