//! Group norm and swish of one image and its tangent, and the backward pass through both.
//!
//! With `n = r (x - m x)`, `r = 1 / sqrt(m (x - m x)^2 + epsilon)` and `m` the group's mean, the tangent is
//! `n' = r Q x'` with the symmetric `Q = 1 - m - n m(n .)`; `u = scale n + bias`, `u' = scale n'`,
//! `y = f(u)`, `y' = f'(u) u'`. Backward, from `(gy, gy')`:
//! `gu = gy f'(u) + gy' f''(u) u'`, `gu' = gy' f'(u)`, `gn = scale gu`, `gn' = scale gu'`, and
//! - `gx' = r Q gn'`;
//! - `gx = r Q (gn - r m(x' n) gn' - r m(gn' n) x') - r m(gn' n') n`.

use super::lanes::totals;
use super::normalize::{Blocks, Plan};
use super::simd::sigmoid;

/// `f(u)`, `f'(u)` and `f''(u)` of swish, or of the identity.
#[inline(always)]
fn activation(u: f32, swish: bool) -> (f32, f32, f32) {
    if !swish {
        return (u, 1.0, 0.0);
    }
    let s = sigmoid(u);
    let slope = s * (1.0 - s);
    (u * s, s + u * slope, slope * (2.0 + u * (1.0 - 2.0 * s)))
}

/// Per-channel numbers of one image; each is the mean over the channel's group.
struct Means<'a, const L: usize> {
    mean: &'a [[f32; L]],
    rstd: &'a [[f32; L]],
    /// `m x'`
    tangent: &'a [[f32; L]],
    /// `m (n x')`
    tangent_n: &'a [[f32; L]],
}

/// Those numbers for one block of channels, with the block's parameters.
struct Block<const L: usize> {
    mean: [f32; L],
    rstd: [f32; L],
    tangent: [f32; L],
    tangent_n: [f32; L],
    scale: [f32; L],
    bias: [f32; L],
}

impl<const L: usize> Block<L> {
    /// `n` and `n'` of channel `i`.
    #[inline(always)]
    fn normalized(&self, i: usize, x: f32, dx: f32) -> (f32, f32) {
        let n = (x - self.mean[i]) * self.rstd[i];
        (n, self.rstd[i] * (dx - self.tangent[i] - n * self.tangent_n[i]))
    }
}

/// The means of the tangent and of its product with the normalized value, by one pass over an image of these statistics (see
/// [`Plan::statistics`]).
#[inline(always)]
pub(super) fn statistics<const L: usize>(
    plan: &Plan<'_>,
    (x, dx): (&[[f32; L]], &[[f32; L]]),
    own: &[[f32; L]],
    means: Blocks<'_, L>,
) {
    let blocks = plan.blocks::<L>();
    let (mean, rstd) = own.split_at(blocks);
    let (tangent, tangent_n) = means.split_at_mut(blocks);
    for b in 0..blocks {
        let (mean, rstd) = (mean[b], rstd[b]);
        [tangent[b], tangent_n[b]] = totals(
            x.len() / blocks,
            #[inline(always)]
            |p| {
                let (x, dx) = (x[p * blocks + b], dx[p * blocks + b]);
                let mut product = dx;
                for i in 0..L {
                    product[i] *= (x[i] - mean[i]) * rstd[i];
                }
                [dx, product]
            },
        );
    }
    plan.group_means(tangent, x.len() / blocks);
    plan.group_means(tangent_n, x.len() / blocks);
}

impl<'a, const L: usize> Means<'a, L> {
    /// Of the statistics of the value and then those of the tangent.
    #[inline(always)]
    fn of(plan: &Plan<'_>, statistics: &'a [[f32; L]]) -> Self {
        let blocks = plan.blocks::<L>();
        let (mean, rest) = statistics.split_at(blocks);
        let (rstd, rest) = rest.split_at(blocks);
        let (tangent, tangent_n) = rest.split_at(blocks);
        Self { mean, rstd, tangent, tangent_n }
    }

    #[inline(always)]
    fn block(&self, plan: &Plan<'_>, b: usize) -> Block<L> {
        Block {
            mean: self.mean[b],
            rstd: self.rstd[b],
            tangent: self.tangent[b],
            tangent_n: self.tangent_n[b],
            scale: plan.scale.as_chunks().0[b],
            bias: plan.bias.as_chunks().0[b],
        }
    }
}

#[inline(always)]
pub(super) fn forward<const L: usize>(
    plan: &Plan<'_>,
    (x, dx): (&[[f32; L]], &[[f32; L]]),
    (y, dy): (&mut [[f32; L]], &mut [[f32; L]]),
    statistics: &[[f32; L]],
) {
    let means = Means::of(plan, statistics);
    let blocks = plan.blocks::<L>();
    for b in 0..blocks {
        let block = means.block(plan, b);
        let inputs = x[b..].iter().step_by(blocks).zip(dx[b..].iter().step_by(blocks));
        let outputs = y[b..].iter_mut().step_by(blocks).zip(dy[b..].iter_mut().step_by(blocks));
        for ((y, dy), (x, dx)) in outputs.zip(inputs) {
            let (mut own, mut along) = (*x, *dx);
            for i in 0..L {
                let (n, dn) = block.normalized(i, own[i], along[i]);
                let (f, slope, _) = activation(n * block.scale[i] + block.bias[i], plan.swish);
                own[i] = f;
                along[i] = slope * block.scale[i] * dn;
            }
            (*y, *dy) = (own, along);
        }
    }
}

