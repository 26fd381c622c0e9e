//! The affine layer.

use super::parameters::path;
use super::{Init, Parameters, Role, Visit};
use crate::tensor::{Kernels, Mode, Real};
use dfdx::prelude::{Dim, Tensor};
use rand::RngCore;

/// `y = x W + b`.
///
/// # Shapes
/// `x`: `(batch, I)`; `W`: `(I, O)`; `y`: `(batch, O)`.
#[derive(Clone, Debug)]
pub struct Dense<I: Dim, O: Dim, E: Real, D: Kernels<E>> {
    weight: Tensor<(I, O), E, D>,
    bias: Option<Tensor<(O,), E, D>>,
}

impl<I: Dim, O: Dim, E: Real, D: Kernels<E>> Dense<I, O, E, D> {
    /// A layer with a bias of zeros.
    pub fn new(inputs: I, outputs: O, init: Init, device: &D, rng: &mut dyn RngCore) -> Self {
        Self {
            bias: Some(device.zeros_like(&(outputs,))),
            ..Self::without_bias(inputs, outputs, init, device, rng)
        }
    }

    /// A layer without a bias.
    pub fn without_bias(inputs: I, outputs: O, init: Init, device: &D, rng: &mut dyn RngCore) -> Self {
        Self { weight: init.tensor((inputs, outputs), inputs.size(), device, rng), bias: None }
    }

    /// `x W + b` in mode `M`.
    pub fn apply<M: Mode<E, D>>(&self, x: M::Of<(usize, I)>) -> M::Of<(usize, O)> {
        M::linear(x, &self.weight, self.bias.as_ref())
    }
}

impl<I: Dim, O: Dim, E: Real, D: Kernels<E>> Parameters<E, D> for Dense<I, O, E, D> {
    fn parameters(&mut self, prefix: &str, visit: &mut Visit<'_, E, D>) {
        visit(&path(prefix, "kernel"), Role::Weight, &mut self.weight);
        if let Some(bias) = &mut self.bias {
            visit(&path(prefix, "bias"), Role::Bias, bias);
        }
    }
}
