//! 1x1 convolution: products of cuBLAS with the images as they lie, added to bias, shift and residual.

use super::group_norm::Images;
use super::launch::{Engine, Matrices, View, arguments, element_blocks, index, int};
use super::storage::{Ghost, Image, done, output, take_tape, taken, view};
use super::sums::{add, sums};
use dfdx::prelude::*;
use std::rc::Rc;

type Weight = Tensor<(usize, usize), f32, Cuda>;
type Bias = Option<Tensor<(usize,), f32, Cuda>>;

/// See [`Convolution`](crate::tensor::Convolution); the operation with its backward pass.
pub(super) fn convolution<T: Tape<f32, Cuda> + 'static>(
    engine: Rc<Engine>,
    inputs: Vec<Image<T>>,
    (weight, bias): (Weight, Bias),
    shift: Option<Tensor<(usize, usize), f32, Cuda, T>>,
    residual: Option<Image<T>>,
) -> Image<T> {
    let device = weight.device().clone();
    let mut tape = T::default();
    let xs: Vec<Image<NoneTape>> = inputs.into_iter().map(|x| take_tape(x, &mut tape)).collect();
    let residual = residual.map(|r| take_tape(r, &mut tape));
    let shift = shift.map(|shift| take_tape(shift, &mut tape));
    let (rows, height, width) = xs.first().map_or((0, 0, 0), |x| (x.shape().0, x.shape().1, x.shape().2));
    let (images, out) = (Images { rows, positions: height * width }, weight.shape().1);
    let lines = rows * images.positions;

    let y = output(&device, (rows, height, width, out));
    let to = view(&y);
    let terms = arguments![
        to,
        bias.as_ref().map(view),
        shift.as_ref().map(view),
        residual.as_ref().map(view),
        index(lines * out),
        int(images.positions * out),
        int(out)
    ];
    done(engine.launch("terms", element_blocks(lines * out), terms));
    // A product of each input with its rows of the weights.
    let parts = move |xs: &[Image<NoneTape>], weight: View| -> Vec<(Matrices, Matrices, usize)> {
        let mut before = 0;
        let of = |x: &Image<NoneTape>| {
            let channels = x.shape().3;
            before += channels;
            let own = weight.part((before - channels) * out, channels * out);
            (Matrices::full(view(x), lines, channels), Matrices::full(own, channels, out), channels)
        };
        xs.iter().map(of).collect()
    };
    for (x, weight, _) in parts(&xs, view(&weight)) {
        done(engine.product(1, 1.0, [x, weight], 1.0, Matrices::full(to, lines, out)));
    }

    if T::OWNS_TAPE {
        let (result, ghosts) = (Ghost::of(&y), xs.iter().map(Ghost::of).collect::<Vec<_>>());
        let residual = residual.map(|r| Ghost::of(&r));
        let shift = shift.map(|shift| Ghost::of(&shift));
        tape.add_backward_op(move |store| {
            let held = result.take(store, &device)?;
            let gy = taken(&held);
            if let Some(residual) = &residual {
                add(&engine, residual.gradient(store)?, gy)?;
            }
            sums(&engine, images, out, gy, (&shift, &bias), store)?;
            let gy = Matrices::full(gy, lines, out);
            let gweight = Ghost::of(&weight).gradient(store)?;
            for (x, gweight, _) in parts(&xs, gweight) {
                engine.product(1, 1.0, [x.turned(), gy], 1.0, gweight)?;
            }
            for ((_, weight, channels), ghost) in parts(&xs, view(&weight)).into_iter().zip(&ghosts) {
                let gx = Matrices::full(ghost.gradient(store)?, lines, channels);
                engine.product(1, 1.0, [gy, weight.turned()], 1.0, gx)?;
            }
            Ok(())
        });
    }
    y.put_tape(tape)
}
