//! 1x1 convolution: a matrix product per position, with bias, shift and residual as the product's start.

use super::convolution_layer::Image;
use super::matrix::{View, multiply};
use super::recorded::Backward;
use super::scratch::lend;
use super::simd::{add, clear, vectorized};
use super::storage::{Buffer, claim, give, numbers, numbers_mut, take};
use super::unwritten::unwritten;
use crate::tensor::Convolution;
use crate::tensor::parallel::each;
use dfdx::prelude::*;

/// Positions of a unit of work.
const UNIT: usize = 512;
/// How many partial sums of the weights' gradient there are at most: fixed, so that the order of addition is.
const PARTS: usize = 8;

/// See [`Convolution`]: the output, and the backward pass if it is to `record`.
pub(super) fn convolution(
    xs: Vec<Image>,
    operator: &Convolution<'_, usize, f32, Cpu>,
    shift: Option<Tensor<(usize, usize), f32, Cpu>>,
    residual: Option<Image>,
    record: bool,
) -> (Image, Option<Backward>) {
    let device = operator.weight.device().clone();
    let weight = operator.weight.clone();
    let bias = operator.bias.cloned();
    let (rows, height, width, _) = xs.first().map_or((0, 0, 0, 0), |x| *x.shape());
    let out = weight.shape().1;
    let image = height * width * out;

    let mut y = unwritten(&device, &(rows, height, width, out));
    let unit = (UNIT * out).max(1);
    each(numbers_mut(&mut y).chunks_mut(unit), |i, y| {
        match &residual {
            Some(residual) => y.copy_from_slice(&numbers(residual)[i * unit..][..y.len()]),
            None => clear(y),
        }
        let (bias, shift) = (bias.as_ref().map(numbers), shift.as_ref().map(numbers));
        for (p, y) in y.chunks_exact_mut(out).enumerate() {
            if let Some(bias) = bias {
                add(y, bias);
            }
            if let Some(shift) = shift {
                let row = (i * unit + p * out) / image;
                add(y, &shift[row * out..]);
            }
        }
        let positions = y.len() / out;
        let mut first = 0;
        for x in &xs {
            let channels = x.shape().3;
            let x = &numbers(x)[i * UNIT * channels..];
            let weight = &numbers(&weight)[first * out..];
            multiply(
                (positions, channels, out),
                y,
                true,
                1.0,
                View::new(x, channels),
                View::new(weight, out),
            );
            first += channels;
        }
    });

    let backward = record.then(|| -> Backward {
        let output = y.ghost();
        let ghosts: Vec<_> = xs.iter().map(Tensor::ghost).collect();
        let bias = bias.map(|bias| bias.ghost());
        let shift = shift.map(|shift| shift.ghost());
        let residual = residual.map(|residual| residual.ghost());
        Box::new(move |grads| {
            let gy = take(grads.get_or_alloc_mut(&output)?, &device)?;
            if let Some(bias) = &bias {
                add_rows(&gy, gy.len().max(1), out, grads.get_or_alloc_mut(bias)?);
            }
            if let Some(shift) = &shift {
                add_rows(&gy, image.max(1), out, grads.get_or_alloc_mut(shift)?);
            }
            let mut first = 0;
            for (x, ghost) in xs.iter().zip(&ghosts) {
                let channels = ghost.shape().3;
                let mut gx = claim(grads.get_or_alloc_mut(ghost)?, numbers(x).len(), &device)?;
                let own = View::new(&numbers(&weight)[first * out..], out).t();
                each(gx.chunks_mut(UNIT * channels).zip(gy.chunks(unit)), |_, (gx, gy)| {
                    let shape = (gx.len() / channels, out, channels);
                    multiply(shape, gx, true, 1.0, View::new(gy, out), own);
                });
                give(grads.get_or_alloc_mut(ghost)?, gx);
                let gw = &mut grads.get_or_alloc_mut(&weight)?[first * out..][..channels * out];
                add_weight_gradient(numbers(x), channels, &gy, out, gw);
                first += channels;
            }
            if let Some(residual) = &residual {
                let gradient: &mut Buffer = grads.get_or_alloc_mut(residual)?;
                each(gradient.chunks_mut(unit).zip(gy.chunks(unit)), |_, (g, d)| {
                    add(g, d);
                });
            }
            Ok(())
        })
    });
    (y, backward)
}

/// `gw += x^T gy`.
fn add_weight_gradient(x: &[f32], channels: usize, gy: &[f32], out: usize, gw: &mut [f32]) {
    let positions = gy.len() / out.max(1);
    let parts = PARTS.min(positions.div_ceil(UNIT));
    lend(parts * channels * out, |sums| {
        each(sums.chunks_mut((channels * out).max(1)), |part, sum| {
            let range = part * positions / parts..(part + 1) * positions / parts;
            let x = View::new(&x[range.start * channels..], channels).t();
            multiply(
                (channels, range.len(), out),
                sum,
                false,
                1.0,
                x,
                View::new(&gy[range.start * out..], out),
            );
        });
        for sum in sums.chunks_exact((channels * out).max(1)) {
            add(gw, sum);
        }
    });
}

/// Adds to the `i`-th vector of `total` the sum of the vectors of `channels` numbers in the `i`-th
/// stretch of `gy`.
fn add_rows(gy: &[f32], stretch: usize, channels: usize, total: &mut Buffer) {
    each(total.chunks_mut(channels).zip(gy.chunks(stretch)), |_, (total, gy)| {
        vectorized(
            #[inline(always)]
            || {
                for gy in gy.chunks_exact(channels) {
                    add(total, gy);
                }
            },
        );
    });
}
