//! Swish, dropout, and images at half and at double resolution: `source/elementwise.cu`.

use super::group_norm::{Mask, streams, with_tape};
use super::launch::{Argument, Engine, View, arguments, element_blocks, flag, index, int};
use super::storage::{Ghost, Image, done, output, take_tape, taken, view};
use crate::tensor::DropoutKey;
use dfdx::prelude::*;
use std::rc::Rc;

/// An operation on one tensor, and its transpose, which adds to the gradient.
pub(super) fn linear<S: Shape, R: Shape, T: Tape<f32, Cuda> + 'static>(
    x: Tensor<S, f32, Cuda, T>,
    to: R,
    forward: impl FnOnce(View, View) -> Result<(), CudaError>,
    backward: impl FnOnce(View, View) -> Result<(), CudaError> + 'static,
) -> Tensor<R, f32, Cuda, T> {
    let mut tape = T::default();
    let x = take_tape(x, &mut tape);
    let device = x.device().clone();
    let y = output(&device, to);
    done(forward(view(&y), view(&x)));
    if T::OWNS_TAPE {
        let (input, result) = (Ghost::of(&x), Ghost::of(&y));
        tape.add_backward_op(move |store| {
            let gy = result.take(store, &device)?;
            backward(input.gradient(store)?, taken(&gy))
        });
    }
    y.put_tape(tape)
}

/// `x sigmoid(x)`, of a value, or of a value and its tangent; the operation with its backward pass.
pub(super) fn swish<const N: usize, S: Shape, T: Tape<f32, Cuda> + 'static>(
    engine: Rc<Engine>,
    x: [Tensor<S, f32, Cuda, T>; N],
) -> [Tensor<S, f32, Cuda, T>; N] {
    let mut tape = T::default();
    let x = x.map(|x| take_tape(x, &mut tape));
    let (device, shape) = (x[0].device().clone(), *x[0].shape());
    let count = shape.num_elements();
    let y = [(); N].map(|()| output(&device, shape));
    let [to, from] = [&y, &x].map(|all| streams(all.each_ref().map(view)));
    let of = arguments![to.0, to.1, from.0, from.1, index(count)];
    done(engine.launch("swish", element_blocks(count), of));
    if T::OWNS_TAPE {
        let [inputs, outputs] = [&x, &y].map(|all| all.each_ref().map(Ghost::of));
        tape.add_backward_op(move |store| {
            let mut gy = Vec::with_capacity(N);
            for output in &outputs {
                gy.push(output.take(store, &device)?);
            }
            let mut gx = [view(&x[0]); N];
            for (gx, input) in gx.iter_mut().zip(&inputs) {
                *gx = input.gradient(store)?;
            }
            let (to, from) = (streams(gx), streams::<N>(std::array::from_fn(|i| taken(&gy[i]))));
            let at = streams(x.each_ref().map(view));
            let of = arguments![to.0, to.1, from.0, from.1, at.0, at.1, index(count)];
            engine.launch("swish_back", element_blocks(count), of)
        });
    }
    with_tape(y, tape)
}

/// See [`DropoutKey`]; the operation with its backward pass.
pub(super) fn dropout<S: Shape, T: Tape<f32, Cuda> + 'static>(
    engine: Rc<Engine>,
    x: Tensor<S, f32, Cuda, T>,
    key: DropoutKey,
) -> Tensor<S, f32, Cuda, T> {
    let shape = *x.shape();
    let masked = move |engine: &Engine, y: View, x: View, add: bool| {
        let [key, threshold, kept, first] = Mask::new(Some(key), 0).arguments();
        let of = arguments![y, x, index(x.len()), key, threshold, kept, first, flag(add)];
        engine.launch("masked", element_blocks(x.len()), of)
    };
    let own = engine.clone();
    linear(x, shape, |y, x| masked(&engine, y, x, false), move |gx, gy| masked(&own, gx, gy, true))
}

/// The mean of each square of 2x2 pixels; the operation with its backward pass.
pub(super) fn average_pool<T: Tape<f32, Cuda> + 'static>(engine: Rc<Engine>, x: Image<T>) -> Image<T> {
    let (rows, height, width, channels) = *x.shape();
    let (down, across) = (height / 2, width / 2);
    let sizes: [Argument; 5] = [down, across, height, width, channels].map(int);
    let count = rows * down * across * channels;
    let run = move |engine: &Engine, kernel, a: View, b: View| {
        let [down, across, height, width, channels] = sizes;
        let of = arguments![a, b, index(count), down, across, height, width, channels];
        engine.launch(kernel, element_blocks(count), of)
    };
    let own = engine.clone();
    let to = (rows, down, across, channels);
    linear(x, to, |y, x| run(&engine, "pool", y, x), move |gx, gy| run(&own, "pool_back", gx, gy))
}

/// Each pixel as a square of 2x2; the operation with its backward pass.
pub(super) fn upsample<T: Tape<f32, Cuda> + 'static>(engine: Rc<Engine>, x: Image<T>) -> Image<T> {
    let (rows, height, width, channels) = *x.shape();
    let count = rows * height * width * channels;
    let run = move |engine: &Engine, kernel, a: View, b: View| {
        let of = arguments![a, b, index(count), int(width), int(channels)];
        engine.launch(kernel, element_blocks(count), of)
    };
    let own = engine.clone();
    let to = (rows, 2 * height, 2 * width, channels);
    linear(x, to, |y, x| run(&engine, "spread", y, x), move |gx, gy| run(&own, "spread_back", gx, gy))
}
