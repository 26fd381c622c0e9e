//! Activations that carry a tangent: forward-mode differentiation over any mode.

use super::{
    Convolution, DropoutKey, Dual, GroupNorm, Groups, ImageBatch, Kernels, Mode, Preparation, Real,
    RowVectors, Slot, Waves, compose,
};
use dfdx::prelude::{Dim, Merge, Shape, Tensor};
use std::marker::PhantomData;

/// The mode whose activations are a value and its tangent in mode `M`.
///
/// `Forward<Plain<T>>` gives Jacobian-vector products, `Forward<Forward<Plain<T>>>` second
/// directional derivatives along two probes. With a tape in `T`, an ordinary backward pass through
/// the result is exact: dfdx's gradients are not differentiable, so the order of the derivative in
/// the state is raised here, before the tape.
///
/// # Reference
/// Griewank and Walther, "Evaluating Derivatives" (2008), section 3.1.
#[derive(Debug)]
pub struct Forward<M>(PhantomData<M>);

impl<E: Real, D: Kernels<E>, M: Mode<E, D>> Mode<E, D> for Forward<M> {
    type Tape = M::Tape;
    type Of<S: Shape> = Dual<M::Of<S>>;
    type Recorded = Forward<M::Recorded>;
    type Portable = Forward<M::Portable>;

    fn to_portable<S: Shape>(x: Self::Of<S>) -> Dual<<M::Portable as Mode<E, D>>::Of<S>> {
        x.map(M::to_portable)
    }

    fn from_portable<S: Shape>(x: Dual<<M::Portable as Mode<E, D>>::Of<S>>) -> Self::Of<S> {
        x.map(M::from_portable)
    }

    fn split<S: Shape>(x: Self::Of<S>) -> (Self::Of<S>, Self::Tape) {
        let ((value, tape), (tangent, other)) = (M::split(x.value), M::split(x.tangent));
        (Dual::new(value, tangent), tape.merge(other))
    }

    fn put<S: Shape>(x: Self::Of<S>, tape: Self::Tape) -> Self::Of<S> {
        Dual::new(M::put(x.value, tape), x.tangent)
    }

    type Kept<S: Shape> = Dual<M::Kept<S>>;

    fn keep<S: Shape>(x: &Self::Of<S>) -> Self::Kept<S> {
        Dual::new(M::keep(&x.value), M::keep(&x.tangent))
    }

    fn again<S: Shape>(x: &Self::Kept<S>) -> Option<Dual<<M::Recorded as Mode<E, D>>::Of<S>>> {
        Some(Dual::new(M::again(&x.value)?, M::again(&x.tangent)?))
    }

    fn slots<S: Shape>(x: &Self::Of<S>) -> Vec<Slot<E, D>> {
        M::slots(&x.value).into_iter().chain(M::slots(&x.tangent)).collect()
    }

    fn share<S: Shape>(x: &Self::Of<S>) -> Self::Of<S> {
        Dual::new(M::share(&x.value), M::share(&x.tangent))
    }

    fn shape<S: Shape>(x: &Self::Of<S>) -> S {
        M::shape(&x.value)
    }

    fn reshape<S: Shape, R: Shape>(x: Self::Of<S>, shape: R) -> Self::Of<R> {
        x.map(|x| M::reshape(x, shape))
    }

    fn add<S: Shape>(a: Self::Of<S>, b: Self::Of<S>) -> Self::Of<S> {
        a.zip(b, M::add)
    }

    fn sub<S: Shape>(a: Self::Of<S>, b: Self::Of<S>) -> Self::Of<S> {
        a.zip(b, M::sub)
    }

    fn mul<S: Shape>(a: Self::Of<S>, b: Self::Of<S>) -> Self::Of<S> {
        let left = M::mul(a.tangent, M::share(&b.value));
        let right = M::mul(M::share(&a.value), b.tangent);
        Dual::new(M::mul(a.value, b.value), M::add(left, right))
    }

    fn square<S: Shape>(x: Self::Of<S>) -> Self::Of<S> {
        let slope = M::scale(M::share(&x.value), 2.0);
        Dual::new(M::square(x.value), M::mul(slope, x.tangent))
    }

    fn scale<S: Shape>(x: Self::Of<S>, factor: f64) -> Self::Of<S> {
        x.map(|x| M::scale(x, factor))
    }

