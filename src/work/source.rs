//! The rows of one split, as a run trains on them and measures them: images, or rows of a table.

use crate::config::{Condition, Data, Recipe};
use crate::data::table::{Schema, Table};
use crate::data::{Augmentation, ImageSource, Labels, RowShape, Split, Visit};
use crate::error::{Error, Result};
use serde_json::Value;

/// The rows of one split.
#[derive(Debug)]
pub(crate) enum Source {
    Images(Box<dyn ImageSource>),
    Table(Box<TableRows>),
}

/// The rows of a table, in the user's units.
#[derive(Debug)]
pub(crate) struct TableRows {
    pub(crate) rows: Table,
    pub(crate) schema: Schema,
    pub(crate) split: Split,
}

/// Rows as a network is trained on them.
#[derive(Debug)]
pub(crate) struct Batch {
    /// The data that a network sees, row by row.
    pub(crate) x: Vec<f64>,
    /// As many numbers for each row as the network takes; none where all would be 0.
    pub(crate) conditioning: Option<Vec<f64>>,
    /// The grey levels of images, as they are before they are augmented.
    pub(crate) levels: Option<Vec<u16>>,
}

impl Source {
    pub(crate) fn rows(&self) -> usize {
        match self {
            Self::Images(images) => images.images(),
            Self::Table(table) => table.rows.rows(),
        }
    }

    pub(crate) fn shape(&self) -> RowShape {
        match self {
            Self::Images(images) => RowShape::Image(images.shape()),
            Self::Table(table) => RowShape::Vector(table.rows.columns().len()),
        }
    }

    /// The name of the data and the split.
    pub(crate) fn name(&self) -> (String, Split) {
        match self {
            Self::Images(images) => (images.name().to_owned(), images.split()),
            Self::Table(table) => ("table".to_owned(), table.split),
        }
    }

    /// What moves between the user's units and the network's, where there are units.
    pub(crate) fn schema(&self) -> Option<&Schema> {
        match self {
            Self::Images(_) => None,
            Self::Table(table) => Some(&table.schema),
        }
    }

    /// What the rows are, in numbers that go into a result.
    ///
    /// # Errors
    /// If the file below cannot be read.
    pub(crate) fn fingerprint(&self) -> Result<Value> {
        let value = match self {
            Self::Images(images) => serde_json::to_value(images.fingerprint()?),
            Self::Table(table) => serde_json::to_value(table.fingerprint()),
        };
        value.map_err(|error| Error::value("fingerprint", error, "values that JSON can hold"))
    }

    /// The visited rows, augmented as the recipe says or spread over the cells of their grids, with their conditions.
    ///
    /// # Errors
    /// If the file below cannot be read.
    pub(crate) fn batch(&self, recipe: &Recipe, visits: &[Visit]) -> Result<Batch> {
        match self {
            Self::Images(images) => {
                let plain = images.batch(visits)?;
                let mut levels = plain.clone();
                let augmentation = recipe.data.augmentation();
                let augmented = match augmentation == Augmentation::default() {
                    true => None,
                    false => {
                        Some(augmentation.apply_batch(recipe.seed, visits, images.shape(), &mut levels)?)
                    }
                };
                let labels = labels(recipe, &**images);
                let labels =
                    labels.map(|all| visits.iter().map(|visit| all[visit.index]).collect::<Vec<_>>());
                let conditioning = match (&augmented, labels) {
                    (None, None) => None,
                    (Some(numbers), None) => Some(numbers.iter().map(|&number| f64::from(number)).collect()),
                    (numbers, Some(labels)) => {
                        let mut given = of_classes(&labels, recipe.data.conditions());
                        let each = given.len() / labels.len().max(1);
                        for (row, &number) in numbers.iter().flatten().enumerate() {
                            given[row * each] = f64::from(number);
                        }
                        Some(given)
                    }
                };
                Ok(Batch { x: images.grid().centres(&levels), conditioning, levels: Some(plain) })
            }
            Self::Table(table) => {
                let (schema, width) = (&table.schema, table.rows.columns().len());
                let mut x = Vec::with_capacity(visits.len() * width);
                let mut conditions = Vec::with_capacity(visits.len() * schema.conditions().len());
                for visit in visits {
                    x.extend_from_slice(table.row(visit.index));
                    conditions.extend_from_slice(table.conditions(visit.index));
                    if !schema.grid().is_empty() {
                        let start = x.len() - width;
                        schema.dequantize(&mut x[start..], &mut visit.generator(recipe.seed, "grid"));
                    }
                }
                let conditioning = table.conditioning(&conditions);
                Ok(Batch { x: schema.scaling().forward(&x), conditioning, levels: None })
            }
        }
    }
}

impl TableRows {
    /// A row in the user's units.
    pub(crate) fn row(&self, index: usize) -> &[f64] {
        let width = self.rows.columns().len();
        &self.rows.values()[index * width..(index + 1) * width]
    }

    /// The conditions of a row in the user's units.
    pub(crate) fn conditions(&self, index: usize) -> &[f64] {
        let width = self.rows.conditions().len();
        &self.rows.condition_values()[index * width..(index + 1) * width]
    }

    /// What a network takes for rows with these conditions.
    pub(crate) fn conditioning(&self, conditions: &[f64]) -> Option<Vec<f64>> {
        conditioning(&self.schema, conditions)
    }

    pub(crate) fn fingerprint(&self) -> crate::data::table::Fingerprint {
        self.rows.fingerprint("table", self.split)
    }
}

/// The labels of images that are conditioned on them.
pub(crate) fn labels<'i>(recipe: &Recipe, images: &'i dyn ImageSource) -> Option<&'i [u16]> {
    recipe.data.condition().and_then(|Condition::Label| images.labels()).map(Labels::values)
}

/// What a network takes for images of these classes: 0 for the number of augmentation, then 1 for the image's class and 0 for the others.
pub(crate) fn of_classes(labels: &[u16], classes: usize) -> Vec<f64> {
    let mut given = vec![0.0; labels.len() * (1 + classes)];
    for (own, &label) in given.chunks_exact_mut(1 + classes).zip(labels) {
        own[1 + usize::from(label)] = 1.0;
    }
    given
}

/// What a network takes for rows with these conditions, given in the user's units, row by row: 0 for the number of augmentation, then the
/// standardised conditions.
pub(crate) fn conditioning(schema: &Schema, conditions: &[f64]) -> Option<Vec<f64>> {
    let each = schema.conditions().len();
    if each == 0 {
        return None;
    }
    let scaled = schema.condition_scaling().forward(conditions);
    Some(scaled.chunks_exact(each).flat_map(|row| std::iter::once(0.0).chain(row.iter().copied())).collect())
}

/// Both splits of a table, as the recipe has it.
///
/// # Errors
/// A file that cannot be read or is no such table.
pub(crate) fn table(recipe: &Recipe) -> Result<Option<crate::data::table::Splits>> {
    match &recipe.data {
        Data::Table(table) => Ok(Some(table.spec()?.load()?)),
        _ => Ok(None),
    }
}
