//! Rows of the flow that take turns in a batch.

use super::field::{DensityDrift, Drift};
use super::flow::{ProbabilityFlow, RowDensity};
use crate::divergence::{Divergence, ProbeSeed};
use crate::error::Result;
use crate::level::Gamma;
use crate::nn::Jvp;
use crate::parameterization::Parameterization;
use crate::schedule::NoiseSchedule;
use crate::solver::{AnyState, Field, HostState, RowReport, Turns, integrate_in_turns};
use crate::tensor::{Kernels, Real};

impl<E: Real, D: Kernels<E> + Kernels<f64>, N: Jvp<E, D>, S: NoiseSchedule, P: Parameterization>
    ProbabilityFlow<'_, E, D, N, S, P>
{
    /// [`log_density`](Self::log_density) of every row of a queue, at most as many at once as a batch has: a row that is done gives its place
    /// to the next.
    ///
    /// # Errors
    /// As [`log_density`](Self::log_density), and those of the queue.
    pub(super) fn log_density_in_turns(
        &self,
        queue: &mut dyn Queue,
        from: Gamma,
        divergence: &dyn Divergence,
    ) -> Result<()> {
        let end = self.diffusion().range().max();
        [from, end].iter().try_for_each(|&gamma| self.check_level(gamma))?;
        let drift = Drift::new(self.network(), self.diffusion(), self.batch());
        let field = drift.with_density(divergence.begin(self.dims(), &[]));
        let mut turns = InTurns { flow: self, field, divergence, queue, tickets: Vec::new(), next: 0 };
        integrate_in_turns(&self.solver, &mut turns, self.batch(), from.0, end.0, &self.stepping)
    }
}

/// A row that waits for its solve.
pub(super) struct Waiting {
    pub(super) z: Vec<f64>,
    /// Where its probes come from.
    pub(super) seed: ProbeSeed,
    /// Its conditioning numbers, if it has any.
    pub(super) conditioning: Option<Vec<f64>>,
}

/// Rows that wait for their solve, in order.
pub(super) trait Queue {
    /// How many there are.
    fn waiting(&self) -> usize;

    /// The next.
    fn next(&mut self) -> Waiting;

    /// Takes the log-densities of rows, each with its place in the order.
    ///
    /// # Errors
    /// Whatever should end the work.
    fn done(&mut self, found: &[(usize, RowDensity)]) -> Result<()>;
}

/// The flow's rows that take turns.
struct InTurns<'t, 'a, E, D, N, S, P> {
    flow: &'t ProbabilityFlow<'a, E, D, N, S, P>,
    field: DensityDrift<'a, E, D, N, S, P>,
    divergence: &'t dyn Divergence,
    queue: &'t mut dyn Queue,
    /// The place in the queue's order of the row in each seat; the next row has the next place.
    tickets: Vec<usize>,
    next: usize,
}

impl<E, D, N, S, P> Field<AnyState> for InTurns<'_, '_, E, D, N, S, P>
where
    E: Real,
    D: Kernels<E> + Kernels<f64>,
    N: Jvp<E, D>,
    S: NoiseSchedule,
    P: Parameterization,
{
    fn eval(&mut self, rows: &[usize], t: &[f64], y: &AnyState) -> AnyState {
        self.field.eval(rows, t, y)
    }
}

impl<E, D, N, S, P> Turns<AnyState> for InTurns<'_, '_, E, D, N, S, P>
where
    E: Real,
    D: Kernels<E> + Kernels<f64>,
    N: Jvp<E, D>,
    S: NoiseSchedule,
    P: Parameterization,
{
    fn waiting(&self) -> usize {
        self.queue.waiting()
    }

    fn seat(&mut self, seats: &[usize]) -> Result<AnyState> {
        let rows: Vec<Waiting> = seats.iter().map(|_| self.queue.next()).collect();
        let seeds: Vec<ProbeSeed> = rows.iter().map(|row| row.seed).collect();
        let (mut z, mut given) = (Vec::with_capacity(rows.len() * self.flow.dims()), Some(Vec::new()));
        for row in &rows {
            z.extend_from_slice(&row.z);
            match (&mut given, &row.conditioning) {
                (Some(all), Some(own)) => all.extend_from_slice(own),
                _ => given = None,
            }
        }
        if self.tickets.is_empty() {
            // Every seat is given once at the beginning.
            self.tickets = vec![0; seats.len()];
            self.field.trace = self.divergence.begin(self.flow.dims(), &seeds);
            self.field.drift.renew(seats, given.as_deref());
        } else {
            self.field.renew(seats, &seeds, given.as_deref());
        }
        for &seat in seats {
            self.tickets[seat] = self.next;
            self.next += 1;
        }
        let start = HostState::new(self.flow.dims(), z)?.with_log_density(vec![0.0; seats.len()])?;
        Ok(self.flow.begin(start))
    }

    fn leave(&mut self, seats: &[usize], y: &AnyState, reports: &[RowReport]) -> Result<()> {
        let y = ProbabilityFlow::<E, D, N, S, P>::download(y)?;
        let rows = seats.iter().zip(y.iter()).zip(y.log_density().unwrap_or_default()).zip(reports);
        let mut found = Vec::with_capacity(seats.len());
        for (((&seat, z), change), report) in rows {
            found.push((self.tickets[seat], self.flow.density(z, *change, report)));
        }
        self.queue.done(&found)
    }
}
