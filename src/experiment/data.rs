//! The data of a recipe.

use crate::config::{Classes, Column, Data, Divergence, Evaluation, Recipe, Validation};
use crate::data::image_files::{self, Files};
use crate::data::table::{self, Splits};
use crate::data::{
    Depth, Fingerprint, ImageShape, ImageSource, Labels, RowShape, Rows, Split, StreamedSet, TwoPixel,
};
use crate::data::{baseline, cifar10, digits, idx, imagenet32, npy};
use crate::error::{Error, Result};
use crate::registry::Registry;
use crate::result::{Baseline, Outcome};
use crate::run::RunFolder;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Pairs of pixels to train on and to measure.
const TWO_PIXEL_TRAIN: usize = 200_000;
const TWO_PIXEL_TEST: usize = 8_000;

/// The recipe with every default written out that depends on the data or on the network: the range of noise levels, the shape of
/// an image or the columns of a table, the classes where labels are asked for, the network's settings, and the divergence. Of a
/// file of images only the beginning is read.
///
/// # Errors
/// As [`Recipe::resolved`], and if a file is needed and cannot be used, or the network cannot.
pub fn resolved(recipe: &Recipe, registry: &Registry) -> Result<Recipe> {
    let mut recipe = recipe.resolved()?;
    recipe.data = match &recipe.data {
        Data::Table(table) => {
            let mut table = table.resolved();
            if table.columns.is_empty() {
                let splits = table.spec()?.load()?;
                table.columns = splits.train.columns().iter().map(|name| Column(name.clone())).collect();
            }
            Data::Table(table)
        }
        images => resolved_images(images, &recipe)?,
    };
    if recipe.data.levels().is_none() && recipe.evaluation.dequantizers == Evaluation::default().dequantizers
    {
        recipe.evaluation.dequantizers = Vec::new();
    }
    recipe.check()?;
    let shape = recipe.row_shape()?;
    recipe.evaluation.divergence.get_or_insert(match shape {
        RowShape::Vector(dims) if dims <= EXACT => Divergence::Exact,
        _ => Divergence::default(),
    });
    if recipe.network.without_name().is_none() {
        recipe.network.settings = registry.network(&recipe, shape)?.settings().clone();
    }
    Ok(recipe)
}

/// Images with their shape and classes written out.
fn resolved_images(images: &Data, recipe: &Recipe) -> Result<Data> {
    let mut data = images.clone();
    let shape = match (images, images.shape()) {
        (_, Some(_)) => None,
        (Data::Idx(files), None) => Some((&files.train, idx::shape(&files.train)?)),
        (Data::Npy(files), None) => Some((&files.train, npy::shape(&files.train, None)?)),
        (Data::Npz(files), None) => {
            Some((&files.train, npy::shape(&files.train, files.train_key.as_deref())?))
        }
        (_, None) => recipe.row_shape().map(|_| None)?,
    };
    if let Some((path, shape)) = shape {
        // The file is to blame, not a line that the recipe does not have.
        if let Some((step, expected)) = data.augmentation().misfit(shape) {
            let expected = format!("{expected}, as data.augmentation.{step} is true");
            return Err(Error::format(path, "shape of its images", shape, expected));
        }
        data = data.with_shape(shape);
    }
    match &mut data {
        Data::Npy(files) | Data::Idx(files) => count(&mut files.classes, labels(images, Split::Train)?),
        Data::Npz(files) => count(&mut files.classes, labels(images, Split::Train)?),
        Data::Folder(folder) if folder.classes == Some(Classes::Folders) => {
            folder.classes = Some(Classes::Named(image_files::classes(&folder.train)?));
        }
        _ => {}
    }
    Ok(data)
}

/// The most numbers of a row whose divergence is exact without being asked for.
const EXACT: usize = 64;

/// The number of classes, where there are labels and the recipe does not say it.
fn count(classes: &mut Option<usize>, labels: Option<(String, Vec<u16>)>) {
    if let (None, Some((_, labels))) = (&classes, labels) {
        *classes = Some(labels.into_iter().max().map_or(1, |most| usize::from(most) + 1));
    }
}

/// Every row of a run, and what the user should know of them, a line each.
pub(super) struct Loaded {
    /// What it trains on.
    pub(super) train: Rows,
    /// Training rows that are not trained on, where the recipe holds some back.
    pub(super) validation: Option<Rows>,
    /// What the result is measured on.
    pub(super) held_out: Rows,
    pub(super) warnings: Vec<String>,
}

impl Loaded {
    pub(super) fn new(train: Rows, held_out: Rows, warnings: Vec<String>) -> Self {
        Self { train, validation: None, held_out, warnings }
    }

