//! The losses of a step's rows, of this rank's parts and then of all.

use crate::communicator::Ranks;
use crate::error::{Error, Result};
use crate::objective::Term;
use crate::tensor::Real;

/// What was computed of each row, in the rows' order.
#[derive(Debug, Default)]
pub(super) struct StepLosses {
    /// What is minimised, in nats.
    pub(super) losses: Vec<f64>,
    /// The first-order loss in nats.
    pub(super) first_order: Vec<f64>,
    /// The high-order terms.
    pub(super) terms: Vec<Term>,
}

impl StepLosses {
    /// Appends the rows of the next part.
    pub(super) fn extend(&mut self, next: Self) {
        self.losses.extend(next.losses);
        self.first_order.extend(next.first_order);
        Term::extend(&mut self.terms, next.terms);
    }

    /// Those of every rank, on every rank.
    ///
    /// # Errors
    /// If a rank is gone, or computes something else.
    pub(super) fn of_all(mut self, ranks: &Ranks, step: u64) -> Result<Self> {
        if ranks.size() == 1 {
            return Ok(self);
        }
        let (mut own, mut lengths) = (Vec::new(), Vec::new());
        for column in self.columns() {
            own.extend_from_slice(column);
            lengths.push(column.len());
        }
        let all = ranks.gather(f64::to_bytes(&own))?;
        self.columns().into_iter().for_each(Vec::clear);
        for (rank, bytes) in all.iter().enumerate() {
            let numbers = f64::from_bytes(bytes);
            if numbers.len() != own.len() {
                let found = format!(
                    "losses of {} numbers where rank {} has {}",
                    numbers.len(),
                    ranks.rank(),
                    own.len()
                );
                return Err(Error::Rank { rank, step, found });
            }
            let mut rest = &numbers[..];
            for (column, &length) in self.columns().into_iter().zip(&lengths) {
                let (own, after) = rest.split_at(length);
                column.extend(own);
                rest = after;
            }
        }
        Ok(self)
    }

    /// Every column of numbers, a number a row.
    fn columns(&mut self) -> Vec<&mut Vec<f64>> {
        let mut columns = vec![&mut self.losses, &mut self.first_order];
        for term in &mut self.terms {
            columns.push(&mut term.losses);
            columns.extend(&mut term.errors);
        }
        columns
    }
}
