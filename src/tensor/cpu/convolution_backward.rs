//! The backward pass of [`convolution`](super::convolution): to the inputs, through dropout and norm, and to the weights.

use super::convolution_layer::{Image, Layer, Split, by_group, cut, pieces, prepared, prepared_len, stream};
use super::dropout::mask;
use super::micro::padded;
use super::norm_images;
use super::scratch::{lend, scratch};
use super::simd::{add, clear, dispatched, vectorized};
use super::storage::{Buffer, numbers};
use super::taps;
use super::winograd::{Inputs, POINTS, Sizes, add_inputs, products, spread_outputs};
use crate::tensor::parallel::each;
use dfdx::prelude::HasShape;
use pulp::{Simd, WithSimd};
use std::ops::Range;

/// How many partial sums of the weights' gradient there are at most: fixed, so that the order of addition is.
const PARTS: usize = 8;

/// The gradients that the backward pass adds to, and the parts of those of the parameters.
pub(super) struct Into<'a> {
    /// Of the inputs, input by input and stream by stream.
    pub(super) xs: &'a mut [Buffer],
    /// Of the residual's streams.
    pub(super) residual: &'a mut [Buffer],
    /// Each image's sum of the first stream's gradient over positions.
    pub(super) sums: &'a mut [f32],
    /// Each image's part of the gradients of the norms' scales and biases, for each input.
    pub(super) norms: &'a mut [Vec<f32>],
}

/// What the backward pass of one part, several groups in order, reads and writes.
struct Part<'a> {
    groups: Range<usize>,
    /// Its gradient of the weights.
    gweight: &'a mut [f32],
    /// For each group, its pieces of the gradients of all inputs, stream by stream.
    gxs: Vec<Vec<&'a mut [f32]>>,
    gresidual: Vec<Vec<&'a mut [f32]>>,
    sums: Vec<&'a mut [f32]>,
    norm_parts: Vec<Vec<&'a mut [f32]>>,
}

/// Adds to all gradients from those of the outputs, `gys`, one per stream.
pub(super) fn backward(
    split: Split,
    layer: &Layer,
    xs: &[Vec<Image>],
    gys: &[Buffer],
    into: Into<'_>,
    gweight: &mut Buffer,
) {
    let Into { xs: gxs, residual: gresidual, sums, norms: norm_parts } = into;
    let sizes = split.sizes;
    let (channels, out, groups) = (sizes.channels, sizes.out, split.groups());
    if groups == 0 || out == 0 || channels == 0 {
        return;
    }
    let parts = PARTS.min(groups);
    let (len, turned_len) = (POINTS * taps::plane(channels, out), POINTS * taps::plane(out, channels));
    let mut of_inputs = Vec::with_capacity(gxs.len());
    let mut gxs = gxs.iter_mut();
    for x in xs {
        let own = gxs.by_ref().take(x.len());
        of_inputs.extend(own.map(|g| pieces(split, x[0].shape().3, g)));
    }
    let mut gxs = by_group(split.groups(), of_inputs).into_iter();
    let of_residual = gresidual.iter_mut().map(|g| pieces(split, out, g)).collect();
    let mut gresidual = by_group(split.groups(), of_residual).into_iter();
    let mut of_norms = Vec::with_capacity(xs.len());
    for (p, x) in norm_parts.iter_mut().zip(xs) {
        of_norms.push(p.chunks_mut((split.group * 2 * x[0].shape().3).max(1)));
    }
    let mut norm_parts = by_group(split.groups(), of_norms).into_iter();
    let mut sums = sums.chunks_mut(split.group * out);
    let taps = gweight.len();
    lend(len + turned_len + parts * taps, |buffer| {
        let (u, rest) = buffer.split_at_mut(len);
        let (turned, partial) = rest.split_at_mut(turned_len);
        taps::transform(numbers(&layer.weight), channels, out, u);
        taps::transpose(u, channels, out, turned);
        let mut all = Vec::with_capacity(parts);
        for (i, gweight) in partial.chunks_exact_mut(taps).enumerate() {
            let range = i * groups / parts..(i + 1) * groups / parts;
            let n = range.len();
            all.push(Part {
                groups: range,
                gweight,
                gxs: gxs.by_ref().take(n).collect(),
                gresidual: gresidual.by_ref().take(n).collect(),
                sums: sums.by_ref().take(n).collect(),
                norm_parts: norm_parts.by_ref().take(n).collect(),
            });
        }
        each(all, |_, part| backward_part(split, layer, xs, gys, turned, part));
        taps::add_parts(partial, gweight);
    });
}

