//! A loss with the work of second-order matching, for its time alone.

use crate::error::Result;
use crate::nn::{Jvp, Pass};
use crate::objective::{Matching, Objective, RowLosses};
use crate::tensor::{Dual, Kernels, Real};
use dfdx::prelude::*;

/// `|F^ - F|^2 + (v . J v)^2` per row, with a probe of ones.
#[derive(Clone, Copy, Debug)]
pub(super) struct OneProbe;

impl<E: Real, D: Kernels<E>, N: Jvp<E, D>> Objective<E, D, N> for OneProbe {
    type Order = typenum::U2;

    fn losses(
        &self,
        network: &N,
        problem: &Matching<N::Batch, E, D>,
        pass: &mut Pass<'_>,
    ) -> Result<RowLosses<E, D>> {
        let input = problem.input();
        let probe = network.device().ones_like(input.shape());
        let output = network.jvp(Dual::new(input.leaky_traced(), probe.clone().retaped()), pass);
        let error = rows((output.value - problem.target.clone()).square());
        let trace = rows(output.tangent * probe).square();
        Ok(problem.weights().scale(error + trace))
    }
}

fn rows<S: Shape, E: Real, D: Kernels<E>, T: Tape<E, D>>(x: Tensor<S, E, D, T>) -> Tensor<(usize,), E, D, T> {
    let rows = x.shape().concrete()[0];
    let columns = x.shape().num_elements() / rows.max(1);
    x.reshape_like(&(rows, columns)).sum::<(usize,), Axis<1>>()
}
