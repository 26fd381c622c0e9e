//! Dropout without a mask in memory.

use super::simd::vectorized;
use super::storage::{numbers, numbers_mut, take};
use super::unwritten::unwritten;
use crate::tensor::DropoutKey;
use crate::tensor::parallel::each;
use dfdx::prelude::*;

/// Elements per unit of work.
const UNIT: usize = 1 << 14;

/// See [`DropoutKey`]; the operation with its backward pass.
pub(super) fn dropout<T: Tape<f32, Cpu> + 'static>(
    x: Tensor<[usize; 1], f32, Cpu, T>,
    key: DropoutKey,
) -> Tensor<[usize; 1], f32, Cpu, T> {
    let (x, mut tape) = x.contiguous().split_tape();
    let device = x.device().clone();
    let mut y = unwritten(&device, x.shape());
    masked(key, numbers(&x), numbers_mut(&mut y), |y, x| *y = x);
    let (input, output) = (x.ghost(), y.ghost());
    tape.add_backward_op(move |grads| {
        let gy = take(grads.get_or_alloc_mut(&output)?, &device)?;
        masked(key, &gy, grads.get_or_alloc_mut(&input)?, |gx, gy| *gx += gy);
        Ok(())
    });
    y.put_tape(tape)
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
pub(super) fn mask<const N: usize>(key: DropoutKey, first: usize, streams: [&mut [f32]; N]) {
    const LINE: usize = 64;
    let mut streams = streams.map(|x| x.chunks_mut(LINE));
    let mut at = first as u64;
    vectorized(
        #[inline(always)]
        || loop {
            let mut factors = [0.0f32; LINE];
            for (i, factor) in factors.iter_mut().enumerate() {
                *factor = key.factor(at + i as u64) as f32;
            }
            at += LINE as u64;
            let mut ended = true;
            for stream in &mut streams {
                let Some(x) = stream.next() else { continue };
                ended = false;
                for i in 0..x.len().min(LINE) {
                    x[i] *= factors[i];
                }
            }
            if ended {
                return;
            }
        },
    );
}
