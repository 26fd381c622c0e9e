//! Fourier features of images, and features of a number a row: `source/waves.cu`.

use super::group_norm::{streams, with_tape};
use super::launch::{Engine, View, WORD, arguments, element_blocks, index, int};
use super::storage::{Ghost, Image, done, output, take_tape, taken, view};
use dfdx::prelude::*;
use std::rc::Rc;

/// See [`Kernels::sinusoids`](crate::tensor::Kernels::sinusoids).
pub(super) fn sinusoids(
    engine: &Engine,
    device: &Cuda,
    [times, frequencies, others]: [&[f64]; 3],
    columns: usize,
) -> Tensor<(usize, usize), f32, Cuda> {
    let (rows, half) = (times.len(), frequencies.len());
    let y = output(device, (rows, columns));
    let table: Vec<u64> = [times, frequencies, others].concat().iter().map(|x| x.to_bits()).collect();
    done(engine.table(&table, |at| {
        let of = arguments![
            view(&y),
            at.part(0, rows * WORD),
            at.part(rows * WORD, half * WORD),
            at.part((rows + half) * WORD, others.len() * WORD),
            index(rows * columns),
            int(columns),
            int(half),
            int(others.len() / rows.max(1))
        ];
        engine.launch("sinusoids", element_blocks(rows * columns), of)
    }));
    y
}

/// The sizes of a launch: the numbers of an image, and the waves of each.
#[derive(Clone, Copy)]
struct Sizes {
    count: usize,
    image: usize,
    waves: usize,
}

/// Sines and cosines of `x`, or of a value and its tangent; the operation with its backward pass. See [`Waves`](crate::tensor::Waves).
pub(super) fn waves<const N: usize, T: Tape<f32, Cuda> + 'static>(
    engine: Rc<Engine>,
    x: [Image<T>; N],
    frequencies: Tensor<(usize, usize), f32, Cuda>,
    factors: Option<Tensor<(usize, usize), f32, Cuda>>,
) -> [[Image<T>; N]; 2] {
    let mut tape = T::default();
    let x = x.map(|x| take_tape(x, &mut tape));
    let device = x[0].device().clone();
    let (rows, height, width, channels) = *x[0].shape();
    let (image, columns) = (height * width * channels, frequencies.shape().1);
    let sizes = Sizes { count: rows * image, image, waves: columns / channels.max(1) };
    let y = [(); 2].map(|()| [(); N].map(|()| output(&device, (rows, height, width, columns))));
    let [sines, cosines] = y.each_ref().map(|y| streams(y.each_ref().map(view)));
    let given = streams(x.each_ref().map(view));
    let shape = move |numbers: usize| (index(numbers), index(sizes.image), int(sizes.waves));
    let many = sizes.count * sizes.waves;
    let (count, image, per_number) = shape(many);
    let constants = (view(&frequencies), factors.as_ref().map(view));
    let of = arguments![
        sines.0,
        sines.1,
        cosines.0,
        cosines.1,
        given.0,
        given.1,
        constants.0,
        constants.1,
        count,
        image,
        per_number
    ];
    done(engine.launch("wave", element_blocks(many), of));
    if T::OWNS_TAPE {
        let inputs = x.each_ref().map(Ghost::of);
        let outputs = y.each_ref().map(|y| y.each_ref().map(Ghost::of));
        tape.add_backward_op(move |store| {
            let mut gy = Vec::with_capacity(2 * N);
            for output in outputs.iter().flatten() {
                gy.push(output.take(store, &device)?);
            }
            let mut gx = [view(&x[0]); N];
            for (gx, input) in gx.iter_mut().zip(&inputs) {
                *gx = input.gradient(store)?;
            }
            let of = |i: usize| streams::<N>(std::array::from_fn(|j| taken(&gy[i * N + j])));
            let (sines, cosines, gx): (_, _, (View, Option<View>)) = (of(0), of(1), streams(gx));
            let given = streams(x.each_ref().map(view));
            let (count, image, per_number) = shape(sizes.count);
            let of = arguments![
                gx.0,
                gx.1,
                sines.0,
                sines.1,
                cosines.0,
                cosines.1,
                given.0,
                given.1,
                view(&frequencies),
                factors.as_ref().map(view),
                count,
                image,
                per_number
            ];
            engine.launch("wave_back", element_blocks(sizes.count), of)
        });
    }
    let [sines, cosines] = y;
    [with_tape(sines, tape), with_tape(cosines, T::default())]
}