/// One image's inputs and the gradients of its outputs, which are used up.
pub(super) struct Image<'a, const L: usize> {
    pub(super) x: &'a [[f32; L]],
    pub(super) dx: &'a [[f32; L]],
    pub(super) gy: &'a mut [[f32; L]],
    pub(super) gdy: &'a mut [[f32; L]],
}

#[inline(always)]
pub(super) fn backward<const L: usize>(
    plan: &Plan<'_>,
    image: Image<'_, L>,
    (gx, gdx): (&mut [[f32; L]], &mut [[f32; L]]),
    part: &mut [[f32; L]],
    (statistics, scratch): (&[[f32; L]], Blocks<'_, L>),
) {
    let Image { x, dx, gy, gdy } = image;
    let blocks = plan.blocks::<L>();
    let positions = x.len() / blocks;
    let means = Means::of(plan, statistics);
    let (t, rest) = scratch.split_at_mut(blocks); // m gn'
    let (t_n, rest) = rest.split_at_mut(blocks); // m (gn' n)
    let (t_dn, rest) = rest.split_at_mut(blocks); // m (gn' n')
    let (h, rest) = rest.split_at_mut(blocks); // m of the bracket
    let (h_n, _) = rest.split_at_mut(blocks); // m (bracket n)
    let (g_scale, g_bias) = part.split_at_mut(blocks);
    // Turns gy into gn and gy' into gn', and sums up.
    for b in 0..blocks {
        let block = means.block(plan, b);
        let mut sums = [[0.0; L]; 5];
        for p in (b..positions * blocks).step_by(blocks) {
            let (x, dx, mut g, mut gd) = (x[p], dx[p], gy[p], gdy[p]);
            for i in 0..L {
                let (n, dn) = block.normalized(i, x[i], dx[i]);
                let (_, slope, curvature) = activation(n * block.scale[i] + block.bias[i], plan.swish);
                let gu = g[i] * slope + gd[i] * curvature * block.scale[i] * dn;
                let gdu = gd[i] * slope;
                sums[0][i] += gu;
                sums[1][i] += gu * n + gdu * dn;
                g[i] = gu * block.scale[i];
                gd[i] = gdu * block.scale[i];
                sums[2][i] += gd[i];
                sums[3][i] += gd[i] * n;
                sums[4][i] += gd[i] * dn;
            }
            (gy[p], gdy[p]) = (g, gd);
        }
        for i in 0..L {
            g_bias[b][i] += sums[0][i];
            g_scale[b][i] += sums[1][i];
        }
        (t[b], t_n[b], t_dn[b]) = (sums[2], sums[3], sums[4]);
    }
    for sums in [&mut *t, &mut *t_n, &mut *t_dn] {
        plan.group_means(sums, positions);
    }
    // Turns gn into the bracket gn - r m(x' n) gn' - r m(gn' n) x', and sums up.
    for b in 0..blocks {
        let (block, t_n) = (means.block(plan, b), t_n[b]);
        let (mut sum, mut sum_n) = ([0.0; L], [0.0; L]);
        for p in (b..positions * blocks).step_by(blocks) {
            let (x, dx, mut gn, gdn) = (x[p], dx[p], gy[p], gdy[p]);
            for i in 0..L {
                let n = (x[i] - block.mean[i]) * block.rstd[i];
                gn[i] -= block.rstd[i] * (block.tangent_n[i] * gdn[i] + t_n[i] * dx[i]);
                sum[i] += gn[i];
                sum_n[i] += gn[i] * n;
            }
            gy[p] = gn;
        }
        (h[b], h_n[b]) = (sum, sum_n);
    }
    plan.group_means(h, positions);
    plan.group_means(h_n, positions);
    for b in 0..blocks {
        let (block, t, t_n, t_dn, h, h_n) = (means.block(plan, b), t[b], t_n[b], t_dn[b], h[b], h_n[b]);
        for p in (b..positions * blocks).step_by(blocks) {
            let (x, bracket, gdn, mut g, mut gd) = (x[p], gy[p], gdy[p], gx[p], gdx[p]);
            for i in 0..L {
                let r = block.rstd[i];
                let n = (x[i] - block.mean[i]) * r;
                g[i] += r * (bracket[i] - h[i] - n * h_n[i] - t_dn[i] * n);
                gd[i] += r * (gdn[i] - t[i] - n * t_n[i]);
            }
            (gx[p], gdx[p]) = (g, gd);
        }
    }
}
