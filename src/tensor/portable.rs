//! Convolution from dfdx's public operations, for any device.

use super::{Convolution, ImageBatch, Kernels, Real};
use dfdx::prelude::*;

/// A convolution as a gather of neighbours and a matrix product: see [`Convolution`].
///
/// The positions of the batch become the rows of a matrix with one row of zeros below it; `gather`
/// with a fixed index takes each position's neighbours, the zero row standing for those outside.
pub fn convolution<const H: usize, const W: usize, I: Dim, O: Dim, E: Real, D: Kernels<E>, T: Tape<E, D>>(
    inputs: Vec<Tensor<ImageBatch<H, W, I>, E, D, T>>,
    operator: &Convolution<'_, O, E, D>,
    shift: Option<Tensor<(usize, O), E, D, T>>,
    residual: Option<Tensor<ImageBatch<H, W, O>, E, D, T>>,
) -> Tensor<ImageBatch<H, W, O>, E, D, T> {
    let taps = operator.size * operator.size;
    let channels: usize = inputs.iter().map(|x| x.shape().3.size()).sum();
    let out = operator.weight.shape().1;
    let mut sum = residual;
    let mut first = 0;
    for x in inputs {
        let (rows, .., own) = *x.shape();
        let own = own.size();
        let positions = rows * H * W;
        let device = x.device().clone();
        // The weight's rows are (tap, channel): each input takes those of its channels.
        let rows_of_own = (0..taps).flat_map(|tap| tap * channels + first..tap * channels + first + own);
        let index = device.tensor_from_vec(rows_of_own.collect(), (taps * own,));
        let matrix = operator.weight.retaped::<T>().gather(index);
        let x = x.reshape_like(&(positions, own));
        let patches = if operator.size == 1 {
            x
        } else {
            let zero = device.zeros_like(&(1usize, own));
            let padded = (x, zero).concat_along(Axis::<0>);
            let index = device.tensor_from_vec(neighbours(rows, H, W, operator.size), (positions * taps,));
            padded.gather(index).reshape_like(&(positions, taps * own))
        };
        let y = patches.matmul(matrix).reshape_like(&(rows, Const::<H>, Const::<W>, out));
        sum = Some(match sum {
            Some(sum) => sum + y,
            None => y,
        });
        first += own;
    }
    let mut y = match sum {
        Some(sum) => sum,
        // Nothing to convolve: a batch of no rows.
        None => operator.weight.device().zeros_like(&(0, Const, Const, out)).retaped(),
    };
    let shape = *y.shape();
    if let Some(bias) = operator.bias {
        y = y + bias.retaped::<T>().broadcast_like::<_, Axes3<0, 1, 2>>(&shape);
    }
    if let Some(shift) = shift {
        y = y + shift.broadcast_like::<_, Axes2<1, 2>>(&shape);
    }
    y
}

/// For every position of every image and every tap, the row of the neighbour; the row past the last
/// stands for zeros.
fn neighbours(rows: usize, height: usize, width: usize, size: usize) -> Vec<usize> {
    let outside = rows * height * width;
    let reach = (size / 2) as isize;
    let mut index = Vec::with_capacity(outside * size * size);
    for row in 0..rows {
        for y in 0..height as isize {
            for x in 0..width as isize {
                for dy in -reach..=reach {
                    for dx in -reach..=reach {
                        let (ny, nx) = (y + dy, x + dx);
                        let inside = (0..height as isize).contains(&ny) && (0..width as isize).contains(&nx);
                        index.push(if inside {
                            (row * height + ny as usize) * width + nx as usize
                        } else {
                            outside
                        });
                    }
                }
            }
        }
    }
    index
}