    /// The same without the training rows that the recipe holds back.
    ///
    /// # Errors
    /// If it holds back too many.
    pub(super) fn hold_back(self, recipe: &Recipe) -> Result<Self> {
        let Some(Validation { images, seed, .. }) = recipe.validation else { return Ok(self) };
        let held = self.train.hold_back(images, seed).map_err(|error| named(recipe, error))?;
        Ok(Self { train: held.0, validation: Some(held.1), ..self })
    }
}

/// An error that a line of the recipe has made.
fn named(recipe: &Recipe, error: Error) -> Error {
    match error {
        Error::Value { name, found, expected } if name.starts_with("validation.") => {
            recipe.source.error(&name, found, expected)
        }
        other => other,
    }
}

/// The rows of a recipe.
///
/// # Errors
/// If the data cannot be read, or has another shape than the recipe says.
pub(super) fn load_both(recipe: &Recipe) -> Result<Loaded> {
    match table(recipe)? {
        Some(Splits { train, validation, test, schema, warnings }) => {
            let of = |rows, split| Rows::table(rows, schema.clone(), split);
            let warnings = warnings.iter().map(ToString::to_string).collect();
            let validation = validation.map(|rows| of(rows, Split::Validation));
            let loaded = Loaded::new(of(train, Split::Train), of(test, Split::Test), warnings);
            Ok(Loaded { validation, ..loaded })
        }
        None => {
            let (train, test) = (load(recipe, Split::Train)?, load(recipe, Split::Test)?);
            let said = passed_over(&train).into_iter().collect();
            Loaded::new(train, test, said).hold_back(recipe)
        }
    }
}

/// The rows that a run is measured on.
///
/// # Errors
/// As [`load_both`].
pub(super) fn held_out(recipe: &Recipe) -> Result<Rows> {
    match recipe.data {
        Data::Table(_) => load_both(recipe).map(|loaded| loaded.held_out),
        _ => load(recipe, Split::Test),
    }
}

/// Every split of a table, as the recipe has it.
///
/// # Errors
/// A file that cannot be read or is no such table.
pub(crate) fn table(recipe: &Recipe) -> Result<Option<Splits>> {
    match &recipe.data {
        Data::Table(table) => {
            let (spec, validation) = (table.spec()?, recipe.validation.as_ref());
            let held_back = validation.map(|validation| (validation.images, validation.seed));
            spec.load_holding_back(held_back).map(Some).map_err(|error| named(recipe, error))
        }
        _ => Ok(None),
    }
}

/// The images of one split, as training takes them.
fn load(recipe: &Recipe, split: Split) -> Result<Rows> {
    let images = open(recipe, split)?;
    let expected = recipe.row_shape()?;
    if RowShape::Image(images.shape()) != expected {
        let path = place(&recipe.data, split).map_or_else(PathBuf::new, Path::to_owned);
        let expected = format!("{expected}, as data.shape says or the training images have");
        return Err(Error::format(path, format!("shape of the {split} images"), images.shape(), expected));
    }
    let is_conditioned = recipe.data.condition().is_some();
    Ok(Rows::of(Arc::from(images), recipe.data.augmentation(), is_conditioned))
}

/// How many files beside the images were not read, in words.
pub(super) fn passed_over(rows: &Rows) -> Option<String> {
    let Rows::Images(images) = rows else { return None };
    let images = images.source();
    let (count, split) = (images.passed_over(), images.split());
    let files = if count == 1 { "file that is no image" } else { "files that are no images" };
    (count > 0).then(|| format!("{split} images: {count} {files} passed over"))
}

fn open(recipe: &Recipe, split: Split) -> Result<Box<dyn ImageSource>> {
    let is_train = split == Split::Train;
    let (data, name) = (&recipe.data, recipe.data.name());
    Ok(match data {
        Data::Digits(_) => Box::new(digits::load(split)?),
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
        Data::Npy(files) => {
            let (path, depth) =
                (chosen(split, &files.train, &files.test), Depth::reduced(files.stored(), files.levels)?);
            labelled(npy::load(path, None, name, split, depth)?, data, split)?
        }
        Data::Npz(files) => {
            let (path, depth) =
                (chosen(split, &files.train, &files.test), Depth::reduced(files.stored(), files.levels)?);
            let key = chosen(split, &files.train_key, &files.test_key).as_deref();
            labelled(npy::load(path, key, name, split, depth)?, data, split)?
        }
        Data::Idx(files) => {
            let (path, depth) =
                (chosen(split, &files.train, &files.test), Depth::reduced(files.stored(), files.levels)?);
            labelled(idx::load(path, name, split, depth)?, data, split)?
        }
        Data::Folder(folder) => {
            let [height, width, channels] = folder.shape;
            let mut files = Files::new(ImageShape::new(height, width, channels), folder.levels);
            if folder.random_crops {
                files = files.random_crops(if is_train { recipe.seed } else { 0 });
            }
            match &folder.classes {
                None => {}
                Some(Classes::Named(names)) => files = files.classes(names.clone()),
                Some(Classes::Folders) => files = files.classes(image_files::classes(&folder.train)?),
            }
            Box::new(image_files::load(chosen(split, &folder.train, &folder.test), name, split, files)?)
        }
        Data::Table(_) => return Err(Error::value("data.name", "\"table\"", "images")),
        Data::Program(rows) => {
            let found = format!("the rows \"{}\" of a program", rows.of);
            return Err(recipe.source.error("data.name", found, "data that a recipe can read"));
        }
    })
}

