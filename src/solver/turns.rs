//! Rows that take turns: one that is done gives its seat to the next.

use super::{Field, OdeState, RowReport};
use crate::error::Result;

/// A field whose rows take turns in the seats of a batch; [`Field::eval`] is given seats.
pub trait Turns<Y>: Field<Y> {
    /// How many rows wait for a seat.
    fn waiting(&self) -> usize;

    /// Gives these seats to the next rows, of which as many wait, and gives their states at the start, in this order.
    ///
    /// # Errors
    /// Whatever keeps a row from its seat; it ends the solve.
    fn seat(&mut self, seats: &[usize]) -> Result<Y>;

    /// Takes rows that are done from their seats: their states where they ended, and how they went.
    ///
    /// # Errors
    /// Whatever should end the solve.
    fn leave(&mut self, seats: &[usize], y: &Y, reports: &[RowReport]) -> Result<()>;
}

/// Rows that are all seated at the beginning.
pub(super) struct AtOnce<'f, Y> {
    field: &'f mut dyn Field<Y>,
    start: Option<Y>,
    /// The states of the rows that have left, and how they went.
    pub(super) end: Y,
    pub(super) reports: Vec<Option<RowReport>>,
}

impl<'f, Y: OdeState> AtOnce<'f, Y> {
    pub(super) fn new(field: &'f mut dyn Field<Y>, start: Y) -> Self {
        Self { field, reports: vec![None; start.rows()], end: start.clone(), start: Some(start) }
    }
}

impl<Y: OdeState> Field<Y> for AtOnce<'_, Y> {
    fn eval(&mut self, rows: &[usize], t: &[f64], y: &Y) -> Y {
        self.field.eval(rows, t, y)
    }
}

impl<Y: OdeState> Turns<Y> for AtOnce<'_, Y> {
    fn waiting(&self) -> usize {
        self.start.as_ref().map_or(0, Y::rows)
    }

    fn seat(&mut self, _: &[usize]) -> Result<Y> {
        Ok(self.start.take().unwrap_or_else(|| self.end.clone()))
    }

    fn leave(&mut self, seats: &[usize], y: &Y, reports: &[RowReport]) -> Result<()> {
        self.end.scatter(seats, y);
        seats.iter().zip(reports).for_each(|(&seat, report)| self.reports[seat] = Some(*report));
        Ok(())
    }
}
