//! Second-order matching of the trace.

use super::passes::{coefficients, dot_rows, host, per_row};
use super::{Objective, Passes, RowLosses, Term};
use crate::error::Result;
use crate::nn::Jvp;
use crate::tensor::{Kernels, Real, RowCoefficients};
use serde::{Deserialize, Serialize};

/// The trace of the network's Jacobian against its regression target:
/// `1 / (2 a^2 pdf(gamma) d) (sigma tr dF1/dz - T)^2` per row, in nats, with
/// `T = (a + b sigma) d - |F - F1|^2 / a`, which no gradient goes through.
///
/// `E[T | z] = sigma tr dF*/dz - |F* - F1|^2 / a`, so the minimiser's error is at most the training excess plus the
/// square of the first-order error over `|a|`: [`crate::bounds::second_order`].
///
/// # Reference
/// i-DODE (arXiv 2305.03935), section 4.3 (error-bounded second-order flow matching); for any `(a, b)` and the unbiased
/// estimate: ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SecondOrderTrace(
    /// How the square of the trace's error is estimated.
    pub TraceEstimator,
);

/// How the square of `tr M` is estimated, `M = sigma sym(dF1/dz) - (a + b sigma) I + r r' / a` with the residual
/// `r = F - F1`; `v`, `v1`, `v2` are Rademacher probes, independent for each row.
///
/// With one probe the square of an estimate is not an estimate of the square: its variance is added, and training
/// then shrinks that too.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TraceEstimator {
    /// `(sigma v1' J v1 - T) (sigma v2' J v2 - T)`, whose mean over probes is `(tr M)^2`: unbiased.
    ///
    /// By symmetry the mean gradient is that of twice the first factor times the second without a gradient, which is
    /// what is computed: the second probe costs no backward pass.
    #[default]
    TwoProbes,
    /// `(v' M v)^2`, both sides projected on one probe: `(tr M)^2 + 2 |offdiag M|^2`, with the same minimiser
    /// (arXiv 2206.08265 does so for the score).
    Projected,
    /// `(sigma v' J v - T)^2`, the published code's: `(tr M)^2 + 2 sigma^2 |offdiag sym(J)|^2`. The added
    /// term shrinks the Jacobian off its diagonal: another minimiser.
    SquaredProbe,
    /// `(tr M)^2` with the exact trace: `d` passes, for small `d`.
    Exact,
}

impl<E: Real, D: Kernels<E>, N: Jvp<E, D>> Objective<E, D, N> for SecondOrderTrace {
    type Order = typenum::U2;

    fn terms(&self, passes: &mut Passes<'_, '_, E, D, N>) -> Result<RowLosses<E, D>> {
        let (dims, problem) = (passes.dims(), passes.problem());
        let exact = self.0 == TraceEstimator::Exact;
        let mut projected = None;
        let trace = passes.total(if exact { dims } else { 1 }, |passes, index| {
            let v = if exact { passes.unit(index) } else { passes.probe() };
            if self.0 == TraceEstimator::Projected {
                projected = Some(v.clone());
            }
            Ok(dot_rows(passes.along(&v), &v))
        })?;
        let squares: Vec<f64> = match projected {
            Some(v) => {
                let mut along = host(&dot_rows(passes.residual(), &v));
                along.iter_mut().for_each(|r| *r *= *r);
                along
            }
            None => passes.squared_residual(),
        };
        let mut targets = Vec::with_capacity(squares.len());
        for (row, r) in problem.rows.iter().zip(&squares) {
            targets.push(row.second_order.identity * dims as f64 + row.second_order.outer * r);
        }
        let errors = per_row(problem, |row| row.sigma).scale(trace)
            - RowCoefficients::new(targets.clone()).tensor(problem.z.device());
        let coefficients = coefficients(problem, dims as f64);
        let own = host(&errors);
        let (losses, other) = if self.0 == TraceEstimator::TwoProbes {
            let v = passes.probe();
            let mut other = host(&dot_rows(passes.fixed_along(&v), &v));
            for ((t, row), target) in other.iter_mut().zip(&problem.rows).zip(&targets) {
                *t = row.sigma * *t - target;
            }
            (product(errors, &other, &coefficients), other)
        } else {
            (RowCoefficients::new(coefficients.clone()).scale(errors.square()), own.clone())
        };
        let (mut row_losses, mut row_errors) = (Vec::with_capacity(own.len()), Vec::with_capacity(own.len()));
        for ((e, o), c) in own.iter().zip(&other).zip(&coefficients) {
            row_losses.push(c * e * o);
            row_errors.push(c.sqrt() * 0.5 * (e + o));
        }
        passes.report(Term { order: 2, name: "trace", losses: row_losses, errors: Some(row_errors) });
        Ok(losses)
    }
}

/// `c e o` of each row, with the gradient of `2 c e o` in `e` alone: the mean over exchangeable `e` and `o` has the
/// gradient of the mean product.
pub(super) fn product<E: Real, D: Kernels<E>>(
    errors: RowLosses<E, D>,
    other: &[f64],
    coefficients: &[f64],
) -> RowLosses<E, D> {
    let (mut slopes, mut halves) = (Vec::with_capacity(other.len()), host(&errors));
    for ((o, c), half) in other.iter().zip(coefficients).zip(&mut halves) {
        let slope = 2.0 * c * o;
        *half = 0.5 * *half * slope;
        slopes.push(slope);
    }
    let halves = RowCoefficients::new(halves).tensor(errors.device());
    RowCoefficients::new(slopes).scale(errors) - halves
}
