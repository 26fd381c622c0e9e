//! Group norm over one or several inputs side by side.

use super::parameters::path;
use super::{Parameters, Role, Visit};
use crate::tensor::{GroupNorm, ImageBatch, Kernels, Mode, Real};
use dfdx::prelude::{Dim, Tensor};

/// The paper's number of groups.
pub const GROUPS: usize = 32;

/// Group norm with 32 groups and, unless [`plain`](Norm::plain), swish after it.
///
/// Over several inputs it is the norm of their channels side by side: with as many channels in each,
/// no group straddles two inputs, so each is normalized by itself with its share of the groups.
#[derive(Clone, Debug)]
pub struct Norm<E: Real, D: Kernels<E>> {
    scale: Tensor<(usize,), E, D>,
    bias: Tensor<(usize,), E, D>,
    swish: bool,
}

impl<E: Real, D: Kernels<E>> Norm<E, D> {
    /// Group norm over `channels` channels in all, followed by swish.
    pub fn new(channels: usize, device: &D) -> Self {
        Self { scale: device.ones_like(&(channels,)), bias: device.zeros_like(&(channels,)), swish: true }
    }

    /// Group norm alone.
    pub fn plain(channels: usize, device: &D) -> Self {
        Self { swish: false, ..Self::new(channels, device) }
    }

    /// Each of `inputs` normalized, in mode `M`.
    pub fn apply<M: Mode<E, D>, H: Dim, W: Dim, C: Dim>(
        &self,
        inputs: Vec<M::Of<ImageBatch<H, W, C>>>,
    ) -> Vec<M::Of<ImageBatch<H, W, C>>> {
        let channels: Vec<usize> = inputs.iter().map(|x| M::shape(x).3.size()).collect();
        inputs.into_iter().zip(self.each(&channels)).map(|(x, norm)| M::group_norm(x, &norm)).collect()
    }

    /// The norm of each input, given their channels.
    pub(super) fn each(&self, channels: &[usize]) -> Vec<GroupNorm<'_, E, D>> {
        let groups = GROUPS / channels.len().max(1);
        let mut first_channel = 0;
        let own = |&channels: &usize| {
            let norm = GroupNorm {
                scale: &self.scale,
                bias: &self.bias,
                first_channel,
                groups,
                epsilon: 1e-6,
                swish: self.swish,
            };
            first_channel += channels;
            norm
        };
        channels.iter().map(own).collect()
    }
}

impl<E: Real, D: Kernels<E>> Parameters<E, D> for Norm<E, D> {
    fn parameters(&mut self, prefix: &str, visit: &mut Visit<'_, E, D>) {
        visit(&path(prefix, "scale"), Role::Scale, &mut self.scale);
        visit(&path(prefix, "bias"), Role::Bias, &mut self.bias);
    }
}
