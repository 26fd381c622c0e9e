//! Solvers: explicit methods over a batch of independent initial value problems.
//!
//! Every row has its own time, step, error and status (after torchode, arXiv 2210.12375), so that
//! a solution does not depend on which rows share its batch.

use std::fmt::Debug;

/// A batch of states, one per row. The solver knows nothing else of what it integrates.
pub trait OdeState: Clone + Debug {
    /// The number of rows.
    fn rows(&self) -> usize;

    /// `self + sum_j c_j k_j`, where `c_j` holds one coefficient a row.
    fn add_scaled(&self, terms: &[(&[f64], &Self)]) -> Self;

    /// The rows with these indices, in this order.
    fn select(&self, rows: &[usize]) -> Self;

    /// Writes row `i` of `from` over row `rows[i]` of `self`.
    fn scatter(&mut self, rows: &[usize], from: &Self);

    /// Per row, the size of `error` relative to the tolerances around `before` and `after`:
    /// at most 1 where the step is good enough.
    fn error_norm(error: &Self, before: &Self, after: &Self, tolerances: &Tolerances) -> Vec<f64>;

    /// Per row, whether every number in it is finite.
    fn finite(&self) -> Vec<bool>;
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
    /// solve began (rows that are done are left out), `t[i]` its time.
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
/// - `polynomials`: exact on `dy/dt = p(t)` with `p` of degree below `order`;
/// - `reversal`: a step forward and back returns to the start within the method's error;
/// - `rows`: a row's result does not depend on its batch.
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
