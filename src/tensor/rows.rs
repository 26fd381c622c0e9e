//! One coefficient per row: the only way a schedule's numbers reach a tensor.

use super::{Kernels, Real, reshape};
use dfdx::prelude::*;

/// A number for each row of a batch, computed on the host in `f64`.
///
/// Levels are per row today. Per-coordinate levels (multivariate schedules such as MuLAN's, arXiv
/// 2312.13236) would be another constructor of this type; nothing else would change.
#[derive(Clone, Debug, PartialEq)]
pub struct RowCoefficients(Vec<f64>);

impl RowCoefficients {
    /// One coefficient for each row, in order.
    pub fn new(coefficients: Vec<f64>) -> Self {
        Self(coefficients)
    }

    /// The coefficients.
    pub fn as_slice(&self) -> &[f64] {
        &self.0
    }

    /// Multiplies each row of `x` by its coefficient.
    ///
    /// # Shapes
    /// Any shape whose first axis is the batch.
    pub fn scale<S: Shape, E: Real, D: Kernels<E>, T: Tape<E, D> + 'static>(
        &self,
        x: Tensor<S, E, D, T>,
    ) -> Tensor<S, E, D, T> {
        let shape = *x.shape();
        let flat = (self.0.len(), shape.num_elements() / self.0.len().max(1));
        let coefficients = self.tensor::<E, D>(x.device()).broadcast_like::<_, Axis<1>>(&flat);
        reshape(reshape(x, flat) * coefficients, shape)
    }

    /// The coefficients as a tensor.
    ///
    /// # Shapes
    /// `(batch,)`.
    pub fn tensor<E: Real, D: Kernels<E>>(&self, device: &D) -> Tensor<(usize,), E, D> {
        device.upload(&self.0.iter().map(|&c| E::of(c)).collect::<Vec<E>>(), (self.0.len(),))
    }
}
