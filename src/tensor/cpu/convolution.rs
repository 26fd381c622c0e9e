//! 3x3 convolution of images as they are, or after group norm, swish and dropout; of values, or of values and tangents.
//!
//! A unit of work is a group of images: it normalizes them into a buffer of the thread, transforms tiles of them,
//! multiplies and writes the output, so a normalized image never reaches memory. The backward pass computes it again.

use super::convolution_backward::{Into, backward};
use super::convolution_layer::{Image, Layer, Split, by_group, cut, pieces, prepared, prepared_len, stream};
use super::micro::padded;
use super::scratch::{lend, scratch};
use super::simd::{add, dispatched};
use super::storage::{claim, give, numbers, numbers_mut, take};
use super::taps;
use super::unwritten::unwritten;
use super::winograd::{POINTS, Sizes, products, transform_inputs, transform_outputs};
use crate::tensor::parallel::each;
use dfdx::prelude::*;
use pulp::{Simd, WithSimd};

/// See [`Convolution`](crate::tensor::Convolution) and [`Preparation`](crate::tensor::Preparation); the operation with
/// its backward pass. Bias and shift belong to the first stream.
pub(super) fn convolution<const N: usize, T: Tape<f32, Cpu> + 'static>(
    inputs: Vec<[Image<T>; N]>,
    layer: Layer,
    shift: Option<Tensor<[usize; 2], f32, Cpu, T>>,
    residual: Option<[Image<T>; N]>,
) -> [Image<T>; N] {
    let device = layer.weight.device().clone();
    let mut tape = T::default();
    let mut split_off = |image: Image<T>| {
        let (image, own) = image.contiguous().split_tape();
        tape = std::mem::take(&mut tape).merge(own);
        image
    };
    let xs: Vec<[Image<NoneTape>; N]> = inputs.into_iter().map(|x| x.map(&mut split_off)).collect();
    let residual = residual.map(|r| r.map(&mut split_off));
    let shift = shift.map(|shift| {
        let (shift, own) = shift.contiguous().split_tape();
        tape = std::mem::take(&mut tape).merge(own);
        shift
    });
    let rows = xs.first().map_or(0, |x| x[0].shape()[0]);
    let channels = xs.iter().map(|x| x[0].shape()[3]).sum();
    let (height, width) = layer.side;
    let sizes = Sizes { height, width, channels, out: layer.weight.shape().1 };
    let split = Split { sizes, rows, group: (sizes.block() / sizes.tiles().max(1)).max(1) };

    let mut ys = [(); N].map(|()| unwritten(&device, &[rows, height, width, sizes.out]));
    let terms = terms(split, layer.bias.as_ref().map(numbers), shift.as_ref().map(numbers));
    lend(POINTS * taps::plane(channels, sizes.out), |u| {
        taps::transform(numbers(&layer.weight), channels, sizes.out, u);
        let outputs: Vec<Vec<&mut [f32]>> =
            by_group(split, ys.iter_mut().map(|y| pieces(split, sizes.out, numbers_mut(y))));
        each(outputs, |group, ys| {
            forward(split, &layer, group, &xs, u, &terms, residual.as_ref(), ys);
        });
    });

    if T::OWNS_TAPE {
        let outputs: Vec<_> = ys.iter().map(Tensor::ghost).collect();
        let ghosts: Vec<Vec<_>> = xs.iter().map(|x| x.iter().map(Tensor::ghost).collect()).collect();
        let residual: Option<Vec<_>> = residual.map(|r| r.iter().map(Tensor::ghost).collect());
        let shift = shift.map(|shift| shift.ghost());
        tape.add_backward_op(move |grads| {
            let gys = outputs
                .iter()
                .map(|y| take(grads.get_or_alloc_mut(y)?, &device))
                .collect::<Result<Vec<_>, _>>()?;
            let mut gxs = Vec::new();
            for (ghost, x) in ghosts.iter().flatten().zip(xs.iter().flatten()) {
                gxs.push(claim(grads.get_or_alloc_mut(ghost)?, numbers(x).len(), &device)?);
            }
            let mut gresidual = Vec::new();
            for r in residual.iter().flatten() {
                gresidual.push(claim(grads.get_or_alloc_mut(r)?, gys[0].len(), &device)?);
            }
            let mut sums = vec![0.0; rows * sizes.out];
            let mut norm_parts: Vec<Vec<f32>> =
                xs.iter().map(|x| vec![0.0; rows * 2 * x[0].shape()[3]]).collect();
            let into =
                Into { xs: &mut gxs, residual: &mut gresidual, sums: &mut sums, norms: &mut norm_parts };
            backward(split, &layer, &xs, &gys, into, grads.get_or_alloc_mut(&layer.weight)?);
            for (gradient, ghost) in gxs.into_iter().zip(ghosts.iter().flatten()) {
                give(grads.get_or_alloc_mut(ghost)?, gradient);
            }
            for (gradient, ghost) in gresidual.into_iter().zip(residual.iter().flatten()) {
                give(grads.get_or_alloc_mut(ghost)?, gradient);
            }
            if let Some(shift) = &shift {
                add(grads.get_or_alloc_mut(shift)?, &sums);
            }
            if let Some(bias) = &layer.bias {
                let bias = grads.get_or_alloc_mut(bias)?;
                for sums in sums.chunks_exact(sizes.out.max(1)) {
                    add(bias, sums);
                }
            }
            for (norm, parts) in layer.norms.iter().flatten().zip(&norm_parts) {
                norm.add_parts(parts, grads)?;
            }
            Ok(())
        });
    }
    let mut tape = Some(tape);
    ys.map(|y| y.put_tape(tape.take().unwrap_or_default()))
}

