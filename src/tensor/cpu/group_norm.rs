//! Group norm and swish in one pass over each image.

use super::simd::sigmoid;
use super::storage::{numbers, numbers_mut, take};
use super::vectorized;
use crate::tensor::{GroupNorm, ImageBatch};
use dfdx::prelude::*;
use rayon::prelude::*;

/// The shape of the work on one image, and the parameters of its channels.
#[derive(Clone, Copy)]
pub(super) struct Plan<'a> {
    pub(super) channels: usize,
    pub(super) groups: usize,
    pub(super) epsilon: f32,
    pub(super) swish: bool,
    pub(super) scale: &'a [f32],
    pub(super) bias: &'a [f32],
}

impl Plan<'_> {
    /// Per channel, the mean over the channel's group of a per-channel sum over positions.
    #[inline(always)]
    pub(super) fn group_means(&self, sums: &mut [f32], positions: usize) {
        let own = self.channels / self.groups;
        let count = (positions * own) as f32;
        for group in sums.chunks_exact_mut(own) {
            let mean = group.iter().sum::<f32>() / count;
            group.fill(mean);
        }
    }

    /// Per channel, its group's mean and `1 / sqrt(variance + epsilon)`, by two passes over the image.
    #[inline(always)]
    pub(super) fn statistics(&self, x: &[f32], mean: &mut [f32], rstd: &mut [f32]) {
        let positions = x.len() / self.channels;
        mean.fill(0.0);
        rstd.fill(0.0);
        for x in x.chunks_exact(self.channels) {
            for (m, x) in mean.iter_mut().zip(x) {
                *m += x;
            }
        }
        self.group_means(mean, positions);
        for x in x.chunks_exact(self.channels) {
            for ((v, x), m) in rstd.iter_mut().zip(x).zip(&*mean) {
                *v += (x - m) * (x - m);
            }
        }
        self.group_means(rstd, positions);
        for v in rstd {
            *v = 1.0 / (*v + self.epsilon).sqrt();
        }
    }

    #[inline(always)]
    fn forward(&self, x: &[f32], y: &mut [f32], scratch: &mut [f32]) {
        let (mean, rest) = scratch.split_at_mut(self.channels);
        let (rstd, _) = rest.split_at_mut(self.channels);
        self.statistics(x, mean, rstd);
        // u = x k + t with k = scale rstd and t = bias - mean k.
        for (((k, t), scale), bias) in rstd.iter_mut().zip(&mut *mean).zip(self.scale).zip(self.bias) {
            *k *= scale;
            *t = bias - *t * *k;
        }
        for (y, x) in y.chunks_exact_mut(self.channels).zip(x.chunks_exact(self.channels)) {
            for (((y, x), k), t) in y.iter_mut().zip(x).zip(&*rstd).zip(&*mean) {
                let u = x * k + t;
                *y = if self.swish { u * sigmoid(u) } else { u };
            }
        }
    }

    /// Adds the gradients of one image: `gx`, and this image's part of those of scale and bias in
    /// `own` (scale first). `gy` is used up.
    #[inline(always)]
    fn backward(&self, x: &[f32], gy: &mut [f32], gx: &mut [f32], own: &mut [f32], scratch: &mut [f32]) {
        let c = self.channels;
        let positions = x.len() / c;
        let (mean, rest) = scratch.split_at_mut(c);
        let (rstd, rest) = rest.split_at_mut(c);
        let (mean_gn, mean_gn_n) = rest.split_at_mut(c);
        self.statistics(x, mean, rstd);
        let (g_scale, g_bias) = own.split_at_mut(c);
        for (gy, x) in gy.chunks_exact_mut(c).zip(x.chunks_exact(c)) {
            for i in 0..c {
                let n = (x[i] - mean[i]) * rstd[i];
                let gu = if self.swish {
                    let u = n * self.scale[i] + self.bias[i];
                    let s = sigmoid(u);
                    gy[i] * s * (1.0 + u * (1.0 - s))
                } else {
                    gy[i]
                };
                gy[i] = gu;
                g_bias[i] += gu;
                g_scale[i] += gu * n;
            }
        }
        for i in 0..c {
            mean_gn[i] = g_bias[i] * self.scale[i];
            mean_gn_n[i] = g_scale[i] * self.scale[i];
        }
        self.group_means(mean_gn, positions);
        self.group_means(mean_gn_n, positions);
        for ((gx, gu), x) in gx.chunks_exact_mut(c).zip(gy.chunks_exact(c)).zip(x.chunks_exact(c)) {
            for i in 0..c {
                let n = (x[i] - mean[i]) * rstd[i];
                gx[i] += rstd[i] * (gu[i] * self.scale[i] - mean_gn[i] - n * mean_gn_n[i]);
            }
        }
    }
}

