//! Solvers: explicit methods over a batch of independent initial value problems.
//!
//! Every row has its own time, step, error and status (after torchode, arXiv 2210.12375), so that
//! a solution does not depend on which rows share its batch.
//!
//! # Adding a method
//! A Runge-Kutta method is a table, and no code:
//!
//! 1. Write a `static` [`Tableau`] (in this crate, in `tables.rs`) with the name, the formula, the
//!    reference, the order, `a`, `b`, `c`, and the embedded solution if there is one. Whether its
//!    last stage is the next step's first is seen from the table.
//! 2. Add `const _: () = assert!(TABLE.well_formed());`, and a test that `TABLE.check(1e-14)` is
//!    `Ok`: that is every order condition of both solutions. (In this crate, add the table to
//!    [`BUILT_IN`], and both, and the measurement of its order, are done.)
//! 3. [`ExplicitRk::new(&TABLE)`](ExplicitRk::new) is the solver.
//!
//! ```
//! use idode::solver::{ExplicitRk, HostState, Stepping, Tableau, integrate};
//!
//! static RALSTON: Tableau = Tableau {
//!     name: "ralston",
//!     formula: "y1 = y + h/4 (k1 + 3 f(t + 2h/3, y + 2h/3 k1))",
//!     reference: "Ralston, Math. Comp. 16 (1962) 431-437",
//!     order: 2,
//!     a: &[&[], &[2.0 / 3.0]],
//!     b: &[0.25, 0.75],
//!     c: &[0.0, 2.0 / 3.0],
//!     embedded: None,
//! };
//! const _: () = assert!(RALSTON.well_formed());
//! # fn main() -> idode::error::Result<()> {
//! RALSTON.check(1e-14)?;
//!
//! // dy/dt = -y, two rows.
//! let mut decay = |_: &[usize], _: &[f64], y: &HostState| {
//!     y.map_rows(|_, row, out| { out[0] = -row[0]; 0.0 })
//! };
//! let start = HostState::from_rows(&[[1.0], [2.0]]);
//! let solution = integrate(&ExplicitRk::new(&RALSTON), &mut decay, start, 0.0, 1.0, &Stepping::steps(100)?)?;
//! assert!((solution.y.values()[1] - 2.0 * (-1.0_f64).exp()).abs() < 2e-5);
//! assert_eq!(solution.rows[1].evaluations, 200);
//! # Ok(())
//! # }
//! ```
//!
//! A table with a second embedded solution and a formula that makes one error of the two is a [`DoublyEmbedded`].
//! A method that is not Runge-Kutta implements [`OdeSolver`] itself; a step-size rule implements
//! [`controller::Controller`].

use std::fmt::Debug;

mod any_state;
mod batch;
mod conditions;
pub mod controller;
mod doubly_embedded;
mod driver;
mod explicit_rk;
mod host_state;
mod initial_step;
mod norm;
mod solution;
mod stepping;
mod tableau;
pub mod tables;
mod turns;

pub use any_state::AnyState;
pub use doubly_embedded::DoublyEmbedded;
pub use driver::{integrate, integrate_in_turns};
pub use explicit_rk::ExplicitRk;
pub use host_state::HostState;
pub use solution::{Failure, RowReport, RowStatus, Solution};
pub use stepping::{Adaptive, Grid, Stepping, Times};
pub use tableau::{Embedded, Tableau};
pub use tables::BUILT_IN;
pub use turns::Turns;

/// A batch of states, one per row. The solver knows nothing else of what it integrates.
pub trait OdeState: Clone + Debug {
    /// The number of rows.
    fn rows(&self) -> usize;

    /// `self + sum_j c_j k_j`, where `c_j` holds one coefficient a row.
    fn add_scaled(&self, terms: &[(&[f64], &Self)]) -> Self;

    /// The rows with these indices, in this order.
    fn select(&self, rows: &[usize]) -> Self;

    /// Writes row `i` of `from` over row `rows[i]` of `self`. An index that comes more than once
    /// comes with equal rows.
    fn scatter(&mut self, rows: &[usize], from: &Self);

