//! The objective of a recipe's stage.

use crate::config;
use crate::error::Result;
use crate::nn::SecondJvp;
use crate::objective::{
    FirstOrder, Objective, Passes, RowLosses, SecondOrderJacobian, SecondOrderTrace, Slices, ThirdOrder,
    Weighted,
};
use crate::tensor::{Kernels, Real};

/// The first order and the high-order terms whose weights are not 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ByName(pub(super) config::Objective);

impl<E: Real, D: Kernels<E>, N: SecondJvp<E, D>> Objective<E, D, N> for ByName {
    type Order = typenum::U3;

    fn terms(&self, passes: &mut Passes<'_, '_, E, D, N>) -> Result<RowLosses<E, D>> {
        let config::ThirdOrder { trace, estimator, jacobian, trace_gradient } = self.0.weights();
        // The highest order first: its pass gives the others the network's output.
        let mut high = Vec::new();
        if trace_gradient > 0.0 {
            high.push(Weighted(trace_gradient, ThirdOrder(Slices::Probe)).terms(passes)?);
        }
        if jacobian > 0.0 {
            high.push(Weighted(jacobian, SecondOrderJacobian(Slices::Probe)).terms(passes)?);
        }
        if trace > 0.0 {
            high.push(Weighted(trace, SecondOrderTrace(estimator)).terms(passes)?);
        }
        let first = FirstOrder.terms(passes)?;
        Ok(high.into_iter().fold(first, |sum, term| sum + term))
    }
}
