//! Base-2 Fourier features of the input.

use crate::tensor::{Convolution, ImageBatch, Kernels, Mode, Real};
use dfdx::prelude::{Dim, Tensor};

/// `(z, sin(2^k 2 pi z), cos(2^k 2 pi z))` for the given exponents `k`, channel by channel.
///
/// # Reference
/// Kingma et al., "Variational Diffusion Models" (arXiv 2107.00630), appendix C.
#[derive(Clone, Debug)]
pub struct FourierFeatures<E: Real, D: Kernels<E>> {
    /// `(channels, channels * exponents)`: the frequencies, as a constant matrix.
    frequencies: Tensor<(usize, usize), E, D>,
}

impl<E: Real, D: Kernels<E>> FourierFeatures<E, D> {
    /// Features of `channels` channels at `2^k` turns per unit for each exponent `k`.
    pub fn new(channels: usize, exponents: &[i32], device: &D) -> Self {
        let columns = channels * exponents.len();
        let mut matrix = vec![E::of(0.0); channels * columns];
        for channel in 0..channels {
            for (i, &k) in exponents.iter().enumerate() {
                let column = channel * exponents.len() + i;
                matrix[channel * columns + column] = E::of(2f64.powi(k) * std::f64::consts::TAU);
            }
        }
        Self { frequencies: device.tensor_from_vec(matrix, (channels, columns)) }
    }

    /// The number of channels of all features side by side, the input's own included.
    pub fn channels(&self) -> usize {
        let (channels, columns) = *dfdx::prelude::HasShape::shape(&self.frequencies);
        channels + 2 * columns
    }

    /// The input and its features, as inputs of one convolution, in mode `M`.
    pub fn apply<M: Mode<E, D>, const H: usize, const W: usize, C: Dim>(
        &self,
        z: M::Of<ImageBatch<H, W, C>>,
    ) -> Vec<M::Of<ImageBatch<H, W, usize>>> {
        let (rows, height, width, channels) = M::shape(&z);
        let z = M::reshape(z, (rows, height, width, channels.size()));
        if self.channels() == channels.size() {
            return vec![z];
        }
        let operator = Convolution { size: 1, weight: &self.frequencies, bias: None };
        let angles: M::Of<ImageBatch<H, W, usize>> =
            M::convolution::<H, W, usize, usize>(vec![M::share(&z)], &operator, None, None);
        let sin = M::sin(M::share(&angles));
        vec![z, sin, M::cos(angles)]
    }
}
