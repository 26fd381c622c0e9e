//! The rows in work: which are still active, and when the others leave the batch.

use super::solution::{Failure, RowReport, RowStatus, Solution};
use super::{OdeState, Step};

/// How far one row has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) t: f64,
    pub(super) evaluations: u32,
    pub(super) accepted: u32,
    pub(super) rejected: u32,
    /// `None` while the row is active.
    pub(super) status: Option<RowStatus>,
}

impl Row {
    pub(super) fn active(&self) -> bool {
        self.status.is_none()
    }

    pub(super) fn finish(&mut self) {
        self.status = Some(RowStatus::Finished);
    }

    pub(super) fn fail(&mut self, failure: Failure) {
        self.status = Some(RowStatus::Failed(failure));
    }
}

/// The rows in work. Idle rows (done, but not yet gone) stay where they are; what they cost is
/// not counted as theirs.
///
/// The batch shrinks only to half its size, rounded up, and to half of that: so a solve of `n`
/// rows sees at most `log2 n + 2` sizes, always the same ones, and buffers cached by size are
/// reused.
#[derive(Debug)]
pub(super) struct Batch<Y> {
    /// Every row of the solve.
    pub(super) rows: Vec<Row>,
    /// The row of the solve that each row in work is.
    pub(super) slots: Vec<usize>,
    /// The states in work.
    pub(super) y: Y,
    /// The field at the states in work, where it is known.
    pub(super) first: Option<Y>,
    /// The states of the rows that have left.
    result: Y,
}

impl<Y: OdeState> Batch<Y> {
    pub(super) fn new(start: Y, from: f64) -> Self {
        let row = Row { t: from, evaluations: 0, accepted: 0, rejected: 0, status: None };
        let rows = start.rows();
        Self {
            rows: vec![row; rows],
            slots: (0..rows).collect(),
            y: start.clone(),
            first: None,
            result: start,
        }
    }

    /// The row in each slot.
    pub(super) fn in_work(&self) -> impl Iterator<Item = &Row> {
        self.slots.iter().map(|&i| &self.rows[i])
    }

    /// The time of each row in work.
    pub(super) fn times(&self) -> Vec<f64> {
        self.in_work().map(|row| row.t).collect()
    }

    /// Counts evaluations on the active rows.
    pub(super) fn count(&mut self, evaluations: u32) {
        self.rows.iter_mut().filter(|row| row.active()).for_each(|row| row.evaluations += evaluations);
    }

    /// Moves the rows in work that accepted the step to its end.
    pub(super) fn settle(&mut self, step: Step<Y>, accepted: &[bool]) {
        let retries = self.in_work().zip(accepted).any(|(row, accepted)| row.active() && !accepted);
        merge(&mut self.y, step.y, accepted);
        self.first = match (self.first.take(), step.derivative) {
            (Some(mut first), Some(derivative)) => {
                merge(&mut first, derivative, accepted);
                Some(first)
            }
            (None, derivative) if !retries => derivative,
            _ => None,
        };
    }

    /// Lets idle rows leave, if the active ones fit a smaller size. Whether any is active.
    pub(super) fn compact(&mut self) -> bool {
        let active = self.in_work().filter(|row| row.active()).count();
        let mut size = self.slots.len();
        while size > 1 && size.div_ceil(2) >= active {
            size = size.div_ceil(2);
        }
        if active > 0 && size < self.slots.len() {
            self.result.scatter(&self.slots, &self.y);
            let mut keep: Vec<usize> = (0..self.slots.len()).collect();
            keep.sort_by_key(|&slot| !self.rows[self.slots[slot]].active());
            keep.truncate(size);
            keep.sort_unstable();
            self.slots = keep.iter().map(|&slot| self.slots[slot]).collect();
            self.y = self.y.select(&keep);
            self.first = self.first.as_ref().map(|first| first.select(&keep));
        }
        active > 0
    }

    /// The solution, once no row is active.
    pub(super) fn into_solution(mut self) -> Solution<Y> {
        self.result.scatter(&self.slots, &self.y);
        let rows = self.rows.into_iter().map(|row| RowReport {
            status: row.status.unwrap_or(RowStatus::Finished),
            t: row.t,
            evaluations: row.evaluations,
            accepted: row.accepted,
            rejected: row.rejected,
        });
        Solution { y: self.result, rows: rows.collect() }
    }
}

/// Writes the rows of `new` that are accepted over those of `old`. Every batch that it makes has
/// the size of `old`.
fn merge<Y: OdeState>(old: &mut Y, new: Y, accepted: &[bool]) {
    let mut taken: Vec<usize> = (0..accepted.len()).filter(|&i| accepted[i]).collect();
    match taken.last() {
        None => {}
        Some(_) if taken.len() == accepted.len() => *old = new,
        Some(&last) => {
            taken.resize(accepted.len(), last);
            old.scatter(&taken, &new.select(&taken));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::HostState;
    use super::*;

    fn batch(rows: u32) -> Batch<HostState> {
        let values = (0..rows).map(f64::from).collect();
        Batch::new(HostState::new(1, values).expect("one dimension"), 0.0)
    }

    fn step(y: &[f64], derivative: Option<&[f64]>) -> Step<HostState> {
        let state = |values: &[f64]| HostState::new(1, values.to_vec()).expect("one dimension");
        Step { y: state(y), error: None, derivative: derivative.map(state), evaluations: 1 }
    }

    #[test]
    fn the_batch_shrinks_by_halves_only() {
        let mut batch = batch(11);
        let mut sizes = Vec::new();
        for done in 0..11 {
            batch.rows[done].finish();
            let any = batch.compact();
            assert_eq!(any, done < 10);
            sizes.push(batch.slots.len());
        }
        assert_eq!(sizes, [11, 11, 11, 11, 6, 6, 6, 3, 2, 1, 1]);
    }

    #[test]
    fn rows_that_leave_keep_their_state() {
        let mut batch = batch(4);
        batch.rows[1].finish();
        batch.rows[2].finish();
        batch.settle(step(&[10.0, 11.0, 12.0, 13.0], None), &[true, true, false, true]);
        assert!(batch.compact());
        assert_eq!((batch.slots.as_slice(), batch.y.values()), ([0, 3].as_slice(), [10.0, 13.0].as_slice()));
        batch.settle(step(&[20.0, 23.0], None), &[false, true]);
        assert_eq!(batch.into_solution().y.values(), [10.0, 11.0, 2.0, 23.0]);
    }

    #[test]
    fn a_rejected_row_keeps_its_derivative() {
        let mut batch = batch(2);
        batch.settle(step(&[5.0, 6.0], Some(&[1.0, 2.0])), &[true, true]);
        batch.settle(step(&[7.0, 8.0], Some(&[3.0, 4.0])), &[false, true]);
        assert_eq!(batch.y.values(), [5.0, 8.0]);
        assert_eq!(batch.first.as_ref().map(HostState::values), Some([1.0, 4.0].as_slice()));
        batch.settle(step(&[7.0, 8.0], None), &[true, false]);
        batch.settle(step(&[7.0, 8.0], Some(&[3.0, 4.0])), &[true, false]);
        assert_eq!(batch.first, None, "the derivative of the rejected row is not known");
    }
}
