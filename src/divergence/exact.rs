//! The exact trace.

use super::{Divergence, Jacobian, ProbeSeed, Trace, for_each_form};

/// The exact trace, `sum_i e_i^T (dF/dz) e_i`: one product a dimension, for any shape.
///
/// The unit probes of several dimensions and rows share one batch of the network.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exact;

impl Divergence for Exact {
    fn begin(&self, _dims: usize, _seeds: &[ProbeSeed]) -> Box<dyn Trace> {
        Box::new(*self)
    }

    fn is_exact(&self) -> bool {
        true
    }
}

impl Trace for Exact {
    fn trace(&mut self, _rows: &[usize], jacobian: &mut dyn Jacobian) -> Vec<f64> {
        let dims = jacobian.dims();
        let mut traces = vec![0.0; jacobian.rows()];
        let count = traces.len() * dims;
        let unit = |pair: usize, tangent: &mut [f64]| {
            tangent.fill(0.0);
            tangent[pair % dims] = 1.0;
            pair / dims
        };
        for_each_form(jacobian, count, unit, |pair, form| traces[pair / dims] += form);
        traces
    }

    fn renew(&mut self, _rows: &[usize], _seeds: &[ProbeSeed]) {}
}
