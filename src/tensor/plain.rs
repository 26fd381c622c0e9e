//! Activations that are tensors.

use super::{
    Composed, Convolution, DropoutKey, Dual, GroupNorm, Groups, ImageBatch, Kernels, Mode, Preparation, Real,
    RowVectors, Slot, Waves, portable, portable::Table, reshape,
};
use dfdx::prelude::*;
use std::marker::PhantomData;

/// The mode whose activations are dfdx tensors with tape `T`.
#[derive(Debug)]
pub struct Plain<T>(PhantomData<T>);

impl<E: Real, D: Kernels<E>, T: Tape<E, D> + 'static> Mode<E, D> for Plain<T> {
    type Tape = T;
    type Of<S: Shape> = Tensor<S, E, D, T>;
    type Recorded = Plain<OwnedTape<E, D>>;
    type Portable = Composed<T>;

    fn to_portable<S: Shape>(x: Tensor<S, E, D, T>) -> Tensor<S, E, D, T> {
        x
    }

    fn from_portable<S: Shape>(x: Tensor<S, E, D, T>) -> Tensor<S, E, D, T> {
        x
    }

    fn split<S: Shape>(x: Self::Of<S>) -> (Self::Of<S>, T) {
        let (x, tape) = x.split_tape();
        (x.retaped(), tape)
    }

    fn put<S: Shape>(x: Self::Of<S>, tape: T) -> Self::Of<S> {
        x.split_tape().0.put_tape(tape)
    }

    type Kept<S: Shape> = Tensor<S, E, D>;

    fn keep<S: Shape>(x: &Self::Of<S>) -> Tensor<S, E, D> {
        x.retaped()
    }

    fn again<S: Shape>(x: &Tensor<S, E, D>) -> Option<Tensor<S, E, D, OwnedTape<E, D>>> {
        Some(x.retaped())
    }

    fn slots<S: Shape>(x: &Self::Of<S>) -> Vec<Slot<E, D>> {
        vec![Slot::of(x)]
    }

    fn share<S: Shape>(x: &Self::Of<S>) -> Self::Of<S> {
        x.with_empty_tape()
    }

    fn shape<S: Shape>(x: &Self::Of<S>) -> S {
        *x.shape()
    }

    fn reshape<S: Shape, R: Shape>(x: Self::Of<S>, shape: R) -> Self::Of<R> {
        reshape(x, shape)
    }

    fn add<S: Shape>(a: Self::Of<S>, b: Self::Of<S>) -> Self::Of<S> {
        a + b
    }

    fn sub<S: Shape>(a: Self::Of<S>, b: Self::Of<S>) -> Self::Of<S> {
        a - b
    }

    fn mul<S: Shape>(a: Self::Of<S>, b: Self::Of<S>) -> Self::Of<S> {
        a * b
    }

    fn square<S: Shape>(x: Self::Of<S>) -> Self::Of<S> {
        x.square()
    }

    fn scale<S: Shape>(x: Self::Of<S>, factor: f64) -> Self::Of<S> {
        x * E::of(factor)
    }

    fn offset<S: Shape>(x: Self::Of<S>, term: f64) -> Self::Of<S> {
        x + E::of(term)
    }

    fn mask<S: Shape>(x: Self::Of<S>, mask: &Tensor<S, E, D>) -> Self::Of<S> {
        x * mask.clone()
    }

    fn dropout<S: Shape>(x: Self::Of<S>, key: DropoutKey) -> Self::Of<S> {
        D::dropout(x, key)
    }

    fn join<S: Shape, R: Shape>(x: Self::Of<S>, other: Tensor<R, E, D, T>) -> Self::Of<S> {
        let (x, tape) = x.split_tape();
        x.put_tape(tape.merge(other.split_tape().1))
    }

    fn sigmoid<S: Shape>(x: Self::Of<S>) -> Self::Of<S> {
        x.sigmoid()
    }

    fn sin<S: Shape>(x: Self::Of<S>) -> Self::Of<S> {
        x.sin()
    }

    fn cos<S: Shape>(x: Self::Of<S>) -> Self::Of<S> {
        x.cos()
    }

    fn swish<S: Shape>(x: Self::Of<S>) -> Self::Of<S> {
        D::swish(x)
    }

    fn swish_jvp<S: Shape>(x: Dual<Self::Of<S>>) -> Dual<Self::Of<S>> {
        D::swish_jvp(x)
    }

    fn waves<H: Dim, W: Dim>(
        x: Self::Of<ImageBatch<H, W, usize>>,
        waves: &Waves<'_, E, D>,
    ) -> [Self::Of<ImageBatch<H, W, usize>>; 2] {
        D::waves(x, waves)
    }

    fn waves_jvp<H: Dim, W: Dim>(
        x: Dual<Self::Of<ImageBatch<H, W, usize>>>,
        waves: &Waves<'_, E, D>,
    ) -> [Dual<Self::Of<ImageBatch<H, W, usize>>>; 2] {
        D::waves_jvp(x, waves)
    }

    fn rsqrt<S: Shape>(x: Self::Of<S>) -> Self::Of<S> {
        x.sqrt().recip()
    }

    fn group_mean(x: Self::Of<Groups>) -> Self::Of<Groups> {
        let shape = *x.shape();
        x.mean::<(usize, usize), Axes2<1, 3>>().broadcast_like::<_, Axes2<1, 3>>(&shape)
    }

    fn channel_affine(x: Self::Of<Groups>, norm: &GroupNorm<'_, E, D>) -> Self::Of<Groups> {
        let y = Self::channel_scale(x, norm);
        let bias = per_channel::<_, _, T>(norm.bias, norm.first_channel, y.shape());
        y + bias
    }

    fn channel_scale(x: Self::Of<Groups>, norm: &GroupNorm<'_, E, D>) -> Self::Of<Groups> {
        let scale = per_channel::<_, _, T>(norm.scale, norm.first_channel, x.shape());
        x * scale
    }

    fn softmax(x: Self::Of<(usize, usize, usize)>) -> Self::Of<(usize, usize, usize)> {
        x.softmax::<Axis<2>>()
    }

    fn row_sum(x: Self::Of<(usize, usize, usize)>) -> Self::Of<(usize, usize, usize)> {
        let shape = *x.shape();
        x.sum::<(usize, usize), Axis<2>>().broadcast_like::<_, Axis<2>>(&shape)
    }

    fn batch_matmul(
        a: Self::Of<(usize, usize, usize)>,
        b: Self::Of<(usize, usize, usize)>,
    ) -> Self::Of<(usize, usize, usize)> {
        a.matmul(b)
    }

    fn transpose(x: Self::Of<(usize, usize, usize)>) -> Self::Of<(usize, usize, usize)> {
        x.permute::<_, Axes3<0, 2, 1>>()
    }

    fn linear<I: Dim, O: Dim>(
        x: Self::Of<(usize, I)>,
        weight: &Tensor<(I, O), E, D>,
        bias: Option<&Tensor<(O,), E, D>>,
    ) -> Self::Of<(usize, O)> {
        let y = if D::ON_HOST && !T::OWNS_TAPE && x.shape().0 == 1 {
            alone(x, weight)
        } else {
            x.matmul(weight.clone())
        };
        match bias {
            Some(bias) => {
                let shape = *y.shape();
                y + bias.retaped::<T>().broadcast_like::<_, Axis<0>>(&shape)
            }
            None => y,
        }
    }

    fn shift_rows<I: Dim>(
        x: Self::Of<(usize, I)>,
        shift: Tensor<(usize, I), E, D, T>,
    ) -> Self::Of<(usize, I)> {
        x + shift
    }

    fn patches<H: Dim, W: Dim, I: Dim>(
        inputs: Vec<Self::Of<ImageBatch<H, W, I>>>,
        size: usize,
    ) -> Self::Of<(usize, usize)> {
        portable::patches(inputs, size)
    }

    fn average_pool<H: Dim, W: Dim, C: Dim>(
        x: Self::Of<ImageBatch<H, W, C>>,
    ) -> Self::Of<ImageBatch<usize, usize, C>> {
        D::average_pool(x)
    }

    fn upsample<H: Dim, W: Dim, C: Dim>(
        x: Self::Of<ImageBatch<H, W, C>>,
    ) -> Self::Of<ImageBatch<usize, usize, C>> {
        D::upsample(x)
    }

    fn convolution<H: Dim, W: Dim, I: Dim, O: Dim>(
        inputs: Vec<Self::Of<ImageBatch<H, W, I>>>,
        operator: &Convolution<'_, O, E, D>,
        shift: Option<Tensor<(usize, O), E, D, T>>,
        residual: Option<Self::Of<ImageBatch<H, W, O>>>,
    ) -> Self::Of<ImageBatch<H, W, O>> {
        D::convolution(inputs, operator, shift, residual)
    }

    fn group_norm<H: Dim, W: Dim, C: Dim>(
        x: Self::Of<ImageBatch<H, W, C>>,
        norm: &GroupNorm<'_, E, D>,
    ) -> Self::Of<ImageBatch<H, W, C>> {
        D::group_norm(x, norm)
    }

    fn group_norm_jvp<H: Dim, W: Dim, C: Dim>(
        x: Dual<Self::Of<ImageBatch<H, W, C>>>,
        norm: &GroupNorm<'_, E, D>,
    ) -> Dual<Self::Of<ImageBatch<H, W, C>>> {
        D::group_norm_jvp(x, norm)
    }

    fn norm_convolution<H: Dim, W: Dim, I: Dim, O: Dim>(
        inputs: Vec<Self::Of<ImageBatch<H, W, I>>>,
        preparation: &Preparation<'_, E, D>,
        operator: &Convolution<'_, O, E, D>,
        shift: Option<RowVectors<O, E, D, T>>,
        residual: Option<Self::Of<ImageBatch<H, W, O>>>,
    ) -> Self::Of<ImageBatch<H, W, O>> {
        D::norm_convolution(inputs, preparation, operator, shift, residual)
    }

    fn norm_convolution_jvp<H: Dim, W: Dim, I: Dim, O: Dim>(
        inputs: Vec<Dual<Self::Of<ImageBatch<H, W, I>>>>,
        preparation: &Preparation<'_, E, D>,
        operator: &Convolution<'_, O, E, D>,
        shift: Option<RowVectors<O, E, D, T>>,
        residual: Option<Dual<Self::Of<ImageBatch<H, W, O>>>>,
    ) -> Dual<Self::Of<ImageBatch<H, W, O>>> {
        D::norm_convolution_jvp(inputs, preparation, operator, shift, residual)
    }

    fn attention(
        q: Self::Of<(usize, usize, usize)>,
        k: Self::Of<(usize, usize, usize)>,
        v: Self::Of<(usize, usize, usize)>,
    ) -> Self::Of<(usize, usize, usize)> {
        D::attention(q, k, v)
    }

    fn attention_jvp(
        q: Dual<Self::Of<(usize, usize, usize)>>,
        k: Dual<Self::Of<(usize, usize, usize)>>,
        v: Dual<Self::Of<(usize, usize, usize)>>,
    ) -> Dual<Self::Of<(usize, usize, usize)>> {
        D::attention_jvp(q, k, v)
    }
}