fn backward_part(
    split: Split,
    layer: &Layer,
    xs: &[Vec<Image>],
    gys: &[Buffer],
    turned: &[f32],
    part: Part<'_>,
) {
    let sizes = split.sizes;
    let Part { groups, gweight, gxs, gresidual, sums, norm_parts } = part;
    let [v_len, e_len] = sizes.block_lens();
    let sum_len = POINTS * taps::plane(sizes.channels, sizes.out);
    let longest = prepared_len(split, layer, groups.start, gys.len());
    let mut fresh = true;
    let outputs = gxs.into_iter().zip(gresidual).zip(sums.into_iter().zip(norm_parts));
    scratch(sum_len + v_len + e_len + 2 * longest, |mut buffer| {
        let sum = cut(&mut buffer, sum_len);
        let (v, e) = (cut(&mut buffer, v_len), cut(&mut buffer, e_len));
        for (group, ((mut gxs, gresidual), (sums, norm_parts))) in groups.zip(outputs) {
            let mut buffer = &mut *buffer;
            let prepared = prepared(split, layer, group, xs, &mut buffer);
            // What the norms' backward pass begins with; without norms, the inputs' gradients themselves.
            let mut gas: Vec<&mut [f32]> = match &layer.norms {
                Some(_) => {
                    let mut gas = Vec::with_capacity(gxs.len());
                    for gx in &gxs {
                        let zeros = cut(&mut buffer, gx.len());
                        clear(zeros);
                        gas.push(zeros);
                    }
                    gas
                }
                None => std::mem::take(&mut gxs),
            };
            let inputs_of = |i| stream(split, group, i, xs, &prepared);
            for (i, gy) in gys.iter().enumerate() {
                let gy = &gy[split.range(group, sizes.out)];
                let mut gx = Vec::with_capacity(xs.len());
                for (g, x) in gas.iter_mut().skip(i).step_by(gys.len()).zip(xs) {
                    gx.push((&mut **g, x[0].shape().3));
                }
                dispatched(Backward {
                    sizes,
                    inputs: &inputs_of(i),
                    tiles: split.images(group).len() * sizes.tiles(),
                    gy,
                    turned,
                    sum: &mut *sum,
                    fresh: std::mem::replace(&mut fresh, false),
                    gx: &mut gx,
                    v: &mut *v,
                    e: &mut *e,
                });
            }
            for (g, gy) in gresidual.into_iter().zip(gys) {
                add(g, &gy[split.range(group, sizes.out)]);
            }
            add_positions(&gys[0][split.range(group, sizes.out)], split.positions(), sizes.out, sums);
            drop(prepared);
            if let Some(norms) = &layer.norms {
                let first = split.images(group).start;
                let own = gas.chunks_mut(gys.len()).zip(gxs.chunks_mut(gys.len()));
                for (((norm, x), part), (ga, gx)) in norms.iter().zip(xs).zip(norm_parts).zip(own) {
                    let channels = x[0].shape().3;
                    if let Some(key) = layer.dropout {
                        mask(key, first * split.positions() * channels, ga);
                    }
                    let x: Vec<&[f32]> =
                        x.iter().map(|x| &numbers(x)[split.range(group, channels)]).collect();
                    norm_images::backward(norm, split.positions() * channels, &x, ga, gx, part);
                }
            }
        }
        taps::gradient(sum, sizes.channels, sizes.out, gweight);
    });
}

/// The sum over the positions of each image.
fn add_positions(gy: &[f32], positions: usize, channels: usize, sums: &mut [f32]) {
    vectorized(
        #[inline(always)]
        || {
            for (sums, gy) in sums.chunks_exact_mut(channels).zip(gy.chunks_exact(positions * channels)) {
                for gy in gy.chunks_exact(channels) {
                    add(sums, gy);
                }
            }
        },
    );
}

/// The backward pass of the convolution of a group's images of one stream.
struct Backward<'a, 'g> {
    sizes: Sizes,
    inputs: &'a [(&'a [f32], usize)],
    tiles: usize,
    gy: &'a [f32],
    turned: &'a [f32],
    sum: &'a mut [f32],
    /// Whether `sum` holds nothing yet.
    fresh: bool,
    gx: &'a mut [(&'g mut [f32], usize)],
    v: &'a mut [f32],
    e: &'a mut [f32],
}

impl WithSimd for Backward<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Self { sizes, inputs, tiles, gy, turned, sum, fresh, gx, v, e } = self;
        let (c, o) = (padded(sizes.channels), padded(sizes.out));
        let [v_plane, e_plane] = [sizes.channels, sizes.out].map(|channels| sizes.plane(channels));
        for first in (0..tiles).step_by(sizes.block()) {
            let block = first..(first + sizes.block()).min(tiles);
            let (len, keep) = (block.len(), !fresh || first > 0);
            simd.vectorize(Inputs { sizes, inputs, tiles: block.clone(), v });
            spread_outputs(simd, sizes, gy, block.clone(), e);
            let product = (sizes.channels, len, o);
            products(
                simd,
                product,
                (v, v_plane, (1, c)),
                (e, e_plane),
                (sum, taps::plane(sizes.channels, sizes.out)),
                keep,
            );
            let product = (len, sizes.out, c);
            products(
                simd,
                product,
                (e, e_plane, (o, 1)),
                (turned, taps::plane(sizes.out, sizes.channels)),
                (v, v_plane),
                false,
            );
            add_inputs(simd, sizes, gx, block, v);
        }
    }
}
