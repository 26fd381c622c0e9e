//! What an activation is, and what can be done with it.

use super::{
    Convolution, DropoutKey, Dual, Forward, GroupNorm, Groups, ImageBatch, Kernels, Preparation, Real,
    RowVectors, Slot, Waves, compose,
};
use dfdx::prelude::{Dim, OwnedTape, Shape, Tape, Tensor};

/// A kind of activation: a tensor ([`Plain`](super::Plain)), or a value with its tangent
/// ([`Forward`](super::Forward)).
///
/// A network's body is generic over the mode. Parameters are plain tensors: they have no tangent,
/// but with a tape every mode records how the result depends on them, so that one backward pass
/// gives the exact parameter gradient of anything computed from a Jacobian-vector product.
///
/// Operations take their activations by value, since a value carries its tape; [`share`](Mode::share)
/// makes a second handle for a branch.
pub trait Mode<E: Real, D: Kernels<E>>: Sized + 'static {
    /// What records the operations: a tape, or nothing.
    type Tape: Tape<E, D> + 'static;

    /// An activation of shape `S`.
    type Of<S: Shape>: 'static;

    /// This mode with a tape that records.
    type Recorded: Mode<E, D, Tape = OwnedTape<E, D>>;

    /// This mode without a device's own kernels.
    type Portable: Mode<E, D, Tape = Self::Tape>;

    /// `x` for operations without a device's own kernels.
    fn to_portable<S: Shape>(x: Self::Of<S>) -> <Self::Portable as Mode<E, D>>::Of<S>;

    /// `x` as it was before [`to_portable`](Mode::to_portable).
    fn from_portable<S: Shape>(x: <Self::Portable as Mode<E, D>>::Of<S>) -> Self::Of<S>;

    /// `x` with an empty tape, and the tape that it had.
    fn split<S: Shape>(x: Self::Of<S>) -> (Self::Of<S>, Self::Tape);

    /// `x`, whose tape is empty, with `tape`.
    fn put<S: Shape>(x: Self::Of<S>, tape: Self::Tape) -> Self::Of<S>;

    /// What is kept of an activation for another run: its numbers without a tape.
    type Kept<S: Shape>: 'static;

    /// What is kept of `x`.
    fn keep<S: Shape>(x: &Self::Of<S>) -> Self::Kept<S>;

    /// The kept activation for another run; `None` where there are no numbers.
    fn again<S: Shape>(x: &Self::Kept<S>) -> Option<<Self::Recorded as Mode<E, D>>::Of<S>>;

    /// Where the gradient of each tensor of `x` lies.
    fn slots<S: Shape>(x: &Self::Of<S>) -> Vec<Slot<E, D>>;

    /// A second handle on `x` for another branch of the network.
    fn share<S: Shape>(x: &Self::Of<S>) -> Self::Of<S>;

    /// The shape of `x`.
    fn shape<S: Shape>(x: &Self::Of<S>) -> S;

    /// The same numbers under another shape with as many elements.
    fn reshape<S: Shape, R: Shape>(x: Self::Of<S>, shape: R) -> Self::Of<R>;

    /// `a + b`.
    fn add<S: Shape>(a: Self::Of<S>, b: Self::Of<S>) -> Self::Of<S>;

    /// `a - b`.
    fn sub<S: Shape>(a: Self::Of<S>, b: Self::Of<S>) -> Self::Of<S>;

    /// The element-wise product `a b`, of two different activations (dfdx refuses the gradient of a
    /// tensor times itself: see [`square`](Mode::square)).
    fn mul<S: Shape>(a: Self::Of<S>, b: Self::Of<S>) -> Self::Of<S>;

    /// `x^2`, element by element.
    fn square<S: Shape>(x: Self::Of<S>) -> Self::Of<S>;

    /// `factor x`.
    fn scale<S: Shape>(x: Self::Of<S>, factor: f64) -> Self::Of<S>;

    /// `x + term`.
    fn offset<S: Shape>(x: Self::Of<S>, term: f64) -> Self::Of<S>;

    /// The element-wise product with a constant tensor that gets no gradient.
    fn mask<S: Shape>(x: Self::Of<S>, mask: &Tensor<S, E, D>) -> Self::Of<S>;

    /// Dropout with the mask of `key`.
    fn dropout<S: Shape>(x: Self::Of<S>, key: DropoutKey) -> Self::Of<S>;

    /// `x`, with the tape of `other` joined to its own: for a side branch whose output was shared
    /// out without its tape.
    fn join<S: Shape, R: Shape>(x: Self::Of<S>, other: Tensor<R, E, D, Self::Tape>) -> Self::Of<S>;

    /// The logistic function.
    fn sigmoid<S: Shape>(x: Self::Of<S>) -> Self::Of<S>;

    /// `sin x`.
    fn sin<S: Shape>(x: Self::Of<S>) -> Self::Of<S>;

    /// `cos x`.
    fn cos<S: Shape>(x: Self::Of<S>) -> Self::Of<S>;

    /// `1 / sqrt(x)`.
    fn rsqrt<S: Shape>(x: Self::Of<S>) -> Self::Of<S>;

    /// Sines and cosines of all numbers: see [`Waves`].
    fn waves<H: Dim, W: Dim>(
        x: Self::Of<ImageBatch<H, W, usize>>,
        waves: &Waves<'_, E, D>,
    ) -> [Self::Of<ImageBatch<H, W, usize>>; 2] {
        compose::waves::<Self, H, W, E, D>(x, waves)
    }

    /// [`waves`](Mode::waves) of a value and its tangent.
    #[allow(clippy::type_complexity)]
    fn waves_jvp<H: Dim, W: Dim>(
        x: Dual<Self::Of<ImageBatch<H, W, usize>>>,
        waves: &Waves<'_, E, D>,
    ) -> [Dual<Self::Of<ImageBatch<H, W, usize>>>; 2] {
        compose::waves::<Forward<Self>, H, W, E, D>(x, waves)
    }

    /// Swish, `x sigmoid(x)`.
    fn swish<S: Shape>(x: Self::Of<S>) -> Self::Of<S> {
        compose::swish::<Self, S, E, D>(x)
    }

    /// [`swish`](Mode::swish) of a value and its tangent.
    fn swish_jvp<S: Shape>(x: Dual<Self::Of<S>>) -> Dual<Self::Of<S>> {
        compose::swish::<Forward<Self>, S, E, D>(x)
    }

    /// The mean over all positions and the channels of each group, in place of every element of the group.
    fn group_mean(x: Self::Of<Groups>) -> Self::Of<Groups>;

    /// `x scale + bias` per channel, with the slice of the parameters that starts at
    /// `norm.first_channel`.
    fn channel_affine(x: Self::Of<Groups>, norm: &GroupNorm<'_, E, D>) -> Self::Of<Groups>;

    /// `x scale` per channel: the linear part of [`channel_affine`](Mode::channel_affine).
    fn channel_scale(x: Self::Of<Groups>, norm: &GroupNorm<'_, E, D>) -> Self::Of<Groups>;

    /// `softmax` over the last axis.
    fn softmax(x: Self::Of<(usize, usize, usize)>) -> Self::Of<(usize, usize, usize)>;

    /// The sum over the last axis in place of each of its elements.
    fn row_sum(x: Self::Of<(usize, usize, usize)>) -> Self::Of<(usize, usize, usize)>;

    /// Batched matrix product `a b`.
    fn batch_matmul(
        a: Self::Of<(usize, usize, usize)>,
        b: Self::Of<(usize, usize, usize)>,
    ) -> Self::Of<(usize, usize, usize)>;

    /// The last two axes exchanged.
    fn transpose(x: Self::Of<(usize, usize, usize)>) -> Self::Of<(usize, usize, usize)>;

    /// `x W + b`, `W` of shape `(in, out)`.
    fn linear<I: Dim, O: Dim>(
        x: Self::Of<(usize, I)>,
        weight: &Tensor<(I, O), E, D>,
        bias: Option<&Tensor<(O,), E, D>>,
    ) -> Self::Of<(usize, O)>;

    /// Adds one row vector per image, the same at each position. `shift` has no tangent.
    fn shift_rows<I: Dim>(
        x: Self::Of<(usize, I)>,
        shift: Tensor<(usize, I), E, D, Self::Tape>,
    ) -> Self::Of<(usize, I)>;

    /// The rows that a convolution multiplies with its weight: of each position, the `size x size` neighbours with the
    /// channels of all `inputs` side by side, and zeros outside the image.
    ///
    /// # Shapes
    /// To `(batch H W, size size channels)`.
    fn patches<H: Dim, W: Dim, I: Dim>(
        inputs: Vec<Self::Of<ImageBatch<H, W, I>>>,
        size: usize,
    ) -> Self::Of<(usize, usize)>;

    /// The mean of each square of 2x2 pixels: see [`Kernels::average_pool`].
    fn average_pool<H: Dim, W: Dim, C: Dim>(
        x: Self::Of<ImageBatch<H, W, C>>,
    ) -> Self::Of<ImageBatch<usize, usize, C>>;

    /// Each pixel as a square of 2x2: see [`Kernels::upsample`].
    fn upsample<H: Dim, W: Dim, C: Dim>(
        x: Self::Of<ImageBatch<H, W, C>>,
    ) -> Self::Of<ImageBatch<usize, usize, C>>;

    /// A convolution over the channels of all `inputs` side by side: see [`Convolution`].
    fn convolution<H: Dim, W: Dim, I: Dim, O: Dim>(
        inputs: Vec<Self::Of<ImageBatch<H, W, I>>>,
        operator: &Convolution<'_, O, E, D>,
        shift: Option<RowVectors<O, E, D, Self::Tape>>,
        residual: Option<Self::Of<ImageBatch<H, W, O>>>,
    ) -> Self::Of<ImageBatch<H, W, O>>;

    /// Group norm, with swish after it if `norm.swish`: see [`GroupNorm`].
    fn group_norm<H: Dim, W: Dim, C: Dim>(
        x: Self::Of<ImageBatch<H, W, C>>,
        norm: &GroupNorm<'_, E, D>,
    ) -> Self::Of<ImageBatch<H, W, C>>;

    /// [`group_norm`](Mode::group_norm) of a value and its tangent.
    fn group_norm_jvp<H: Dim, W: Dim, C: Dim>(
        x: Dual<Self::Of<ImageBatch<H, W, C>>>,
        norm: &GroupNorm<'_, E, D>,
    ) -> Dual<Self::Of<ImageBatch<H, W, C>>>;

    /// A convolution of inputs that went through group norm and dropout: see [`Preparation`].
    fn norm_convolution<H: Dim, W: Dim, I: Dim, O: Dim>(
        inputs: Vec<Self::Of<ImageBatch<H, W, I>>>,
        preparation: &Preparation<'_, E, D>,
        operator: &Convolution<'_, O, E, D>,
        shift: Option<RowVectors<O, E, D, Self::Tape>>,
        residual: Option<Self::Of<ImageBatch<H, W, O>>>,
    ) -> Self::Of<ImageBatch<H, W, O>> {
        compose::norm_convolution::<Self, H, W, I, O, E, D>(inputs, preparation, operator, shift, residual)
    }

    /// [`norm_convolution`](Mode::norm_convolution) of values and their tangents.
    fn norm_convolution_jvp<H: Dim, W: Dim, I: Dim, O: Dim>(
        inputs: Vec<Dual<Self::Of<ImageBatch<H, W, I>>>>,
        preparation: &Preparation<'_, E, D>,
        operator: &Convolution<'_, O, E, D>,
        shift: Option<RowVectors<O, E, D, Self::Tape>>,
        residual: Option<Dual<Self::Of<ImageBatch<H, W, O>>>>,
    ) -> Dual<Self::Of<ImageBatch<H, W, O>>> {
        let forward = compose::norm_convolution::<Forward<Self>, H, W, I, O, E, D>;
        forward(inputs, preparation, operator, shift, residual)
    }

    /// `softmax(q k^T / sqrt(channels)) v` over the positions of each image.
    fn attention(
        q: Self::Of<(usize, usize, usize)>,
        k: Self::Of<(usize, usize, usize)>,
        v: Self::Of<(usize, usize, usize)>,
    ) -> Self::Of<(usize, usize, usize)>;

    /// [`attention`](Mode::attention) of values and their tangents.
    fn attention_jvp(
        q: Dual<Self::Of<(usize, usize, usize)>>,
        k: Dual<Self::Of<(usize, usize, usize)>>,
        v: Dual<Self::Of<(usize, usize, usize)>>,
    ) -> Dual<Self::Of<(usize, usize, usize)>>;
}
