//! The data of a recipe.

use super::source::{Source, TableRows, table};
use crate::config::{ArrayFiles, Column, Data, Divergence, Evaluation, Recipe};
use crate::data::image_files::{self, Files};
use crate::data::table::{self, Splits};
use crate::data::{Depth, Fingerprint, ImageShape, ImageSource, RowShape, Split, TwoPixel};
use crate::data::{baseline, cifar10, digits, idx, imagenet32, npy};
use crate::error::{Error, Result};
use crate::pixels::PixelGrid;
use crate::registry::Registry;
use crate::result::{Baseline, Outcome};
use crate::run::RunFolder;
use std::path::Path;

/// Pairs of pixels to train on and to measure.
const TWO_PIXEL_TRAIN: usize = 200_000;
const TWO_PIXEL_TEST: usize = 8_000;

/// The recipe with every default that depends on the data or on the network written out: the range of noise levels, the
/// shape of an image, for which only the beginning of a file is read, or the columns of a table; the network's settings; and the
/// divergence.
///
/// # Errors
/// As [`Recipe::resolved`], and if the file is needed and cannot be used, or the network cannot.
pub fn resolved(recipe: &Recipe, registry: &Registry) -> Result<Recipe> {
    let mut recipe = recipe.resolved()?;
    match &recipe.data {
        Data::Table(table) => {
            let mut table = table.resolved();
            if table.columns.is_empty() {
                let splits = table.spec()?.load()?;
                table.columns = splits.train.columns().iter().map(|name| Column(name.clone())).collect();
            }
            recipe.data = Data::Table(table);
            if recipe.evaluation.dequantizers == Evaluation::default().dequantizers {
                recipe.evaluation.dequantizers = Vec::new();
            }
        }
        _ => {
            let shape = match (&recipe.data, recipe.data.shape()) {
                (_, Some(shape)) => shape,
                (Data::Idx(files), None) => idx::shape(&files.train)?,
                (Data::Npy(files) | Data::Npz(files), None) => {
                    npy::shape(&files.train, files.train_key.as_deref())?
                }
                (_, None) => image_shape(&recipe)?,
            };
            recipe.data.augmentation().check(shape)?;
            recipe.data = recipe.data.with_shape(shape);
        }
    }
    recipe.check()?;
    let shape = shape(&recipe)?;
    recipe.evaluation.divergence.get_or_insert(match shape {
        RowShape::Vector(dims) if dims <= EXACT => Divergence::Exact,
        _ => Divergence::default(),
    });
    recipe.network.settings = registry.network(&recipe, shape)?.settings().clone();
    Ok(recipe)
}

/// The most numbers of a row whose divergence is exact without being asked for.
const EXACT: usize = 64;

/// The shape of a row, as the recipe has it once it is [`resolved`].
///
/// # Errors
/// If it depends on a file, and the recipe is not resolved.
pub(crate) fn shape(recipe: &Recipe) -> Result<RowShape> {
    match &recipe.data {
        Data::Table(_) => recipe.data.row_shape().ok_or_else(|| {
            let expected = "the columns, since the data is not looked at";
            recipe.source.error("data.columns", "nothing", expected)
        }),
        _ => image_shape(recipe).map(RowShape::Image),
    }
}

fn image_shape(recipe: &Recipe) -> Result<ImageShape> {
    recipe.data.shape().ok_or_else(|| {
        let expected = "the shape [height, width, channels], since the data is not looked at";
        recipe.source.error("data.shape", "nothing", expected)
    })
}

/// The rows that a run trains on, those that it is measured on, and what the user should know of them, a line each.
///
/// # Errors
/// If the data cannot be read, or has another shape than the recipe says.
pub(crate) fn load_both(recipe: &Recipe) -> Result<(Source, Source, Vec<String>)> {
    match table(recipe)? {
        Some(Splits { train, test, schema, warnings }) => {
            let of = |rows, split| Source::Table(Box::new(TableRows { rows, schema: schema.clone(), split }));
            let warnings = warnings.iter().map(ToString::to_string).collect();
            Ok((of(train, Split::Train), of(test, Split::Test), warnings))
        }
        None => {
            let images = |split| load(recipe, split).map(Source::Images);
            Ok((images(Split::Train)?, images(Split::Test)?, Vec::new()))
        }
    }
}

/// The rows that a run is measured on.
///
/// # Errors
/// As [`load_both`].
pub(crate) fn held_out(recipe: &Recipe) -> Result<Source> {
    match recipe.data {
        Data::Table(_) => load_both(recipe).map(|(_, held_out, _)| held_out),
        _ => load(recipe, Split::Test).map(Source::Images),
    }
}

/// The images of one split.
fn load(recipe: &Recipe, split: Split) -> Result<Box<dyn ImageSource>> {
    let images = open(recipe, split)?;
    let expected = image_shape(recipe)?;
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
        Data::Table(_) => return Err(Error::value("data.name", "\"table\"", "images")),
    })
}

fn place(files: &ArrayFiles, is_train: bool) -> (&Path, Option<&str>) {
    match is_train {
        true => (&files.train, files.train_key.as_deref()),
        false => (&files.test, files.test_key.as_deref()),
    }
}

/// Refuses to put a result on other rows in the place of an earlier one.
///
/// # Errors
/// If `result.json` is there, and its fingerprint is another.
pub(super) fn check_same(run: &RunFolder, rows: &Source) -> Result<()> {
    let path = run.result();
    let Ok(earlier) = Outcome::read(&path) else { return Ok(()) };
    let earlier = earlier.data.fingerprint;
    let same = match rows {
        Source::Images(images) => match serde_json::from_value::<Fingerprint>(earlier) {
            Ok(earlier) => earlier.require_same(&images.fingerprint()?),
            Err(_) => Ok(()),
        },
        Source::Table(table) => match serde_json::from_value::<table::Fingerprint>(earlier) {
            Ok(earlier) => earlier.require_same(&table.fingerprint()),
            Err(_) => Ok(()),
        },
    };
    same.map_err(|error| {
        let expected = "the rows of that result (move it away to measure others)";
        Error::format(path, "data.fingerprint", error, expected)
    })
}

/// What the first `count` held-out rows cost without any network, where that is known.
///
/// # Errors
/// If the data cannot be read.
pub(super) fn baseline(recipe: &Recipe, count: usize) -> Result<Option<Baseline>> {
    Ok(match recipe.data {
        Data::Digits => {
            let test = digits::load(Split::Test)?.truncated(count);
            let bits = baseline::independent_pixels(&digits::load(Split::Train)?, &test)?;
            Some(Baseline::bits("independent pixels", bits.bits_per_dim))
        }
        Data::TwoPixel => Some(Baseline::bits("exact entropy", TwoPixel::new().entropy_bits_per_dim())),
        Data::Table(_) => {
            let Some(Splits { train, test, .. }) = table(recipe)? else { return Ok(None) };
            let dims = train.columns().len();
            baseline::normal(dims, train.values(), test.truncated(count).values())
                .map(|nats| Baseline::nats("normal distribution", nats, dims))
        }
        _ => None,
    })
}
