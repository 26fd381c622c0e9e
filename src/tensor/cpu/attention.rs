//! Attention per image, row by row: the matrix of weights is never whole, and the backward pass computes it again.
//!
//! With `S = s Q K^T`, `s = 1 / sqrt(channels)` and `P = softmax(S)`: `Y = P V`. Backward: `gV = P^T gY`,
//! `gP = gY V^T`, `gS = P (gP - <P, gP>)`, `gQ = s gS K`, `gK = s gS^T Q`, `<a, b>` being the sum of `a b` over a row.

use super::matrix::{View, multiply};
use super::micro::{PAD, Product};
use super::recorded::Backward;
use super::scratch::scratch;
use super::simd::{dispatched, exp, row_dot, row_max, row_sum, vectorized};
use super::storage::{Buffer, claim, give, numbers, numbers_mut, take};
use super::unwritten::unwritten;
use crate::tensor::parallel::each;
use dfdx::prelude::*;

/// The positions of each image as rows.
pub(super) type Tokens<T = NoneTape> = Tensor<(usize, usize, usize), f32, Cpu, T>;

/// Rows of weights that are worked on at once: they stay in the second-level cache.
pub(super) const ROWS: usize = 32;
/// Columns of a panel of a transposed matrix.
const PANEL: usize = 2 * PAD;

/// The sizes of one image's matrices: positions and channels.
#[derive(Clone, Copy)]
pub(super) struct Sizes {
    pub(super) n: usize,
    pub(super) c: usize,
}

impl Sizes {
    pub(super) fn factor(self) -> f32 {
        1.0 / (self.c as f32).sqrt()
    }

    /// The numbers of an image.
    pub(super) fn image(self) -> usize {
        self.n * self.c
    }

    /// The length of a row of weights in memory.
    pub(super) fn line(self) -> usize {
        self.n.next_multiple_of(PANEL)
    }

    /// The numbers of a buffer for [`ROWS`] rows of weights.
    pub(super) fn block(self) -> usize {
        ROWS * self.line()
    }

    /// The numbers of a matrix's transpose in panels.
    pub(super) fn panels(self) -> usize {
        self.c * self.line()
    }

    /// The ranges of rows of an image that are worked on at once.
    pub(super) fn blocks(self) -> impl Iterator<Item = std::ops::Range<usize>> {
        (0..self.n).step_by(ROWS).map(move |first| first..(first + ROWS).min(self.n))
    }

    /// The transpose of `x`, times `factor`, in panels of [`PANEL`] columns: each holds its part of every row of the
    /// transpose.
    pub(super) fn transpose(self, x: &[f32], factor: f32, out: &mut [f32]) {
        for (x, panel) in x.chunks(PANEL * self.c).zip(out.chunks_exact_mut(PANEL * self.c)) {
            for (column, x) in x.chunks_exact(self.c).enumerate() {
                for (i, x) in x.iter().enumerate() {
                    panel[i * PANEL + column] = factor * x;
                }
            }
        }
    }

    /// `d = x B`, or `d += x B` with `keep`: rows of channels times a matrix in panels.
    pub(super) fn scores(self, x: &[f32], panels: &[f32], d: &mut [f32], keep: bool) {
        let (rows, c, line) = (x.len() / self.c, self.c, self.line());
        for (i, b) in panels.chunks_exact(PANEL * c).enumerate() {
            let (a_strides, c_line) = ((c, 1), line);
            let c = &mut d[i * PANEL..];
            let sizes = (rows, self.c, PANEL);
            dispatched(Product { sizes, a: x, a_strides, b, c, c_line, keep });
        }
    }

    /// `y (+)= d B`, with `B` of shape `n x channels`, for some rows.
    pub(super) fn mix(self, d: &[f32], b: &[f32], y: &mut [f32], keep: bool) {
        let rows = y.len() / self.c;
        self.product((rows, self.n, self.c), (d, (self.line(), 1)), b, y, keep);
    }

    /// `g += d^T x` over some rows, with `g` of shape `n x channels`.
    pub(super) fn spread(self, d: &[f32], x: &[f32], g: &mut [f32]) {
        let rows = x.len() / self.c;
        self.product((self.n, rows, self.c), (d, (1, self.line())), x, g, true);
    }

    fn product(
        self,
        sizes: (usize, usize, usize),
        (a, a_strides): (&[f32], (usize, usize)),
        b: &[f32],
        c: &mut [f32],
        keep: bool,
    ) {
        if sizes.2.is_multiple_of(PAD) {
            dispatched(Product { sizes, a, a_strides, b, c, c_line: sizes.2, keep });
        } else {
            let a = View::strided(a, a_strides);
            multiply(sizes, c, keep, 1.0, a, View::new(b, sizes.2));
        }
    }

    /// `softmax` of each row.
    pub(super) fn softmax(self, p: &mut [f32]) {
        vectorized(
            #[inline(always)]
            || {
                for row in p.chunks_exact_mut(self.line()) {
                    let row = &mut row[..self.n];
                    let max = row_max(row);
                    for x in row.iter_mut() {
                        *x = exp(*x - max);
                    }
                    let inverse = 1.0 / row_sum(row);
                    for x in row {
                        *x *= inverse;
                    }
                }
            },
        );
    }

