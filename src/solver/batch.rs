//! The rows in work: which are still active, and when the others leave the batch.

use super::solution::{Failure, RowReport, RowStatus};
use super::turns::Turns;
use super::{OdeState, Step};
use crate::error::Result;

/// How far one row has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row {
    pub(super) t: f64,
    pub(super) evaluations: u32,
    pub(super) accepted: u32,
    pub(super) rejected: u32,
    /// Whether the field at its state is known.
    pub(super) known: bool,
    /// `None` while the row is active.
    pub(super) status: Option<RowStatus>,
}

impl Row {
    pub(super) fn at(t: f64) -> Self {
        Self { t, evaluations: 0, accepted: 0, rejected: 0, known: false, status: None }
    }

    pub(super) fn active(&self) -> bool {
        self.status.is_none()
    }

    pub(super) fn finish(&mut self) {
        self.status = Some(RowStatus::Finished);
    }

    pub(super) fn fail(&mut self, failure: Failure) {
        self.status = Some(RowStatus::Failed(failure));
    }

    pub(super) fn report(&self) -> RowReport {
        RowReport {
            status: self.status.unwrap_or(RowStatus::Finished),
            t: self.t,
            evaluations: self.evaluations,
            accepted: self.accepted,
            rejected: self.rejected,
        }
    }
}

/// The rows in work. Idle rows (done, but not yet gone) stay where they are; what they cost is
/// not counted as theirs.
///
/// While rows wait for a seat the batch keeps its size, and idle rows give their seats away by eighths of it. When none waits it shrinks, only to
/// half its size, rounded up, and to half of that: so a solve of `n` seats sees few sizes, always the same ones, and buffers cached by
/// size are reused.
#[derive(Debug)]
pub(super) struct Batch<Y> {
    /// The row in every seat.
    pub(super) rows: Vec<Row>,
    /// The seat of each row in work.
    pub(super) slots: Vec<usize>,
    /// The states in work.
    pub(super) y: Y,
    /// The field at the states in work, where it is known.
    pub(super) first: Option<Y>,
}

impl<Y: OdeState> Batch<Y> {
    /// The first rows, as many as have a seat; none where none waits.
    pub(super) fn seated(turns: &mut dyn Turns<Y>, seats: usize, from: f64) -> Result<Option<Self>> {
        let slots: Vec<usize> = (0..seats.min(turns.waiting())).collect();
        if slots.is_empty() {
            return Ok(None);
        }
        let y = turns.seat(&slots)?;
        Ok(Some(Self { rows: vec![Row::at(from); slots.len()], slots, y, first: None }))
    }

    /// The row in each slot.
    pub(super) fn in_work(&self) -> impl Iterator<Item = &Row> {
        self.slots.iter().map(|&i| &self.rows[i])
    }

    /// The time of each row in work.
    pub(super) fn times(&self) -> Vec<f64> {
        let mut times = Vec::with_capacity(self.slots.len());
        for &seat in &self.slots {
            times.push(self.rows[seat].t);
        }
        times
    }

    /// Counts evaluations on the active rows.
    pub(super) fn count(&mut self, evaluations: u32) {
        self.rows.iter_mut().filter(|row| row.active()).for_each(|row| row.evaluations += evaluations);
    }

    /// Moves the rows in work that accepted the step to its end.
    pub(super) fn settle(&mut self, step: Step<Y>, accepted: &[bool]) {
        merge(&mut self.y, step.y, accepted);
        let known = step.derivative.is_some();
        self.first = match (self.first.take(), step.derivative) {
            (Some(mut first), Some(derivative)) => {
                merge(&mut first, derivative, accepted);
                Some(first)
            }
            (_, derivative) => derivative,
        };
        for (&seat, accepted) in self.slots.iter().zip(accepted) {
            let row = &mut self.rows[seat];
            row.known = known && (*accepted || row.known);
        }
    }

    /// The slots whose rows are idle.
    pub(super) fn idle(&self) -> Vec<usize> {
        let mut idle = Vec::new();
        for (slot, &seat) in self.slots.iter().enumerate() {
            if !self.rows[seat].active() {
                idle.push(slot);
            }
        }
        idle
    }

    /// Lets the rows in these slots, which are idle, leave; the slots stay.
    pub(super) fn release(&self, turns: &mut dyn Turns<Y>, slots: &[usize]) -> Result<()> {
        if slots.is_empty() {
            return Ok(());
        }
        let (mut seats, mut reports) = (Vec::with_capacity(slots.len()), Vec::with_capacity(slots.len()));
        for &slot in slots {
            seats.push(self.slots[slot]);
            reports.push(self.rows[self.slots[slot]].report());
        }
        match slots.len() == self.slots.len() {
            true => turns.leave(&seats, &self.y, &reports),
            false => turns.leave(&seats, &self.y.select(slots), &reports),
        }
    }

