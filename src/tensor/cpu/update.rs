//! AdamW and the moving average in one pass over memory.

use super::simd::vectorized;
use super::storage::{numbers, numbers_mut};
use crate::tensor::parallel::each;
use crate::tensor::{AdamStep, Moments};
use dfdx::prelude::*;

/// Elements per unit of work.
const UNIT: usize = 1 << 14;

/// See [`AdamStep`].
pub(super) fn adamw(
    parameter: &mut [f32],
    gradient: &Tensor<(usize,), f32, Cpu>,
    moments: &mut Moments<f32, Cpu>,
    decay: f64,
    step: &AdamStep,
) {
    let [beta1, beta2, epsilon, decay, rate, ema_decay, gradient_scale] =
        [step.beta1, step.beta2, step.epsilon, decay, step.rate, step.ema_decay, step.gradient_scale]
            .map(|x| x as f32);
    let correction1 = (1.0 / step.correction1) as f32;
    let correction2 = (1.0 / step.correction2) as f32;
    let state = numbers_mut(&mut moments.first)
        .chunks_mut(UNIT)
        .zip(numbers_mut(&mut moments.second).chunks_mut(UNIT))
        .zip(numbers_mut(&mut moments.ema).chunks_mut(UNIT));
    each(
        parameter.chunks_mut(UNIT).zip(numbers(gradient).chunks(UNIT)).zip(state),
        |_, ((p, g), ((m, v), e))| {
            vectorized(
                #[inline(always)]
                || {
                    for ((p, g), ((m, v), e)) in p.iter_mut().zip(g).zip(m.iter_mut().zip(v).zip(e)) {
                        let g = g * gradient_scale;
                        *m = beta1 * *m + (1.0 - beta1) * g;
                        *v = beta2 * *v + (1.0 - beta2) * g * g;
                        let direction = *m * correction1 / ((*v * correction2).sqrt() + epsilon) + decay * *p;
                        *p -= rate * direction;
                        *e = ema_decay * *e + (1.0 - ema_decay) * *p;
                    }
                },
            );
        },
    );
}

/// The sum of the squares in `f64`, in a fixed order.
pub(super) fn sum_of_squares(x: &[f32]) -> f64 {
    let mut parts = vec![0.0; x.len().div_ceil(UNIT)];
    each(parts.iter_mut().zip(x.chunks(UNIT)), |_, (part, x)| {
        // Eight running sums: additions do not wait for each other.
        let (blocks, rest) = x.as_chunks::<8>();
        let mut sums = [0.0f64; 8];
        for block in blocks {
            for i in 0..8 {
                sums[i] += f64::from(block[i]) * f64::from(block[i]);
            }
        }
        let rest: f64 = rest.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
        *part = sums.iter().sum::<f64>() + rest;
    });
    parts.iter().sum()
}
