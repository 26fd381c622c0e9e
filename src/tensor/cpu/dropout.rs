//! Dropout without a mask in memory.

use super::recorded::Backward;
use super::simd::vectorized;
use super::storage::{numbers, numbers_mut, take};
use super::unwritten::unwritten;
use crate::tensor::DropoutKey;
use crate::tensor::parallel::each;
use dfdx::prelude::*;

/// Elements per unit of work.
const UNIT: usize = 1 << 14;

/// A batch as a row of numbers.
type Numbers = Tensor<(usize,), f32, Cpu>;

/// See [`DropoutKey`]: the output, and the backward pass if it is to `record`.
pub(super) fn dropout(x: Numbers, key: DropoutKey, record: bool) -> (Numbers, Option<Backward>) {
    let device = x.device().clone();
    let mut y = unwritten(&device, x.shape());
    masked(key, numbers(&x), numbers_mut(&mut y), |y, x| *y = x);
    let (input, output) = (x.ghost(), y.ghost());
    let backward = move |grads: &mut Gradients<f32, Cpu>| {
        let gy = take(grads.get_or_alloc_mut(&output)?, &device)?;
        masked(key, &gy, grads.get_or_alloc_mut(&input)?, |gx, gy| *gx += gy);
        Ok(())
    };
    (y, record.then(|| Box::new(backward) as Backward))
}

/// Puts each number of `x`, times its factor, into the one of `y`.
fn masked(key: DropoutKey, x: &[f32], y: &mut [f32], put: impl Fn(&mut f32, f32) + Sync) {
    each(y.chunks_mut(UNIT).zip(x.chunks(UNIT)), |unit, (y, x)| {
        vectorized(
            #[inline(always)]
            || {
                let first = (unit * UNIT) as u64;
                for (i, (y, x)) in y.iter_mut().zip(x).enumerate() {
                    put(y, key.factor(first + i as u64) as f32 * x);
                }
            },
        );
    });
}

/// Multiplies the numbers of several streams, which are elements `first` and after, with their one mask.
pub(super) fn mask(key: DropoutKey, first: usize, streams: &mut [&mut [f32]]) {
    const LINE: usize = 64;
    let len = streams.first().map_or(0, |x| x.len());
    vectorized(
        #[inline(always)]
        || {
            for start in (0..len).step_by(LINE) {
                let mut factors = [0.0f32; LINE];
                for (i, factor) in factors.iter_mut().enumerate() {
                    *factor = key.factor((first + start + i) as u64) as f32;
                }
                for stream in streams.iter_mut() {
                    let x = &mut stream[start..(start + LINE).min(len)];
                    for i in 0..x.len().min(LINE) {
                        x[i] *= factors[i];
                    }
                }
            }
        },
    );
}
