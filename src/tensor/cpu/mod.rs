//! Fused kernels for `f32` on the CPU.
//!
//! Each file is one operation: its forward pass on slices, its backward pass on slices, and the
//! dfdx operation that ties them to a tape. Work is split in units that do not depend on the number of
//! threads, and partial sums are added in the order of the units, so results do not depend on it either.
//! The instruction set is chosen at run time.

mod attention;
mod attention_jvp;
mod convolution;
mod convolution_backward;
mod convolution_layer;
mod dropout;
mod group_norm;
mod group_norm_jvp;
mod lanes;
mod matrix;
mod micro;
mod norm_images;
mod normalize;
mod normalize_jvp;
mod points;
mod pointwise;
mod recorded;
mod resample;
mod scratch;
mod simd;
mod storage;
mod taps;
mod unwritten;
mod update;
mod waves;
mod winograd;

use super::{
    Convolution, DropoutKey, Dual, Forward, GroupNorm, ImageBatch, Kernels, Moments, Plain, Preparation,
    Updates, Waves, compose,
};
use dfdx::prelude::{Cpu, Dim, HasShape, PutTape, ReshapeTo, Shape, Tape, Tensor};

use attention::Tokens;
use convolution_layer::{Image, Layer};
#[cfg(feature = "cli")]
pub(crate) use matrix::product;
use recorded::{Backward, Tapes};

/// The same images, contiguous, with a shape that is known at run time only: the kernels are compiled once.
fn dynamic_image<H: Dim, W: Dim, C: Dim, T: Tape<f32, Cpu> + 'static>(
    x: Tensor<ImageBatch<H, W, C>, f32, Cpu, T>,
) -> Tensor<ImageBatch<usize, usize, usize>, f32, Cpu, T> {
    let (rows, height, width, channels) = *x.shape();
    x.reshape_like(&(rows, height.size(), width.size(), channels.size()))
}

/// Images off their tapes.
fn bare_images<H: Dim, W: Dim, C: Dim, T: Tape<f32, Cpu> + 'static>(
    images: Vec<Tensor<ImageBatch<H, W, C>, f32, Cpu, T>>,
    tapes: &mut Tapes<T>,
) -> Vec<Image> {
    let mut bare = Vec::with_capacity(images.len());
    for x in images {
        bare.push(tapes.bare(dynamic_image(x)));
    }
    bare
}

/// The one stream of an operation on values.
fn first((mut streams, backward): (Vec<Image>, Option<Backward>)) -> (Image, Option<Backward>) {
    (streams.swap_remove(0), backward)
}

/// A convolution's weight and bias with shapes that are known at run time only.
#[allow(clippy::type_complexity)]
fn dynamic<O: Dim>(
    operator: &Convolution<'_, O, f32, Cpu>,
) -> (Tensor<(usize, usize), f32, Cpu>, Option<Tensor<(usize,), f32, Cpu>>) {
    let (rows, out) = (operator.weight.shape().0, operator.weight.shape().1.size());
    let bias = operator.bias.map(|bias| bias.clone().reshape_like(&(out,)));
    (operator.weight.clone().reshape_like(&(rows, out)), bias)
}

