//! Second-order matching of the whole Jacobian.

use super::matching::sum_rows;
use super::passes::{coefficients, dot_rows, host, per_row};
use super::{Objective, Passes, RowLosses, Slices, Term};
use crate::error::Result;
use crate::nn::Jvp;
use crate::tensor::{Kernels, Real, RowCoefficients};
use dfdx::prelude::*;

/// The network's Jacobian against its regression target: `1 / (2 a^2 pdf(gamma) d) |M|^2` per row, in nats, in the Frobenius
/// norm, with `M = sigma dF1/dz - (a + b sigma) I + r r' / a`, through whose residual `r = F - F1` no gradient goes.
///
/// Sliced, `|M v|^2` for one Rademacher probe `v`, whose mean is `|M|^2`: unbiased. The minimiser's error is at most the
/// training excess plus the square of the first-order error over `|a|`: [`crate::bounds::second_order`].
///
/// # Reference
/// Lu et al. 2022, arXiv 2206.08265, section 3.2 (sliced second-order denoising score matching); for any `(a, b)`: ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SecondOrderJacobian(
    /// Which products with `M` are taken.
    pub Slices,
);

impl<E: Real, D: Kernels<E>, N: Jvp<E, D>> Objective<E, D, N> for SecondOrderJacobian {
    type Order = typenum::U2;

    fn terms(&self, passes: &mut Passes<'_, '_, E, D, N>) -> Result<RowLosses<E, D>> {
        let (dims, problem) = (passes.dims(), passes.problem());
        let sigma = per_row(problem, |row| row.sigma);
        let identity = per_row(problem, |row| row.second_order.identity);
        let coefficients = coefficients(problem, dims as f64);
        let mut trace = vec![0.0; problem.rows.len()];
        let sum = passes.total(self.0.count(dims), |passes, index| {
            let v = match self.0 {
                Slices::Probe => passes.probe(),
                Slices::Exact => passes.unit(index),
            };
            let product = sigma.scale(passes.along(&v));
            let residual = passes.residual();
            let mut outer = host(&dot_rows(residual.clone(), &v));
            for (r, row) in outer.iter_mut().zip(&problem.rows) {
                *r *= row.second_order.outer;
            }
            let target = identity.scale(v.clone()) + RowCoefficients::new(outer).scale(residual);
            let error = product - target;
            let on_diagonal = host(&dot_rows(error.retaped::<NoneTape>(), &v));
            for (t, d) in trace.iter_mut().zip(&on_diagonal) {
                *t += d;
            }
            Ok(sum_rows(error.square()))
        })?;
        let losses = RowCoefficients::new(coefficients.clone()).scale(sum);
        for (t, c) in trace.iter_mut().zip(&coefficients) {
            *t *= c.sqrt();
        }
        passes.report(Term { order: 2, name: "jacobian", losses: host(&losses), errors: Some(trace) });
        Ok(losses)
    }
}
