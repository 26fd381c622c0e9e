//! Convolution as patches times weights, with bias, shift and residual as the product's start.

use super::matrix::{View, multiply};
use super::patches::{Geometry, patches, pooled, scratch};
use super::storage::{Buffer, numbers, numbers_mut, take};
use crate::tensor::Convolution;
use dfdx::prelude::*;
use rayon::prelude::*;

/// How many partial sums of the weights' gradient there are: fixed, so that the order of addition is.
const PARTS: usize = 8;

/// See [`Convolution`]; the operation with its backward pass.
///
/// The shapes are dynamic here, so that there is one machine code for all images and widths.
pub(super) fn convolution<T: Tape<f32, Cpu>>(
    inputs: Vec<Tensor<[usize; 4], f32, Cpu, T>>,
    operator: &Convolution<'_, usize, f32, Cpu>,
    (height, width): (usize, usize),
    shift: Option<Tensor<[usize; 2], f32, Cpu, T>>,
    residual: Option<Tensor<[usize; 4], f32, Cpu, T>>,
) -> Tensor<[usize; 4], f32, Cpu, T> {
    let device = operator.weight.device().clone();
    let mut tape = T::default();
    let mut xs = Vec::with_capacity(inputs.len());
    for input in inputs {
        let (x, own) = input.contiguous().split_tape();
        tape = tape.merge(own);
        xs.push(x);
    }
    let shift = shift.map(|shift| shift.contiguous().split_tape()).map(|(shift, own)| {
        tape = std::mem::take(&mut tape).merge(own);
        shift
    });
    let residual = residual.map(|residual| residual.contiguous().split_tape()).map(|(residual, own)| {
        tape = std::mem::take(&mut tape).merge(own);
        residual
    });
    let weight = operator.weight.clone();
    let bias = operator.bias.cloned();
    let rows = xs.first().map_or(0, |x| x.shape()[0]);
    let o = weight.shape().1;
    let geometry = Geometry { rows, height, width, size: operator.size };

    let mut y = device.zeros_like(&[rows, height, width, o]);
    start(
        numbers_mut(&mut y),
        height * width,
        o,
        bias.as_ref().map(numbers),
        shift.as_ref().map(numbers),
        residual.as_ref().map(numbers),
    );
    forward(&geometry, &views(&xs), numbers(&weight), o, numbers_mut(&mut y));

    if T::OWNS_TAPE {
        let out = y.ghost();
        let ghosts: Vec<_> = xs.iter().map(Tensor::ghost).collect();
        let bias = bias.map(|bias| bias.ghost());
        let shift = shift.map(|shift| shift.ghost());
        let residual = residual.map(|residual| residual.ghost());
        tape.add_backward_op(move |grads| {
            let gy = take(grads.get_or_alloc_mut(&out)?, &device)?;
            if let Some(bias) = &bias {
                add_rows(&gy, gy.len().max(1), o, grads.get_or_alloc_mut(bias)?);
            }
            if let Some(shift) = &shift {
                add_rows(&gy, height * width * o, o, grads.get_or_alloc_mut(shift)?);
            }
            backward_weight(&geometry, &views(&xs), &gy, o, grads.get_or_alloc_mut(&weight)?);
            let mut first = 0;
            let total: usize = xs.iter().map(|x| x.shape()[3]).sum();
            for ghost in &ghosts {
                let channels = ghost.shape()[3];
                let gx = grads.get_or_alloc_mut(ghost)?;
                backward_input(&geometry, numbers(&weight), (total, first, channels), &gy, o, gx);
                first += channels;
            }
            if let Some(residual) = &residual {
                for (g, d) in grads.get_or_alloc_mut(residual)?.iter_mut().zip(gy.iter()) {
                    *g += d;
                }
            }
            Ok(())
        });
    }
    y.put_tape(tape)
}

fn views(xs: &[Tensor<[usize; 4], f32, Cpu>]) -> Vec<(&[f32], usize)> {
    xs.iter().map(|x| (numbers(x), x.shape()[3])).collect()
}

