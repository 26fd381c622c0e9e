//! Half and double resolution: each image on its own.

use super::convolution_layer::Image;
use super::recorded::Backward;
use super::simd::clear;
use super::storage::{numbers, numbers_mut, take};
use super::unwritten::unwritten;
use crate::tensor::parallel::each;
use dfdx::prelude::*;

/// Height, width and channels of an image.
type Sides = (usize, usize, usize);

/// `coarse = factor * sum over each 2x2 square of fine`.
fn gather_squares((h, w, c): Sides, fine: &[f32], coarse: &mut [f32], factor: f32, fine_width: usize) {
    for y in 0..h {
        for x in 0..w {
            let at = |dy: usize, dx: usize| ((2 * y + dy) * fine_width + 2 * x + dx) * c;
            let [a, b, d, e] = [at(0, 0), at(0, 1), at(1, 0), at(1, 1)].map(|at| &fine[at..at + c]);
            let out = &mut coarse[(y * w + x) * c..][..c];
            for (i, out) in out.iter_mut().enumerate() {
                *out += factor * (a[i] + b[i] + d[i] + e[i]);
            }
        }
    }
}

/// `fine += factor * coarse`, each pixel in all four of its square.
fn scatter_squares((h, w, c): Sides, coarse: &[f32], fine: &mut [f32], factor: f32, fine_width: usize) {
    for y in 0..h {
        for x in 0..w {
            let from = &coarse[(y * w + x) * c..][..c];
            for (dy, dx) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
                let to = &mut fine[((2 * y + dy) * fine_width + 2 * x + dx) * c..][..c];
                for i in 0..c {
                    to[i] += factor * from[i];
                }
            }
        }
    }
}

/// `f(from, to)` on each image.
fn images(from: &[f32], to: &mut [f32], rows: usize, f: impl Fn(&[f32], &mut [f32]) + Sync) {
    let (a, b) = (from.len() / rows.max(1), to.len() / rows.max(1));
    each(to.chunks_mut(b.max(1)).zip(from.chunks(a.max(1))), |_, (to, from)| f(from, to));
}

/// See [`Kernels::average_pool`](crate::tensor::Kernels::average_pool); the output, and the backward pass if it is to `record`.
pub(super) fn average_pool(x: Image, record: bool) -> (Image, Option<Backward>) {
    let device = x.device().clone();
    let (rows, height, width, c) = *x.shape();
    let sides = (height / 2, width / 2, c);
    let mut y = unwritten(&device, &(rows, sides.0, sides.1, c));
    images(numbers(&x), numbers_mut(&mut y), rows, |x, y| {
        clear(y);
        gather_squares(sides, x, y, 0.25, width);
    });
    let (input, output) = (x.ghost(), y.ghost());
    let backward = move |grads: &mut Gradients<f32, Cpu>| {
        let gy = take(grads.get_or_alloc_mut(&output)?, &device)?;
        let gx = grads.get_or_alloc_mut(&input)?;
        images(&gy, gx, rows, |gy, gx| scatter_squares(sides, gy, gx, 0.25, width));
        Ok(())
    };
    (y, record.then(|| Box::new(backward) as Backward))
}

/// See [`Kernels::upsample`](crate::tensor::Kernels::upsample); the output, and the backward pass if it is to `record`.
pub(super) fn upsample(x: Image, record: bool) -> (Image, Option<Backward>) {
    let device = x.device().clone();
    let (rows, height, width, c) = *x.shape();
    let sides = (height, width, c);
    let mut y = unwritten(&device, &(rows, 2 * height, 2 * width, c));
    images(numbers(&x), numbers_mut(&mut y), rows, |x, y| {
        clear(y);
        scatter_squares(sides, x, y, 1.0, 2 * width);
    });
    let (input, output) = (x.ghost(), y.ghost());
    let backward = move |grads: &mut Gradients<f32, Cpu>| {
        let gy = take(grads.get_or_alloc_mut(&output)?, &device)?;
        let gx = grads.get_or_alloc_mut(&input)?;
        images(&gy, gx, rows, |gy, gx| gather_squares(sides, gy, gx, 1.0, 2 * width));
        Ok(())
    };
    (y, record.then(|| Box::new(backward) as Backward))
}