/// What is of the training split, or else what is of the held-out one.
fn chosen<'a, T: ?Sized>(split: Split, train: &'a T, test: &'a T) -> &'a T {
    if split == Split::Train { train } else { test }
}

/// The file or folder that a split is read from.
fn place(data: &Data, split: Split) -> Option<&Path> {
    match data {
        Data::Digits(_) | Data::TwoPixel | Data::Table(_) | Data::Program(_) => None,
        Data::Cifar10(cifar) => Some(&cifar.path),
        Data::Imagenet32(imagenet) => Some(chosen(split, &imagenet.train, &imagenet.test)),
        Data::Npy(files) | Data::Idx(files) => Some(chosen(split, &files.train, &files.test)),
        Data::Npz(files) => Some(chosen(split, &files.train, &files.test)),
        Data::Folder(folder) => Some(chosen(split, &folder.train, &folder.test)),
    }
}

/// The labels of a split, where the recipe says that there are any, and what errors call them.
fn labels(data: &Data, split: Split) -> Result<Option<(String, Vec<u16>)>> {
    let name = |path: &Path| path.display().to_string();
    Ok(match data {
        Data::Npy(files) => match chosen(split, &files.train_labels, &files.test_labels) {
            Some(path) => Some((name(path), npy::labels(path, None)?)),
            None => None,
        },
        Data::Idx(files) => match chosen(split, &files.train_labels, &files.test_labels) {
            Some(path) => Some((name(path), idx::labels(path)?)),
            None => None,
        },
        Data::Npz(files) => match chosen(split, &files.train_labels, &files.test_labels) {
            Some(key) => {
                let path = chosen(split, &files.train, &files.test);
                Some((format!("{}: {key}", name(path)), npy::labels(path, Some(key))?))
            }
            None => None,
        },
        _ => None,
    })
}

/// The images with the labels that the recipe names for them.
fn labelled(images: StreamedSet, data: &Data, split: Split) -> Result<Box<dyn ImageSource>> {
    Ok(match (labels(data, split)?, data.classes()) {
        (Some((what, labels)), Some(classes)) => {
            Box::new(images.with_labels(Labels::new(&what, labels, classes)?)?)
        }
        _ => Box::new(images),
    })
}

/// Refuses to put a result on other rows in the place of an earlier one.
///
/// # Errors
/// If `result.json` is there, and its fingerprint is another or cannot be read.
pub(super) fn check_same(run: &RunFolder, rows: &Rows) -> Result<()> {
    let path = run.result();
    if !path.exists() {
        return Ok(());
    }
    let refused = |found: String| {
        let expected = "the rows of that result (move it away to measure others)";
        Error::format(&path, "data.fingerprint", found, expected)
    };
    let unreadable = || refused("nothing that can be read".to_owned());
    let earlier = Outcome::read(&path).map_err(|_| unreadable())?.data.fingerprint;
    let same = match rows {
        Rows::Images(images) => {
            let earlier: Fingerprint = serde_json::from_value(earlier).map_err(|_| unreadable())?;
            earlier.require_same(&images.source().fingerprint()?)
        }
        Rows::Table(table) => {
            let earlier: table::Fingerprint = serde_json::from_value(earlier).map_err(|_| unreadable())?;
            earlier.require_same(&table.fingerprint())
        }
    };
    same.map_err(|error| refused(error.to_string()))
}

/// What the first `count` held-out rows cost without any network, where that is known.
///
/// # Errors
/// If the data cannot be read.
pub(super) fn baseline(recipe: &Recipe, count: usize) -> Result<Option<Baseline>> {
    Ok(match recipe.data {
        Data::Digits(_) => {
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
