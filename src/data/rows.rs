//! The rows of one split, as a network is trained on them and measured on them: images, or rows of a table.

use super::table::{self, Schema, Table};
use super::{Augmentation, ImageSource, Labels, Position, RowShape, Shuffle, Split, Visit};
use crate::error::{Error, Result};
use serde_json::Value;
use std::sync::Arc;

/// The rows of one split, with what training does to them and what they are conditioned on. A clone shares them.
///
/// ```
/// use idode::data::{Augmentation, Position, Rows, Split, digits};
///
/// # fn main() -> idode::error::Result<()> {
/// let flips = Augmentation { flip: true, ..Augmentation::default() };
/// let rows = Rows::images(digits::load(Split::Train)?).augmented(flips)?.conditioned()?;
/// let start = Position { seed: 7, visited: 0 };
/// let batch = rows.batches(start, 32)?.next().expect("they have no end")?;
/// assert_eq!(batch.x.len(), 32 * 64);
/// // Whether it was flipped, and one number a class.
/// assert_eq!(batch.conditioning.expect("two reasons").len(), 32 * (1 + 10));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub enum Rows {
    /// Images.
    Images(Images),
    /// Rows of a table.
    Table(Arc<TableRows>),
}

/// Images in training.
#[derive(Clone, Debug)]
pub struct Images {
    source: Arc<dyn ImageSource>,
    augmentation: Augmentation,
    is_conditioned: bool,
}

/// The rows of a table, in the user's units.
#[derive(Clone, Debug)]
pub struct TableRows {
    /// The values.
    pub rows: Table,
    /// What moves between the user's units and the network's.
    pub schema: Schema,
    /// Which part of the table they are.
    pub split: Split,
}

/// Rows as a network is trained on them.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The data that a network sees, row by row.
    pub x: Vec<f64>,
    /// As many numbers for each row as the network takes; none where all would be 0.
    pub conditioning: Option<Vec<f64>>,
    /// The grey levels of images, as they are before they are augmented.
    pub levels: Option<Vec<u16>>,
    /// Which rows they are.
    pub visits: Vec<Visit>,
    /// Where the order of rows stands after them.
    pub after: Position,
}

/// Batches without end, each epoch in an order of its own; an item is an error where a file below cannot be read.
#[derive(Clone, Debug)]
pub struct Batches<'r> {
    rows: &'r Rows,
    order: Shuffle,
    size: usize,
}

impl Iterator for Batches<'_> {
    type Item = Result<Batch>;

    fn next(&mut self) -> Option<Result<Batch>> {
        let visits = self.order.next_batch(self.size);
        Some(self.rows.batch(self.order.position(), visits))
    }
}

impl Rows {
    /// Images as they are.
    pub fn images(source: impl ImageSource + 'static) -> Self {
        Self::of(Arc::new(source), Augmentation::default(), false)
    }

    /// Rows of a table.
    pub fn table(rows: Table, schema: Schema, split: Split) -> Self {
        Self::Table(Arc::new(TableRows { rows, schema, split }))
    }

    pub(crate) fn of(source: Arc<dyn ImageSource>, augmentation: Augmentation, is_conditioned: bool) -> Self {
        Self::Images(Images { source, augmentation, is_conditioned })
    }

    /// The same images, augmented in training.
    ///
    /// # Errors
    /// Rows of a table, or images that a step would give another shape.
    pub fn augmented(self, augmentation: Augmentation) -> Result<Self> {
        let images = self.into_images("augmentation")?;
        augmentation.check(images.source.shape())?;
        Ok(Self::Images(Images { augmentation, ..images }))
    }

    /// The same images, each conditioned on its class.
    ///
    /// # Errors
    /// Rows of a table, or images without labels.
    pub fn conditioned(self) -> Result<Self> {
        let images = self.into_images("class")?;
        if images.source.labels().is_none() {
            return Err(Error::value("condition", "images without labels", "images with a label each"));
        }
        Ok(Self::Images(Images { is_conditioned: true, ..images }))
    }

    fn into_images(self, what: &str) -> Result<Images> {
        match self {
            Self::Images(images) => Ok(images),
            Self::Table(_) => Err(Error::value(what, "rows of a table", "images")),
        }
    }

    /// The number of rows.
    pub fn rows(&self) -> usize {
        match self {
            Self::Images(images) => images.source.images(),
            Self::Table(table) => table.rows.rows(),
        }
    }

    /// The shape of a row.
    pub fn shape(&self) -> RowShape {
        match self {
            Self::Images(images) => RowShape::Image(images.source.shape()),
            Self::Table(table) => RowShape::Vector(table.rows.columns().len()),
        }
    }

    /// The name of the data and the split.
    pub fn name(&self) -> (String, Split) {
        match self {
            Self::Images(images) => (images.source.name().to_owned(), images.source.split()),
            Self::Table(table) => ("table".to_owned(), table.split),
        }
    }

    /// The number of grey levels, where rows are images.
    pub fn levels(&self) -> Option<u32> {
        match self {
            Self::Images(images) => Some(images.source.grid().levels()),
            Self::Table(_) => None,
        }
    }