/// A layer's parameters and settings, kept for the backward pass.
pub(super) struct Kept {
    pub(super) scale: Tensor<(usize,), f32, Cpu>,
    pub(super) bias: Tensor<(usize,), f32, Cpu>,
    pub(super) first: usize,
    groups: usize,
    channels: usize,
    epsilon: f32,
    swish: bool,
}

impl Kept {
    pub(super) fn new(norm: &GroupNorm<'_, f32, Cpu>, channels: usize) -> Self {
        Self {
            scale: norm.scale.clone(),
            bias: norm.bias.clone(),
            first: norm.first_channel,
            groups: norm.groups,
            channels,
            epsilon: norm.epsilon as f32,
            swish: norm.swish,
        }
    }

    pub(super) fn plan(&self) -> Plan<'_> {
        Plan {
            channels: self.channels,
            groups: self.groups,
            epsilon: self.epsilon,
            swish: self.swish,
            scale: &numbers(&self.scale)[self.first..][..self.channels],
            bias: &numbers(&self.bias)[self.first..][..self.channels],
        }
    }

    /// Adds each image's part of the gradients of scale and bias, in order.
    pub(super) fn add_parts(&self, parts: &[f32], grads: &mut Gradients<f32, Cpu>) -> Result<(), CpuError> {
        let c = self.channels;
        for (i, parameter) in [&self.scale, &self.bias].into_iter().enumerate() {
            let total = &mut grads.get_or_alloc_mut(parameter)?[self.first..];
            for part in parts.chunks_exact(2 * c) {
                total.iter_mut().zip(&part[i * c..][..c]).for_each(|(t, g)| *t += g);
            }
        }
        Ok(())
    }
}

/// See [`GroupNorm`]; the operation with its backward pass.
pub(super) fn group_norm<const H: usize, const W: usize, C: Dim, T: Tape<f32, Cpu>>(
    x: Tensor<ImageBatch<H, W, C>, f32, Cpu, T>,
    norm: &GroupNorm<'_, f32, Cpu>,
) -> Tensor<ImageBatch<H, W, C>, f32, Cpu, T> {
    let (x, mut tape) = x.contiguous().split_tape();
    let device = x.device().clone();
    let channels = x.shape().3.size();
    let image = (H * W * channels).max(1);
    let kept = Kept::new(norm, channels);

    let mut y = device.zeros_like(x.shape());
    let forward = kept.plan();
    numbers_mut(&mut y).par_chunks_mut(image).zip(numbers(&x).par_chunks(image)).for_each_init(
        || vec![0.0; 2 * channels],
        |scratch, (y, x)| {
            vectorized(
                #[inline(always)]
                || forward.forward(x, y, scratch),
            )
        },
    );

    if T::OWNS_TAPE {
        let (input, output) = (x.ghost(), y.ghost());
        tape.add_backward_op(move |grads| {
            let mut gy = take(grads.get_or_alloc_mut(&output)?, &device)?;
            let backward = kept.plan();
            let mut parts = vec![0.0; x.shape().0 * 2 * channels];
            grads
                .get_or_alloc_mut(&input)?
                .par_chunks_mut(image)
                .zip(gy.par_chunks_mut(image))
                .zip(numbers(&x).par_chunks(image))
                .zip(parts.par_chunks_mut(2 * channels))
                .for_each_init(
                    || vec![0.0; 4 * channels],
                    |scratch, (((gx, gy), x), part)| {
                        vectorized(
                            #[inline(always)]
                            || backward.backward(x, gy, gx, part, scratch),
                        )
                    },
                );
            kept.add_parts(&parts, grads)
        });
    }
    y.put_tape(tape)
}
