//! Fused kernels for `f32` on the CPU.
//!
//! Each file is one operation: its forward pass on slices, its backward pass on slices, and the
//! dfdx operation that ties them to a tape. Work is split in units that do not depend on the number of
//! threads, and partial sums are added in the order of the units, so results do not depend on it either.
//! The instruction set is chosen at run time.

mod attention;
mod convolution;
mod dropout;
mod group_norm;
mod group_norm_jvp;
mod matrix;
mod patches;
mod simd;
mod storage;
mod update;

use super::{
    AdamStep, Convolution, DropoutKey, Dual, Forward, GroupNorm, ImageBatch, Kernels, Moments, Plain, compose,
};
use dfdx::prelude::{Const, Cpu, Dim, HasShape, ReshapeTo, Shape, Tape, Tensor};

pub use matrix::product;
use simd::vectorized;

/// The same images with a shape that is known at run time only: the kernels are compiled once.
fn dynamic_image<const H: usize, const W: usize, C: Dim, T: Tape<f32, Cpu>>(
    x: Tensor<ImageBatch<H, W, C>, f32, Cpu, T>,
) -> Tensor<[usize; 4], f32, Cpu, T> {
    let shape = x.shape().concrete();
    x.reshape_like(&shape)
}

type Tokens<T> = Tensor<(usize, usize, usize), f32, Cpu, T>;

impl Kernels<f32> for Cpu {
    fn convolution<const H: usize, const W: usize, I: Dim, O: Dim, T: Tape<f32, Self>>(
        inputs: Vec<Tensor<ImageBatch<H, W, I>, f32, Self, T>>,
        operator: &Convolution<'_, O, f32, Self>,
        shift: Option<Tensor<(usize, O), f32, Self, T>>,
        residual: Option<Tensor<ImageBatch<H, W, O>, f32, Self, T>>,
    ) -> Tensor<ImageBatch<H, W, O>, f32, Self, T> {
        let flat = (operator.weight.shape().0, operator.weight.shape().1.size());
        let weight = operator.weight.clone().reshape_like(&flat);
        let bias = operator.bias.map(|bias| bias.clone().reshape_like(&(flat.1,)));
        let dynamic = Convolution { size: operator.size, weight: &weight, bias: bias.as_ref() };
        let inputs: Vec<_> = inputs.into_iter().map(dynamic_image).collect();
        let rows = inputs.first().map_or(0, |x| x.shape()[0]);
        let shift = shift.map(|shift| shift.reshape_like(&[rows, flat.1]));
        let y = convolution::convolution(inputs, &dynamic, (H, W), shift, residual.map(dynamic_image));
        y.reshape_like(&(rows, Const, Const, operator.weight.shape().1))
    }

    fn dropout<S: Shape, T: Tape<f32, Self>>(
        x: Tensor<S, f32, Self, T>,
        key: DropoutKey,
    ) -> Tensor<S, f32, Self, T> {
        let shape = *x.shape();
        dropout::dropout(x.reshape_like(&[shape.num_elements()]), key).reshape_like(&shape)
    }

    fn group_norm<const H: usize, const W: usize, C: Dim, T: Tape<f32, Self>>(
        x: Tensor<ImageBatch<H, W, C>, f32, Self, T>,
        norm: &GroupNorm<'_, f32, Self>,
    ) -> Tensor<ImageBatch<H, W, C>, f32, Self, T> {
        let shape = *x.shape();
        group_norm::group_norm(dynamic_image(x), norm).reshape_like(&shape)
    }

    fn group_norm_jvp<const H: usize, const W: usize, C: Dim, T: Tape<f32, Self>>(
        x: Dual<Tensor<ImageBatch<H, W, C>, f32, Self, T>>,
        norm: &GroupNorm<'_, f32, Self>,
    ) -> Dual<Tensor<ImageBatch<H, W, C>, f32, Self, T>> {
        let shape = *x.value.shape();
        group_norm_jvp::group_norm_jvp(x.map(dynamic_image), norm).map(|y| y.reshape_like(&shape))
    }

    fn attention<T: Tape<f32, Self>>(q: Tokens<T>, k: Tokens<T>, v: Tokens<T>) -> Tokens<T> {
        attention::attention(q, k, v)
    }

    fn attention_jvp<T: Tape<f32, Self>>(
        q: Dual<Tokens<T>>,
        k: Dual<Tokens<T>>,
        v: Dual<Tokens<T>>,
    ) -> Dual<Tokens<T>> {
        if T::OWNS_TAPE {
            compose::attention::<Forward<Plain<T>>, f32, Self>(q, k, v)
        } else {
            attention::attention_jvp(q, k, v)
        }
    }

    fn adamw<S: Shape>(
        parameter: &mut Tensor<S, f32, Self>,
        gradient: &Tensor<(usize,), f32, Self>,
        moments: &mut Moments<f32, Self>,
        step: &AdamStep,
    ) {
        update::adamw(storage::numbers_mut(parameter), gradient, moments, step);
    }

    fn sum_of_squares(x: &Tensor<(usize,), f32, Self>) -> f64 {
        update::sum_of_squares(storage::numbers(x))
    }
}
