//! Group norm and swish of a value and its tangent, and the backward pass through both.
//!
//! With `n = r (x - m x)`, `r = 1 / sqrt(m (x - m x)^2 + epsilon)` and `m` the group's mean, the tangent is
//! `n' = r Q x'` with the symmetric `Q = 1 - m - n m(n .)`; `u = scale n + bias`, `u' = scale n'`,
//! `y = f(u)`, `y' = f'(u) u'`. Backward, from `(gy, gy')`:
//! `gu = gy f'(u) + gy' f''(u) u'`, `gu' = gy' f'(u)`, `gn = scale gu`, `gn' = scale gu'`, and
//! - `gx' = r Q gn'`;
//! - `gx = r Q (gn - r m(x' n) gn' - r m(gn' n) x') - r m(gn' n') n`.

use super::group_norm::{Kept, Plan};
use super::simd::sigmoid;
use super::storage::{numbers, numbers_mut, take};
use super::vectorized;
use crate::tensor::{Dual, GroupNorm, ImageBatch};
use dfdx::prelude::*;
use rayon::prelude::*;

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
struct Means<'a> {
    mean: &'a mut [f32],
    rstd: &'a mut [f32],
    /// `m x'`
    tangent: &'a mut [f32],
    /// `m (n x')`
    tangent_n: &'a mut [f32],
}

impl<'a> Means<'a> {
    #[inline(always)]
    fn of(plan: &Plan<'_>, x: &[f32], dx: &[f32], scratch: &'a mut [f32]) -> (Self, &'a mut [f32]) {
        let c = plan.channels;
        let (mean, rest) = scratch.split_at_mut(c);
        let (rstd, rest) = rest.split_at_mut(c);
        let (tangent, rest) = rest.split_at_mut(c);
        let (tangent_n, rest) = rest.split_at_mut(c);
        plan.statistics(x, mean, rstd);
        tangent.fill(0.0);
        tangent_n.fill(0.0);
        for (x, dx) in x.chunks_exact(c).zip(dx.chunks_exact(c)) {
            for i in 0..c {
                tangent[i] += dx[i];
                tangent_n[i] += dx[i] * (x[i] - mean[i]) * rstd[i];
            }
        }
        plan.group_means(tangent, x.len() / c);
        plan.group_means(tangent_n, x.len() / c);
        (Self { mean, rstd, tangent, tangent_n }, rest)
    }

    /// `n` and `n'` of channel `i`.
    #[inline(always)]
    fn normalized(&self, i: usize, x: f32, dx: f32) -> (f32, f32) {
        let n = (x - self.mean[i]) * self.rstd[i];
        (n, self.rstd[i] * (dx - self.tangent[i] - n * self.tangent_n[i]))
    }
}

#[inline(always)]
fn forward(plan: &Plan<'_>, x: &[f32], dx: &[f32], y: &mut [f32], dy: &mut [f32], scratch: &mut [f32]) {
    let c = plan.channels;
    let (means, _) = Means::of(plan, x, dx, scratch);
    let inputs = x.chunks_exact(c).zip(dx.chunks_exact(c));
    for ((y, dy), (x, dx)) in y.chunks_exact_mut(c).zip(dy.chunks_exact_mut(c)).zip(inputs) {
        for i in 0..c {
            let (n, dn) = means.normalized(i, x[i], dx[i]);
            let (f, slope, _) = activation(n * plan.scale[i] + plan.bias[i], plan.swish);
            y[i] = f;
            dy[i] = slope * plan.scale[i] * dn;
        }
    }
}

/// One image's inputs and the gradients of its outputs, which are used up.
struct Image<'a> {
    x: &'a [f32],
    dx: &'a [f32],
    gy: &'a mut [f32],
    gdy: &'a mut [f32],
}

