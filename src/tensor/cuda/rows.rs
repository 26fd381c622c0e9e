//! Batches scaled by numbers a row, and what the solver asks of each row: `source/rows.cu`.
//!
//! The states of a solve are `f64`, and so is every coefficient until it meets its row.

use super::candidates::{NUMBERS, own};
use super::elementwise::linear;
use super::launch::{Argument, Engine, View, WORD, arguments, element_blocks, flag, index, int};
use super::storage::{Ghost, done, output, take_tape, taken, view};
use crate::tensor::operation::Operation;
use crate::tensor::{Kernels, Real, reshape, rows as portable};
use dfdx::prelude::*;
use std::rc::Rc;

/// Numbers on the device, in a buffer of its cache.
pub(super) fn uploaded<S: Shape, E: Dtype>(device: &Cuda, numbers: &[E], shape: S) -> Tensor<S, E, Cuda>
where
    Cuda: Device<E>,
{
    let mut tensor = output(device, shape);
    tensor.copy_from(numbers);
    tensor
}

/// `x` with each row times its coefficient; the operation with its backward pass.
pub(super) fn scale<S: Shape, T: Tape<f32, Cuda> + 'static>(
    engine: Rc<Engine>,
    x: Tensor<S, f32, Cuda, T>,
    coefficients: &[f64],
) -> Tensor<S, f32, Cuda, T> {
    let (shape, count) = (*x.shape(), x.shape().num_elements());
    let columns = count / coefficients.len().max(1);
    let own = uploaded(x.device(), coefficients, (coefficients.len(),));
    let run = move |engine: &Engine, y: View, x: View, add: bool| {
        let of = arguments![y, x, view(&own), index(count), index(columns), flag(add)];
        engine.launch("scale_rows", element_blocks(count), of)
    };
    let (forward, again) = (run.clone(), engine.clone());
    linear(x, shape, |y, x| forward(&engine, y, x, false), move |gx, gy| run(&again, gx, gy, true))
}

/// The sum of the terms, and of `base` if there is one: one transfer, and one launch of the kernel of this name.
pub(super) fn combine<S: Shape, E: Real>(
    engine: &Engine,
    kernel: &'static str,
    terms: &[(&[f64], &Tensor<S, E, Cuda>)],
    base: Option<&Tensor<S, E, Cuda>>,
) -> Tensor<S, E, Cuda>
where
    Cuda: Kernels<E>,
{
    let (coefficients, first) = terms[0];
    let (shape, rows) = (*first.shape(), coefficients.len());
    let ordered = |x: &Tensor<S, E, Cuda>| reshape(x.clone(), shape);
    let (xs, base): (Vec<_>, _) = (terms.iter().map(|(_, x)| ordered(x)).collect(), base.map(ordered));
    let addresses = xs.iter().map(|x| view(x).address());
    let numbers = terms.iter().flat_map(|(c, _)| c.iter().map(|c| c.to_bits()));
    let table: Vec<u64> = addresses.chain(numbers).collect();
    let y = output(first.device(), shape);
    let count = shape.num_elements();
    done(engine.table(&table, |at| {
        let of = arguments![
            view(&y),
            base.as_ref().map(view),
            at,
            at.part(xs.len() * WORD, rows * xs.len() * WORD),
            int(xs.len()),
            index(count),
            index(count / rows.max(1))
        ];
        engine.launch(kernel, element_blocks(count), of)
    }));
    y
}

/// Of each row, the sum of `(a - b)^2`; the operation with its backward pass.
pub(super) fn distances<S: Shape, T: Tape<f32, Cuda> + 'static>(
    engine: Rc<Engine>,
    a: Tensor<S, f32, Cuda, T>,
    b: &Tensor<S, f32, Cuda>,
) -> Tensor<(usize,), f32, Cuda, T> {
    let mut tape = T::default();
    let a = take_tape(a, &mut tape);
    let (device, shape, b) = (a.device().clone(), *a.shape(), reshape(b.clone(), *a.shape()));
    let (rows, count) = (shape.concrete()[0], shape.num_elements());
    let columns = count / rows.max(1);
    let y = output(&device, (rows,));
    done(engine.launch("distances", rows, arguments![view(&y), view(&a), view(&b), index(columns)]));
    if T::OWNS_TAPE {
        let (input, result) = (Ghost::of(&a), Ghost::of(&y));
        tape.add_backward_op(move |store| {
            let g = result.take(store, &device)?;
            let [a, b, ga] = [view(&a), view(&b), input.gradient(store)?];
            let of = arguments![ga, taken(&g), a, b, index(count), index(columns)];
            engine.launch("distances_back", element_blocks(count), of)
        });
    }
    y.put_tape(tape)
}

type States = Tensor<(usize, usize), f64, Cuda>;

/// A number for each row of states, by a kernel that adds it up in one block.
fn sums<const N: usize>(
    engine: &Engine,
    kernel: &'static str,
    states: [&States; N],
    numbers: &[f64],
) -> Vec<f64> {
    let (rows, columns) = *states[0].shape();
    if rows == 0 {
        return Vec::new();
    }
    let states = states.map(|x| reshape(x.clone(), (rows, columns)));
    let found: Tensor<(usize,), f64, Cuda> = output(states[0].device(), (rows,));
    let mut of = vec![Argument::from(view(&found))];
    of.extend(states.iter().map(|x| Argument::from(view(x))));
    of.extend(numbers.iter().map(|x| Argument::Double(*x)));
    of.push(index(columns));
    done(engine.launch(kernel, rows, &mut of));
    found.as_vec()
}

impl Kernels<f64> for Cuda {
    fn ordinal(&self) -> usize {
        super::ordinal(self)
    }

    fn upload<S: Shape>(&self, numbers: &[f64], shape: S) -> Tensor<S, f64, Self> {
        uploaded(self, numbers, shape)
    }

    fn combine_rows<S: Shape>(
        terms: &[(&[f64], &Tensor<S, f64, Self>)],
        base: Option<&Tensor<S, f64, Self>>,
    ) -> Tensor<S, f64, Self> {
        match own(terms[0].1.device(), Operation::CombineRows { numbers: NUMBERS, double: true }) {
            Some((engine, _)) => combine(&engine, "combine_f64", terms, base),
            None => portable::combine(terms, base),
        }
    }

    fn error_sums(error: &States, before: &States, after: &States, absolute: f64, relative: f64) -> Vec<f64> {
        match own(error.device(), Operation::ErrorSums { numbers: NUMBERS }) {
            Some((engine, _)) => sums(&engine, "error_rows", [error, before, after], &[absolute, relative]),
            None => portable::error_sums(error, before, after, absolute, relative),
        }
    }

    fn finite_rows(x: &States) -> Vec<bool> {
        match own(x.device(), Operation::FiniteRows { numbers: NUMBERS }) {
            Some((engine, _)) => {
                sums(&engine, "not_finite_rows", [x], &[]).iter().map(|count| *count == 0.0).collect()
            }
            None => portable::finite(x),
        }
    }
}
