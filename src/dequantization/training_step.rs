//! What a dequantizer that is trained with the model is given.

use crate::error::Result;
use std::fmt;

/// One optimizer step of the model, as a dequantizer that learns sees it: after the step was taken.
///
/// With draws `z = z(u; phi)`, the bound `B = E_q[log p(z) + log P(x | z) - log q(z | x)]` has the gradient
/// `E[score(z) dz/dphi - d/dphi (log q - log P)]`: the model enters by its score alone.
#[derive(Clone, Copy)]
pub struct TrainingStep<'a> {
    /// Images of the step, as many as one accumulation step has and not augmented: grey levels, image after image.
    pub images: &'a [u16],
    /// The model's learning rate in the step.
    pub rate: f64,
    /// `grad_z log p(z)` of rows of `z` at the dequantizer's level, as the model predicts it.
    pub score: &'a dyn Fn(&[f64]) -> Result<Vec<f64>>,
}

impl fmt::Debug for TrainingStep<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TrainingStep").field("numbers", &self.images.len()).field("rate", &self.rate).finish()
    }
}
