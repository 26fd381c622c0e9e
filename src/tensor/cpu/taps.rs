//! The weights of a 3x3 convolution as Winograd's products need them, and back.

use super::micro::{PAD, padded};
use super::points::{IN, TAPS, both_sides_of_inputs, both_sides_of_taps, taps_map, taps_transpose};
use super::simd::{add, dispatched};
use super::winograd::{load, store};
use crate::tensor::parallel::each;
use pulp::{Simd, WithSimd};

/// Channels in a unit of work.
const UNIT: usize = 8;

/// From one of the 36 matrices `rows x padded columns` to the next, apart as those of a block of tiles are.
pub(super) fn plane(rows: usize, columns: usize) -> usize {
    rows * padded(columns) + PAD
}

/// `U = G g G^T` for every pair of channels.
///
/// # Shapes
/// `weight`: `9 x channels x out`; `u`: 36 matrices `channels x padded out`, each [`plane`] after the other.
pub(super) fn transform(weight: &[f32], channels: usize, out: usize, u: &mut [f32]) {
    let line = padded(out);
    let mut planes: Vec<_> =
        u.chunks_exact_mut(plane(channels, out)).map(|p| p.chunks_mut(UNIT * line)).collect();
    let units: Vec<Vec<&mut [f32]>> = (0..channels.div_ceil(UNIT))
        .map(|_| planes.iter_mut().filter_map(Iterator::next).collect())
        .collect();
    each(units, |unit, mut planes| {
        let first = unit * UNIT;
        dispatched(Transform { weight, channels, out, first, planes: &mut planes });
    });
}

/// The transform of a unit of channels.
struct Transform<'a, 'u> {
    weight: &'a [f32],
    channels: usize,
    out: usize,
    /// The first channel.
    first: usize,
    planes: &'a mut [&'u mut [f32]],
}

impl WithSimd for Transform<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { weight, channels, out, first, planes } = self;
        let line = padded(out);
        for own in 0..(channels - first).min(UNIT) {
            for o in (0..out).step_by(S::F32_LANES) {
                let lanes = (out - o).min(S::F32_LANES);
                both_sides_of_taps(
                    #[inline(always)]
                    |g| taps_map(simd, g),
                    #[inline(always)]
                    |a, b| {
                        let tap = a * TAPS + b;
                        load(simd, &weight[(tap * channels + first + own) * out + o..][..lanes])
                    },
                    #[inline(always)]
                    |i, j, u| store(simd, &mut planes[i * IN + j][own * line + o..][..S::F32_LANES], u),
                );
            }
        }
    }
}

/// Each of the 36 matrices of `u` transposed, with rows padded.
///
/// # Shapes
/// `u`: 36 matrices `channels x padded out`; `turned`: 36 matrices `out x padded channels`; both as [`plane`] says.
pub(super) fn transpose(u: &[f32], channels: usize, out: usize, turned: &mut [f32]) {
    let (line, column) = (padded(out), padded(channels));
    let planes = u.chunks_exact(plane(channels, out)).zip(turned.chunks_exact_mut(plane(out, channels)));
    each(planes, |_, (u, turned)| {
        for first in (0..out).step_by(16) {
            let rows = (out - first).min(16);
            let turned = &mut turned[first * column..][..rows * column];
            for (c, u) in u.chunks_exact(line).take(channels).enumerate() {
                let u = &u[first..][..rows];
                for i in 0..rows {
                    turned[i * column + c] = u[i];
                }
            }
        }
    });
}

/// `gg = G^T gU G` for every pair of channels, on the caller's thread.
///
/// # Shapes
/// `gu`: 36 matrices `channels x padded out`, each [`plane`] after the other; `gg`: `9 x channels x out`.
pub(super) fn gradient(gu: &[f32], channels: usize, out: usize, gg: &mut [f32]) {
    dispatched(Gradient { gu, channels, out, gg });
}

/// See [`gradient`].
struct Gradient<'a> {
    gu: &'a [f32],
    channels: usize,
    out: usize,
    gg: &'a mut [f32],
}

impl WithSimd for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { gu, channels, out, gg } = self;
        let (line, plane) = (padded(out), plane(channels, out));
        for c in 0..channels {
            for o in (0..out).step_by(S::F32_LANES) {
                let lanes = (out - o).min(S::F32_LANES);
                both_sides_of_inputs(
                    #[inline(always)]
                    |u| taps_transpose(simd, u),
                    #[inline(always)]
                    |i, j| load(simd, &gu[(i * IN + j) * plane + c * line + o..][..S::F32_LANES]),
                    #[inline(always)]
                    |a, b, g| {
                        let tap = a * TAPS + b;
                        store(simd, &mut gg[(tap * channels + c) * out + o..][..lanes], g);
                    },
                );
            }
        }
    }
}

/// Adds the sum of `parts`, in their order, to the weights' gradient.
pub(super) fn add_parts(parts: &[f32], weight: &mut [f32]) {
    const STRETCH: usize = 1 << 13;
    let len = weight.len();
    each(weight.chunks_mut(STRETCH), |i, weight| {
        for part in parts.chunks_exact(len) {
            add(weight, &part[i * STRETCH..]);
        }
    });
}