    /// Per row, the size of `error` relative to the tolerances around `before` and `after`:
    /// at most 1 where the step is good enough.
    fn error_norm(error: &Self, before: &Self, after: &Self, tolerances: &Tolerances) -> Vec<f64>;

    /// Per row, whether every number in it is finite.
    fn finite(&self) -> Vec<bool>;

    /// A state of the same shape whose rows are zero (or not finite, where those of `self` are
    /// not): the start of an error estimate, which is a sum of derivatives without a state.
    fn zeros_like(&self) -> Self {
        self.add_scaled(&[(&vec![-1.0; self.rows()], self)])
    }
}

/// How much error a step may have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerances {
    /// Relative tolerance of the state.
    pub relative: f64,
    /// Absolute tolerance of the state.
    pub absolute: f64,
    /// Absolute tolerance of the log-density, in nats per step.
    pub log_density: f64,
}

/// The right-hand side `dy/dt = f(t, y)`, evaluated on a batch.
pub trait Field<Y> {
    /// The derivative of each row of `y`. `rows[i]` is the index that row `i` of `y` had when the
    /// solve began, `t[i]` its time. Rows that are done leave in bulk; until then they stand where
    /// they ended, and nothing reads their derivatives.
    fn eval(&mut self, rows: &[usize], t: &[f64], y: &Y) -> Y;
}

impl<Y, F: FnMut(&[usize], &[f64], &Y) -> Y> Field<Y> for F {
    fn eval(&mut self, rows: &[usize], t: &[f64], y: &Y) -> Y {
        self(rows, t, y)
    }
}

/// What one step gives.
#[derive(Clone, Debug)]
pub struct Step<Y> {
    /// The state at `t + h`.
    pub y: Y,
    /// The estimate of the step's error, where the method has one.
    pub error: Option<Y>,
    /// The derivative at `t + h`, where the method evaluates it anyway (first same as last).
    pub derivative: Option<Y>,
    /// How often the field was evaluated on each row.
    pub evaluations: u32,
}

/// One step of an explicit method.
///
/// # Laws
/// - `order`: the global error falls as `h^order`;
/// - `estimate`: the error estimate of a step falls as `h^(error_order + 1)`;
/// - `polynomials`: exact on `dy/dt = p(t)` with `p` of degree below `order`;
/// - `reversal`: a step forward and back returns to the start within the method's error;
/// - `rows`: a row's result, and its cost, do not depend on its batch;
/// - `first`: the derivative at the start, handed in, changes nothing but the count, and the one handed out is
///   the field at the end;
/// - `tolerance`: the error at the end of problems with known answers is within ten tolerances;
/// - `evaluations`: a step counts its evaluations, and problems cost what they are known to.
pub trait OdeSolver<Y: OdeState>: Debug {
    /// The order of the solution.
    fn order(&self) -> u32;

    /// The order of the embedded solution that the error estimate comes from; `None` for a method
    /// without one, which can only run on a fixed grid.
    fn error_order(&self) -> Option<u32>;

    /// Steps every row from `t` to `t + h`. `first`, where given, is the field at `(t, y)`.
    fn step(
        &self,
        field: &mut dyn Field<Y>,
        rows: &[usize],
        t: &[f64],
        h: &[f64],
        y: &Y,
        first: Option<&Y>,
    ) -> Step<Y>;
}

impl<Y: OdeState, M: OdeSolver<Y> + ?Sized> OdeSolver<Y> for Box<M> {
    fn order(&self) -> u32 {
        (**self).order()
    }
    fn error_order(&self) -> Option<u32> {
        (**self).error_order()
    }
    fn step(
        &self,
        field: &mut dyn Field<Y>,
        rows: &[usize],
        t: &[f64],
        h: &[f64],
        y: &Y,
        first: Option<&Y>,
    ) -> Step<Y> {
        (**self).step(field, rows, t, h, y, first)
    }
}