    /// `d = P (d - <P, d>)`, row by row.
    pub(super) fn softmax_derivative(self, p: &[f32], d: &mut [f32]) {
        vectorized(
            #[inline(always)]
            || {
                for (p, d) in p.chunks_exact(self.line()).zip(d.chunks_exact_mut(self.line())) {
                    let (p, d) = (&p[..self.n], &mut d[..self.n]);
                    let sum = row_dot(p, d);
                    for i in 0..self.n {
                        d[i] = p[i] * (d[i] - sum);
                    }
                }
            },
        );
    }
}

/// The numbers of image `row`.
pub(super) fn image(x: &[f32], row: usize, len: usize) -> &[f32] {
    &x[row * len..(row + 1) * len]
}

/// The output, and the backward pass if it is to `record`.
pub(super) fn attention(q: Tokens, k: Tokens, v: Tokens, record: bool) -> (Tokens, Option<Backward>) {
    let device = q.device().clone();
    let (_, n, c) = *q.shape();
    let sizes = Sizes { n, c };
    let len = sizes.image();

    let mut y = unwritten(&device, q.shape());
    each(numbers_mut(&mut y).chunks_mut(len.max(1)), |row, y| {
        let at = |x| image(numbers(x), row, len);
        let (q, k, v) = (at(&q), at(&k), at(&v));
        scratch(sizes.panels() + sizes.block(), |buffer| {
            let (keys, p) = buffer.split_at_mut(sizes.panels());
            sizes.transpose(k, sizes.factor(), keys);
            for (rows, y) in sizes.blocks().zip(y.chunks_mut(ROWS * c)) {
                let p = &mut p[..rows.len() * sizes.line()];
                sizes.scores(&q[rows.start * c..rows.end * c], keys, p, false);
                sizes.softmax(p);
                sizes.mix(p, v, y, false);
            }
        });
    });

    let backward = record.then(|| -> Backward {
        let (ghosts, out) = ([q.ghost(), k.ghost(), v.ghost()], y.ghost());
        Box::new(move |grads| {
            let gy = take(grads.get_or_alloc_mut(&out)?, &device)?;
            let mut gradients = Vec::with_capacity(3);
            for ghost in &ghosts {
                gradients.push(claim(grads.get_or_alloc_mut(ghost)?, gy.len(), &device)?);
            }
            each(by_image(&mut gradients, len), |row, mut gradients| {
                let [gq, gk, gv] = &mut gradients[..] else { return };
                let at = |x| image(numbers(x), row, len);
                backward(sizes, [at(&q), at(&k), at(&v)], image(&gy, row, len), [gq, gk, gv]);
            });
            for (gradient, ghost) in gradients.into_iter().zip(&ghosts) {
                give(grads.get_or_alloc_mut(ghost)?, gradient);
            }
            Ok(())
        })
    });
    (y, backward)
}

/// For each image of `len` numbers, its piece of every gradient.
pub(super) fn by_image(gradients: &mut [Buffer], len: usize) -> Vec<Vec<&mut [f32]>> {
    let images = gradients.first().map_or(0, |g| g.len() / len.max(1));
    let mut pieces: Vec<_> = gradients.iter_mut().map(|g| g.chunks_mut(len.max(1))).collect();
    (0..images).map(|_| pieces.iter_mut().filter_map(Iterator::next).collect()).collect()
}

/// Adds one image's gradients.
fn backward(sizes: Sizes, [q, k, v]: [&[f32]; 3], gy: &[f32], [gq, gk, gv]: [&mut [f32]; 3]) {
    let c = sizes.c;
    scratch(2 * sizes.panels() + 2 * sizes.block(), |buffer| {
        let (keys, buffer) = buffer.split_at_mut(sizes.panels());
        let (values, buffer) = buffer.split_at_mut(sizes.panels());
        let (p, d) = buffer.split_at_mut(sizes.block());
        sizes.transpose(k, sizes.factor(), keys);
        sizes.transpose(v, 1.0, values);
        for (rows, gq) in sizes.blocks().zip(gq.chunks_mut(ROWS * c)) {
            let len = rows.len() * sizes.line();
            let (p, d) = (&mut p[..len], &mut d[..len]);
            let rows = rows.start * c..rows.end * c;
            let (q, gy) = (&q[rows.clone()], &gy[rows.clone()]);
            sizes.scores(q, keys, p, false);
            sizes.softmax(p);
            sizes.spread(p, gy, gv);
            sizes.scores(gy, values, d, false);
            sizes.softmax_derivative(p, d);
            scale(d, sizes.factor());
            sizes.mix(d, k, gq, true);
            sizes.spread(d, q, gk);
        }
    });
}

/// Multiplies all numbers.
pub(super) fn scale(x: &mut [f32], factor: f32) {
    vectorized(
        #[inline(always)]
        || x.iter_mut().for_each(|x| *x *= factor),
    );
}
