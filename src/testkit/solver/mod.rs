//! The laws of an [`OdeSolver`].

mod convergence;
mod cost;
pub mod problems;
pub mod regression;
mod steps;

pub use convergence::{estimate, order, reversal};
pub use cost::{evaluations, tolerance};
pub use steps::{first, polynomials, rows};

use super::{Law, Violation};
use crate::solver::{Field, HostState, OdeSolver, Solution, Stepping, integrate};

crate::__idode_laws! { solver __idode_table }

/// A solver, and what it is known to cost.
#[derive(Clone, Copy, Debug)]
pub struct Subject<'a> {
    /// The solver.
    pub solver: &'a dyn OdeSolver<HostState>,
    /// The evaluations of each problem of [`evaluations`], or none where they are not pinned.
    pub pinned: &'a [u32],
}

impl Subject<'_> {
    fn law(&self, name: &'static str) -> Law {
        Law::new("ODE solver", name, self.solver)
    }

    /// A solve that the driver must not refuse, and whose rows must all finish.
    fn solve(
        &self,
        law: &Law,
        place: &str,
        field: &mut dyn Field<HostState>,
        start: HostState,
        span: (f64, f64),
        stepping: &Stepping,
    ) -> Result<Solution<HostState>, Violation> {
        let solution = law.given(place, integrate(self.solver, field, start, span.0, span.1, stepping))?;
        if let Some((row, failure, report)) = solution.failures().next() {
            let found = format_args!("row {row} failed at t = {}: {failure}", report.t);
            return Err(law.broken(place, found, "every row at the end"));
        }
        Ok(solution)
    }
}

/// The Euclidean distance.
fn distance(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}
