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
use dfdx::prelude::{Cpu, Dim, Shape, Tape, Tensor};

use simd::vectorized;

type Tokens<T> = Tensor<(usize, usize, usize), f32, Cpu, T>;

impl Kernels<f32> for Cpu {
    fn convolution<const H: usize, const W: usize, I: Dim, O: Dim, T: Tape<f32, Self>>(
        inputs: Vec<Tensor<ImageBatch<H, W, I>, f32, Self, T>>,
        operator: &Convolution<'_, O, f32, Self>,
        shift: Option<Tensor<(usize, O), f32, Self, T>>,
        residual: Option<Tensor<ImageBatch<H, W, O>, f32, Self, T>>,
    ) -> Tensor<ImageBatch<H, W, O>, f32, Self, T> {
        convolution::convolution(inputs, operator, shift, residual)
    }

    fn dropout<S: Shape, T: Tape<f32, Self>>(
        x: Tensor<S, f32, Self, T>,
        key: DropoutKey,
    ) -> Tensor<S, f32, Self, T> {
        dropout::dropout(x, key)
    }

    fn group_norm<const H: usize, const W: usize, C: Dim, T: Tape<f32, Self>>(
        x: Tensor<ImageBatch<H, W, C>, f32, Self, T>,
        norm: &GroupNorm<'_, f32, Self>,
    ) -> Tensor<ImageBatch<H, W, C>, f32, Self, T> {
        group_norm::group_norm(x, norm)
    }

    fn group_norm_jvp<const H: usize, const W: usize, C: Dim, T: Tape<f32, Self>>(
        x: Dual<Tensor<ImageBatch<H, W, C>, f32, Self, T>>,
        norm: &GroupNorm<'_, f32, Self>,
    ) -> Dual<Tensor<ImageBatch<H, W, C>, f32, Self, T>> {
        group_norm_jvp::group_norm_jvp(x, norm)
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
        update::adamw(parameter, gradient, moments, step);
    }

    fn sum_of_squares(x: &Tensor<(usize,), f32, Self>) -> f64 {
        update::sum_of_squares(storage::numbers(x))
    }
}
