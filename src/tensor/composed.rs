//! Activations that are tensors, computed by the portable operations alone.

use super::{
    Convolution, DropoutKey, Dual, Forward, GroupNorm, Groups, ImageBatch, Kernels, Mode, Plain, Real, Slot,
    compose, dropout, portable, resample,
};
use dfdx::prelude::{Dim, OwnedTape, Shape, Tape, Tensor};
use std::marker::PhantomData;

/// [`Plain`] without a device's own kernels: what a device has that implements nothing of [`Kernels`].
///
/// It is what CUDA computes with in `f64`, and the oracle of the fused kernels in their own type of number.
#[derive(Debug)]
pub struct Composed<T>(PhantomData<T>);

type Of<S, E, D, T> = Tensor<S, E, D, T>;
type Tokens = (usize, usize, usize);

/// Methods that are those of [`Plain`].
macro_rules! as_plain {
    ($($name:ident$(<$($generic:ident: $bound:ident),*>)?($($argument:ident: $type:ty),*) $(-> $out:ty)?;)*) => {$(
        fn $name$(<$($generic: $bound),*>)?($($argument: $type),*) $(-> $out)? {
            <Plain<T> as Mode<E, D>>::$name($($argument),*)
        }
    )*};
}

impl<E: Real, D: Kernels<E>, T: Tape<E, D> + 'static> Mode<E, D> for Composed<T> {
    type Tape = T;
    type Of<S: Shape> = Tensor<S, E, D, T>;
    type Recorded = Composed<OwnedTape<E, D>>;
    type Portable = Composed<T>;

    fn to_portable<S: Shape>(x: Tensor<S, E, D, T>) -> Tensor<S, E, D, T> {
        x
    }

    fn from_portable<S: Shape>(x: Tensor<S, E, D, T>) -> Tensor<S, E, D, T> {
        x
    }
    type Kept<S: Shape> = Tensor<S, E, D>;

    as_plain! {
        split<S: Shape>(x: Of<S, E, D, T>) -> (Of<S, E, D, T>, T);
        put<S: Shape>(x: Of<S, E, D, T>, tape: T) -> Of<S, E, D, T>;
        keep<S: Shape>(x: &Of<S, E, D, T>) -> Tensor<S, E, D>;
        again<S: Shape>(x: &Tensor<S, E, D>) -> Option<Of<S, E, D, OwnedTape<E, D>>>;
        slots<S: Shape>(x: &Of<S, E, D, T>) -> Vec<Slot<E, D>>;
        share<S: Shape>(x: &Of<S, E, D, T>) -> Of<S, E, D, T>;
        shape<S: Shape>(x: &Of<S, E, D, T>) -> S;
        reshape<S: Shape, R: Shape>(x: Of<S, E, D, T>, shape: R) -> Of<R, E, D, T>;
        add<S: Shape>(a: Of<S, E, D, T>, b: Of<S, E, D, T>) -> Of<S, E, D, T>;
        sub<S: Shape>(a: Of<S, E, D, T>, b: Of<S, E, D, T>) -> Of<S, E, D, T>;
        mul<S: Shape>(a: Of<S, E, D, T>, b: Of<S, E, D, T>) -> Of<S, E, D, T>;
        square<S: Shape>(x: Of<S, E, D, T>) -> Of<S, E, D, T>;
        scale<S: Shape>(x: Of<S, E, D, T>, factor: f64) -> Of<S, E, D, T>;
        offset<S: Shape>(x: Of<S, E, D, T>, term: f64) -> Of<S, E, D, T>;
        mask<S: Shape>(x: Of<S, E, D, T>, mask: &Tensor<S, E, D>) -> Of<S, E, D, T>;
        join<S: Shape, R: Shape>(x: Of<S, E, D, T>, other: Of<R, E, D, T>) -> Of<S, E, D, T>;
        sigmoid<S: Shape>(x: Of<S, E, D, T>) -> Of<S, E, D, T>;
        sin<S: Shape>(x: Of<S, E, D, T>) -> Of<S, E, D, T>;
        cos<S: Shape>(x: Of<S, E, D, T>) -> Of<S, E, D, T>;
        rsqrt<S: Shape>(x: Of<S, E, D, T>) -> Of<S, E, D, T>;
        softmax(x: Of<Tokens, E, D, T>) -> Of<Tokens, E, D, T>;
        row_sum(x: Of<Tokens, E, D, T>) -> Of<Tokens, E, D, T>;
        batch_matmul(a: Of<Tokens, E, D, T>, b: Of<Tokens, E, D, T>) -> Of<Tokens, E, D, T>;
        transpose(x: Of<Tokens, E, D, T>) -> Of<Tokens, E, D, T>;
        group_mean(x: Of<Groups, E, D, T>) -> Of<Groups, E, D, T>;
        channel_affine(x: Of<Groups, E, D, T>, norm: &GroupNorm<'_, E, D>) -> Of<Groups, E, D, T>;
        channel_scale(x: Of<Groups, E, D, T>, norm: &GroupNorm<'_, E, D>) -> Of<Groups, E, D, T>;
        shift_rows<I: Dim>(x: Of<(usize, I), E, D, T>, shift: Of<(usize, I), E, D, T>) -> Of<(usize, I), E, D, T>;
        linear<I: Dim, O: Dim>(
            x: Of<(usize, I), E, D, T>,
            weight: &Tensor<(I, O), E, D>,
            bias: Option<&Tensor<(O,), E, D>>
        ) -> Of<(usize, O), E, D, T>;
    }

    fn dropout<S: Shape>(x: Self::Of<S>, key: DropoutKey) -> Self::Of<S> {
        dropout::portable(x, key)
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
        resample::average_pool(x)
    }

    fn upsample<H: Dim, W: Dim, C: Dim>(
        x: Self::Of<ImageBatch<H, W, C>>,
    ) -> Self::Of<ImageBatch<usize, usize, C>> {
        resample::upsample(x)
    }

    fn convolution<H: Dim, W: Dim, I: Dim, O: Dim>(
        inputs: Vec<Self::Of<ImageBatch<H, W, I>>>,
        operator: &Convolution<'_, O, E, D>,
        shift: Option<Tensor<(usize, O), E, D, T>>,
        residual: Option<Self::Of<ImageBatch<H, W, O>>>,
    ) -> Self::Of<ImageBatch<H, W, O>> {
        portable::convolution(inputs, operator, shift, residual)
    }

    fn group_norm<H: Dim, W: Dim, C: Dim>(
        x: Self::Of<ImageBatch<H, W, C>>,
        norm: &GroupNorm<'_, E, D>,
    ) -> Self::Of<ImageBatch<H, W, C>> {
        compose::group_norm::<Self, H, W, C, E, D>(x, norm)
    }

    fn group_norm_jvp<H: Dim, W: Dim, C: Dim>(
        x: Dual<Self::Of<ImageBatch<H, W, C>>>,
        norm: &GroupNorm<'_, E, D>,
    ) -> Dual<Self::Of<ImageBatch<H, W, C>>> {
        compose::group_norm::<Forward<Self>, H, W, C, E, D>(x, norm)
    }

    fn attention(q: Self::Of<Tokens>, k: Self::Of<Tokens>, v: Self::Of<Tokens>) -> Self::Of<Tokens> {
        compose::attention::<Self, E, D>(q, k, v)
    }

    fn attention_jvp(
        q: Dual<Self::Of<Tokens>>,
        k: Dual<Self::Of<Tokens>>,
        v: Dual<Self::Of<Tokens>>,
    ) -> Dual<Self::Of<Tokens>> {
        compose::attention::<Forward<Self>, E, D>(q, k, v)
    }
}
