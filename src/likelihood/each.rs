//! Records one by one: of chosen rows, as they come.

use crate::error::Result;
use crate::progress::Progress;

/// What an estimate found for one row.
pub trait Record: Copy {
    /// The index of the row.
    fn index(&self) -> usize;

    /// Its value in bits/dim; none where it has none.
    fn value(&self) -> Option<f64>;

    /// Evaluations of the network.
    fn evaluations(&self) -> u64;

    /// The standard error of the value over the row's own draws, in bits/dim, where it has several.
    fn standard_error(&self) -> Option<f64> {
        None
    }

    /// Whether it has a value, and why not, in words.
    fn status(&self) -> String;
}

/// The rows that an estimate is asked for, by their indices, and who takes their records as they come: several at once, in any order. An
/// error of theirs ends the estimate.
///
/// A row's record does not depend on which others are asked for.
pub struct Each<'e, R> {
    /// The rows.
    pub rows: &'e [usize],
    /// Takes records.
    pub take: &'e mut dyn FnMut(&[R]) -> Result<()>,
}

impl<R> std::fmt::Debug for Each<'_, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Each").field("rows", &self.rows.len()).finish_non_exhaustive()
    }
}

/// How far an estimate has come, and its mean.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct SoFar {
    done: u64,
    values: u64,
    sum: f64,
}

impl SoFar {
    /// Tells of more records, and ends where that is asked for.
    ///
    /// # Errors
    /// [`Error::Interrupted`](crate::error::Error::Interrupted).
    pub(crate) fn add<R: Record>(&mut self, records: &[R], progress: &mut dyn Progress) -> Result<()> {
        self.done += records.len() as u64;
        for value in records.iter().filter_map(Record::value) {
            self.values += 1;
            self.sum += value;
        }
        let mean = (self.values > 0).then(|| self.sum / self.values as f64);
        progress.advance_or_end(self.done, mean)
    }
}

/// The records of the first `rows` rows, in order.
///
/// # Errors
/// Those of `estimate`, and [`Error::Interrupted`](crate::error::Error::Interrupted).
pub(crate) fn collected<R: Record>(
    rows: usize,
    progress: &mut dyn Progress,
    estimate: &mut dyn FnMut(Each<'_, R>) -> Result<()>,
) -> Result<Vec<R>> {
    let (mut records, mut so_far) = (vec![None; rows], SoFar::default());
    let rows: Vec<usize> = (0..rows).collect();
    estimate(Each {
        rows: &rows,
        take: &mut |new| {
            new.iter().for_each(|record| records[record.index()] = Some(*record));
            so_far.add(new, progress)
        },
    })?;
    Ok(records.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::super::records::{ImageRecord, ImageStatus};
    use super::*;
    use crate::error::Error;
    use crate::solver::Failure;

    fn record(index: usize, bits_per_dim: Option<f64>) -> ImageRecord {
        let failed = ImageStatus::Failed { draw: 0, reason: Failure::StepLimit, gamma: 0.0, steps: 1 };
        ImageRecord {
            index,
            bits_per_dim: bits_per_dim.unwrap_or(f64::NAN),
            nats_per_row: None,
            standard_error: None,
            probe_difference_nats: None,
            evaluations: 1,
            status: if bits_per_dim.is_some() { ImageStatus::Finished } else { failed },
            seed: 0,
            draws: 1,
        }
    }

    /// What was heard, and after how many rows the work should end.
    struct Heard(Vec<(u64, Option<f64>)>, u64);

    impl Progress for Heard {
        fn advance(&mut self, done: u64, bits_per_dim: Option<f64>) {
            self.0.push((done, bits_per_dim));
        }
        fn interrupted(&self) -> bool {
            self.0.last().is_some_and(|(done, _)| *done >= self.1)
        }
    }

    /// Records that come in any order, some without a value.
    fn estimate(each: Each<'_, ImageRecord>) -> Result<()> {
        assert_eq!(each.rows, [0, 1, 2, 3]);
        (each.take)(&[record(2, None)])?;
        (each.take)(&[record(3, Some(5.0)), record(0, Some(2.0))])?;
        (each.take)(&[record(1, Some(-1.0))])
    }

    #[test]
    fn progress_is_the_mean_so_far() {
        let mut heard = Heard(Vec::new(), u64::MAX);
        let records = collected(4, &mut heard, &mut estimate).expect("records");
        assert_eq!(records.iter().map(|record| record.index).collect::<Vec<_>>(), [0, 1, 2, 3]);
        assert_eq!(heard.0, [(1, None), (3, Some(3.5)), (4, Some(2.0))]);
    }

    #[test]
    fn who_hears_of_it_may_end_it() {
        let mut heard = Heard(Vec::new(), 3);
        assert!(matches!(collected(4, &mut heard, &mut estimate), Err(Error::Interrupted)));
        assert_eq!(heard.0.len(), 2);
    }
}
