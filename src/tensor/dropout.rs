//! Dropout masks from a key, the same on every device and in every mode.

use super::parallel::each;
use super::{Kernels, Real, reshape};
use dfdx::prelude::*;

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

    /// The mask of a whole tensor, made of one bit an element that the host sends to the device.
    ///
    /// A number carries as many bits as it holds exactly: on the device they come off one by one, from the highest.
    pub fn mask<S: Shape, E: Real, D: Kernels<E>>(&self, shape: S, device: &D) -> Tensor<S, E, D> {
        let count = shape.num_elements();
        let words = count.div_ceil(BITS);
        // Bit b of word w is the element b words + w, so that each bit of all words is a stretch of the mask.
        let word = |w: usize| {
            let kept = (0..BITS).filter(|b| self.factor((b * words + w) as u64) > 0.0);
            E::of(kept.fold(0u32, |word, b| word | 1 << b).into())
        };
        let mut packed = vec![E::of(0.0); words];
        each(packed.chunks_mut(STRETCH), |i, packed| {
            packed.iter_mut().enumerate().for_each(|(w, to)| *to = word(i * STRETCH + w));
        });
        let mut rest = device.upload(&packed, (words,));
        let (zero, kept) = (device.zeros_like(&(words,)), E::of(1.0 / (1.0 - self.rate)));
        // Made on the device: `ones_like` brings its ones from the host.
        let one = zero.clone() + E::of(1.0);
        let mut stretches = Vec::with_capacity(BITS);
        for b in (0..BITS).rev() {
            let value = E::of(f64::from(1u32 << b));
            let bit = rest.ge(value).choose(one.clone(), zero.clone());
            rest = rest - bit.clone() * value;
            stretches.push(bit * kept);
        }
        stretches.reverse();
        let mask = reshape(stretches.stack(), (BITS * words,));
        reshape(mask.slice((0..count,)), shape)
    }
}

/// The words that a thread packs at once.
const STRETCH: usize = 256;

/// Bits in a number: both `f32` and `f64` hold them exactly.
const BITS: usize = 24;

/// `x` times the mask of `key`, for any device.
pub(super) fn portable<S: Shape, E: Real, D: Kernels<E>, T: Tape<E, D> + 'static>(
    x: Tensor<S, E, D, T>,
    key: DropoutKey,
) -> Tensor<S, E, D, T> {
    let mask = key.mask(*x.shape(), x.device());
    x * mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mask_is_the_factor_of_every_element() {
        fn check<E: Real>(rate: f64)
        where
            Cpu: Kernels<E>,
        {
            let key = DropoutKey { key: 99, rate };
            for shape in [(1, 1), (3, 7), (24, 5), (7, 1000)] {
                let mask: Tensor<(usize, usize), E, Cpu> = key.mask(shape, &Cpu::default());
                let factors = (0..(shape.0 * shape.1) as u64).map(|i| E::of(key.factor(i)));
                assert_eq!(mask.as_vec(), factors.collect::<Vec<E>>(), "{shape:?} at {rate}");
            }
        }
        for rate in [0.1, 0.5, 0.9] {
            check::<f32>(rate);
            check::<f64>(rate);
        }
    }

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
