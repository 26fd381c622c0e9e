//! Training rows that are not trained on.

use super::fingerprint::Fingerprinter;
use super::{Fingerprint, ImageShape, ImageSource, Labels, Rows, Shuffle, Split, TableRows, Visit};
use crate::error::{Error, Result};
use crate::pixels::PixelGrid;
use std::sync::Arc;

/// The indices that stay and those that are held back: the first `count` of a permutation drawn from `seed`, in its order, so that the
/// first of them stand for all; what stays keeps its order.
///
/// # Errors
/// Unless at least two rows stay.
pub(crate) fn draw(rows: usize, count: u64, seed: u64) -> Result<(Vec<usize>, Vec<usize>)> {
    let most = rows.saturating_sub(2);
    let taken = usize::try_from(count).ok().filter(|taken| (1..=most).contains(taken));
    let Some(taken) = taken else {
        let expected = format!("1 to {most}: of {rows} training rows, two at least are trained on");
        return Err(Error::value("validation.images", count, expected));
    };
    let (mut held, mut stays) = (Vec::with_capacity(taken), vec![true; rows]);
    for visit in &Shuffle::new(rows, seed)?.next_batch(taken) {
        held.push(visit.index);
        stays[visit.index] = false;
    }
    let mut kept = Vec::with_capacity(rows - taken);
    for (index, stays) in stays.iter().enumerate() {
        if *stays {
            kept.push(index);
        }
    }
    Ok((kept, held))
}

impl Rows {
    /// What is left to train on, and `count` rows that are held back, which `seed` draws; these are not augmented.
    ///
    /// # Errors
    /// Unless at least two rows are left.
    pub fn hold_back(&self, count: u64, seed: u64) -> Result<(Self, Self)> {
        let (kept, held) = draw(self.rows(), count, seed)?;
        Ok(match self {
            Self::Images(images) => {
                let source = images.shared();
                let part = |indices, split| Arc::new(Chosen::new(source.clone(), indices, split));
                let is_conditioned = images.labels().is_some();
                let held = Self::of(part(held, Split::Validation), Default::default(), is_conditioned);
                (Self::of(part(kept, Split::Train), images.augmentation(), is_conditioned), held)
            }
            Self::Table(table) => {
                let TableRows { rows, schema, .. } = &**table;
                let part = |indices: &[usize], split| Self::table(rows.at(indices), schema.clone(), split);
                (part(&kept, Split::Train), part(&held, Split::Validation))
            }
        })
    }
}

/// Some images of a source.
#[derive(Debug)]
struct Chosen {
    source: Arc<dyn ImageSource>,
    indices: Vec<usize>,
    split: Split,
    labels: Option<Labels>,
}

impl Chosen {
    fn new(source: Arc<dyn ImageSource>, indices: Vec<usize>, split: Split) -> Self {
        let labels = source.labels().map(|labels| labels.at(&indices));
        Self { source, indices, split, labels }
    }
}

impl ImageSource for Chosen {
    fn name(&self) -> &str {
        self.source.name()
    }

    fn split(&self) -> Split {
        self.split
    }

    fn shape(&self) -> ImageShape {
        self.source.shape()
    }

    fn grid(&self) -> PixelGrid {
        self.source.grid()
    }

    fn images(&self) -> usize {
        self.indices.len()
    }

    fn read(&self, visits: &[Visit], rows: &mut Vec<u16>) -> Result<()> {
        let mut below = Vec::with_capacity(visits.len());
        for visit in visits {
            let Some(&index) = self.indices.get(visit.index) else {
                let name = format!("{}: image", self.name());
                return Err(Error::value(name, visit.index, format!("0 to {}", self.images() - 1)));
            };
            below.push(Visit { index, ..*visit });
        }
        self.source.read(&below, rows)
    }

