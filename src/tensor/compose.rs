//! Nonlinear layers written in elementary operations, for any mode: the oracle of the fused
//! kernels, and their derivatives of every order.

use super::{
    Convolution, GroupNorm, ImageBatch, Kernels, Mode, Preparation, Real, RowVectors, Waves, reshape,
};
use dfdx::prelude::{Axis, BroadcastTo, Dim, HasShape, Shape};

/// Group norm (and swish) of any activation: see [`GroupNorm`].
pub(super) fn group_norm<M: Mode<E, D>, H: Dim, W: Dim, C: Dim, E: Real, D: Kernels<E>>(
    x: M::Of<ImageBatch<H, W, C>>,
    norm: &GroupNorm<'_, E, D>,
) -> M::Of<ImageBatch<H, W, C>> {
    // The shape stays split until the end: a mean that is broadcast over its group must not be reshaped.
    let shape = M::shape(&x);
    let x =
        M::reshape(x, (shape.0, shape.1.size() * shape.2.size(), norm.groups, shape.3.size() / norm.groups));
    let mean = M::group_mean(M::share(&x));
    let centred = M::sub(x, mean);
    let variance = M::group_mean(M::square(M::share(&centred)));
    let normalized = M::mul(centred, M::rsqrt(M::offset(variance, norm.epsilon)));
    let u = M::channel_affine(normalized, norm);
    M::reshape(if norm.swish { M::swish(u) } else { u }, shape)
}

/// Single-head attention of any activation: `softmax(q k^T / sqrt(channels)) v`.
pub(super) fn attention<M: Mode<E, D>, E: Real, D: Kernels<E>>(
    q: M::Of<(usize, usize, usize)>,
    k: M::Of<(usize, usize, usize)>,
    v: M::Of<(usize, usize, usize)>,
) -> M::Of<(usize, usize, usize)> {
    let channels = M::shape(&q).2 as f64;
    let scores = M::batch_matmul(M::scale(q, channels.sqrt().recip()), M::transpose(k));
    M::batch_matmul(M::softmax(scores), v)
}

/// A convolution after group norm and dropout: see [`Preparation`].
pub(super) fn norm_convolution<M: Mode<E, D>, H: Dim, W: Dim, I: Dim, O: Dim, E: Real, D: Kernels<E>>(
    inputs: Vec<M::Of<ImageBatch<H, W, I>>>,
    preparation: &Preparation<'_, E, D>,
    operator: &Convolution<'_, O, E, D>,
    shift: Option<RowVectors<O, E, D, M::Tape>>,
    residual: Option<M::Of<ImageBatch<H, W, O>>>,
) -> M::Of<ImageBatch<H, W, O>> {
    let prepare = |(x, norm)| {
        let x = M::group_norm(x, norm);
        match preparation.dropout {
            Some(key) => M::dropout(x, key),
            None => x,
        }
    };
    let inputs = inputs.into_iter().zip(&preparation.norms).map(prepare).collect();
    M::convolution(inputs, operator, shift, residual)
}

/// Swish of any activation, `x sigmoid(x)`.
pub(super) fn swish<M: Mode<E, D>, S: Shape, E: Real, D: Kernels<E>>(x: M::Of<S>) -> M::Of<S> {
    let gate = M::sigmoid(M::share(&x));
    M::mul(x, gate)
}

/// Sines and cosines of any activation: see [`Waves`].
pub(super) fn waves<M: Mode<E, D>, H: Dim, W: Dim, E: Real, D: Kernels<E>>(
    x: M::Of<ImageBatch<H, W, usize>>,
    waves: &Waves<'_, E, D>,
) -> [M::Of<ImageBatch<H, W, usize>>; 2] {
    let operator = Convolution { size: 1, weight: waves.frequencies, bias: None };
    let angles = M::convolution::<H, W, usize, usize>(vec![x], &operator, None, None);
    let both = [M::sin(M::share(&angles)), M::cos(angles)];
    let Some(factors) = &waves.factors else {
        return both;
    };
    let shape = M::shape(&both[0]);
    let (rows, each) = *factors.shape();
    let repeats = shape.1.size() * shape.2.size() * shape.3 / each.max(1);
    let all = factors.clone().broadcast_like::<_, Axis<1>>(&(rows, repeats, each));
    let all = reshape(all, shape);
    both.map(|y| M::mask(y, &all))
}