    /// The numbers of the data that each row is conditioned on.
    pub fn conditions(&self) -> usize {
        match self {
            Self::Images(images) => images.labels().map_or(0, Labels::classes),
            Self::Table(table) => table.schema.conditions().len(),
        }
    }

    /// What moves between the user's units and the network's, where there are units.
    pub fn schema(&self) -> Option<&Schema> {
        match self {
            Self::Images(_) => None,
            Self::Table(table) => Some(&table.schema),
        }
    }

    /// What the rows are, in numbers that go into a result.
    ///
    /// # Errors
    /// If the file below cannot be read.
    pub fn fingerprint(&self) -> Result<Value> {
        let value = match self {
            Self::Images(images) => serde_json::to_value(images.source.fingerprint()?),
            Self::Table(table) => serde_json::to_value(table.fingerprint()),
        };
        value.map_err(|error| Error::value("fingerprint", error, "values that JSON can hold"))
    }

    /// Batches of `size` rows from a position of the order on, which is also the seed of what is drawn with each visit.
    ///
    /// # Errors
    /// Unless there are 1 to 2^32 - 1 rows.
    pub fn batches(&self, from: Position, size: usize) -> Result<Batches<'_>> {
        Ok(Batches { rows: self, order: Shuffle::resume(self.rows(), from)?, size })
    }

    /// The first `count` rows, in their order, with the draws of epoch 0.
    ///
    /// # Errors
    /// As [`batches`](Self::batches), and if the file below cannot be read.
    pub(crate) fn first(&self, seed: u64, count: usize) -> Result<Batch> {
        let visits = (0..self.rows().min(count)).map(Visit::from).collect();
        self.batch(Position { seed, visited: 0 }, visits)
    }

    /// The visited rows, augmented or spread over the cells of their grids, with their conditions.
    fn batch(&self, after: Position, visits: Vec<Visit>) -> Result<Batch> {
        match self {
            Self::Images(images) => images.batch(after, visits),
            Self::Table(table) => Ok(table.batch(after, visits)),
        }
    }
}

impl Images {
    /// The images themselves.
    pub fn source(&self) -> &dyn ImageSource {
        &*self.source
    }

    pub(super) fn shared(&self) -> &Arc<dyn ImageSource> {
        &self.source
    }

    /// What training does to them.
    pub fn augmentation(&self) -> Augmentation {
        self.augmentation
    }

    /// The labels, if the images are conditioned on them.
    pub fn labels(&self) -> Option<&Labels> {
        self.source.labels().filter(|_| self.is_conditioned)
    }

    fn batch(&self, after: Position, visits: Vec<Visit>) -> Result<Batch> {
        let images = &self.source;
        let plain = images.batch(&visits)?;
        let mut levels = plain.clone();
        let augmented = match self.augmentation == Augmentation::default() {
            true => None,
            false => {
                let (shape, levels) = (images.shape(), &mut levels);
                Some(self.augmentation.apply_batch(after.seed, &visits, shape, levels)?)
            }
        };
        let conditioning = match (&augmented, self.labels()) {
            (None, None) => None,
            (Some(numbers), None) => Some(numbers.iter().map(|&number| f64::from(number)).collect()),
            (numbers, Some(labels)) => {
                let own: Vec<u16> = visits.iter().map(|visit| labels.values()[visit.index]).collect();
                let mut given = of_classes(&own, labels.classes());
                let each = given.len() / own.len().max(1);
                for (row, &number) in numbers.as_deref().unwrap_or_default().iter().enumerate() {
                    given[row * each] = f64::from(number);
                }
                Some(given)
            }
        };
        Ok(Batch { x: images.grid().centres(&levels), conditioning, levels: Some(plain), visits, after })
    }
}

impl TableRows {
    fn batch(&self, after: Position, visits: Vec<Visit>) -> Batch {
        let (schema, width) = (&self.schema, self.rows.columns().len());
        let mut x = Vec::with_capacity(visits.len() * width);
        let mut conditions = Vec::with_capacity(visits.len() * schema.conditions().len());
        for visit in &visits {
            x.extend_from_slice(self.row(visit.index));
            conditions.extend_from_slice(self.conditions(visit.index));
            if !schema.grid().is_empty() {
                let start = x.len() - width;
                schema.dequantize(&mut x[start..], &mut visit.generator(after.seed, "grid"));
            }
        }
        let conditioning = conditioning(schema, &conditions);
        Batch { x: schema.scaling().forward(&x), conditioning, levels: None, visits, after }
    }

    /// A row in the user's units.
    fn row(&self, index: usize) -> &[f64] {
        let width = self.rows.columns().len();
        &self.rows.values()[index * width..(index + 1) * width]
    }

    /// The conditions of a row in the user's units.
    pub(crate) fn conditions(&self, index: usize) -> &[f64] {
        let width = self.rows.conditions().len();
        &self.rows.condition_values()[index * width..(index + 1) * width]
    }

    pub(crate) fn fingerprint(&self) -> table::Fingerprint {
        self.rows.fingerprint("table", self.split)
    }
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
    let mut given = Vec::with_capacity(scaled.len() / each * (1 + each));
    for row in scaled.chunks_exact(each) {
        given.push(0.0);
        given.extend_from_slice(row);
    }
    Some(given)
}
