//! Half and double resolution from dfdx's public operations, for any device.

use super::{ImageBatch, Kernels, Real, reshape};
use dfdx::prelude::*;

type Pixels<C, E, D, T> = Tensor<ImageBatch<usize, usize, C>, E, D, T>;

/// See [`Kernels::average_pool`]: the mean over pairs of rows, then over pairs of columns.
pub(super) fn average_pool<H: Dim, W: Dim, C: Dim, E: Real, D: Kernels<E>, T: Tape<E, D> + 'static>(
    x: Tensor<ImageBatch<H, W, C>, E, D, T>,
) -> Pixels<C, E, D, T> {
    let (rows, height, width, channels) = *x.shape();
    let (h, w, c) = (height.size() / 2, width.size() / 2, channels.size());
    let x = even(x, (rows, 2 * h, 2 * w, c));
    let x = reshape(x, (rows * h, 2, 2 * w * c)).mean::<(usize, usize), Axis<1>>();
    let x = reshape(x, (rows * h * w, 2, c)).mean::<(usize, usize), Axis<1>>();
    reshape(x, (rows, h, w, channels))
}

/// See [`Kernels::upsample`]: each column twice, then each row.
pub(super) fn upsample<H: Dim, W: Dim, C: Dim, E: Real, D: Kernels<E>, T: Tape<E, D> + 'static>(
    x: Tensor<ImageBatch<H, W, C>, E, D, T>,
) -> Pixels<C, E, D, T> {
    let (rows, height, width, channels) = *x.shape();
    let (h, w, c) = (height.size(), width.size(), channels.size());
    let x = twice(reshape(x, (rows * h * w, c)));
    let x = twice(reshape(x, (rows * h, 2 * w * c)));
    reshape(x, (rows, 2 * h, 2 * w, channels))
}

/// Every line twice. The sum with zeros makes the broadcast tensor one with all its numbers, which may be reshaped.
fn twice<E: Real, D: Kernels<E>, T: Tape<E, D> + 'static>(
    x: Tensor<(usize, usize), E, D, T>,
) -> Tensor<(usize, usize, usize), E, D, T> {
    let (lines, length) = *x.shape();
    let shape = (lines, 2, length);
    let zeros = x.device().zeros_like(&shape);
    x.broadcast_like::<_, Axis<1>>(&shape) + zeros
}

/// The image without a last row or column that is one too many.
///
/// `gather` and not `slice`: the backward pass of dfdx 0.13's `slice` overwrites the gradient on a CPU where it should add to it.
fn even<H: Dim, W: Dim, C: Dim, E: Real, D: Kernels<E>, T: Tape<E, D> + 'static>(
    x: Tensor<ImageBatch<H, W, C>, E, D, T>,
    to: (usize, usize, usize, usize),
) -> Tensor<(usize, usize, usize, usize), E, D, T> {
    let (rows, height, width, channels) = *x.shape();
    let (height, width, channels) = (height.size(), width.size(), channels.size());
    let x = reshape(x, (rows, height, width, channels));
    if (height, width) == (to.1, to.2) {
        return x;
    }
    let kept: Vec<usize> = (0..to.1).flat_map(|y| (0..to.2).map(move |x| y * width + x)).collect();
    let count = kept.len();
    let index = x.device().tensor_from_vec(kept, (count,)).broadcast_like::<_, Axis<0>>(&(rows, count));
    let x = reshape(x, (rows, height * width, channels)).gather(index);
    reshape(x, to)
}