/// The entries of a per-channel parameter that belong to the channels of `shape`, group by group, at every position.
///
/// `gather` and not `slice`: the backward pass of dfdx 0.13's `slice` overwrites the gradient on a CPU where it should add
/// to it, and a layer's parameters are used once for the value and once for each tangent.
fn per_channel<E: Real, D: Kernels<E>, T: Tape<E, D> + 'static>(
    parameter: &Tensor<(usize,), E, D>,
    first: usize,
    shape: &Groups,
) -> Tensor<Groups, E, D, T> {
    let channels = shape.2 * shape.3;
    let mut own = parameter.retaped::<T>();
    if channels < parameter.shape().0 {
        let index = Table::Range { first, count: channels }.on::<E, D>(parameter.device());
        own = own.gather(index);
    }
    reshape(own, (shape.2, shape.3)).broadcast_like::<_, Axes2<0, 1>>(shape)
}

/// The product of one row, as one of two: the host's library rounds a vector's otherwise than a matrix's, and what becomes of
/// a row does not depend on how many are beside it.
fn alone<I: Dim, O: Dim, E: Real, D: Kernels<E>, T: Tape<E, D> + 'static>(
    x: Tensor<(usize, I), E, D, T>,
    weight: &Tensor<(I, O), E, D>,
) -> Tensor<(usize, O), E, D, T> {
    let (inputs, outputs) = *weight.shape();
    // A sum is a tensor of its own, which a broadcast one is not.
    let twice = reshape(x, (inputs,)).broadcast_like::<(usize, I), Axis<0>>(&(2, inputs));
    let y = (twice + weight.device().zeros_like(&(2, inputs))).matmul(weight.clone());
    reshape(y.slice((0..1, 0..outputs.size())), (1, outputs))
}
