//! Which rows are held out.

use super::Table;
use crate::data::shuffle::Shuffle;
use crate::error::Result;

impl Table {
    /// The training rows and the held-out rows: a permutation drawn from `seed` gives its first
    /// `round(test_fraction rows)`, at least one and at most all but two, to the held-out ones.
    ///
    /// Both parts are in the order of the permutation, so that a part's first rows stand for all of it however the
    /// file is sorted. The same seed draws the same rows on every platform.
    ///
    /// # Errors
    /// Unless there are at least 3 rows and `0 < test_fraction < 1`.
    pub fn split(&self, test_fraction: f64, seed: u64) -> Result<(Self, Self)> {
        let rows = self.rows();
        if rows < 3 {
            return Err(self.error("rows", rows, "at least 3: two to train on and one to hold out"));
        }
        if !(test_fraction > 0.0 && test_fraction < 1.0) {
            return Err(self.error("fraction of held-out rows", test_fraction, "above 0 and below 1"));
        }
        let held_out = ((test_fraction * rows as f64).round() as usize).clamp(1, rows - 2);
        let order: Vec<usize> =
            Shuffle::new(rows, seed)?.next_batch(rows).iter().map(|visit| visit.index).collect();
        let (test, train) = order.split_at(held_out);
        Ok((self.at(train), self.at(test)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(rows: usize) -> Table {
        Table::new(vec!["a".into()], (0..rows).map(|i| i as f64).collect()).unwrap()
    }

    #[test]
    fn every_row_is_in_one_part() {
        for (rows, fraction, held_out) in
            [(3, 0.01, 1), (3, 0.99, 1), (10, 0.2, 2), (10, 0.99, 8), (1001, 0.2, 200)]
        {
            let (train, test) = numbered(rows).split(fraction, 7).unwrap();
            assert_eq!((train.rows(), test.rows()), (rows - held_out, held_out));
            let mut all = [train.values(), test.values()].concat();
            all.sort_by(f64::total_cmp);
            assert_eq!(all, numbered(rows).values());
        }
    }

    #[test]
    fn value_stability() {
        let (train, test) = numbered(8).split(0.25, 42).unwrap();
        assert_eq!((train.values(), test.values()), (&[4.0, 6.0, 2.0, 7.0, 1.0, 5.0][..], &[0.0, 3.0][..]));
        assert_ne!(numbered(8).split(0.25, 43).unwrap().1.values(), test.values());
    }

    #[test]
    fn impossible_splits_are_errors() {
        let line = |rows: usize, fraction: f64| numbered(rows).split(fraction, 0).unwrap_err().to_string();
        assert_eq!(line(2, 0.5), "rows = 2: expected at least 3: two to train on and one to hold out");
        for fraction in [0.0, 1.0, -1.0, f64::NAN] {
            assert!(line(5, fraction).ends_with("expected above 0 and below 1"), "{fraction}");
        }
    }
}
