//! The network of a recipe on a device.

use crate::error::Result;
use crate::nn::DynNetwork;
use crate::registry::{ComputeDevice, NetworkPlan};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The network of a plan with the fresh weights of `seed`.
///
/// # Errors
/// Settings that the network does not take.
pub(crate) fn fresh<D: ComputeDevice>(
    plan: &NetworkPlan,
    seed: u64,
    device: &D,
) -> Result<DynNetwork<f32, D>> {
    // Stream -1 of the generator: training step k has stream k.
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(u64::MAX);
    plan.build(device, &mut rng)
}
