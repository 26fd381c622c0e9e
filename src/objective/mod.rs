//! What training minimises: per-row losses in nats, so that errors can be estimated and times can be
//! importance-sampled.
//!
//! The order of an objective is in its type ([`Objective::Order`]): one that needs derivatives of the network
//! in the state bounds the network by [`Jvp`](crate::nn::Jvp), so a network without them does not compile with it.

mod first_order;
mod matching;

pub use first_order::FirstOrder;
pub use matching::{Matching, RowLosses};

use crate::error::Result;
use crate::nn::{Network, Pass};
use crate::tensor::{Kernels, Real};

/// A loss per row of a regression problem.
///
/// # Laws
/// - `rows`: a row's loss depends on that row of the problem only;
/// - `unbiased`: with `weight / pdf` in it, its mean over draws is the objective's integral over gamma.
pub trait Objective<E: Real, D: Kernels<E>, N: Network<E, D>> {
    /// The order of the highest derivative of the log-density that is matched: 1 for the score.
    type Order: typenum::Unsigned;

    /// The loss of each row, in nats, with the tape that leads to the parameters.
    ///
    /// # Errors
    /// If the problem does not fit the network.
    fn losses(
        &self,
        network: &N,
        problem: &Matching<N::Batch, E, D>,
        pass: &mut Pass<'_>,
    ) -> Result<RowLosses<E, D>>;
}
