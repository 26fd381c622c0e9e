//! The weights of a 3x3 convolution as Winograd's products need them, and back.

use super::micro::padded;
use super::points::{A, B};
use super::vectorized;
use super::winograd::POINTS;
use rayon::prelude::*;

/// `G`: each row is `p^j / f(p)` for an interpolation point `p`, `f` being the product of its distances to the others.
const G: [[f32; 3]; 6] = [
    [1.0, 0.0, 0.0],
    [-1.0 / 1.5, -A / 1.5, -0.5 / 1.5],
    [-1.0 / 1.5, A / 1.5, -0.5 / 1.5],
    [1.0 / 6.0, B / 6.0, 2.0 / 6.0],
    [1.0 / 6.0, -B / 6.0, 2.0 / 6.0],
    [0.0, 0.0, 1.0],
];

/// Channels in a unit of work.
const UNIT: usize = 8;

/// `U = G g G^T` for every pair of channels.
///
/// # Shapes
/// `weight`: `9 x channels x out`; `u`: `36 x channels x padded out`.
pub(super) fn transform(weight: &[f32], channels: usize, out: usize, u: &mut [f32]) {
    let line = padded(out);
    let mut planes: Vec<_> = u.chunks_exact_mut(channels * line).map(|p| p.chunks_mut(UNIT * line)).collect();
    let units: Vec<Vec<&mut [f32]>> = (0..channels.div_ceil(UNIT))
        .map(|_| planes.iter_mut().filter_map(Iterator::next).collect())
        .collect();
    units.into_par_iter().enumerate().for_each(|(unit, mut planes)| {
        vectorized(
            #[inline(always)]
            || {
                for own in 0..(channels - unit * UNIT).min(UNIT) {
                    let c = unit * UNIT + own;
                    for first in (0..out).step_by(16) {
                        let lanes = (out - first).min(16);
                        let mut g = [[[0.0f32; 16]; 3]; 3];
                        for (tap, g) in g.as_flattened_mut().iter_mut().enumerate() {
                            g[..lanes]
                                .copy_from_slice(&weight[(tap * channels + c) * out + first..][..lanes]);
                        }
                        for i in 0..6 {
                            let mut half = [[0.0f32; 16]; 3];
                            for (b, half) in half.iter_mut().enumerate() {
                                for l in 0..16 {
                                    half[l] =
                                        G[i][0] * g[0][b][l] + G[i][1] * g[1][b][l] + G[i][2] * g[2][b][l];
                                }
                            }
                            for j in 0..6 {
                                let u = &mut planes[i * 6 + j][own * line + first..][..16];
                                for l in 0..16 {
                                    u[l] = G[j][0] * half[0][l] + G[j][1] * half[1][l] + G[j][2] * half[2][l];
                                }
                            }
                        }
                    }
                }
            },
        );
    });
}

/// Each of the 36 matrices of `u` transposed, with rows padded.
///
/// # Shapes
/// `u`: `36 x channels x padded out`; `turned`: `36 x out x padded channels`, zeros before.
pub(super) fn transpose(u: &[f32], channels: usize, out: usize, turned: &mut [f32]) {
    let (line, column) = (padded(out), padded(channels));
    let planes = u.par_chunks_exact(channels * line).zip(turned.par_chunks_exact_mut(out * column));
    planes.for_each(|(u, turned)| {
        for (first, turned) in (0..out).step_by(16).zip(turned.chunks_mut(16 * column)) {
            for (c, u) in u.chunks_exact(line).enumerate() {
                for (u, turned) in u[first..].iter().zip(turned.chunks_exact_mut(column)) {
                    turned[c] = *u;
                }
            }
        }
    });
}

/// Adds `G^T gU G` to the weights' gradient, `gU` being the sum of `parts` in order.
pub(super) fn add_gradient(parts: &[f32], channels: usize, out: usize, weight: &mut [f32]) {
    let line = padded(out);
    let len = POINTS * channels * line;
    let mut taps: Vec<_> =
        weight.chunks_exact_mut(channels * out).map(|w| w.chunks_mut(UNIT * out)).collect();
    let units: Vec<Vec<&mut [f32]>> =
        (0..channels.div_ceil(UNIT)).map(|_| taps.iter_mut().filter_map(Iterator::next).collect()).collect();
    units.into_par_iter().enumerate().for_each(|(unit, mut taps)| {
        vectorized(
            #[inline(always)]
            || {
                for own in 0..(channels - unit * UNIT).min(UNIT) {
                    let c = unit * UNIT + own;
                    for first in (0..out).step_by(16) {
                        let lanes = (out - first).min(16);
                        let mut half = [[[0.0f32; 16]; 6]; 3];
                        for i in 0..6 {
                            for j in 0..6 {
                                let mut sum = [0.0f32; 16];
                                for part in parts.chunks_exact(len) {
                                    let u = &part[((i * 6 + j) * channels + c) * line + first..][..16];
                                    for l in 0..16 {
                                        sum[l] += u[l];
                                    }
                                }
                                for (a, half) in half.iter_mut().enumerate() {
                                    for l in 0..16 {
                                        half[j][l] += G[i][a] * sum[l];
                                    }
                                }
                            }
                        }
                        for (a, half) in half.iter().enumerate() {
                            for b in 0..3 {
                                let mut g = [0.0f32; 16];
                                for j in 0..6 {
                                    for l in 0..16 {
                                        g[l] += G[j][b] * half[j][l];
                                    }
                                }
                                let w = &mut taps[a * 3 + b][own * out + first..][..lanes];
                                w.iter_mut().zip(g).for_each(|(w, g)| *w += g);
                            }
                        }
                    }
                }
            },
        );
    });
}