/// Bias plus shift of each image, if there is either.
fn terms(split: Split, bias: Option<&[f32]>, shift: Option<&[f32]>) -> Option<Vec<f32>> {
    let out = split.sizes.out;
    let mut terms = match (bias, shift) {
        (None, None) => return None,
        (_, Some(shift)) => shift.to_vec(),
        (Some(_), None) => vec![0.0; split.rows * out],
    };
    for terms in terms.chunks_exact_mut(out.max(1)) {
        bias.iter().for_each(|bias| add(terms, bias));
    }
    Some(terms)
}

#[allow(clippy::too_many_arguments)]
fn forward<const N: usize>(
    split: Split,
    layer: &Layer,
    group: usize,
    xs: &[[Image<NoneTape>; N]],
    u: &[f32],
    terms: &Option<Vec<f32>>,
    residual: Option<&[Image<NoneTape>; N]>,
    ys: Vec<&mut [f32]>,
) {
    let sizes = split.sizes;
    let [v_len, m_len] = sizes.block_lens();
    scratch(prepared_len::<N>(split, layer, group) + v_len + m_len, |mut buffer| {
        let (v, m) = (cut(&mut buffer, v_len), cut(&mut buffer, m_len));
        let prepared = prepared(split, layer, group, xs, &mut buffer);
        let images = split.images(group);
        for (i, y) in ys.into_iter().enumerate() {
            let terms = terms.as_ref().filter(|_| i == 0);
            dispatched(Forward {
                sizes,
                inputs: &stream(split, group, i, xs, &prepared),
                tiles: images.len() * sizes.tiles(),
                u,
                terms: terms.map(|terms| &terms[images.start * sizes.out..]),
                residual: residual.map(|r| &numbers(&r[i])[split.range(group, sizes.out)]),
                y,
                v: &mut *v,
                m: &mut *m,
            });
        }
    });
}

/// The convolution of a group's images of one stream.
struct Forward<'a> {
    sizes: Sizes,
    inputs: &'a [(&'a [f32], usize)],
    tiles: usize,
    u: &'a [f32],
    terms: Option<&'a [f32]>,
    residual: Option<&'a [f32]>,
    y: &'a mut [f32],
    v: &'a mut [f32],
    m: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { sizes, inputs, tiles, u, terms, residual, y, v, m } = self;
        let (c, o) = (padded(sizes.channels), padded(sizes.out));
        for first in (0..tiles).step_by(sizes.block()) {
            let block = first..(first + sizes.block()).min(tiles);
            transform_inputs(simd, sizes, inputs, block.clone(), v);
            let product = (block.len(), sizes.channels, o);
            let [v_plane, m_plane] = [sizes.channels, sizes.out].map(|channels| sizes.plane(channels));
            products(
                simd,
                product,
                (v, v_plane, (c, 1)),
                (u, taps::plane(sizes.channels, sizes.out)),
                (&mut *m, m_plane),
                false,
            );
            transform_outputs(simd, sizes, m, block, (terms, residual), y);
        }
    }
}
