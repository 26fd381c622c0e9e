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
mod resample;
mod scratch;
mod simd;
mod storage;
mod taps;
mod unwritten;
mod update;
mod winograd;

use super::{
    Convolution, DropoutKey, Dual, Forward, GroupNorm, ImageBatch, Kernels, Moments, Plain, Preparation,
    Updates, compose,
};
use dfdx::prelude::{Cpu, Dim, HasShape, ReshapeTo, Shape, Tape, Tensor};

use attention::Tokens;
use convolution_layer::Layer;
#[cfg(feature = "cli")]
pub(crate) use matrix::product;

/// The same images with a shape that is known at run time only: the kernels are compiled once.
fn dynamic_image<H: Dim, W: Dim, C: Dim, T: Tape<f32, Cpu> + 'static>(
    x: Tensor<ImageBatch<H, W, C>, f32, Cpu, T>,
) -> Tensor<[usize; 4], f32, Cpu, T> {
    let shape = x.shape().concrete();
    x.reshape_like(&shape)
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

/// A 3x3 convolution and what its inputs, of so many channels each, go through before.
fn layer<O: Dim>(
    side: (usize, usize),
    operator: &Convolution<'_, O, f32, Cpu>,
    preparation: Option<(&Preparation<'_, f32, Cpu>, &[usize])>,
) -> Layer {
    let (weight, bias) = dynamic(operator);
    let dropout = preparation.and_then(|(preparation, _)| preparation.dropout);
    let norms = preparation.map(|(preparation, channels)| {
        let each = preparation.norms.iter().zip(channels);
        each.map(|(norm, &channels)| normalize::Kept::new(norm, channels)).collect()
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
        let inputs = inputs.into_iter().map(dynamic_image);
        let shift = shift.map(|shift| shift.reshape_like(&[rows, out.size()]));
        let residual = residual.map(dynamic_image);
        let y = if operator.size == 1 {
            let (weight, bias) = dynamic(operator);
            let operator = Convolution { size: 1, weight: &weight, bias: bias.as_ref() };
            pointwise::convolution(inputs.collect(), &operator, shift, residual)
        } else {
            let layer = layer((height.size(), width.size()), operator, None);
            let [y] =
                convolution::convolution(inputs.map(|x| [x]).collect(), layer, shift, residual.map(|r| [r]));
            y
        };
        y.reshape_like(&(rows, height, width, out))
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
        let shift = shift.map(|shift| shift.reshape_like(&[rows, out.size()]));
        let inputs: Vec<_> = inputs.into_iter().map(|x| [dynamic_image(x)]).collect();
        let channels: Vec<usize> = inputs.iter().map(|[x]| x.shape()[3]).collect();
        let layer = layer((height.size(), width.size()), operator, Some((preparation, &channels)));
        let residual = residual.map(|r| [dynamic_image(r)]);
        let [y] = convolution::convolution(inputs, layer, shift, residual);
        y.reshape_like(&(rows, height, width, out))
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
        let shift = shift.map(|shift| shift.reshape_like(&[rows, out.size()]));
        let streams = |x: Dual<_>| [dynamic_image(x.value), dynamic_image(x.tangent)];
        let inputs: Vec<_> = inputs.into_iter().map(streams).collect();
        let channels: Vec<usize> = inputs.iter().map(|x| x[0].shape()[3]).collect();
        let layer = layer((height.size(), width.size()), operator, Some((preparation, &channels)));
        let residual = residual.map(|r| [dynamic_image(r.value), dynamic_image(r.tangent)]);
        let [value, tangent] = convolution::convolution(inputs, layer, shift, residual);
        Dual::new(value, tangent).map(|y| y.reshape_like(&(rows, height, width, out)))
    }

    fn dropout<S: Shape, T: Tape<f32, Self> + 'static>(
        x: Tensor<S, f32, Self, T>,
        key: DropoutKey,
    ) -> Tensor<S, f32, Self, T> {
        let shape = *x.shape();
        dropout::dropout(x.reshape_like(&[shape.num_elements()]), key).reshape_like(&shape)
    }

    fn group_norm<H: Dim, W: Dim, C: Dim, T: Tape<f32, Self> + 'static>(
        x: Tensor<ImageBatch<H, W, C>, f32, Self, T>,
        norm: &GroupNorm<'_, f32, Self>,
    ) -> Tensor<ImageBatch<H, W, C>, f32, Self, T> {
        let shape = *x.shape();
        group_norm::group_norm(dynamic_image(x), norm).reshape_like(&shape)
    }

    fn group_norm_jvp<H: Dim, W: Dim, C: Dim, T: Tape<f32, Self> + 'static>(
        x: Dual<Tensor<ImageBatch<H, W, C>, f32, Self, T>>,
        norm: &GroupNorm<'_, f32, Self>,
    ) -> Dual<Tensor<ImageBatch<H, W, C>, f32, Self, T>> {
        let shape = *x.value.shape();
        group_norm_jvp::group_norm_jvp(x.map(dynamic_image), norm).map(|y| y.reshape_like(&shape))
    }

    fn attention<T: Tape<f32, Self> + 'static>(q: Tokens<T>, k: Tokens<T>, v: Tokens<T>) -> Tokens<T> {
        attention::attention(q, k, v)
    }

    fn attention_jvp<T: Tape<f32, Self> + 'static>(
        q: Dual<Tokens<T>>,
        k: Dual<Tokens<T>>,
        v: Dual<Tokens<T>>,
    ) -> Dual<Tokens<T>> {
        attention_jvp::attention_jvp(q, k, v)
    }

    fn average_pool<H: Dim, W: Dim, C: Dim, T: Tape<f32, Self> + 'static>(
        x: Tensor<ImageBatch<H, W, C>, f32, Self, T>,
    ) -> Tensor<ImageBatch<usize, usize, C>, f32, Self, T> {
        let channels = x.shape().3;
        let y = resample::average_pool(dynamic_image(x));
        let [rows, height, width, _] = *y.shape();
        y.reshape_like(&(rows, height, width, channels))
    }

    fn upsample<H: Dim, W: Dim, C: Dim, T: Tape<f32, Self> + 'static>(
        x: Tensor<ImageBatch<H, W, C>, f32, Self, T>,
    ) -> Tensor<ImageBatch<usize, usize, C>, f32, Self, T> {
        let channels = x.shape().3;
        let y = resample::upsample(dynamic_image(x));
        let [rows, height, width, _] = *y.shape();
        y.reshape_like(&(rows, height, width, channels))
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
