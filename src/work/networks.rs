//! The network of a recipe on a device.

use crate::config::Recipe;
use crate::data::{ImageShape, RowShape};
use crate::error::Result;
use crate::nn::DynNetwork;
use crate::registry::{ComputeDevice, NetworkPlan, Registry};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The network of a recipe for images of `shape`.
///
/// # Errors
/// A name, a setting or a shape that cannot be used.
pub(crate) fn plan(recipe: &Recipe, registry: &Registry, shape: ImageShape) -> Result<NetworkPlan> {
    registry.network(recipe, RowShape::Image(shape))
}

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
