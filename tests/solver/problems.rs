//! Initial value problems, the kit's and one more, and shorthands to solve them.

use idode::solver::controller::Controller;
use idode::solver::{
    Adaptive, BUILT_IN, ExplicitRk, Field, HostState, Solution, Stepping, Tolerances, integrate,
};
pub(crate) use idode::testkit::solver::problems::{
    GaussianFlow, decay, field, logistic, mixed, mixed_solution, oscillator, van_der_pol,
};
pub(crate) use idode::testkit::solver::regression::{power, power_at_zero};
use std::sync::Arc;

/// The Brusselator with parameters 1 and 3.
pub(crate) fn brusselator() -> impl Field<HostState> {
    field(|_, _, y, out| {
        out.copy_from_slice(&[1.0 + y[0] * y[0] * y[1] - 4.0 * y[0], 3.0 * y[0] - y[0] * y[0] * y[1]]);
        0.0
    })
}

/// Every method that can adapt its steps.
pub(crate) fn adaptive_methods() -> impl Iterator<Item = ExplicitRk> {
    BUILT_IN.iter().filter(|table| table.embedded.is_some()).map(|table| ExplicitRk::new(table))
}

/// The same relative and absolute tolerance, and as much for the log-density.
pub(crate) fn tolerance(size: f64) -> Tolerances {
    Tolerances { relative: size, absolute: size, log_density: size }
}

/// Adaptive steps by this controller.
pub(crate) fn by(controller: impl Controller + 'static, size: f64) -> Stepping {
    let controller = Arc::new(controller);
    Stepping::Adaptive(Adaptive { tolerances: tolerance(size), controller, ..Adaptive::default() })
}

/// A solve that must not be refused.
pub(crate) fn solve(
    solver: &ExplicitRk,
    mut field: impl Field<HostState>,
    start: HostState,
    span: (f64, f64),
    stepping: &Stepping,
) -> Solution<HostState> {
    integrate(solver, &mut field, start, span.0, span.1, stepping).expect("a valid request")
}

/// `n` equal steps.
pub(crate) fn steps(n: u32) -> Stepping {
    Stepping::steps(n).expect("at least one step")
}

/// The Euclidean distance.
pub(crate) fn distance(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum::<f64>().sqrt()
}