/// A 3x3 convolution and what its inputs go through before.
fn layer<O: Dim>(
    side: (usize, usize),
    operator: &Convolution<'_, O, f32, Cpu>,
    preparation: Option<(&Preparation<'_, f32, Cpu>, &[Vec<Image>])>,
) -> Layer {
    let (weight, bias) = dynamic(operator);
    let dropout = preparation.and_then(|(preparation, _)| preparation.dropout);
    let norms = preparation.map(|(preparation, inputs)| {
        let each = preparation.norms.iter().zip(inputs);
        each.map(|(norm, x)| normalize::Kept::new(norm, x[0].shape().3)).collect()
    });
    Layer { side, weight, bias, norms, dropout }
}

impl Kernels<f32> for Cpu {
    const ON_HOST: bool = true;

    fn convolution<H: Dim, W: Dim, I: Dim, O: Dim, T: Tape<f32, Self> + 'static>(
        inputs: Vec<Tensor<ImageBatch<H, W, I>, f32, Self, T>>,
        operator: &Convolution<'_, O, f32, Self>,
        shift: Option<Tensor<(usize, O), f32, Self, T>>,
        residual: Option<Tensor<ImageBatch<H, W, O>, f32, Self, T>>,
    ) -> Tensor<ImageBatch<H, W, O>, f32, Self, T> {
        let (rows, height, width, _) = *inputs[0].shape();
        let out = operator.weight.shape().1;
        let mut tapes = Tapes::new();
        let inputs = bare_images(inputs, &mut tapes);
        let residual = residual.map(|r| tapes.bare(dynamic_image(r)));
        let shift = shift.map(|shift| tapes.bare(shift.reshape_like(&(rows, out.size()))));
        let record = Tapes::<T>::RECORD;
        let (y, backward) = if operator.size == 1 {
            let (weight, bias) = dynamic(operator);
            let operator = Convolution { size: 1, weight: &weight, bias: bias.as_ref() };
            pointwise::convolution(inputs, &operator, shift, residual, record)
        } else {
            let inputs = inputs.into_iter().map(|x| vec![x]).collect();
            let layer = layer((height.size(), width.size()), operator, None);
            let residual = residual.map(|r| vec![r]);
            first(convolution::convolution(inputs, layer, shift, residual, record))
        };
        y.put_tape(tapes.recorded(backward)).reshape_like(&(rows, height, width, out))
    }

    fn norm_convolution<H: Dim, W: Dim, I: Dim, O: Dim, T: Tape<f32, Self> + 'static>(
        inputs: Vec<Tensor<ImageBatch<H, W, I>, f32, Self, T>>,
        preparation: &Preparation<'_, f32, Self>,
        operator: &Convolution<'_, O, f32, Self>,
        shift: Option<Tensor<(usize, O), f32, Self, T>>,
        residual: Option<Tensor<ImageBatch<H, W, O>, f32, Self, T>>,
    ) -> Tensor<ImageBatch<H, W, O>, f32, Self, T> {
        if operator.size == 1 {
            return compose::norm_convolution::<Plain<T>, H, W, I, O, f32, Self>(
                inputs,
                preparation,
                operator,
                shift,
                residual,
            );
        }
        let (rows, height, width, _) = *inputs[0].shape();
        let out = operator.weight.shape().1;
        let mut tapes = Tapes::new();
        let inputs: Vec<_> = bare_images(inputs, &mut tapes).into_iter().map(|x| vec![x]).collect();
        let residual = residual.map(|r| vec![tapes.bare(dynamic_image(r))]);
        let shift = shift.map(|shift| tapes.bare(shift.reshape_like(&(rows, out.size()))));
        let layer = layer((height.size(), width.size()), operator, Some((preparation, &inputs)));
        let done = convolution::convolution(inputs, layer, shift, residual, Tapes::<T>::RECORD);
        let (y, backward) = first(done);
        y.put_tape(tapes.recorded(backward)).reshape_like(&(rows, height, width, out))
    }

    fn norm_convolution_jvp<H: Dim, W: Dim, I: Dim, O: Dim, T: Tape<f32, Self> + 'static>(
        inputs: Vec<Dual<Tensor<ImageBatch<H, W, I>, f32, Self, T>>>,
        preparation: &Preparation<'_, f32, Self>,
        operator: &Convolution<'_, O, f32, Self>,
        shift: Option<Tensor<(usize, O), f32, Self, T>>,
        residual: Option<Dual<Tensor<ImageBatch<H, W, O>, f32, Self, T>>>,
    ) -> Dual<Tensor<ImageBatch<H, W, O>, f32, Self, T>> {
        if operator.size == 1 {
            return compose::norm_convolution::<Forward<Plain<T>>, H, W, I, O, f32, Self>(
                inputs,
                preparation,
                operator,
                shift,
                residual,
            );
        }
        let (rows, height, width, _) = *inputs[0].value.shape();
        let out = operator.weight.shape().1;
        let mut tapes = Tapes::new();
        let mut bare = Vec::with_capacity(inputs.len());
        for Dual { value, tangent } in inputs {
            bare.push(bare_images(vec![value, tangent], &mut tapes));
        }
        let residual = residual.map(|r| bare_images(vec![r.value, r.tangent], &mut tapes));
        let shift = shift.map(|shift| tapes.bare(shift.reshape_like(&(rows, out.size()))));
        let layer = layer((height.size(), width.size()), operator, Some((preparation, &bare)));
        let (mut streams, backward) =
            convolution::convolution(bare, layer, shift, residual, Tapes::<T>::RECORD);
        let (tangent, value) = (streams.swap_remove(1), streams.swap_remove(0));
        let (value, tangent) = (value.put_tape(tapes.recorded(backward)), tangent.put_tape(T::default()));
        Dual::new(value, tangent).map(|y| y.reshape_like(&(rows, height, width, out)))
    }

    fn dropout<S: Shape, T: Tape<f32, Self> + 'static>(
        x: Tensor<S, f32, Self, T>,
        key: DropoutKey,
    ) -> Tensor<S, f32, Self, T> {
        let shape = *x.shape();
        let mut tapes = Tapes::new();
        let x = tapes.bare(x.reshape_like(&(shape.num_elements(),)));
        let (y, backward) = dropout::dropout(x, key, Tapes::<T>::RECORD);
        y.put_tape(tapes.recorded(backward)).reshape_like(&shape)
    }

    fn group_norm<H: Dim, W: Dim, C: Dim, T: Tape<f32, Self> + 'static>(
        x: Tensor<ImageBatch<H, W, C>, f32, Self, T>,
        norm: &GroupNorm<'_, f32, Self>,
    ) -> Tensor<ImageBatch<H, W, C>, f32, Self, T> {
        let shape = *x.shape();
        let mut tapes = Tapes::new();
        let x = tapes.bare(dynamic_image(x));
        let (y, backward) = group_norm::group_norm(x, norm, Tapes::<T>::RECORD);
        y.put_tape(tapes.recorded(backward)).reshape_like(&shape)
    }

    fn group_norm_jvp<H: Dim, W: Dim, C: Dim, T: Tape<f32, Self> + 'static>(
        x: Dual<Tensor<ImageBatch<H, W, C>, f32, Self, T>>,
        norm: &GroupNorm<'_, f32, Self>,
    ) -> Dual<Tensor<ImageBatch<H, W, C>, f32, Self, T>> {
        let shape = *x.value.shape();
        let mut tapes = Tapes::new();
        let x = x.map(|x| tapes.bare(dynamic_image(x)));
        let (y, backward) = group_norm_jvp::group_norm_jvp(x, norm, Tapes::<T>::RECORD);
        let (value, tangent) = (y.value.put_tape(tapes.recorded(backward)), y.tangent.put_tape(T::default()));
        Dual::new(value, tangent).map(|y| y.reshape_like(&shape))
    }

    fn attention<T: Tape<f32, Self> + 'static>(q: Tokens<T>, k: Tokens<T>, v: Tokens<T>) -> Tokens<T> {
        let mut tapes = Tapes::new();
        let (q, k, v) = (tapes.bare(q.contiguous()), tapes.bare(k.contiguous()), tapes.bare(v.contiguous()));
        let (y, backward) = attention::attention(q, k, v, Tapes::<T>::RECORD);
        y.put_tape(tapes.recorded(backward))
    }

    fn attention_jvp<T: Tape<f32, Self> + 'static>(
        q: Dual<Tokens<T>>,
        k: Dual<Tokens<T>>,
        v: Dual<Tokens<T>>,
    ) -> Dual<Tokens<T>> {
        let mut tapes = Tapes::new();
        let mut bare = |x: Dual<Tokens<T>>| x.map(|x| tapes.bare(x.contiguous()));
        let (q, k, v) = (bare(q), bare(k), bare(v));
        let (y, backward) = attention_jvp::attention_jvp(q, k, v, Tapes::<T>::RECORD);
        Dual::new(y.value.put_tape(tapes.recorded(backward)), y.tangent.put_tape(T::default()))
    }

    fn waves<H: Dim, W: Dim, T: Tape<f32, Self> + 'static>(
        x: Tensor<ImageBatch<H, W, usize>, f32, Self, T>,
        of: &Waves<'_, f32, Self>,
    ) -> [Tensor<ImageBatch<H, W, usize>, f32, Self, T>; 2] {
        let shape = (x.shape().0, x.shape().1, x.shape().2, of.frequencies.shape().1);
        let mut tapes = Tapes::new();
        let x = tapes.bare(dynamic_image(x));
        let (mut ys, backward) = waves::waves(vec![x], of, Tapes::<T>::RECORD);
        let (cosines, sines) = (ys.swap_remove(1), ys.swap_remove(0));
        [sines.put_tape(tapes.recorded(backward)), cosines.put_tape(T::default())]
            .map(|y| y.reshape_like(&shape))
    }

    fn waves_jvp<H: Dim, W: Dim, T: Tape<f32, Self> + 'static>(
        x: Dual<Tensor<ImageBatch<H, W, usize>, f32, Self, T>>,
        of: &Waves<'_, f32, Self>,
    ) -> [Dual<Tensor<ImageBatch<H, W, usize>, f32, Self, T>>; 2] {
        let x_shape = *x.value.shape();
        let shape = (x_shape.0, x_shape.1, x_shape.2, of.frequencies.shape().1);
        let mut tapes = Tapes::new();
        let x = bare_images(vec![x.value, x.tangent], &mut tapes);
        let (mut ys, backward) = waves::waves(x, of, Tapes::<T>::RECORD);
        let tangents = (ys.swap_remove(3), ys.swap_remove(2));
        let (cosines, sines) = (ys.swap_remove(1), ys.swap_remove(0));
        let sines = sines.put_tape(tapes.recorded(backward));
        let [cosines, of_cosines, of_sines] =
            [cosines, tangents.0, tangents.1].map(|y| y.put_tape(T::default()));
        [Dual::new(sines, of_sines), Dual::new(cosines, of_cosines)]
            .map(|y| y.map(|y| y.reshape_like(&shape)))
    }

    fn average_pool<H: Dim, W: Dim, C: Dim, T: Tape<f32, Self> + 'static>(
        x: Tensor<ImageBatch<H, W, C>, f32, Self, T>,
    ) -> Tensor<ImageBatch<usize, usize, C>, f32, Self, T> {
        let channels = x.shape().3;
        let mut tapes = Tapes::new();
        let (y, backward) = resample::average_pool(tapes.bare(dynamic_image(x)), Tapes::<T>::RECORD);
        let (rows, height, width, _) = *y.shape();
        y.put_tape(tapes.recorded(backward)).reshape_like(&(rows, height, width, channels))
    }

    fn upsample<H: Dim, W: Dim, C: Dim, T: Tape<f32, Self> + 'static>(
        x: Tensor<ImageBatch<H, W, C>, f32, Self, T>,
    ) -> Tensor<ImageBatch<usize, usize, C>, f32, Self, T> {
        let channels = x.shape().3;
        let mut tapes = Tapes::new();
        let (y, backward) = resample::upsample(tapes.bare(dynamic_image(x)), Tapes::<T>::RECORD);
        let (rows, height, width, _) = *y.shape();
        y.put_tape(tapes.recorded(backward)).reshape_like(&(rows, height, width, channels))
    }

    fn adamw<S: Shape>(
        parameter: &mut Tensor<S, f32, Self>,
        gradient: &Tensor<(usize,), f32, Self>,
        moments: &mut Moments<f32, Self>,
        decay: f64,
        updates: &mut Updates<f32, Self>,
    ) {
        update::adamw(storage::numbers_mut(parameter), gradient, moments, decay, updates.step());
    }

    fn sum_of_squares(x: &Tensor<(usize,), f32, Self>) -> f64 {
        update::sum_of_squares(storage::numbers(x))
    }
}
