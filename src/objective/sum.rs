//! Sums of objectives: `a + 0.1 * b`.

use super::{FirstOrder, Objective, Passes, RowLosses, SecondOrderJacobian, SecondOrderTrace, ThirdOrder};
use crate::error::Result;
use crate::nn::Network;
use crate::tensor::{Kernels, Real};
use std::ops::{Add, Mul};
use typenum::{Max, Maximum, Unsigned};

/// `weight` times an objective, written `weight * objective`.
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

/// The sum of two objectives, written `a + b`; its order is the larger of theirs.
///
/// The one of higher order goes first: its pass through the network gives the other its output too, so
/// `FirstOrder + 0.1 * SecondOrderTrace::default()` costs no pass more than its second term.
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

/// Gives objectives of one's own `a + b` (a [`Sum`](crate::objective::Sum)) and `0.1 * a` (a [`Weighted`](crate::objective::Weighted)),
/// which those of this crate have.
///
/// ```
/// use idode::objective::{FirstOrder, Sum, Weighted};
/// #[derive(Clone, Copy, Debug, PartialEq)]
/// struct Own;
/// idode::objective_operators!(Own);
/// assert_eq!(0.5 * Own + FirstOrder, Sum(Weighted(0.5, Own), FirstOrder));
/// assert_eq!(FirstOrder + 0.5 * Own, Sum(FirstOrder, Weighted(0.5, Own)));
/// ```
#[macro_export]
macro_rules! objective_operators {
    ($($objective:ty),+ $(,)?) => {$(
        impl<B> ::std::ops::Add<B> for $objective {
            type Output = $crate::objective::Sum<Self, B>;

            fn add(self, other: B) -> Self::Output {
                $crate::objective::Sum(self, other)
            }
        }

        impl ::std::ops::Mul<$objective> for f64 {
            type Output = $crate::objective::Weighted<$objective>;

            fn mul(self, objective: $objective) -> Self::Output {
                $crate::objective::Weighted(self, objective)
            }
        }
    )+};
}

objective_operators!(FirstOrder, SecondOrderTrace, SecondOrderJacobian, ThirdOrder);

impl<O, C> Add<C> for Weighted<O> {
    type Output = Sum<Self, C>;

    fn add(self, other: C) -> Self::Output {
        Sum(self, other)
    }
}

impl<O> Mul<Weighted<O>> for f64 {
    type Output = Weighted<O>;

    fn mul(self, objective: Weighted<O>) -> Self::Output {
        Weighted(self * objective.0, objective.1)
    }
}

impl<A, B, C> Add<C> for Sum<A, B> {
    type Output = Sum<Self, C>;

    fn add(self, other: C) -> Self::Output {
        Sum(self, other)
    }
}

impl<A, B> Mul<Sum<A, B>> for f64 {
    type Output = Weighted<Sum<A, B>>;

    fn mul(self, objective: Sum<A, B>) -> Self::Output {
        Weighted(self, objective)
    }
}
