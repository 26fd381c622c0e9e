//! Dropout masks from a key, the same on every device and in every mode.

use super::{Kernels, Real};
use dfdx::prelude::{Shape, Tensor};

/// Which elements are dropped: a function of a seeded key and of the element's index alone.
///
/// A value and its tangents share the mask, and a CPU run sees the mask of a CUDA run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DropoutKey {
    /// Drawn from the run's generator, once per layer and step.
    pub key: u64,
    /// The probability that an element is dropped, in `[0, 1)`.
    pub rate: f64,
}

impl DropoutKey {
    /// The factor of element `index`: 0, or `1 / (1 - rate)`.
    ///
    /// The key and the index go through the finalizer of splitmix64.
    #[inline(always)]
    pub fn factor(&self, index: u64) -> f64 {
        let mut x = self.key.wrapping_add(index.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^= x >> 31;
        // The draw `(x >> 11) / 2^53` lies below the rate.
        let dropped = (x >> 11) < (self.rate * 2f64.powi(53)).ceil() as u64;
        if dropped { 0.0 } else { 1.0 / (1.0 - self.rate) }
    }

    /// The mask of a whole tensor.
    pub fn mask<S: Shape, E: Real, D: Kernels<E>>(&self, shape: S, device: &D) -> Tensor<S, E, D> {
        let factors: Vec<E> = (0..shape.num_elements() as u64).map(|i| E::of(self.factor(i))).collect();
        device.upload(&factors, shape)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn factor_is_stable_and_keeps_the_mean() {
        let key = DropoutKey { key: 7, rate: 0.25 };
        let kept: Vec<bool> = (0..8).map(|i| key.factor(i) > 0.0).collect();
        assert_eq!(kept, [false, true, false, true, true, true, false, true]);
        let n = 200_000;
        let mean = (0..n).map(|i| key.factor(i)).sum::<f64>() / n as f64;
        let standard_error = (0.25f64 / 0.75 / n as f64).sqrt();
        assert!((mean - 1.0).abs() < 4.0 * standard_error, "{mean}");
    }
}
