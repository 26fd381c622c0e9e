//! Attention of values and tangents, and the backward pass through both.
//!
//! With the names of [`attention`](super::attention): `S' = s (Q' K^T + Q K'^T)`, `P' = P (S' - <P, S'>)`,
//! `Y' = P' V + P V'`. Backward, from `(gY, gY')`: `gP' = gY' V^T` and `h = gY V^T + gY' V'^T`, then
//! - `gS' = P (gP' - t)` with `t = <P, gP'>`;
//! - `gP = h + gP' (S' - <P, S'>) - t S'` and `gS = P (gP - <P, gP>)`;
//! - `gV = P^T gY + P'^T gY'`, `gV' = P^T gY'`;
//! - `gQ = s (gS K + gS' K')`, `gQ' = s gS' K`, `gK = s (gS^T Q + gS'^T Q')`, `gK' = s gS'^T Q`.

use super::attention::{ROWS, Sizes, Tokens, by_image, image};
use super::recorded::Backward;
use super::scratch::scratch;
use super::simd::{row_dot, vectorized};
use super::storage::{claim, give, numbers, numbers_mut, take};
use super::unwritten::unwritten;
use crate::tensor::Dual;
use crate::tensor::parallel::each;
use dfdx::prelude::*;

/// An image's queries, keys and values: a point and a tangent each.
type Streams<'a> = [[&'a [f32]; 2]; 3];

/// The output, and the backward pass if it is to `record`.
pub(super) fn attention_jvp(
    q: Dual<Tokens>,
    k: Dual<Tokens>,
    v: Dual<Tokens>,
    record: bool,
) -> (Dual<Tokens>, Option<Backward>) {
    let xs = [[q.value, q.tangent], [k.value, k.tangent], [v.value, v.tangent]];
    let device = xs[0][0].device().clone();
    let (_, n, c) = *xs[0][0].shape();
    let sizes = Sizes { n, c };
    let len = sizes.image();
    let (mut y, mut dy) = (unwritten(&device, xs[0][0].shape()), unwritten(&device, xs[0][0].shape()));
    let images = numbers_mut(&mut y).chunks_mut(len.max(1)).zip(numbers_mut(&mut dy).chunks_mut(len.max(1)));
    each(images, |row, (y, dy)| forward(sizes, streams(&xs, row, len), y, dy));

    let backward = record.then(|| -> Backward {
        let outputs = [y.ghost(), dy.ghost()];
        let ghosts: Vec<_> = xs.as_flattened().iter().map(Tensor::ghost).collect();
        Box::new(move |grads| {
            let [gy, gdy] = &outputs;
            let gy = take(grads.get_or_alloc_mut(gy)?, &device)?;
            let gdy = take(grads.get_or_alloc_mut(gdy)?, &device)?;
            let mut gradients = Vec::with_capacity(6);
            for ghost in &ghosts {
                gradients.push(claim(grads.get_or_alloc_mut(ghost)?, gy.len(), &device)?);
            }
            each(by_image(&mut gradients, len), |row, gradients| {
                let g = [image(&gy, row, len), image(&gdy, row, len)];
                backward(sizes, streams(&xs, row, len), g, gradients);
            });
            for (gradient, ghost) in gradients.into_iter().zip(&ghosts) {
                give(grads.get_or_alloc_mut(ghost)?, gradient);
            }
            Ok(())
        })
    });
    (Dual::new(y, dy), backward)
}

fn streams([q, k, v]: &[[Tokens; 2]; 3], row: usize, len: usize) -> Streams<'_> {
    let at = |x| image(numbers(x), row, len);
    [[at(&q[0]), at(&q[1])], [at(&k[0]), at(&k[1])], [at(&v[0]), at(&v[1])]]
}

fn forward(sizes: Sizes, [q, k, v]: Streams<'_>, y: &mut [f32], dy: &mut [f32]) {
    let c = sizes.c;
    scratch(2 * sizes.panels() + 2 * sizes.block(), |buffer| {
        let (keys, buffer) = buffer.split_at_mut(sizes.panels());
        let (dkeys, buffer) = buffer.split_at_mut(sizes.panels());
        let (p, d) = buffer.split_at_mut(sizes.block());
        sizes.transpose(k[0], sizes.factor(), keys);
        sizes.transpose(k[1], sizes.factor(), dkeys);
        let outputs = y.chunks_mut(ROWS * c).zip(dy.chunks_mut(ROWS * c));
        for (rows, (y, dy)) in sizes.blocks().zip(outputs) {
            let len = rows.len() * sizes.line();
            let (p, d) = (&mut p[..len], &mut d[..len]);
            let rows = rows.start * c..rows.end * c;
            sizes.scores(&q[0][rows.clone()], keys, p, false);
            sizes.softmax(p);
            sizes.scores(&q[1][rows.clone()], keys, d, false);
            sizes.scores(&q[0][rows], dkeys, d, true);
            sizes.softmax_derivative(p, d);
            sizes.mix(p, v[0], y, false);
            sizes.mix(d, v[0], dy, false);
            sizes.mix(p, v[1], dy, true);
        }
    });
}

