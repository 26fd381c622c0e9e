//! Attention per image, without a matrix of weights that outlives the image's turn.
//!
//! With `P = softmax(s Q K^T)` and `s = 1 / sqrt(channels)`: `Y = P V`. Backward, `P` is computed again:
//! `gV = P^T gY`, `gP = gY V^T`, `gS = P (gP - rowsum(P gP))`, `gQ = s gS K`, `gK = s gS^T Q`. Along
//! tangents: `S' = s (Q' K^T + Q K'^T)`, `P' = P (S' - rowsum(P S'))`, `Y' = P' V + P V'`.

use super::matrix::{View, multiply};
use super::scratch::scratch;
use super::simd::exp;
use super::storage::{numbers, numbers_mut, take};
use super::{Tokens, vectorized};
use crate::tensor::Dual;
use dfdx::prelude::*;
use rayon::prelude::*;

/// The sizes of one image's matrices: positions and channels.
#[derive(Clone, Copy)]
struct Sizes {
    n: usize,
    c: usize,
}

impl Sizes {
    fn factor(self) -> f32 {
        1.0 / (self.c as f32).sqrt()
    }

    /// `P = softmax(s Q K^T)`, row by row.
    fn weights(self, q: &[f32], k: &[f32], p: &mut [f32]) {
        let Self { n, c } = self;
        multiply((n, c, n), p, false, self.factor(), View::new(q, c), View::new(k, c).t());
        vectorized(
            #[inline(always)]
            || {
                for row in p.chunks_exact_mut(n) {
                    let max = row.iter().fold(f32::NEG_INFINITY, |m, x| m.max(*x));
                    let mut sum = 0.0;
                    for x in row.iter_mut() {
                        *x = exp(*x - max);
                    }
                    for lane in row.chunks(16) {
                        sum += lane.iter().sum::<f32>();
                    }
                    let inverse = 1.0 / sum;
                    for x in row {
                        *x *= inverse;
                    }
                }
            },
        );
    }

    /// `d = P (d - rowsum(P d))`, row by row.
    fn softmax_derivative(self, p: &[f32], d: &mut [f32]) {
        vectorized(
            #[inline(always)]
            || {
                for (p, d) in p.chunks_exact(self.n).zip(d.chunks_exact_mut(self.n)) {
                    let mut sum = 0.0;
                    for (p, d) in p.chunks(16).zip(d.chunks(16)) {
                        sum += p.iter().zip(d).map(|(p, d)| p * d).sum::<f32>();
                    }
                    for (p, d) in p.iter().zip(d) {
                        *d = p * (*d - sum);
                    }
                }
            },
        );
    }
}

/// The operation with its backward pass.
pub(super) fn attention<T: Tape<f32, Cpu>>(q: Tokens<T>, k: Tokens<T>, v: Tokens<T>) -> Tokens<T> {
    let (q, tape) = q.contiguous().split_tape();
    let (k, other) = k.contiguous().split_tape();
    let tape = tape.merge(other);
    let (v, other) = v.contiguous().split_tape();
    let mut tape = tape.merge(other);
    let device = q.device().clone();
    let (_, n, c) = *q.shape();
    let sizes = Sizes { n, c };
    let image = (n * c).max(1);

    let mut y = device.zeros_like(q.shape());
    numbers_mut(&mut y)
        .par_chunks_mut(image)
        .zip(numbers(&q).par_chunks(image))
        .zip(numbers(&k).par_chunks(image).zip(numbers(&v).par_chunks(image)))
        .for_each(|((y, q), (k, v))| {
            scratch(n * n, |p| {
                sizes.weights(q, k, p);
                multiply((n, n, c), y, false, 1.0, View::new(p, n), View::new(v, c));
            });
        });

    if T::OWNS_TAPE {
        let (gq, gk, gv, out) = (q.ghost(), k.ghost(), v.ghost(), y.ghost());
        tape.add_backward_op(move |grads| {
            let gy = take(grads.get_or_alloc_mut(&out)?, &device)?;
            let mut g_query = take(grads.get_or_alloc_mut(&gq)?, &device)?;
            let mut g_key = take(grads.get_or_alloc_mut(&gk)?, &device)?;
            let g_value = grads.get_or_alloc_mut(&gv)?;
            g_query
                .par_chunks_mut(image)
                .zip(g_key.par_chunks_mut(image).zip(g_value.par_chunks_mut(image)))
                .zip(numbers(&q).par_chunks(image).zip(numbers(&k).par_chunks(image)))
                .zip(numbers(&v).par_chunks(image).zip(gy.par_chunks(image)))
                .for_each(|(((gq, (gk, gv)), (q, k)), (v, gy))| {
                    scratch(2 * n * n, |buffer| {
                        let (p, d) = buffer.split_at_mut(n * n);
                        sizes.weights(q, k, p);
                        multiply((n, n, c), gv, true, 1.0, View::new(p, n).t(), View::new(gy, c));
                        multiply((n, c, n), d, false, 1.0, View::new(gy, c), View::new(v, c).t());
                        sizes.softmax_derivative(p, d);
                        multiply((n, n, c), gq, true, sizes.factor(), View::new(d, n), View::new(k, c));
                        multiply((n, n, c), gk, true, sizes.factor(), View::new(d, n).t(), View::new(q, c));
                    });
                });
            *grads.get_or_alloc_mut(&gq)? = g_query;
            *grads.get_or_alloc_mut(&gk)? = g_key;
            Ok(())
        });
    }
    y.put_tape(tape)
}

/// Attention and its derivative along tangents, untaped.
pub(super) fn attention_jvp<T: Tape<f32, Cpu>>(
    q: Dual<Tokens<T>>,
    k: Dual<Tokens<T>>,
    v: Dual<Tokens<T>>,
) -> Dual<Tokens<T>> {
    let parts = [q, k, v].map(|x| x.map(|x| x.contiguous().split_tape().0));
    let [q, k, v] = &parts;
    let device = q.value.device().clone();
    let (_, n, c) = *q.value.shape();
    let sizes = Sizes { n, c };
    let image = (n * c).max(1);
    let (mut y, mut dy) = (device.zeros_like(q.value.shape()), device.zeros_like(q.value.shape()));
    numbers_mut(&mut y)
        .par_chunks_mut(image)
        .zip(numbers_mut(&mut dy).par_chunks_mut(image))
        .enumerate()
        .for_each(|(row, (y, dy))| {
            let at = row * image..(row + 1) * image;
            let [q, k, v] =
                [q, k, v].map(|x| (&numbers(&x.value)[at.clone()], &numbers(&x.tangent)[at.clone()]));
            let view = |x| View::new(x, c);
            scratch(2 * n * n, |buffer| {
                let (p, d) = buffer.split_at_mut(n * n);
                sizes.weights(q.0, k.0, p);
                multiply((n, c, n), d, false, sizes.factor(), view(q.1), view(k.0).t());
                multiply((n, c, n), d, true, sizes.factor(), view(q.0), view(k.1).t());
                sizes.softmax_derivative(p, d);
                multiply((n, n, c), y, false, 1.0, View::new(p, n), view(v.0));
                multiply((n, n, c), dy, false, 1.0, View::new(d, n), view(v.0));
                multiply((n, n, c), dy, true, 1.0, View::new(p, n), view(v.1));
            });
        });
    Dual::new(y.put_tape(T::default()), dy.put_tape(T::default()))
}
