//! The optimizer's step of one parameter, and sums of squares: `source/update.cu`.

use super::launch::{Argument, Engine, arguments, element_blocks, index};
use super::storage::{done, output, view};
use crate::tensor::{AdamStep, Moments};
use dfdx::prelude::*;

/// The numbers of which a block adds up the squares, as in `source/update.cu`.
const STRETCH: usize = 16384;

/// See [`AdamStep`]. What is new lies in buffers of its own: the old ones may be shared, and go back to the cache when nobody holds them.
pub(super) fn adamw<S: Shape>(
    engine: &Engine,
    parameter: &mut Tensor<S, f32, Cuda>,
    gradient: &Tensor<(usize,), f32, Cuda>,
    moments: &mut Moments<f32, Cuda>,
    step: &AdamStep,
) {
    let device = gradient.device();
    let count = gradient.shape().0;
    let own = output(device, *parameter.shape());
    let [first, second, ema] = [(); 3].map(|()| output(device, (count,)));
    let number = |x: f64| Argument::Float(x as f32);
    let of = arguments![
        view(&own),
        view(&first),
        view(&second),
        view(&ema),
        view(parameter),
        view(&moments.first),
        view(&moments.second),
        view(&moments.ema),
        view(gradient),
        index(count),
        number(step.rate),
        number(step.beta1),
        number(step.beta2),
        number(1.0 - step.beta1),
        number(1.0 - step.beta2),
        number(step.epsilon),
        number(step.decay),
        number(1.0 / step.correction1),
        number(1.0 / step.correction2),
        number(step.ema_decay),
        number(1.0 - step.ema_decay),
        number(step.gradient_scale)
    ];
    done(engine.launch("adamw", element_blocks(count), of));
    *parameter = own;
    *moments = Moments { first, second, ema };
}

/// The sum of the squares of each tensor, in `f64` and in a fixed order; all come in one transfer.
pub(super) fn sums_of_squares(engine: &Engine, tensors: &[&Tensor<(usize,), f32, Cuda>]) -> Vec<f64> {
    let Some(first) = tensors.first() else { return Vec::new() };
    let counts: Vec<usize> = tensors.iter().map(|x| x.shape().0.div_ceil(STRETCH)).collect();
    let total = counts.iter().sum::<usize>();
    let parts: Tensor<(usize,), f64, Cuda> = first.device().zeros_like(&(total.max(1),));
    let to = view(&parts);
    let width = size_of::<f64>() / size_of::<f32>();
    let mut before = 0;
    for (x, count) in tensors.iter().zip(&counts) {
        let of = arguments![to.part(before * width, count * width), view(*x), index(x.shape().0)];
        done(engine.launch("squares", *count, of));
        before += count;
    }
    let parts = parts.as_vec();
    let mut rest = parts.iter();
    counts.iter().map(|count| rest.by_ref().take(*count).sum()).collect()
}
