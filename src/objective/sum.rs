//! Sums of objectives.

use super::{Objective, Passes, RowLosses};
use crate::error::Result;
use crate::nn::Network;
use crate::tensor::{Kernels, Real};
use typenum::{Max, Maximum, Unsigned};

/// `weight` times an objective.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weighted<O>(
    /// The weight.
    pub f64,
    /// The objective.
    pub O,
);

impl<E: Real, D: Kernels<E>, N: Network<E, D>, O: Objective<E, D, N>> Objective<E, D, N> for Weighted<O> {
    type Order = O::Order;

    fn terms(&self, passes: &mut Passes<'_, '_, E, D, N>) -> Result<RowLosses<E, D>> {
        Ok(self.1.terms(passes)? * E::of(self.0))
    }
}

/// The sum of two objectives, whose order is the larger of theirs.
///
/// The one of higher order goes first: its pass through the network gives the other its output too, so
/// `Sum(FirstOrder, Weighted(0.1, SecondOrderTrace::default()))` costs no pass more than its second term.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sum<A, B>(
    /// One objective.
    pub A,
    /// The other.
    pub B,
);

impl<E, D, N, A, B> Objective<E, D, N> for Sum<A, B>
where
    E: Real,
    D: Kernels<E>,
    N: Network<E, D>,
    A: Objective<E, D, N>,
    B: Objective<E, D, N>,
    A::Order: Max<B::Order>,
    Maximum<A::Order, B::Order>: Unsigned,
{
    type Order = Maximum<A::Order, B::Order>;

    fn terms(&self, passes: &mut Passes<'_, '_, E, D, N>) -> Result<RowLosses<E, D>> {
        Ok(if A::Order::U8 >= B::Order::U8 {
            let a = self.0.terms(passes)?;
            a + self.1.terms(passes)?
        } else {
            let b = self.1.terms(passes)?;
            b + self.0.terms(passes)?
        })
    }
}
