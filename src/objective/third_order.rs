//! Third-order matching: the gradient of the trace.

use super::passes::{coefficients, dot_rows, host, per_row};
use super::second_order_trace::product;
use super::{Objective, Passes, RowLosses, Slices, Term};
use crate::error::Result;
use crate::nn::SecondJvp;
use crate::tensor::{Kernels, Real, RowCoefficients};
use dfdx::prelude::*;

/// The gradient of the trace of the network's Jacobian against its regression target:
/// `1 / (2 a^2 pdf(gamma) d^2) |sigma^2 grad tr dF1/dz - G|^2` per row, in nats, with
/// `G = (|r|^2 r - c2 r - 2 C2 r) / a^2`, `C2 = a ((a + b sigma) I - S)`, `c2 = a ((a + b sigma) d - t)`: the
/// residual `r = F - F1` and the network's own second-order estimates, `S = sigma dF1/dz` and `t` of its
/// trace. No gradient goes through `G`.
///
/// Sliced: along one Rademacher direction `w`, in product form (see [`TraceEstimator::TwoProbes`](super::TraceEstimator)):
/// either factor has both traces, the network's and `t`, from its own probe, so that the mean over probes is the exact
/// objective, value and gradient. The minimiser's error is bounded by the training excess and the lower orders' errors:
/// [`crate::bounds::third_order`].
///
/// # Reference
/// Lu et al. 2022, arXiv 2206.08265, section 3.3 (third-order denoising score matching); for any `(a, b)` and unbiased: ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ThirdOrder(
    /// Which directions are taken.
    pub Slices,
);

impl<E: Real, D: Kernels<E>, N: SecondJvp<E, D>> Objective<E, D, N> for ThirdOrder {
    type Order = typenum::U3;

    fn terms(&self, passes: &mut Passes<'_, '_, E, D, N>) -> Result<RowLosses<E, D>> {
        let (dims, problem) = (passes.dims(), passes.problem());
        let variance = per_row(problem, |row| row.sigma * row.sigma);
        let d = dims as f64;
        let coefficients = coefficients(problem, d * d);
        let losses = passes.total(self.0.count(dims), |passes, index| {
            let (w, own, other) = match self.0 {
                Slices::Probe => {
                    let (w, v, u) = (passes.probe(), passes.probe(), passes.probe());
                    let own = dot_rows(passes.along_both(&v, &w), &v);
                    let trace = host(&dot_rows(passes.fixed_along(&v), &v));
                    let [along, second] = passes.fixed_along_both(&u, &w);
                    let other = (host(&dot_rows(along, &u)), host(&dot_rows(second, &u)));
                    (w, (trace, own), Some(other))
                }
                Slices::Exact => {
                    let (w, mut trace) = (passes.unit(index), vec![0.0; problem.rows.len()]);
                    let own = passes.total(dims, |passes, i| {
                        let v = passes.unit(i);
                        let entry = host(&dot_rows(passes.fixed_along(&v), &v));
                        for (trace, entry) in trace.iter_mut().zip(&entry) {
                            *trace += entry;
                        }
                        Ok(dot_rows(passes.along_both(&v, &w), &v))
                    })?;
                    (w, (trace, own), None)
                }
            };
            let (trace, own) = own;
            let target = target(passes, &w);
            let goals = RowCoefficients::new(target(&trace)).tensor(problem.z.device());
            let errors = variance.scale(own) - goals;
            Ok(match other {
                Some((trace, second)) => {
                    let mut other = target(&trace);
                    for ((s, v), goal) in second.iter().zip(variance.as_slice()).zip(&mut other) {
                        *goal = v * s - *goal;
                    }
                    product(errors, &other, &coefficients)
                }
                None => RowCoefficients::new(coefficients.clone()).scale(errors.square()),
            })
        })?;
        // Along a random direction an error has no sign of its own.
        passes.report(Term { order: 3, name: "trace_gradient", losses: host(&losses), errors: None });
        Ok(losses)
    }
}

/// `w . G` of each row as a function of the rows' estimates of `tr dF1/dz`.
fn target<E: Real, D: Kernels<E>, N: SecondJvp<E, D>>(
    passes: &mut Passes<'_, '_, E, D, N>,
    w: &Tensor<N::Batch, E, D>,
) -> impl Fn(&[f64]) -> Vec<f64> {
    let (dims, rows) = (passes.dims() as f64, &passes.problem().rows);
    let residual = passes.residual();
    let second = host(&dot_rows(passes.fixed_along(&residual), w));
    let along_w = host(&dot_rows(residual, w));
    let squares = passes.squared_residual();
    move |traces| {
        let mut goals = Vec::with_capacity(traces.len());
        for (i, trace) in traces.iter().enumerate() {
            let (sigma, third) = (rows[i].sigma, &rows[i].third_order);
            let linear = third.linear * (dims + 2.0) + third.trace * sigma * trace;
            goals.push((third.cubic * squares[i] + linear) * along_w[i] + third.jacobian * sigma * second[i]);
        }
        goals
    }
}
