//! Sines and cosines of images, of values or of values and tangents.
//!
//! With `s = f sin(w x)` and `c = f cos(w x)` the tangents are `s' = w c x'` and `c' = -w s x'`, so what the backward pass needs beside the
//! inputs is in the outputs: `gx = w (gs c - gc s - w x' (gs' s + gc' c))` and `gx' = w (gs' c - gc' s)`, summed over the waves of a channel.

use super::convolution_layer::{Image, by_group};
use super::recorded::Backward;
use super::storage::{claim, give, numbers, numbers_mut, take};
use super::unwritten::unwritten;
use crate::tensor::Waves;
use crate::tensor::parallel::each;
use dfdx::prelude::*;

/// Numbers of an input for a unit of work.
const UNIT: usize = 256;

/// See [`Waves`]: the sines and the cosines of the first of `xs`, their derivatives along the second if there is one, and the backward pass if
/// it is to `record`.
pub(super) fn waves(
    xs: Vec<Image>,
    of: &Waves<'_, f32, Cpu>,
    record: bool,
) -> (Vec<Image>, Option<Backward>) {
    let device = xs[0].device().clone();
    let (rows, height, width, channels) = *xs[0].shape();
    let columns = of.frequencies.shape().1;
    let waves = columns / channels.max(1);
    // The first channel's row begins with its frequencies.
    let frequencies = numbers(&of.frequencies.clone().contiguous())[..waves].to_vec();
    let factors = of.factors.clone().map(|factors| factors.contiguous());
    let ones = vec![1.0; waves];
    let row = (height * width * channels).max(1);
    let unit = (UNIT * waves).max(1);

    let shape = (rows, height, width, columns);
    let mut ys: Vec<Image> = Vec::with_capacity(2 * xs.len());
    for _ in 0..2 * xs.len() {
        ys.push(unwritten(&device, &shape));
    }
    let units = (rows * row).div_ceil(UNIT);
    let outputs = by_group(units, ys.iter_mut().map(|y| numbers_mut(y).chunks_mut(unit)).collect());
    each(outputs, |i, mut ys| {
        let [sines, cosines, tangents @ ..] = &mut ys[..] else { return };
        for n in 0..sines.len() / waves.max(1) {
            let number = i * UNIT + n;
            let x = numbers(&xs[0])[number];
            let factors = factors.as_ref().map_or(&ones[..], |f| &numbers(f)[number / row * waves..]);
            for k in 0..waves {
                let at = n * waves + k;
                let (sin, cos) = (x * frequencies[k]).sin_cos();
                (sines[at], cosines[at]) = (sin * factors[k], cos * factors[k]);
                if let [ds, dc] = tangents {
                    let turn = numbers(&xs[1])[number] * frequencies[k];
                    (ds[at], dc[at]) = (cos * turn * factors[k], -sin * turn * factors[k]);
                }
            }
        }
    });
    if !record {
        return (ys, None);
    }

    let inputs: Vec<_> = xs.iter().map(Tensor::ghost).collect();
    let outputs: Vec<_> = ys.iter().map(Tensor::ghost).collect();
    let (dx, values) = (xs.into_iter().nth(1), [ys[0].clone(), ys[1].clone()]);
    let backward: Backward = Box::new(move |grads| {
        let mut gys = Vec::with_capacity(outputs.len());
        for y in &outputs {
            gys.push(take(grads.get_or_alloc_mut(y)?, &device)?);
        }
        let mut gxs = Vec::with_capacity(inputs.len());
        for x in &inputs {
            gxs.push(claim(grads.get_or_alloc_mut(x)?, rows * row, &device)?);
        }
        let [sines, cosines] = [&values[0], &values[1]].map(numbers);
        let to = by_group(units, gxs.iter_mut().map(|gx| gx.chunks_mut(UNIT)).collect());
        each(to, |i, mut to| {
            for n in 0..to[0].len() {
                let first = (i * UNIT + n) * waves;
                let turned = dx.as_ref().map(|dx| numbers(dx)[i * UNIT + n]);
                let mut sums = [0.0; 2];
                for (k, &w) in frequencies.iter().enumerate() {
                    let at = first + k;
                    let (s, c) = (sines[at], cosines[at]);
                    let mut g = gys[0][at] * c - gys[1][at] * s;
                    if let (Some(dx), [_, _, gds, gdc]) = (turned, &gys[..]) {
                        g -= w * dx * (gds[at] * s + gdc[at] * c);
                        sums[1] += w * (gds[at] * c - gdc[at] * s);
                    }
                    sums[0] += w * g;
                }
                for (to, sum) in to.iter_mut().zip(sums) {
                    to[n] += sum;
                }
            }
        });
        for (gx, x) in gxs.into_iter().zip(&inputs) {
            give(grads.get_or_alloc_mut(x)?, gx);
        }
        Ok(())
    });
    (ys, Some(backward))
}
