//! Third-order matching: the gradient of the trace.

use super::passes::{dot_rows, host, per_row};
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
/// Sliced: along one Rademacher direction `w`, with the trace from probes `v1` and `v2` in product form (see
/// [`TraceEstimator::TwoProbes`](super::TraceEstimator)), and `t` from a third, so that the mean over probes is the exact
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
        let coefficients: Vec<f64> = problem.weights().as_slice().iter().map(|w| w / (d * d)).collect();
        let losses = passes.total(self.0.count(dims), |passes, index| {
            let (w, trace, second) = match self.0 {
                Slices::Probe => {
                    let (w, v, u) = (passes.probe(), passes.probe(), passes.probe());
                    let trace = dot_rows(passes.along_both(&v, &w), &v);
                    (w.clone(), trace, Some(host(&dot_rows(passes.fixed_along_both(&u, &w), &u))))
                }
                Slices::Exact => {
                    let w = passes.unit(index);
                    let trace = passes.total(dims, |passes, i| {
                        let v = passes.unit(i);
                        Ok(dot_rows(passes.along_both(&v, &w), &v))
                    })?;
                    (w, trace, None)
                }
            };
            let targets = self.targets(passes, &w);
            let errors =
                variance.scale(trace) - RowCoefficients::new(targets.clone()).tensor(problem.z.device());
            Ok(match second {
                Some(second) => {
                    let rows = second.iter().zip(variance.as_slice()).zip(&targets);
                    let other: Vec<f64> = rows.map(|((s, v), target)| v * s - target).collect();
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

impl ThirdOrder {
    /// `w . G` of each row.
    fn targets<E: Real, D: Kernels<E>, N: SecondJvp<E, D>>(
        &self,
        passes: &mut Passes<'_, '_, E, D, N>,
        w: &Tensor<N::Batch, E, D>,
    ) -> Vec<f64> {
        let (dims, problem) = (passes.dims(), passes.problem());
        let residual = passes.residual();
        let mut traces = vec![0.0; problem.rows.len()];
        for index in 0..self.0.count(dims) {
            let v = match self.0 {
                Slices::Probe => passes.probe(),
                Slices::Exact => passes.unit(index),
            };
            let own = host(&dot_rows(passes.fixed_along(&v), &v));
            traces.iter_mut().zip(own).for_each(|(trace, own)| *trace += own);
        }
        let along = passes.fixed_along(&residual);
        let (along_w, second) = (host(&dot_rows(residual, w)), host(&dot_rows(along, w)));
        let squares = passes.squared_residual();
        let row = |i: usize| {
            let (row, third) = (&problem.rows[i], &problem.rows[i].third_order);
            let linear = third.linear * (dims as f64 + 2.0) + third.trace * row.sigma * traces[i];
            (third.cubic * squares[i] + linear) * along_w[i] + third.jacobian * row.sigma * second[i]
        };
        (0..problem.rows.len()).map(row).collect()
    }
}