    fn offset<S: Shape>(x: Self::Of<S>, term: f64) -> Self::Of<S> {
        Dual::new(M::offset(x.value, term), x.tangent)
    }

    fn mask<S: Shape>(x: Self::Of<S>, mask: &Tensor<S, E, D>) -> Self::Of<S> {
        x.map(|x| M::mask(x, mask))
    }

    fn dropout<S: Shape>(x: Self::Of<S>, key: DropoutKey) -> Self::Of<S> {
        x.map(|x| M::dropout(x, key))
    }

    fn join<S: Shape, R: Shape>(x: Self::Of<S>, other: Tensor<R, E, D, Self::Tape>) -> Self::Of<S> {
        Dual::new(M::join(x.value, other), x.tangent)
    }

    fn sigmoid<S: Shape>(x: Self::Of<S>) -> Self::Of<S> {
        // s' = s (1 - s)
        let s = M::sigmoid(x.value);
        let slope = M::mul(M::share(&s), M::offset(M::scale(M::share(&s), -1.0), 1.0));
        Dual::new(s, M::mul(slope, x.tangent))
    }

    fn sin<S: Shape>(x: Self::Of<S>) -> Self::Of<S> {
        let slope = M::cos(M::share(&x.value));
        Dual::new(M::sin(x.value), M::mul(slope, x.tangent))
    }

    fn cos<S: Shape>(x: Self::Of<S>) -> Self::Of<S> {
        let slope = M::scale(M::sin(M::share(&x.value)), -1.0);
        Dual::new(M::cos(x.value), M::mul(slope, x.tangent))
    }

    fn rsqrt<S: Shape>(x: Self::Of<S>) -> Self::Of<S> {
        // r' = -r^3 / 2
        let r = M::rsqrt(x.value);
        let square = M::square(M::share(&r));
        let slope = M::scale(M::mul(square, M::share(&r)), -0.5);
        Dual::new(r, M::mul(slope, x.tangent))
    }

    fn swish<S: Shape>(x: Self::Of<S>) -> Self::Of<S> {
        M::swish_jvp(x)
    }

    fn waves<H: Dim, W: Dim>(
        x: Self::Of<ImageBatch<H, W, usize>>,
        waves: &Waves<'_, E, D>,
    ) -> [Self::Of<ImageBatch<H, W, usize>>; 2] {
        M::waves_jvp(x, waves)
    }

    fn group_mean(x: Self::Of<Groups>) -> Self::Of<Groups> {
        x.map(M::group_mean)
    }

    fn channel_affine(x: Self::Of<Groups>, norm: &GroupNorm<'_, E, D>) -> Self::Of<Groups> {
        Dual::new(M::channel_affine(x.value, norm), M::channel_scale(x.tangent, norm))
    }

    fn channel_scale(x: Self::Of<Groups>, norm: &GroupNorm<'_, E, D>) -> Self::Of<Groups> {
        x.map(|x| M::channel_scale(x, norm))
    }

    fn softmax(x: Self::Of<(usize, usize, usize)>) -> Self::Of<(usize, usize, usize)> {
        // dy = y (dx - sum_j y_j dx_j)
        let y = M::softmax(x.value);
        let mean = M::row_sum(M::mul(M::share(&y), M::share(&x.tangent)));
        let tangent = M::mul(M::share(&y), M::sub(x.tangent, mean));
        Dual::new(y, tangent)
    }

    fn row_sum(x: Self::Of<(usize, usize, usize)>) -> Self::Of<(usize, usize, usize)> {
        x.map(M::row_sum)
    }

    fn batch_matmul(
        a: Self::Of<(usize, usize, usize)>,
        b: Self::Of<(usize, usize, usize)>,
    ) -> Self::Of<(usize, usize, usize)> {
        let left = M::batch_matmul(a.tangent, M::share(&b.value));
        let right = M::batch_matmul(M::share(&a.value), b.tangent);
        Dual::new(M::batch_matmul(a.value, b.value), M::add(left, right))
    }

    fn transpose(x: Self::Of<(usize, usize, usize)>) -> Self::Of<(usize, usize, usize)> {
        x.map(M::transpose)
    }

