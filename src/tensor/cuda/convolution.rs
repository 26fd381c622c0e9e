//! 3x3 convolution of images as they are or after group norm, swish and dropout, by one of three ways: `winograd`, `direct` (cuDNN)
//! or `patches`.
//!
//! The batch is worked on in chunks of images, which are normalized into scratch memory. Nothing but the outputs leaves it; the backward pass
//! makes the rest again.

use super::group_norm::{Images, with_tape};
use super::launch::{Engine, View};
use super::layer::{Layer, Sizes};
use super::storage::{Ghost, Image, done, output, take_tape, taken, view};
use super::sums::{add, sums};
use super::{direct, patches, winograd};
use crate::tensor::choices::Candidate;
use dfdx::prelude::*;
use std::rc::Rc;

/// See [`Convolution`](crate::tensor::Convolution) and [`Preparation`](crate::tensor::Preparation); the operation with
/// its backward pass. Bias and shift belong to the first stream.
pub(super) fn convolution<const N: usize, T: Tape<f32, Cuda> + 'static>(
    (engine, way): (Rc<Engine>, Candidate),
    inputs: Vec<[Image<T>; N]>,
    layer: Layer,
    shift: Option<Tensor<(usize, usize), f32, Cuda, T>>,
    residual: Option<[Image<T>; N]>,
) -> [Image<T>; N] {
    let device = layer.weight.device().clone();
    let mut tape = T::default();
    let xs: Vec<[Image<NoneTape>; N]> =
        inputs.into_iter().map(|x| x.map(|x| take_tape(x, &mut tape))).collect();
    let residual = residual.map(|r| r.map(|r| take_tape(r, &mut tape)));
    let shift = shift.map(|shift| take_tape(shift, &mut tape));
    let widths: Vec<usize> = xs.iter().map(|x| x[0].shape().3).collect();
    let (height, width) = layer.side;
    let mut sizes = Sizes {
        rows: xs.first().map_or(0, |x| x[0].shape().0),
        height,
        width,
        channels: widths.iter().sum(),
        widths,
        out: layer.weight.shape().1,
        chunk: 1,
    };
    let own = match way {
        Candidate::Cudnn => direct::room_of_image(&sizes),
        Candidate::Patches => patches::room_of_image(&sizes),
        _ => winograd::room_of_image(&sizes),
    };
    let image = own + if layer.norms.is_some() { N * sizes.positions() * sizes.channels } else { 0 };
    sizes.chunk = engine.chunk(image, sizes.rows);
    if way == Candidate::Cudnn {
        sizes.chunk = direct::chunk(sizes.chunk, sizes.rows);
    }

    let ys = [(); N].map(|()| output(&device, (sizes.rows, height, width, sizes.out)));
    let to = ys.each_ref().map(view);
    let added = (&shift, &residual);
    done(match way {
        Candidate::Cudnn => direct::forward(&engine, &sizes, &layer, &xs, added, to),
        Candidate::Patches => patches::forward(&engine, &sizes, &layer, &xs, added, to),
        _ => winograd::forward(&engine, &sizes, &layer, &xs, added, to),
    });

    if T::OWNS_TAPE {
        let outputs = ys.each_ref().map(Ghost::of);
        let ghosts: Vec<[Ghost; N]> = xs.iter().map(|x| x.each_ref().map(Ghost::of)).collect();
        let residual = residual.map(|r| r.each_ref().map(Ghost::of));
        let shift = shift.map(|shift| Ghost::of(&shift));
        tape.add_backward_op(move |store| {
            let mut gys = Vec::with_capacity(N);
            for output in &outputs {
                gys.push(output.take(store, &device)?);
            }
            let gys: [View; N] = std::array::from_fn(|i| taken(&gys[i]));
            for (residual, gy) in residual.iter().flatten().zip(gys) {
                add(&engine, residual.gradient(store)?, gy)?;
            }
            let images = Images { rows: sizes.rows, positions: sizes.positions() };
            sums(&engine, images, sizes.out, gys[0], (&shift, &layer.bias), store)?;
            match way {
                Candidate::Cudnn => direct::backward(&engine, &sizes, &layer, (&xs, &ghosts), gys, store),
                Candidate::Patches => patches::backward(&engine, &sizes, &layer, (&xs, &ghosts), gys, store),
                _ => winograd::backward(&engine, &sizes, &layer, (&xs, &ghosts), gys, store),
            }
        });
    }
    with_tape(ys, tape)
}
