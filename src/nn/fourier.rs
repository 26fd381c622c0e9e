//! Base-2 Fourier features of the input.

use crate::tensor::{ImageBatch, Kernels, Mode, Real, Waves};
use dfdx::prelude::{Dim, Tensor};
use serde::{Deserialize, Serialize};
use std::f64::consts::TAU;

/// `(z, sin(2^k 2 pi z), cos(2^k 2 pi z))` for the given exponents `k`, channel by channel.
///
/// # Reference
/// Kingma et al., "Variational Diffusion Models" (arXiv 2107.00630), appendix C.
#[derive(Clone, Debug)]
pub struct FourierFeatures<E: Real, D: Kernels<E>> {
    /// `(channels, channels * exponents)`: the frequencies, as a constant matrix.
    frequencies: Tensor<(usize, usize), E, D>,
    fading: Option<FadingFourier>,
}

impl<E: Real, D: Kernels<E>> FourierFeatures<E, D> {
    /// Features of `channels` channels at `2^k` turns per unit for each exponent `k`.
    pub fn new(channels: usize, exponents: &[i32], device: &D) -> Self {
        let columns = channels * exponents.len();
        let mut matrix = vec![E::of(0.0); channels * columns];
        for channel in 0..channels {
            for (i, &k) in exponents.iter().enumerate() {
                let column = channel * exponents.len() + i;
                matrix[channel * columns + column] = E::of(2f64.powi(k) * TAU);
            }
        }
        Self { frequencies: device.tensor_from_vec(matrix, (channels, columns)), fading: None }
    }

    /// Features that fade with noise: see [`FadingFourier`].
    pub fn fading(channels: usize, fading: FadingFourier, device: &D) -> Self {
        let features = Self::new(channels, &fading.exponents, device);
        Self { fading: Some(fading), ..features }
    }

    /// The number of channels of all features side by side, the input's own included.
    pub fn channels(&self) -> usize {
        let (channels, columns) = *dfdx::prelude::HasShape::shape(&self.frequencies);
        channels + 2 * columns
    }

    /// The input and its features at each row's time, as inputs of one convolution, in mode `M`.
    pub fn apply<M: Mode<E, D>, H: Dim, W: Dim, C: Dim>(
        &self,
        z: M::Of<ImageBatch<H, W, C>>,
        times: &[f64],
    ) -> Vec<M::Of<ImageBatch<H, W, usize>>> {
        let (rows, height, width, channels) = M::shape(&z);
        let z = M::reshape(z, (rows, height, width, channels.size()));
        if self.channels() == channels.size() {
            return vec![z];
        }
        let waves = Waves { frequencies: &self.frequencies, factors: self.factors(times) };
        let [sin, cos] = M::waves::<H, W>(M::share(&z), &waves);
        vec![z, sin, cos]
    }

    /// What each row's features are multiplied by, if they fade: a number for each row and exponent goes to the device.
    fn factors(&self, times: &[f64]) -> Option<Tensor<(usize, usize), E, D>> {
        let fading = self.fading.as_ref()?;
        let mut own = Vec::with_capacity(times.len() * fading.exponents.len());
        for &time in times {
            own.extend(fading.factors(time).map(E::of));
        }
        Some(self.frequencies.device().upload(&own, (times.len(), fading.exponents.len())))
    }
}

/// Exponents of Fourier features, and how the features fade as noise hides what they resolve.
///
/// At noise level gamma a feature of `2^k` turns is multiplied by `exp(-(2^k 2 pi)^2 e^gamma / 2)`. That is
/// its mean over the noise `e^(gamma/2) eps` on a point: 1 where the wave is longer than the noise, and
/// exactly nothing soon after. Without it a small ripple that training leaves at large noise, where it costs
/// next to nothing, has a large derivative: the divergence of the flow, and so its likelihood, are then wrong.
///
/// # Reference
/// Barron et al., "Mip-NeRF" (arXiv 2103.13415), section 3.1, has the same mean of a feature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FadingFourier {
    /// The exponents `k`.
    pub exponents: Vec<i32>,
    /// The noise levels gamma at the network's times 0 and 1.
    pub gamma: [f64; 2],
}

impl FadingFourier {
    /// The factor of each exponent's features at a time of the network.
    pub fn factors(&self, time: f64) -> impl Iterator<Item = f64> {
        let [start, end] = self.gamma;
        let variance = (start + time * (end - start)).exp();
        self.exponents.iter().map(move |&k| (-0.5 * (2f64.powi(k) * TAU).powi(2) * variance).exp())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_fade_as_their_mean_over_noise() {
        // E[exp(i w (z + s eps))] = exp(i w z) exp(-w^2 s^2 / 2), by quadrature, with w = 2 pi and 4 pi.
        let fade = FadingFourier { exponents: vec![0, 1], gamma: [-8.0, 2.0] };
        for time in [0.0f64, 0.3, 0.7, 1.0] {
            let std = (-4.0 + 5.0 * time).exp();
            for (factor, w) in fade.factors(time).zip([TAU, 2.0 * TAU]) {
                let mean = crate::math::integrate(-12.0, 12.0, 400, |eps: f64| {
                    (-0.5 * eps * eps).exp() / TAU.sqrt() * (w * std * eps).cos()
                });
                assert!((factor - mean).abs() < 1e-12, "{time} {w}: {factor} {mean}");
            }
        }
    }
}
