//! The draws of rows, solved.

use super::Evaluator;
use super::draw::{Draw, Solved};
use super::flow::{Conditioning, RowDensity};
use super::turns::{Queue, Waiting};
use crate::error::Result;
use crate::level::Gamma;
use crate::nn::{Jvp, conditions_of};
use crate::parameterization::Parameterization;
use crate::schedule::NoiseSchedule;
use crate::tensor::{Kernels, Real};
use litemap::LiteMap;

impl<E: Real, D: Kernels<E> + Kernels<f64>, N: Jvp<E, D>, S: NoiseSchedule, P: Parameterization>
    Evaluator<'_, E, D, N, S, P>
{
    /// Solves `each` draws of every one of `rows`, under the conditioning of all rows, from a level on: each takes the place of one that is
    /// done. `done` gets rows that are complete, each with its draws in order.
    ///
    /// # Errors
    /// A solver that cannot take these steps, and those of `done`.
    pub(super) fn solve_draws(
        &self,
        from: Gamma,
        (rows, each, conditioning): (&[usize], usize, Conditioning<'_>),
        draw: &dyn Fn(usize, usize) -> Draw,
        done: &mut dyn FnMut(&[(usize, Vec<Solved>)]) -> Result<()>,
    ) -> Result<()> {
        let conditions = self.flow.network().conditions();
        let given = |row| conditioning.map(|all| conditions_of(all, conditions, &[row]));
        let (begun, next) = (LiteMap::new(), 0);
        let mut queue = Draws { rows, each, draw, given: &given, next, begun, done };
        self.flow.log_density_in_turns(&mut queue, from, &self.divergence)
    }
}

/// The draws of rows, as they wait and as they are done.
struct Draws<'d> {
    rows: &'d [usize],
    each: usize,
    draw: &'d dyn Fn(usize, usize) -> Draw,
    given: &'d dyn Fn(usize) -> Option<Vec<f64>>,
    next: usize,
    /// The price of each draw of a row that is begun, and what was found of it.
    begun: LiteMap<usize, Vec<(f64, Option<RowDensity>)>>,
    done: &'d mut dyn FnMut(&[(usize, Vec<Solved>)]) -> Result<()>,
}

impl Queue for Draws<'_> {
    fn waiting(&self) -> usize {
        self.rows.len() * self.each - self.next
    }

    fn next(&mut self) -> Waiting {
        let (at, number) = (self.next / self.each, self.next % self.each);
        self.next += 1;
        let row = self.rows[at];
        let Draw { z, price, seed } = (self.draw)(row, number);
        self.begun.entry(at).or_default().push((price, None));
        Waiting { z, seed, conditioning: (self.given)(row) }
    }

    fn done(&mut self, found: &[(usize, RowDensity)]) -> Result<()> {
        let mut complete = Vec::new();
        for &(place, density) in found {
            let (at, number) = (place / self.each, place % self.each);
            let Some(draws) = self.begun.get_mut(&at) else { continue };
            draws[number].1 = Some(density);
            let mut solved = Vec::with_capacity(self.each);
            for &(price, density) in draws.iter() {
                solved.extend(density.map(|density| Solved { price, density }));
            }
            if solved.len() == self.each {
                complete.push((self.rows[at], solved));
                self.begun.remove(&at);
            }
        }
        (self.done)(&complete)
    }
}
