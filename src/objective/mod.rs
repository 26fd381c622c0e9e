//! What training minimises: per-row losses in nats, so that errors can be estimated and times can be
//! importance-sampled.
//!
//! The order of an objective is in its type ([`Objective::Order`]): one that needs derivatives of the network
//! in the state bounds the network by [`Jvp`](crate::nn::Jvp) or [`SecondJvp`](crate::nn::SecondJvp), so a network without
//! them does not compile with it. Objectives are added and weighted by `+` and `*`: fine-tuning as in the paper minimises
//! `FirstOrder + 0.1 * SecondOrderTrace::default()`. One's own are, too, after [`objective_operators!`](crate::objective_operators).
//!
//! dfdx's gradients are not differentiable: derivatives in the state are taken forward, with taped
//! operations, so that one ordinary backward pass gives the exact gradient in the parameters. What the theory
//! regresses on (the residual, the lower orders' estimates) is computed without a tape.

mod first_order;
mod matching;
mod passes;
mod probes;
mod second_order_jacobian;
mod second_order_trace;
mod slices;
mod sum;
mod term;
mod third_order;

pub use first_order::FirstOrder;
pub use matching::{Matching, RowLosses};
pub use passes::{Losses, Passes};
pub use probes::{Given, Probes};
pub use second_order_jacobian::SecondOrderJacobian;
pub use second_order_trace::{SecondOrderTrace, TraceEstimator};
pub use slices::Slices;
pub use sum::{Sum, Weighted};
pub use term::Term;
pub use third_order::ThirdOrder;

use crate::error::Result;
use crate::nn::Network;
use crate::tensor::{Kernels, Real};

/// A loss per row of a regression problem.
///
/// # Laws
/// - `rows`: a row's loss depends on that row of the problem, and its probes, only;
/// - `unbiased`: with `weight / pdf` in it, its mean over draws is the objective's integral over gamma.
pub trait Objective<E: Real, D: Kernels<E>, N: Network<E, D>> {
    /// The order of the highest derivative of the log-density that is matched: 1 for the score.
    type Order: typenum::Unsigned;

    /// The loss of each row, in nats, from what `passes` computes of the network.
    ///
    /// # Errors
    /// If the problem does not fit the network.
    fn terms(&self, passes: &mut Passes<'_, '_, E, D, N>) -> Result<RowLosses<E, D>>;
}

impl<E: Real, D: Kernels<E>, N: Network<E, D>, O: Objective<E, D, N> + ?Sized> Objective<E, D, N> for &O {
    type Order = O::Order;

    fn terms(&self, passes: &mut Passes<'_, '_, E, D, N>) -> Result<RowLosses<E, D>> {
        (**self).terms(passes)
    }
}
