//! The draws of rows, solved.

use super::Evaluator;
use super::flow::RowDensity;
use crate::divergence::ProbeSeed;
use crate::error::Result;
use crate::level::Gamma;
use crate::nn::{Jvp, conditions_of};
use crate::parameterization::Parameterization;
use crate::schedule::NoiseSchedule;
use crate::tensor::{Kernels, Real};

/// One draw of one row.
#[derive(Clone, Debug)]
pub(super) struct Draw {
    pub(super) z: Vec<f64>,
    /// What its log-weight is above `log p(z)`, in nats.
    pub(super) price: f64,
    /// Where its probes come from.
    pub(super) seed: ProbeSeed,
}

/// One draw of one row, solved.
#[derive(Clone, Copy, Debug)]
pub(super) struct Solved {
    pub(super) price: f64,
    pub(super) density: RowDensity,
}

impl Solved {
    /// `log p(z)` and the price, in nats.
    pub(super) fn log_weight(&self) -> f64 {
        self.density.log_density + self.price
    }
}

impl<E: Real, D: Kernels<E> + Kernels<f64>, N: Jvp<E, D>, S: NoiseSchedule, P: Parameterization>
    Evaluator<'_, E, D, N, S, P>
{
    /// Solves `each` draws of every one of `rows` from a level on; `done` gets rows that are complete, each with its draws in order.
    ///
    /// # Errors
    /// A solver that cannot take these steps, and those of `done`.
    pub(super) fn solve_draws(
        &self,
        from: Gamma,
        (rows, each): (&[usize], usize),
        draw: &dyn Fn(usize, usize) -> Draw,
        done: &mut dyn FnMut(&[(usize, Vec<Solved>)]) -> Result<()>,
    ) -> Result<()> {
        let batch = self.flow.batch();
        let conditions = self.flow.network().conditions();
        let mut solved: Vec<Solved> = Vec::with_capacity(batch + each);
        let mut complete = 0;
        for first in (0..rows.len() * each).step_by(batch) {
            let block = first..(rows.len() * each).min(first + batch);
            let own: Vec<usize> = block.clone().map(|pair| rows[pair / each]).collect();
            let draws = block.zip(&own).map(|(pair, &row)| draw(row, pair % each));
            let (mut z, mut prices, mut seeds) = (Vec::new(), Vec::new(), Vec::new());
            for draw in draws {
                z.extend(draw.z);
                prices.push(draw.price);
                seeds.push(draw.seed);
            }
            let given = self.conditioning.map(|all| conditions_of(all, conditions, &own));
            let densities = self.flow.log_density(z, from, &self.divergence, &seeds, given.as_deref())?;
            solved
                .extend(prices.into_iter().zip(densities).map(|(price, density)| Solved { price, density }));
            let whole = solved.len() / each;
            let found: Vec<(usize, Vec<Solved>)> = solved
                .chunks_exact(each)
                .zip(&rows[complete..])
                .map(|(own, &row)| (row, own.to_vec()))
                .collect();
            solved.drain(..whole * each);
            complete += whole;
            done(&found)?;
        }
        Ok(())
    }
}