    fn linear<I: Dim, O: Dim>(
        x: Self::Of<(usize, I)>,
        weight: &Tensor<(I, O), E, D>,
        bias: Option<&Tensor<(O,), E, D>>,
    ) -> Self::Of<(usize, O)> {
        Dual::new(M::linear(x.value, weight, bias), M::linear(x.tangent, weight, None))
    }

    fn shift_rows<I: Dim>(
        x: Self::Of<(usize, I)>,
        shift: Tensor<(usize, I), E, D, Self::Tape>,
    ) -> Self::Of<(usize, I)> {
        Dual::new(M::shift_rows(x.value, shift), x.tangent)
    }

    fn patches<H: Dim, W: Dim, I: Dim>(
        inputs: Vec<Self::Of<ImageBatch<H, W, I>>>,
        size: usize,
    ) -> Self::Of<(usize, usize)> {
        let (values, tangents) = inputs.into_iter().map(|x| (x.value, x.tangent)).unzip();
        Dual::new(M::patches(values, size), M::patches(tangents, size))
    }

    fn average_pool<H: Dim, W: Dim, C: Dim>(
        x: Self::Of<ImageBatch<H, W, C>>,
    ) -> Self::Of<ImageBatch<usize, usize, C>> {
        x.map(M::average_pool)
    }

    fn upsample<H: Dim, W: Dim, C: Dim>(
        x: Self::Of<ImageBatch<H, W, C>>,
    ) -> Self::Of<ImageBatch<usize, usize, C>> {
        x.map(M::upsample)
    }

    fn convolution<H: Dim, W: Dim, I: Dim, O: Dim>(
        inputs: Vec<Self::Of<ImageBatch<H, W, I>>>,
        operator: &Convolution<'_, O, E, D>,
        shift: Option<Tensor<(usize, O), E, D, Self::Tape>>,
        residual: Option<Self::Of<ImageBatch<H, W, O>>>,
    ) -> Self::Of<ImageBatch<H, W, O>> {
        let (values, tangents) = inputs.into_iter().map(|x| (x.value, x.tangent)).unzip();
        let (value, tangent) = residual.map(|r| (r.value, r.tangent)).unzip();
        let linear = Convolution { bias: None, ..*operator };
        Dual::new(
            M::convolution(values, operator, shift, value),
            M::convolution(tangents, &linear, None, tangent),
        )
    }

    fn group_norm<H: Dim, W: Dim, C: Dim>(
        x: Self::Of<ImageBatch<H, W, C>>,
        norm: &GroupNorm<'_, E, D>,
    ) -> Self::Of<ImageBatch<H, W, C>> {
        M::group_norm_jvp(x, norm)
    }

    fn group_norm_jvp<H: Dim, W: Dim, C: Dim>(
        x: Dual<Self::Of<ImageBatch<H, W, C>>>,
        norm: &GroupNorm<'_, E, D>,
    ) -> Dual<Self::Of<ImageBatch<H, W, C>>> {
        compose::group_norm::<Forward<Self>, H, W, C, E, D>(x, norm)
    }

    fn norm_convolution<H: Dim, W: Dim, I: Dim, O: Dim>(
        inputs: Vec<Self::Of<ImageBatch<H, W, I>>>,
        preparation: &Preparation<'_, E, D>,
        operator: &Convolution<'_, O, E, D>,
        shift: Option<RowVectors<O, E, D, Self::Tape>>,
        residual: Option<Self::Of<ImageBatch<H, W, O>>>,
    ) -> Self::Of<ImageBatch<H, W, O>> {
        M::norm_convolution_jvp(inputs, preparation, operator, shift, residual)
    }

    fn attention(
        q: Self::Of<(usize, usize, usize)>,
        k: Self::Of<(usize, usize, usize)>,
        v: Self::Of<(usize, usize, usize)>,
    ) -> Self::Of<(usize, usize, usize)> {
        M::attention_jvp(q, k, v)
    }

    fn attention_jvp(
        q: Dual<Self::Of<(usize, usize, usize)>>,
        k: Dual<Self::Of<(usize, usize, usize)>>,
        v: Dual<Self::Of<(usize, usize, usize)>>,
    ) -> Dual<Self::Of<(usize, usize, usize)>> {
        compose::attention::<Forward<Self>, E, D>(q, k, v)
    }
}