    fn fingerprint(&self) -> Result<Fingerprint> {
        /// So many are read at a time.
        const BLOCK: usize = 256;
        let mut fingerprint = Fingerprinter::new(self.shape(), self.grid());
        for block in self.indices.chunks(BLOCK) {
            let visits: Vec<Visit> = block.iter().map(|&index| index.into()).collect();
            fingerprint.update(&self.source.batch(&visits)?);
        }
        Ok(fingerprint.finish())
    }

    fn labels(&self) -> Option<&Labels> {
        self.labels.as_ref()
    }

    fn passed_over(&self) -> usize {
        self.source.passed_over()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::table::{Scale, Schema, Table};
    use crate::data::{Augmentation, digits};

    #[test]
    fn every_row_is_on_one_side_and_the_seed_says_on_which() {
        for (rows, count) in [(3, 1), (10, 8), (1000, 256)] {
            let (kept, held) = draw(rows, count, 7).unwrap();
            assert_eq!((kept.len(), held.len() as u64), (rows - count as usize, count));
            assert!(kept.windows(2).all(|pair| pair[0] < pair[1]));
            let mut all = [kept, held].concat();
            all.sort_unstable();
            assert!(all.into_iter().eq(0..rows));
        }
        // Fixed for good.
        assert_eq!(draw(10, 4, 42).unwrap().1, draw(10, 8, 42).unwrap().1[..4]);
        assert_ne!(draw(10, 4, 42).unwrap().1, draw(10, 4, 43).unwrap().1);
        for (rows, count) in [(10, 9), (10, u64::MAX), (2, 1), (0, 1), (5, 0)] {
            let line = draw(rows, count, 0).unwrap_err().to_string();
            assert!(line.starts_with(&format!("validation.images = {count}: expected 1 to ")), "{line}");
        }
    }

    #[test]
    fn images_keep_their_labels_and_are_no_longer_trained_on() {
        let set = digits::load(Split::Train).unwrap();
        let flips = Augmentation { flip: true, ..Augmentation::default() };
        let rows = Rows::images(set.clone()).augmented(flips).unwrap().conditioned().unwrap();
        let (kept, held) = rows.hold_back(100, 3).unwrap();
        assert_eq!((kept.rows(), held.rows()), (1400, 100));
        assert_eq!((kept.name().1, held.name().1), (Split::Train, Split::Validation));
        let (Rows::Images(kept), Rows::Images(held)) = (&kept, &held) else { panic!("images") };
        assert_eq!((kept.augmentation(), held.augmentation()), (flips, Augmentation::default()));
        let (stays, drawn) = draw(1500, 100, 3).unwrap();
        for (part, indices) in [(kept, &stays), (held, &drawn)] {
            let found = part.source().batch(&[5.into(), 0.into()]).unwrap();
            assert_eq!(found, [set.row(indices[5]).unwrap(), set.row(indices[0]).unwrap()].concat());
            let (own, all) = (part.labels().unwrap().values(), set.labels().unwrap().values());
            assert!(own.iter().eq(indices.iter().map(|&index| &all[index])));
        }
        let fingerprint = held.source().fingerprint().unwrap();
        assert_eq!(fingerprint.images, 100);
        assert_ne!(fingerprint, kept.source().fingerprint().unwrap());
        let line = held.source().batch(&[100.into()]).unwrap_err().to_string();
        assert_eq!(line, "digits: image = 100: expected 0 to 99");
    }

    #[test]
    fn rows_of_a_table_too() {
        let table = Table::new(vec!["a".into()], (0..10).map(f64::from).collect()).unwrap();
        let schema = Schema::of(&table, &Scale::Standard, &Default::default()).unwrap();
        let (kept, held) = Rows::table(table, schema, Split::Train).hold_back(4, 1).unwrap();
        let values = |rows: &Rows| match rows {
            Rows::Table(table) => table.rows.values().to_vec(),
            Rows::Images(_) => Vec::new(),
        };
        let mut all = [values(&kept), values(&held)].concat();
        all.sort_by(f64::total_cmp);
        assert_eq!((values(&held).len(), all), (4, (0..10).map(f64::from).collect()));
    }
}
