//! First-order matching: the diffusion term of the VLB.

use super::{Objective, Passes, RowLosses};
use crate::error::Result;
use crate::nn::Network;
use crate::tensor::{Kernels, Real};

/// `1 / (2 a^2 pdf(gamma)) |F^ - F|^2` per row, in nats.
///
/// Its mean over data, noise and gamma drawn with density `pdf` is the diffusion term of the VLB,
/// `1/2 integral a^-2 E|F^ - F|^2 dgamma`, plus a constant that the network cannot change.
///
/// # Reference
/// Kingma et al., "Variational Diffusion Models" (arXiv 2107.00630), equation 15; i-DODE (arXiv
/// 2305.03935), section 4.2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FirstOrder;

impl<E: Real, D: Kernels<E>, N: Network<E, D>> Objective<E, D, N> for FirstOrder {
    type Order = typenum::U1;

    fn terms(&self, passes: &mut Passes<'_, '_, E, D, N>) -> Result<RowLosses<E, D>> {
        let error = D::distances(passes.output(), &passes.problem().target);
        Ok(passes.problem().weights().scale(error))
    }
}
