//! What a stage minimises: an objective of any type, or one by name.

use crate::config;
use crate::error::{Error, Result};
use crate::nn::{DynNetwork, SecondJvp};
use crate::objective::{
    FirstOrder, Objective, Passes, RowLosses, SecondOrderJacobian, SecondOrderTrace, Slices, Sum, ThirdOrder,
    Weighted,
};
use crate::tensor::{Kernels, Real};
use std::any::Any;
use std::fmt;
use std::sync::Arc;

/// The first order and the high-order terms whose weights are not 0.
#[derive(Clone, Copy, Debug, PartialEq)]
struct ByName(config::ThirdOrder);

impl ByName {
    /// The objective of a recipe's stage.
    ///
    /// # Errors
    /// A program's own.
    fn new(objective: &config::Objective) -> Result<Self> {
        match objective {
            config::Objective::Program(own) => {
                let expected = "one that a recipe can name";
                Err(Error::value("objective", format!("{} of a program", own.of), expected))
            }
            named => Ok(Self(named.weights())),
        }
    }
}

impl<E: Real, D: Kernels<E>, N: SecondJvp<E, D>> Objective<E, D, N> for ByName {
    type Order = typenum::U3;

    fn terms(&self, passes: &mut Passes<'_, '_, E, D, N>) -> Result<RowLosses<E, D>> {
        let config::ThirdOrder { trace, estimator, jacobian, trace_gradient } = self.0;
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

/// [`Objective::terms`] of whatever order.
trait AnyOrder<D: Kernels<f32>> {
    fn terms_of(&self, passes: &mut Passes<'_, '_, f32, D, DynNetwork<f32, D>>) -> Result<RowLosses<f32, D>>;
}

impl<D: Kernels<f32>, O: Objective<f32, D, DynNetwork<f32, D>>> AnyOrder<D> for O {
    fn terms_of(&self, passes: &mut Passes<'_, '_, f32, D, DynNetwork<f32, D>>) -> Result<RowLosses<f32, D>> {
        Objective::terms(self, passes)
    }
}

/// An objective behind an object, for the networks of a run on devices of type `D`.
pub(crate) struct AnyObjective<D: Kernels<f32>>(Arc<dyn AnyOrder<D>>);

impl<D: Kernels<f32>> AnyObjective<D> {
    pub(super) fn new(objective: impl Objective<f32, D, DynNetwork<f32, D>> + 'static) -> Self {
        Self(Arc::new(objective))
    }

    /// The objective of a recipe's stage.
    ///
    /// # Errors
    /// A program's own.
    pub(crate) fn by_name(objective: &config::Objective) -> Result<Self> {
        ByName::new(objective).map(Self::new)
    }
}

impl<D: Kernels<f32>> Clone for AnyObjective<D> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<D: Kernels<f32>> fmt::Debug for AnyObjective<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AnyObjective")
    }
}

impl<D: Kernels<f32>> Objective<f32, D, DynNetwork<f32, D>> for AnyObjective<D> {
    type Order = typenum::U3;

    fn terms(&self, passes: &mut Passes<'_, '_, f32, D, DynNetwork<f32, D>>) -> Result<RowLosses<f32, D>> {
        self.0.terms_of(passes)
    }
}

/// What a recipe calls an objective, if it is one that a recipe can name.
pub(super) fn name(objective: &dyn Any) -> Option<config::Objective> {
    type FineTuning = Sum<FirstOrder, Weighted<SecondOrderTrace>>;
    if objective.is::<FirstOrder>() {
        return Some(config::Objective::FirstOrder);
    }
    let Sum(_, Weighted(trace, SecondOrderTrace(estimator))) = *objective.downcast_ref::<FineTuning>()?;
    Some(config::Objective::SecondOrder(config::SecondOrder { trace, estimator, jacobian: 0.0 }))
}
