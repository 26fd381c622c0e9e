//! A data set held in memory.

use crate::data::fingerprint::{Fingerprint, Fingerprinter};
use crate::data::labels::Labels;
use crate::data::shape::ImageShape;
use crate::data::shuffle::Visit;
use crate::data::source::{ImageSource, Split};
use crate::error::{Error, Result};
use crate::pixels::PixelGrid;

/// Images of one shape as grey levels, row-major (image, height, width, channels).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageSet {
    name: String,
    split: Split,
    shape: ImageShape,
    grid: PixelGrid,
    pixels: Vec<u16>,
    labels: Option<Labels>,
}

impl ImageSet {
    /// A set of `pixels.len() / shape.dims()` images without labels.
    ///
    /// # Errors
    /// If `pixels` is no positive whole number of images, or a level is not below the grid's number.
    pub fn new(
        name: impl Into<String>,
        split: Split,
        shape: ImageShape,
        grid: PixelGrid,
        pixels: Vec<u16>,
    ) -> Result<Self> {
        let (name, d) = (name.into(), shape.dims());
        if d == 0 || pixels.is_empty() || !pixels.len().is_multiple_of(d) {
            let expected = format!("a positive multiple of {d} ({shape})");
            return Err(Error::value(format!("{name}: number of levels given"), pixels.len(), expected));
        }
        check_levels(&name, 0, d, grid, &pixels)?;
        Ok(Self { name, split, shape, grid, pixels, labels: None })
    }

    /// The same images with a class for each.
    ///
    /// # Errors
    /// Unless there is one label per image.
    pub fn with_labels(self, labels: Labels) -> Result<Self> {
        let found = labels.values().len();
        if found != self.images() {
            let expected = format!("{}, one per image", self.images());
            return Err(Error::value(format!("{}: labels", self.name), found, expected));
        }
        Ok(Self { labels: Some(labels), ..self })
    }

    /// The first `images` images, or all if there are fewer.
    pub fn truncated(mut self, images: usize) -> Self {
        let images = images.clamp(1, self.images());
        self.pixels.truncate(images * self.shape.dims());
        if let Some(labels) = &mut self.labels {
            labels.truncate(images);
        }
        self
    }

    /// Reads a whole source into memory (epoch 0 of each image).
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn collect(source: &dyn ImageSource) -> Result<Self> {
        let visits: Vec<Visit> = (0..source.images()).map(Visit::from).collect();
        let pixels = source.batch(&visits)?;
        let set = Self::new(source.name(), source.split(), source.shape(), source.grid(), pixels)?;
        match source.labels() {
            None => Ok(set),
            Some(labels) => set.with_labels(labels.clone()),
        }
    }

    /// The levels of image `index`, if there is one.
    pub fn row(&self, index: usize) -> Option<&[u16]> {
        let d = self.shape.dims();
        let start = index.checked_mul(d)?;
        self.pixels.get(start..start.checked_add(d)?)
    }

    /// The levels of each image in turn.
    pub fn rows(&self) -> std::slice::ChunksExact<'_, u16> {
        self.pixels.chunks_exact(self.shape.dims())
    }

    /// All levels, row-major (image, height, width, channels).
    pub fn pixels(&self) -> &[u16] {
        &self.pixels
    }
}

/// Checks that every level is below the grid's number; `first` is the index of the first image.
pub(crate) fn check_levels(
    name: &str,
    first: usize,
    d: usize,
    grid: PixelGrid,
    pixels: &[u16],
) -> Result<()> {
    match pixels.iter().position(|&k| u32::from(k) >= grid.levels()) {
        None => Ok(()),
        Some(at) => {
            let what = format!("{name}: image {}, value {}", first + at / d, at % d);
            Err(Error::value(what, pixels[at], format!("a level below {}", grid.levels())))
        }
    }
}

/// Checks the indices of visits.
pub(crate) fn check_visits(name: &str, images: usize, visits: &[Visit]) -> Result<()> {
    match visits.iter().find(|v| v.index >= images) {
        None => Ok(()),
        Some(v) => Err(Error::value(format!("{name}: image"), v.index, format!("0 to {}", images - 1))),
    }
}

impl ImageSource for ImageSet {
    fn name(&self) -> &str {
        &self.name
    }

    fn split(&self) -> Split {
        self.split
    }

    fn shape(&self) -> ImageShape {
        self.shape
    }

    fn grid(&self) -> PixelGrid {
        self.grid
    }

    fn images(&self) -> usize {
        self.pixels.len() / self.shape.dims()
    }

    fn read(&self, visits: &[Visit], rows: &mut Vec<u16>) -> Result<()> {
        check_visits(&self.name, self.images(), visits)?;
        for row in visits.iter().filter_map(|v| self.row(v.index)) {
            rows.extend_from_slice(row);
        }
        Ok(())
    }

    fn fingerprint(&self) -> Result<Fingerprint> {
        let mut f = Fingerprinter::new(self.shape, self.grid);
        self.rows().for_each(|row| f.update(row));
        Ok(f.finish())
    }

    fn labels(&self) -> Option<&Labels> {
        self.labels.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set() -> ImageSet {
        let grid = PixelGrid::new(6).unwrap();
        ImageSet::new("toy", Split::Train, ImageShape::new(1, 2, 1), grid, (0..6).collect()).unwrap()
    }

    fn labels(values: Vec<u16>) -> Labels {
        Labels::new("toy", values, 3).unwrap()
    }

    #[test]
    fn rows_by_index() {
        let s = set();
        assert_eq!(s.images(), 3);
        assert_eq!(s.batch(&[2.into(), 0.into(), 2.into()]).unwrap(), [4, 5, 0, 1, 4, 5]);
        assert_eq!(s.row(1), Some(&[2u16, 3][..]));
        assert_eq!(s.row(3), None);
        assert_eq!(s.row(usize::MAX), None);
        assert_eq!(ImageSet::collect(&s).unwrap(), s);
        assert_eq!(s.truncated(2).pixels(), [0, 1, 2, 3]);
        let labelled = set().with_labels(labels(vec![2, 0, 1])).unwrap();
        assert_eq!(ImageSet::collect(&labelled).unwrap(), labelled);
        assert_eq!(labelled.truncated(2).labels(), Some(&labels(vec![2, 0])));
    }

    #[test]
    fn bad_input_is_named() {
        let (shape, grid) = (ImageShape::new(1, 2, 1), PixelGrid::new(6).unwrap());
        let line = |r: Result<ImageSet>| r.unwrap_err().to_string();
        let odd = ImageSet::new("toy", Split::Test, shape, grid, vec![0; 3]);
        assert_eq!(line(odd), "toy: number of levels given = 3: expected a positive multiple of 2 (1x2x1)");
        let high = ImageSet::new("toy", Split::Test, shape, grid, vec![0, 1, 2, 6]);
        assert_eq!(line(high), "toy: image 1, value 1 = 6: expected a level below 6");
        assert_eq!(line(set().with_labels(labels(vec![1]))), "toy: labels = 1: expected 3, one per image");
        let far = set().batch(&[3.into()]).unwrap_err().to_string();
        assert_eq!(far, "toy: image = 3: expected 0 to 2");
    }
}
