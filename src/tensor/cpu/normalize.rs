//! Group norm and swish of one image: its passes, and its parameters.

use super::lanes::totals;
use super::simd::sigmoid;
use super::storage::numbers;
use crate::tensor::GroupNorm;
use dfdx::prelude::*;

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

/// Per-channel numbers of one image, as blocks of `L` channels.
pub(super) type Blocks<'a, const L: usize> = &'a mut [[f32; L]];

impl Plan<'_> {
    /// Blocks of `L` channels of a position.
    #[inline(always)]
    pub(super) fn blocks<const L: usize>(&self) -> usize {
        self.channels / L
    }

    /// Per channel, the mean over the channel's group of a per-channel sum over positions.
    #[inline(always)]
    pub(super) fn group_means<const L: usize>(&self, sums: Blocks<'_, L>, positions: usize) {
        let own = self.channels / self.groups;
        let count = (positions * own) as f32;
        for group in sums.as_flattened_mut().chunks_exact_mut(own) {
            let mean = group.iter().sum::<f32>() / count;
            group.iter_mut().for_each(|sum| *sum = mean);
        }
    }

    /// Per channel, its group's mean, and after these `1 / sqrt(variance + epsilon)`, by two passes over the image.
    #[inline(always)]
    pub(super) fn statistics<const L: usize>(&self, x: &[[f32; L]], statistics: Blocks<'_, L>) {
        let blocks = self.blocks::<L>();
        let (mean, rstd) = statistics.split_at_mut(blocks);
        let positions = x.len() / blocks;
        for (b, mean) in mean.iter_mut().enumerate() {
            [*mean] = totals(
                positions,
                #[inline(always)]
                |p| [x[p * blocks + b]],
            );
        }
        self.group_means(mean, positions);
        for (b, (rstd, mean)) in rstd.iter_mut().zip(&*mean).enumerate() {
            [*rstd] = totals(
                positions,
                #[inline(always)]
                |p| {
                    let mut square = x[p * blocks + b];
                    for i in 0..L {
                        square[i] = (square[i] - mean[i]) * (square[i] - mean[i]);
                    }
                    [square]
                },
            );
        }
        self.group_means(rstd, positions);
        for v in rstd.as_flattened_mut() {
            *v = 1.0 / (*v + self.epsilon).sqrt();
        }
    }

    /// The output of one image of these statistics.
    #[inline(always)]
    pub(super) fn forward<const L: usize>(
        &self,
        x: &[[f32; L]],
        y: &mut [[f32; L]],
        statistics: &[[f32; L]],
    ) {
        let blocks = self.blocks::<L>();
        let (mean, rstd) = statistics.split_at(blocks);
        let (scale, bias) = (self.scale.as_chunks::<L>().0, self.bias.as_chunks::<L>().0);
        for b in 0..blocks {
            let (mut k, mut t) = ([0.0; L], [0.0; L]);
            // u = x k + t with k = scale rstd and t = bias - mean k.
            for i in 0..L {
                k[i] = scale[b][i] * rstd[b][i];
                t[i] = bias[b][i] - mean[b][i] * k[i];
            }
            for (y, x) in y[b..].iter_mut().step_by(blocks).zip(x[b..].iter().step_by(blocks)) {
                let mut own = *x;
                for i in 0..L {
                    let u = own[i] * k[i] + t[i];
                    own[i] = if self.swish { u * sigmoid(u) } else { u };
                }
                *y = own;
            }
        }
    }

    /// Adds the gradients of one image of these statistics: `gx`, and this image's part of those of scale and bias in
    /// `own` (scale first). `gy` is used up.
    #[inline(always)]
    pub(super) fn backward<const L: usize>(
        &self,
        x: &[[f32; L]],
        gy: &mut [[f32; L]],
        gx: &mut [[f32; L]],
        own: &mut [[f32; L]],
        (statistics, scratch): (&[[f32; L]], Blocks<'_, L>),
    ) {
        let blocks = self.blocks::<L>();
        let positions = x.len() / blocks;
        let (mean, rstd) = statistics.split_at(blocks);
        let (mean_gn, mean_gn_n) = scratch.split_at_mut(blocks);
        let (scale, bias) = (self.scale.as_chunks::<L>().0, self.bias.as_chunks::<L>().0);
        let (g_scale, g_bias) = own.split_at_mut(blocks);
        for b in 0..blocks {
            let (mean, rstd, scale, bias) = (mean[b], rstd[b], scale[b], bias[b]);
            let (mut sum, mut sum_n) = ([0.0; L], [0.0; L]);
            for (gy, x) in gy[b..].iter_mut().step_by(blocks).zip(x[b..].iter().step_by(blocks)) {
                let (x, mut g) = (*x, *gy);
                for i in 0..L {
                    let n = (x[i] - mean[i]) * rstd[i];
                    if self.swish {
                        let u = n * scale[i] + bias[i];
                        let s = sigmoid(u);
                        g[i] = g[i] * s * (1.0 + u * (1.0 - s));
                    }
                    sum[i] += g[i];
                    sum_n[i] += g[i] * n;
                }
                *gy = g;
            }
            for i in 0..L {
                g_bias[b][i] += sum[i];
                g_scale[b][i] += sum_n[i];
                mean_gn[b][i] = sum[i] * scale[i];
                mean_gn_n[b][i] = sum_n[i] * scale[i];
            }
        }
        self.group_means(mean_gn, positions);
        self.group_means(mean_gn_n, positions);
        for b in 0..blocks {
            let (mean, rstd, scale) = (mean[b], rstd[b], scale[b]);
            let (mean_gn, mean_gn_n) = (mean_gn[b], mean_gn_n[b]);
            let inputs = gy[b..].iter().step_by(blocks).zip(x[b..].iter().step_by(blocks));
            for (gx, (gu, x)) in gx[b..].iter_mut().step_by(blocks).zip(inputs) {
                let (gu, x, mut g) = (*gu, *x, *gx);
                for i in 0..L {
                    let n = (x[i] - mean[i]) * rstd[i];
                    g[i] += rstd[i] * (gu[i] * scale[i] - mean_gn[i] - n * mean_gn_n[i]);
                }
                *gx = g;
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
