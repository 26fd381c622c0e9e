//! Convolutions at constant resolution.

use super::parameters::path;
use super::{Init, Norm, Parameters, Role, Visit};
use crate::tensor::{Convolution, DropoutKey, ImageBatch, Kernels, Mode, Preparation, Real, RowVectors};
use dfdx::prelude::{Dim, Tensor};
use rand::RngCore;

/// A convolution with `SIZE x SIZE` taps (1 or 3), zero padding and `O` output channels.
///
/// It takes a list of inputs and convolves over their channels side by side, so that a skip
/// connection is never concatenated in memory. The equation is [`Convolution`]'s.
///
/// # Shapes
/// Inputs: `(batch, H, W, I)` each; weight: `(SIZE * SIZE * channels, O)`, HWIO flattened; output:
/// `(batch, H, W, O)`.
#[derive(Clone, Debug)]
pub struct Conv<const SIZE: usize, O: Dim, E: Real, D: Kernels<E>> {
    weight: Tensor<(usize, O), E, D>,
    bias: Tensor<(O,), E, D>,
}

impl<const SIZE: usize, O: Dim, E: Real, D: Kernels<E>> Conv<SIZE, O, E, D> {
    const ODD: () = assert!(SIZE == 1 || SIZE == 3, "a convolution has 1x1 or 3x3 taps");

    /// A convolution over `channels` input channels in all to `out` channels, with a bias of zeros.
    pub fn new(channels: usize, out: O, init: Init, device: &D, rng: &mut dyn RngCore) -> Self {
        let () = Self::ODD;
        let fan_in = SIZE * SIZE * channels;
        Self { weight: init.tensor((fan_in, out), fan_in, device, rng), bias: device.zeros_like(&(out,)) }
    }

    /// The convolution of `inputs`, plus `shift` (one vector per row) and `residual`, in mode `M`.
    pub fn apply<M: Mode<E, D>, H: Dim, W: Dim, I: Dim>(
        &self,
        inputs: Vec<M::Of<ImageBatch<H, W, I>>>,
        shift: Option<RowVectors<O, E, D, M::Tape>>,
        residual: Option<M::Of<ImageBatch<H, W, O>>>,
    ) -> M::Of<ImageBatch<H, W, O>> {
        let operator = Convolution { size: SIZE, weight: &self.weight, bias: Some(&self.bias) };
        M::convolution(inputs, &operator, shift, residual)
    }

    /// The same of inputs that go through `norm` and dropout first.
    pub fn apply_normed<M: Mode<E, D>, H: Dim, W: Dim, I: Dim>(
        &self,
        inputs: Vec<M::Of<ImageBatch<H, W, I>>>,
        (norm, dropout): (&Norm<E, D>, Option<DropoutKey>),
        shift: Option<RowVectors<O, E, D, M::Tape>>,
        residual: Option<M::Of<ImageBatch<H, W, O>>>,
    ) -> M::Of<ImageBatch<H, W, O>> {
        let operator = Convolution { size: SIZE, weight: &self.weight, bias: Some(&self.bias) };
        let channels: Vec<usize> = inputs.iter().map(|x| M::shape(x).3.size()).collect();
        let preparation = Preparation { norms: norm.each(&channels), dropout };
        M::norm_convolution(inputs, &preparation, &operator, shift, residual)
    }
}

impl<const SIZE: usize, O: Dim, E: Real, D: Kernels<E>> Parameters<E, D> for Conv<SIZE, O, E, D> {
    fn parameters(&mut self, prefix: &str, visit: &mut Visit<'_, E, D>) {
        visit(&path(prefix, "kernel"), Role::Kernel { size: SIZE }, &mut self.weight);
        visit(&path(prefix, "bias"), Role::Bias, &mut self.bias);
    }
}
