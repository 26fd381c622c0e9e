//! Error bounds of high-order matching, as functions.
//!
//! The network regresses `F = a eps + b z`; `F* = E[F | z]` is exact, `F1` the network's,
//! `delta = F* - F1` its first-order error and `r = F - F1` what training sees. `S` and `t` are
//! second-order estimates: of `sigma dF*/dz` and of its trace. Everything is per state `z`, in f64.
//!
//! A bound is training excess (how far the estimate is from the minimiser of its own training loss)
//! plus what the lower orders' errors do to that minimiser:
//!
//! | order | regression target | its conditional mean, less the truth | function |
//! |---|---|---|---|
//! | 2, Jacobian | `(a + b sigma) I - r r' / a` | `-delta delta' / a` | [`second_order_shift`] |
//! | 2, trace | `(a + b sigma) d - r' r / a` | `-delta' delta / a` | its trace |
//! | 3, gradient of the trace | `(r' r r - c2 r - 2 C2 r) / a^2` | `(delta' delta delta + a (2 E2 + e2 I) delta) / a^2` | [`third_order_shift`] |
//!
//! with `C2 = a ((a + b sigma) I - S)`, `c2 = a ((a + b sigma) d - t)`, and the second order's errors
//! `E2 = S - sigma dF*/dz`, `e2 = t - sigma tr dF*/dz`.
//!
//! # Reference
//! The idea: "Maximum Likelihood Training for Score-Based Diffusion ODEs by High-Order Denoising
//! Score Matching", arXiv 2206.08265. The forms for any `(a, b)` are ours.

mod ode_kl;

pub use ode_kl::{OdeKl, OdeKlProblem, Resolution};

use crate::parameterization::Affine;
use nalgebra::{DMatrix, DVector};

/// `-(1/a) delta delta'`: what a first-order error adds to the second-order target's conditional
/// mean.
pub fn second_order_shift(target: Affine, delta: &DVector<f64>) -> DMatrix<f64> {
    delta * delta.transpose() / -target.noise
}

/// The bound on the second order's error, `excess + |delta|^2 / |a|`.
///
/// The same number bounds `|S - sigma dF*/dz|` in the Frobenius norm, with `excess = |S - S_opt|`, and
/// `|t - sigma tr dF*/dz|`, with `excess = |t - t_opt|`. Equality where the excess is 0 or points the
/// way of the shift.
pub fn second_order(target: Affine, first_order_error: f64, excess: f64) -> f64 {
    excess + first_order_error.powi(2) / target.noise.abs()
}

/// `(1/a^2) (|delta|^2 delta + 2 a E2 delta + a e2 delta)`: what first- and second-order errors add to
/// the third-order target's conditional mean.
pub fn third_order_shift(
    target: Affine,
    delta: &DVector<f64>,
    jacobian_error: &DMatrix<f64>,
    trace_error: f64,
) -> DVector<f64> {
    let a = target.noise;
    delta * (delta.norm_squared() / a.powi(2) + trace_error / a) + jacobian_error * delta * (2.0 / a)
}

/// The errors of the orders below the third.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LowerOrders {
    /// `|delta|`.
    pub first: f64,
    /// `|E2|`, the norm of the Jacobian's error (times sigma): operator or Frobenius, both bound.
    pub jacobian: f64,
    /// `|e2|`, the error of the Jacobian's trace (times sigma).
    pub trace: f64,
}

/// The bound on the third order's error,
/// `excess + |delta|^3 / a^2 + |delta| (2 |E2| + |e2|) / |a|`.
///
/// It bounds the error of `sigma^2 grad tr dF*/dz`. Equality where the excess is 0 and `E2 delta` and
/// `e2 delta` point the way of `delta / a`.
pub fn third_order(target: Affine, errors: LowerOrders, excess: f64) -> f64 {
    let a = target.noise.abs();
    excess + errors.first.powi(3) / a.powi(2) + errors.first * (2.0 * errors.jacobian + errors.trace) / a
}
