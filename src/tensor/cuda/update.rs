//! The optimizer's step of all parameters, sums of squares, and copies: `source/update.cu`.
//!
//! What is new lies in buffers of its own: the old ones may be shared, of which dfdx tells nothing, and go back to the cache when nobody
//! holds them. So that a large network has not all of its numbers twice, parameters are gathered until they have [`GROUP`] numbers; those are
//! computed, and the next ones take the buffers that they left.

use super::functions::driver::copies;
use super::launch::{Argument, Engine, WORD, arguments, element_blocks, int};
use super::storage::{done, output, view};
use crate::tensor::{Moments, Update, Updates, reshape};
use dfdx::prelude::*;

/// The numbers of which a block adds up the squares, as in `source/update.cu`.
const STRETCH: usize = 16384;

/// The numbers of the parameters that are computed together: 256 MiB for what is new.
const GROUP: usize = 1 << 24;

/// Whether parameters of these sizes are enough for a launch.
fn is_group(sizes: impl Iterator<Item = usize>) -> bool {
    sizes.sum::<usize>() >= GROUP
}

/// Gives a parameter and its moments new tensors, and computes what was gathered when it is enough.
pub(super) fn gather<S: Shape>(
    engine: &Engine,
    parameter: &mut Tensor<S, f32, Cuda>,
    gradient: &Tensor<(usize,), f32, Cuda>,
    moments: &mut Moments<f32, Cuda>,
    decay: f64,
    updates: &mut Updates<f32, Cuda>,
) {
    let (device, shape, len) = (gradient.device(), *parameter.shape(), *gradient.shape());
    let [new, first, second, ema] = [(); 4].map(|()| output(device, len));
    let old = std::mem::replace(parameter, reshape(new.clone(), shape));
    let fresh = Moments { first, second, ema };
    updates.gather(Update {
        parameter: [reshape(old, len), new],
        moments: [std::mem::replace(moments, fresh.clone()), fresh],
        gradient: reshape(gradient.clone(), len),
        decay,
    });
    if is_group(updates.gathered().iter().map(|update| update.gradient.shape().0)) {
        compute(engine, updates);
    }
}

/// The step of what was gathered, in one launch.
pub(super) fn compute(engine: &Engine, updates: &mut Updates<f32, Cuda>) {
    let (gathered, step) = (updates.take(), *updates.step());
    let counts: Vec<usize> = gathered.iter().map(|update| update.gradient.shape().0).collect();
    let (mut table, blocks) = rows(&counts, element_blocks, |i| {
        let Update { parameter: [p, p_to], moments: [old, new], gradient, .. } = &gathered[i];
        let old = [p, &old.first, &old.second, &old.ema, gradient];
        let new = [p_to, &new.first, &new.second, &new.ema];
        new.into_iter().chain(old).map(|x| view(x).address()).collect()
    });
    let before = table.len();
    table.extend(gathered.iter().map(|update| update.decay.to_bits()));
    let number = |x: f64| Argument::Float(x as f32);
    done(engine.table(&table, |at| {
        let of = arguments![
            at,
            at.part(before * WORD, counts.len() * WORD),
            int(counts.len()),
            number(step.rate),
            number(step.beta1),
            number(step.beta2),
            number(1.0 - step.beta1),
            number(1.0 - step.beta2),
            number(step.epsilon),
            number(1.0 / step.correction1),
            number(1.0 / step.correction2),
            number(step.ema_decay),
            number(1.0 - step.ema_decay),
            number(step.gradient_scale)
        ];
        engine.launch("adamw", blocks, of)
    }));
}

/// A table's rows, each the first block of a tensor, its count and addresses; and the blocks of all.
fn rows(
    counts: &[usize],
    blocks: impl Fn(usize) -> usize,
    addresses: impl Fn(usize) -> Vec<u64>,
) -> (Vec<u64>, usize) {
    let (mut table, mut before) = (Vec::new(), 0);
    for (i, count) in counts.iter().enumerate() {
        table.extend([before as u64, *count as u64]);
        table.extend(addresses(i));
        before += blocks(*count);
    }
    (table, before)
}

/// Does `work`, and then its copies of tensors in one launch.
pub(super) fn together<R>(engine: &Engine, work: impl FnOnce() -> R) -> R {
    let (answer, copies) = copies(work);
    let counts: Vec<usize> = copies.iter().map(|(_, _, bytes)| bytes / size_of::<f32>()).collect();
    let (table, blocks) = rows(&counts, element_blocks, |i| vec![copies[i].0, copies[i].1]);
    if blocks > 0 {
        done(engine.table(&table, |at| engine.launch("copies", blocks, arguments![at, int(counts.len())])));
    }
    answer
}

/// The sum of the squares of each tensor, in `f64` and in a fixed order: one launch, and one transfer back.
pub(super) fn sums_of_squares(engine: &Engine, tensors: &[&Tensor<(usize,), f32, Cuda>]) -> Vec<f64> {
    let Some(first) = tensors.first() else { return Vec::new() };
    let counts: Vec<usize> = tensors.iter().map(|x| x.shape().0).collect();
    let parts_of = |count: usize| count.div_ceil(STRETCH);
    let (table, blocks) = rows(&counts, parts_of, |i| vec![view(tensors[i]).address()]);
    let parts: Tensor<(usize,), f64, Cuda> = output(first.device(), (blocks.max(1),));
    done(engine.table(&table, |at| {
        engine.launch("squares", blocks, arguments![view(&parts), at, int(counts.len())])
    }));
    let parts = parts.as_vec();
    let mut rest = parts.iter();
    counts.iter().map(|count| rest.by_ref().take(parts_of(*count)).sum()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_has_a_row_for_each_tensor_with_its_first_block() {
        let (table, blocks) = rows(&[3, 0, 2049, 1], element_blocks, |i| vec![100 + i as u64]);
        assert_eq!(table, [0, 3, 100, 1, 0, 101, 1, 2049, 102, 4, 1, 103]);
        assert_eq!(blocks, 5);
    }

    #[test]
    fn a_group_has_an_end() {
        assert!(!is_group([1000; 400].into_iter()));
        assert!(is_group([GROUP / 2; 2].into_iter()));
    }
}