/// Adds one image's gradients: of queries, keys and values, the point's before the tangent's.
fn backward(sizes: Sizes, [q, k, v]: Streams<'_>, [gy, gdy]: [&[f32]; 2], mut gradients: Vec<&mut [f32]>) {
    let [gq, gdq, gk, gdk, gv, gdv] = &mut gradients[..] else { return };
    let c = sizes.c;
    scratch(4 * sizes.panels() + 5 * sizes.block(), |buffer| {
        let (panels, buffer) = buffer.split_at_mut(4 * sizes.panels());
        let mut panels = panels.chunks_exact_mut(sizes.panels());
        let mut blocks = buffer.chunks_exact_mut(sizes.block());
        let [Some(keys), Some(dkeys), Some(values), Some(dvalues)] = [(); 4].map(|()| panels.next()) else {
            return;
        };
        let [Some(p), Some(ds), Some(dp), Some(gds), Some(gs)] = [(); 5].map(|()| blocks.next()) else {
            return;
        };
        sizes.transpose(k[0], sizes.factor(), keys);
        sizes.transpose(k[1], sizes.factor(), dkeys);
        sizes.transpose(v[0], 1.0, values);
        sizes.transpose(v[1], 1.0, dvalues);
        let outputs = gq.chunks_mut(ROWS * c).zip(gdq.chunks_mut(ROWS * c));
        for (rows, (gq, gdq)) in sizes.blocks().zip(outputs) {
            let len = rows.len() * sizes.line();
            let [p, ds, dp, gds, gs] =
                [&mut *p, &mut *ds, &mut *dp, &mut *gds, &mut *gs].map(|x| &mut x[..len]);
            let rows = rows.start * c..rows.end * c;
            let [q, dq, gy, gdy] = [q[0], q[1], gy, gdy].map(|x| &x[rows.clone()]);
            sizes.scores(q, keys, p, false);
            sizes.softmax(p);
            sizes.scores(dq, keys, ds, false);
            sizes.scores(q, dkeys, ds, true);
            sizes.scores(gdy, values, gds, false);
            sizes.scores(gy, values, gs, false);
            sizes.scores(gdy, dvalues, gs, true);
            rows_backward(sizes, p, ds, dp, gds, gs);
            sizes.spread(p, gy, gv);
            sizes.spread(dp, gdy, gv);
            sizes.spread(p, gdy, gdv);
            sizes.mix(gs, k[0], gq, true);
            sizes.mix(gds, k[1], gq, true);
            sizes.mix(gds, k[0], gdq, true);
            sizes.spread(gs, q, gk);
            sizes.spread(gds, dq, gk);
            sizes.spread(gds, q, gdk);
        }
    });
}

/// From `P`, `S'`, `gP'` and `h`, row by row: `P'`, and `s gS'` and `s gS` in place of `gP'` and `h`.
fn rows_backward(sizes: Sizes, p: &[f32], ds: &[f32], dp: &mut [f32], gds: &mut [f32], gs: &mut [f32]) {
    let (line, n, factor) = (sizes.line(), sizes.n, sizes.factor());
    vectorized(
        #[inline(always)]
        || {
            let inputs = p.chunks_exact(line).zip(ds.chunks_exact(line));
            let outputs =
                dp.chunks_exact_mut(line).zip(gds.chunks_exact_mut(line).zip(gs.chunks_exact_mut(line)));
            for ((p, ds), (dp, (gds, gs))) in inputs.zip(outputs) {
                let (p, ds, dp, gds, gs) = (&p[..n], &ds[..n], &mut dp[..n], &mut gds[..n], &mut gs[..n]);
                let mean = row_dot(p, ds);
                let t = row_dot(p, gds);
                for i in 0..n {
                    let centred = ds[i] - mean;
                    dp[i] = p[i] * centred;
                    gs[i] += gds[i] * centred - t * ds[i];
                    gds[i] = factor * p[i] * (gds[i] - t);
                }
                let sum = row_dot(p, gs);
                for i in 0..n {
                    gs[i] = factor * p[i] * (gs[i] - sum);
                }
            }
        },
    );
}