#[inline(always)]
fn backward(
    plan: &Plan<'_>,
    image: Image<'_>,
    gx: &mut [f32],
    gdx: &mut [f32],
    part: &mut [f32],
    scratch: &mut [f32],
) {
    let c = plan.channels;
    let Image { x, dx, gy, gdy } = image;
    let positions = x.len() / c;
    let (means, rest) = Means::of(plan, x, dx, scratch);
    let (t, rest) = rest.split_at_mut(c); // m gn'
    let (t_n, rest) = rest.split_at_mut(c); // m (gn' n)
    let (t_dn, rest) = rest.split_at_mut(c); // m (gn' n')
    let (h, rest) = rest.split_at_mut(c); // m of the bracket
    let (h_n, _) = rest.split_at_mut(c); // m (bracket n)
    for sums in [&mut *t, &mut *t_n, &mut *t_dn, &mut *h, &mut *h_n] {
        sums.fill(0.0);
    }
    let (g_scale, g_bias) = part.split_at_mut(c);
    // Turns gy into gn and gy' into gn', and sums up.
    for p in 0..positions {
        let at = p * c..(p + 1) * c;
        let (x, dx) = (&x[at.clone()], &dx[at.clone()]);
        let (gy, gdy) = (&mut gy[at.clone()], &mut gdy[at]);
        for i in 0..c {
            let (n, dn) = means.normalized(i, x[i], dx[i]);
            let (_, slope, curvature) = activation(n * plan.scale[i] + plan.bias[i], plan.swish);
            let gu = gy[i] * slope + gdy[i] * curvature * plan.scale[i] * dn;
            let gdu = gdy[i] * slope;
            g_bias[i] += gu;
            g_scale[i] += gu * n + gdu * dn;
            gy[i] = gu * plan.scale[i];
            gdy[i] = gdu * plan.scale[i];
            t[i] += gdy[i];
            t_n[i] += gdy[i] * n;
            t_dn[i] += gdy[i] * dn;
        }
    }
    for sums in [&mut *t, &mut *t_n, &mut *t_dn] {
        plan.group_means(sums, positions);
    }
    // Turns gn into the bracket gn - r m(x' n) gn' - r m(gn' n) x', and sums up.
    for p in 0..positions {
        let at = p * c..(p + 1) * c;
        let (x, dx) = (&x[at.clone()], &dx[at.clone()]);
        let (gn, gdn) = (&mut gy[at.clone()], &gdy[at]);
        for i in 0..c {
            let n = (x[i] - means.mean[i]) * means.rstd[i];
            gn[i] -= means.rstd[i] * (means.tangent_n[i] * gdn[i] + t_n[i] * dx[i]);
            h[i] += gn[i];
            h_n[i] += gn[i] * n;
        }
    }
    plan.group_means(h, positions);
    plan.group_means(h_n, positions);
    for p in 0..positions {
        let at = p * c..(p + 1) * c;
        let (x, bracket, gdn) = (&x[at.clone()], &gy[at.clone()], &gdy[at.clone()]);
        let (gx, gdx) = (&mut gx[at.clone()], &mut gdx[at]);
        for i in 0..c {
            let r = means.rstd[i];
            let n = (x[i] - means.mean[i]) * r;
            gx[i] += r * (bracket[i] - h[i] - n * h_n[i] - t_dn[i] * n);
            gdx[i] += r * (gdn[i] - t[i] - n * t_n[i]);
        }
    }
}

/// The operation with its backward pass: see the module's equations.
pub(super) fn group_norm_jvp<const H: usize, const W: usize, C: Dim, T: Tape<f32, Cpu>>(
    x: Dual<Tensor<ImageBatch<H, W, C>, f32, Cpu, T>>,
    norm: &GroupNorm<'_, f32, Cpu>,
) -> Dual<Tensor<ImageBatch<H, W, C>, f32, Cpu, T>> {
    let (x, tape, dx, other) = {
        let (value, tape) = x.value.contiguous().split_tape();
        let (tangent, other) = x.tangent.contiguous().split_tape();
        (value, tape, tangent, other)
    };
    let mut tape = tape.merge(other);
    let device = x.device().clone();
    let channels = x.shape().3.size();
    let image = (H * W * channels).max(1);
    let kept = Kept::new(norm, channels);

    let (mut y, mut dy) = (device.zeros_like(x.shape()), device.zeros_like(x.shape()));
    let forwards = kept.plan();
    numbers_mut(&mut y)
        .par_chunks_mut(image)
        .zip(numbers_mut(&mut dy).par_chunks_mut(image))
        .zip(numbers(&x).par_chunks(image).zip(numbers(&dx).par_chunks(image)))
        .for_each_init(
            || vec![0.0; 4 * channels],
            |scratch, ((y, dy), (x, dx))| {
                vectorized(
                    #[inline(always)]
                    || forward(&forwards, x, dx, y, dy, scratch),
                )
            },
        );

    if T::OWNS_TAPE {
        let (input, tangent, output, slope) = (x.ghost(), dx.ghost(), y.ghost(), dy.ghost());
        tape.add_backward_op(move |grads| {
            let mut gy = take(grads.get_or_alloc_mut(&output)?, &device)?;
            let mut gdy = take(grads.get_or_alloc_mut(&slope)?, &device)?;
            let plan = kept.plan();
            let mut parts = vec![0.0; x.shape().0 * 2 * channels];
            let mut gdx = take(grads.get_or_alloc_mut(&tangent)?, &device)?;
            grads
                .get_or_alloc_mut(&input)?
                .par_chunks_mut(image)
                .zip(gdx.par_chunks_mut(image))
                .zip(gy.par_chunks_mut(image).zip(gdy.par_chunks_mut(image)))
                .zip(numbers(&x).par_chunks(image).zip(numbers(&dx).par_chunks(image)))
                .zip(parts.par_chunks_mut(2 * channels))
                .for_each_init(
                    || vec![0.0; 9 * channels],
                    |scratch, ((((gx, gdx), (gy, gdy)), (x, dx)), part)| {
                        vectorized(
                            #[inline(always)]
                            || backward(&plan, Image { x, dx, gy, gdy }, gx, gdx, part, scratch),
                        )
                    },
                );
            *grads.get_or_alloc_mut(&tangent)? = gdx;
            kept.add_parts(&parts, grads)
        });
    }
    Dual::new(y.put_tape(tape), dy.put_tape(T::default()))
}
