//! 3x3 convolution of images as they are, or after group norm, swish and dropout; of values, or of values and tangents.
//!
//! A unit of work is a group of images: it normalizes them into a buffer of the thread, transforms tiles of them,
//! multiplies and writes the output, so a normalized image never reaches memory. The backward pass computes it again.

use super::convolution_backward::{Into, backward};
use super::convolution_layer::{Image, Layer, Split, by_group, cut, pieces, prepared, prepared_len, stream};
use super::micro::padded;
use super::recorded::Backward;
use super::scratch::{lend, scratch};
use super::simd::{add, dispatched};
use super::storage::{claim, give, numbers, numbers_mut, take};
use super::taps;
use super::unwritten::unwritten;
use super::winograd::{Inputs, POINTS, Sizes, products, transform_outputs};
use crate::tensor::parallel::each;
use dfdx::prelude::*;
use pulp::{Simd, WithSimd};

/// See [`Convolution`](crate::tensor::Convolution) and [`Preparation`](crate::tensor::Preparation): the output's streams, and the backward
/// pass if it is to `record`. Each input has a stream of values, or one of values and one of tangents, and so has the residual; bias and
/// shift belong to the first stream.
pub(super) fn convolution(
    xs: Vec<Vec<Image>>,
    layer: Layer,
    shift: Option<Tensor<(usize, usize), f32, Cpu>>,
    residual: Option<Vec<Image>>,
    record: bool,
) -> (Vec<Image>, Option<Backward>) {
    let device = layer.weight.device().clone();
    let streams = xs.first().map_or(0, Vec::len);
    let rows = xs.first().map_or(0, |x| x[0].shape().0);
    let channels = xs.iter().map(|x| x[0].shape().3).sum();
    let (height, width) = layer.side;
    let sizes = Sizes { height, width, channels, out: layer.weight.shape().1 };
    let split = Split { sizes, rows, group: (sizes.block() / sizes.tiles().max(1)).max(1) };

    let mut ys: Vec<Image> = Vec::with_capacity(streams);
    for _ in 0..streams {
        ys.push(unwritten(&device, &(rows, height, width, sizes.out)));
    }
    let terms = terms(split, layer.bias.as_ref().map(numbers), shift.as_ref().map(numbers));
    lend(POINTS * taps::plane(channels, sizes.out), |u| {
        taps::transform(numbers(&layer.weight), channels, sizes.out, u);
        let outputs = by_group(
            split.groups(),
            ys.iter_mut().map(|y| pieces(split, sizes.out, numbers_mut(y))).collect(),
        );
        each(outputs, |group, ys| {
            forward(split, &layer, group, &xs, u, &terms, residual.as_deref(), ys);
        });
    });
    if !record {
        return (ys, None);
    }

    let ghosts = |xs: &[Image]| xs.iter().map(Tensor::ghost).collect::<Vec<_>>();
    let outputs = ghosts(&ys);
    let inputs: Vec<_> = xs.iter().map(|x| ghosts(x)).collect();
    let residual = residual.map(|r| ghosts(&r)).unwrap_or_default();
    let shift = shift.map(|shift| shift.ghost());
    let backward: Backward = Box::new(move |grads| {
        let mut gys = Vec::with_capacity(outputs.len());
        for y in &outputs {
            gys.push(take(grads.get_or_alloc_mut(y)?, &device)?);
        }
        let mut gxs = Vec::new();
        for (ghosts, xs) in inputs.iter().zip(&xs) {
            for (ghost, x) in ghosts.iter().zip(xs) {
                gxs.push(claim(grads.get_or_alloc_mut(ghost)?, numbers(x).len(), &device)?);
            }
        }
        let mut gresidual = Vec::new();
        for r in &residual {
            gresidual.push(claim(grads.get_or_alloc_mut(r)?, gys[0].len(), &device)?);
        }
        let mut sums = vec![0.0; rows * sizes.out];
        let mut norm_parts: Vec<Vec<f32>> = xs.iter().map(|x| vec![0.0; rows * 2 * x[0].shape().3]).collect();
        let into = Into { xs: &mut gxs, residual: &mut gresidual, sums: &mut sums, norms: &mut norm_parts };
        backward(split, &layer, &xs, &gys, into, grads.get_or_alloc_mut(&layer.weight)?);
        let mut gxs = gxs.into_iter();
        for ghosts in &inputs {
            for (ghost, gradient) in ghosts.iter().zip(gxs.by_ref()) {
                give(grads.get_or_alloc_mut(ghost)?, gradient);
            }
        }
        for (gradient, ghost) in gresidual.into_iter().zip(&residual) {
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
        if let Some(norms) = &layer.norms {
            for (norm, parts) in norms.iter().zip(&norm_parts) {
                norm.add_parts(parts, grads)?;
            }
        }
        Ok(())
    });
    (ys, Some(backward))
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
fn forward(
    split: Split,
    layer: &Layer,
    group: usize,
    xs: &[Vec<Image>],
    u: &[f32],
    terms: &Option<Vec<f32>>,
    residual: Option<&[Image]>,
    ys: Vec<&mut [f32]>,
) {
    let sizes = split.sizes;
    let [v_len, m_len] = sizes.block_lens();
    scratch(prepared_len(split, layer, group, ys.len()) + v_len + m_len, |mut buffer| {
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
            simd.vectorize(Inputs { sizes, inputs, tiles: block.clone(), v });
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