    /// Lets idle rows leave, if the active ones fit a smaller size. Whether any is active.
    pub(super) fn compact(&mut self, turns: &mut dyn Turns<Y>) -> Result<bool> {
        let idle = self.idle();
        let active = self.slots.len() - idle.len();
        let mut size = self.slots.len();
        while size > 1 && size.div_ceil(2) >= active {
            size = size.div_ceil(2);
        }
        if active > 0 && size < self.slots.len() {
            let (gone, stay) = idle.split_at(self.slots.len() - size);
            debug_assert_eq!(stay.len(), size - active);
            self.release(turns, gone)?;
            let (mut keep, mut kept) = (Vec::with_capacity(size), Vec::with_capacity(size));
            for (slot, &seat) in self.slots.iter().enumerate() {
                if !gone.contains(&slot) {
                    keep.push(slot);
                    kept.push(seat);
                }
            }
            self.slots = kept;
            self.y = self.y.select(&keep);
            self.first = self.first.as_ref().map(|first| first.select(&keep));
        }
        Ok(active > 0)
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
    use super::super::turns::AtOnce;
    use super::super::{Field, HostState};
    use super::*;

    fn state(values: &[f64]) -> HostState {
        HostState::new(1, values.to_vec()).expect("one dimension")
    }

    /// Does something with a batch of rows `0, 1, ..` that nothing moves; gives the states in which they left.
    fn with(rows: u32, work: impl FnOnce(&mut Batch<HostState>, &mut dyn Turns<HostState>)) -> Vec<f64> {
        let values: Vec<f64> = (0..rows).map(f64::from).collect();
        let mut still = |_: &[usize], _: &[f64], y: &HostState| y.zeros_like();
        let field: &mut dyn Field<HostState> = &mut still;
        let mut turns = AtOnce::new(field, state(&values));
        let mut batch = Batch::seated(&mut turns, rows as usize, 0.0).expect("seats").expect("rows");
        work(&mut batch, &mut turns);
        let all: Vec<usize> = (0..batch.slots.len()).collect();
        batch.release(&mut turns, &all).expect("nobody objects");
        turns.end.values().to_vec()
    }

    fn step(y: &[f64], derivative: Option<&[f64]>) -> Step<HostState> {
        Step { y: state(y), error: None, derivative: derivative.map(state), evaluations: 1 }
    }

    #[test]
    fn the_batch_shrinks_by_halves_only() {
        with(11, |batch, turns| {
            let mut sizes = Vec::new();
            for done in 0..11 {
                batch.rows[done].finish();
                let any = batch.compact(turns).expect("nobody objects");
                assert_eq!(any, done < 10);
                sizes.push(batch.slots.len());
            }
            assert_eq!(sizes, [11, 11, 11, 11, 6, 6, 6, 3, 2, 1, 1]);
        });
    }

    #[test]
    fn rows_that_leave_keep_their_state() {
        let left = with(4, |batch, turns| {
            batch.rows[1].finish();
            batch.rows[2].finish();
            batch.settle(step(&[10.0, 11.0, 12.0, 13.0], None), &[true, true, false, true]);
            assert!(batch.compact(turns).expect("nobody objects"));
            assert_eq!(
                (batch.slots.as_slice(), batch.y.values()),
                ([0, 3].as_slice(), [10.0, 13.0].as_slice())
            );
            batch.settle(step(&[20.0, 23.0], None), &[false, true]);
        });
        assert_eq!(left, [10.0, 11.0, 2.0, 23.0]);
    }

    #[test]
    fn a_rejected_row_keeps_its_derivative() {
        with(2, |batch, _| {
            let known = |batch: &Batch<HostState>| [0, 1].map(|seat| batch.rows[seat].known);
            batch.settle(step(&[5.0, 6.0], Some(&[1.0, 2.0])), &[true, true]);
            batch.settle(step(&[7.0, 8.0], Some(&[3.0, 4.0])), &[false, true]);
            assert_eq!(batch.y.values(), [5.0, 8.0]);
            assert_eq!(batch.first.as_ref().map(HostState::values), Some([1.0, 4.0].as_slice()));
            assert_eq!(known(batch), [true, true]);
            batch.settle(step(&[7.0, 8.0], None), &[true, false]);
            assert_eq!(known(batch), [false, false]);
            batch.settle(step(&[7.0, 8.0], Some(&[3.0, 4.0])), &[true, false]);
            assert_eq!(known(batch), [true, false], "the derivative of the rejected row is not known");
        });
    }
}