/// Fills `y` with what the product is added to.
fn start(
    y: &mut [f32],
    positions: usize,
    channels: usize,
    bias: Option<&[f32]>,
    shift: Option<&[f32]>,
    residual: Option<&[f32]>,
) {
    let per_row = positions * channels;
    y.par_chunks_mut(per_row.max(1)).enumerate().for_each(|(row, y)| {
        if let Some(residual) = residual {
            y.copy_from_slice(&residual[row * per_row..][..per_row]);
        }
        let mut term = bias.map_or_else(|| vec![0.0; channels], <[f32]>::to_vec);
        if let Some(shift) = shift {
            term.iter_mut().zip(&shift[row * channels..]).for_each(|(t, s)| *t += s);
        }
        if bias.is_some() || shift.is_some() {
            for y in y.chunks_exact_mut(channels) {
                y.iter_mut().zip(&term).for_each(|(y, t)| *y += t);
            }
        }
    });
}

/// `y += patches(inputs) weight`.
fn forward(geometry: &Geometry, inputs: &[(&[f32], usize)], weight: &[f32], out: usize, y: &mut [f32]) {
    let channels: usize = inputs.iter().map(|(_, c)| c).sum();
    let columns = geometry.size * geometry.size * channels;
    let lines = geometry.lines_per_unit();
    let unit = lines * geometry.width * out;
    y.par_chunks_mut(unit.max(1)).enumerate().for_each(|(i, y)| {
        let positions = y.len() / out;
        let product = |patches: &[f32], y: &mut [f32]| {
            let shape = (positions, columns, out);
            multiply(shape, y, true, 1.0, View::new(patches, columns), View::new(weight, out));
        };
        if let ([(data, _)], 1) = (inputs, geometry.size) {
            return product(&data[i * lines * geometry.width * columns..], y);
        }
        scratch(positions * columns, |buffer| {
            let first = i * lines;
            patches(geometry, inputs, first..first + positions / geometry.width, buffer);
            product(buffer, y);
        });
    });
}

/// `gx += ` the convolution of `gy` with the taps turned around, for the channels
/// `first..first + channels` of the `total` that the weight has.
fn backward_input(
    geometry: &Geometry,
    weight: &[f32],
    (total, first, channels): (usize, usize, usize),
    gy: &[f32],
    out: usize,
    gx: &mut Buffer,
) {
    let taps = geometry.size * geometry.size;
    pooled(taps * out * channels, |turned| {
        for tap in 0..taps {
            let source = &weight[(tap * total + first) * out..][..channels * out];
            let target = &mut turned[(taps - 1 - tap) * out * channels..][..out * channels];
            for c in 0..channels {
                for o in 0..out {
                    target[o * channels + c] = source[c * out + o];
                }
            }
        }
        forward(geometry, &[(gy, out)], turned, channels, gx);
    });
}

/// `gw += patches(inputs)^T gy`.
fn backward_weight(geometry: &Geometry, inputs: &[(&[f32], usize)], gy: &[f32], out: usize, gw: &mut Buffer) {
    let channels: usize = inputs.iter().map(|(_, c)| c).sum();
    let columns = geometry.size * geometry.size * channels;
    let lines = geometry.lines_per_unit();
    let units = geometry.lines().div_ceil(lines);
    let len = columns * out;
    let partial = |(part, sum): (usize, &mut [f32])| {
        for unit in (part * units / PARTS)..((part + 1) * units / PARTS) {
            let range = unit * lines..((unit + 1) * lines).min(geometry.lines());
            let positions = range.len() * geometry.width;
            let gy = &gy[range.start * geometry.width * out..][..positions * out];
            scratch(positions * columns, |buffer| {
                patches(geometry, inputs, range, buffer);
                let shape = (columns, positions, out);
                multiply(shape, sum, true, 1.0, View::new(buffer, columns).t(), View::new(gy, out));
            });
        }
    };
    pooled(PARTS * len, |sums| {
        sums.par_chunks_mut(len).enumerate().for_each(partial);
        for sum in sums.chunks_exact(len) {
            gw.iter_mut().zip(sum).for_each(|(g, s)| *g += s);
        }
    });
}

/// Adds to the `i`-th vector of `total` the sum of the vectors of `channels` numbers in the `i`-th
/// stretch of `gy`.
fn add_rows(gy: &[f32], stretch: usize, channels: usize, total: &mut Buffer) {
    total.par_chunks_mut(channels).zip(gy.par_chunks(stretch)).for_each(|(total, gy)| {
        super::vectorized(
            #[inline(always)]
            || {
                for gy in gy.chunks_exact(channels) {
                    total.iter_mut().zip(gy).for_each(|(t, g)| *t += g);
                }
            },
        );
    });
}
