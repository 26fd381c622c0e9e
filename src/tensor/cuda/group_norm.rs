//! Group norm, swish and dropout on the device, of values or of values and tangents: `source/group_norm.cu`.
//!
//! Statistics are taken in one pass: a block adds up a slab of positions, and a block a row puts slabs and channels together. Rows are
//! independent, and every sum has a fixed order.

use super::launch::{Argument, Engine, View, arguments, blocks, element_blocks, flag, index, int};
use super::storage::{Ghost, Store, done, output, take_tape, taken, view};
use crate::tensor::{DropoutKey, Dual, GroupNorm, ImageBatch};
use dfdx::prelude::*;
use std::rc::Rc;

/// The positions of a slab.
pub(super) const SLAB: usize = 64;
/// The numbers of a group that `norm_statistics` finds, and that `norm_back_means` does.
const STATISTICS: usize = 4;
const BACK: usize = 5;

/// Numbers of values and of their tangents, if there are any.
pub(super) type Streams = (View, Option<View>);

/// The mask of a dropout and the element of the whole tensor that comes first, as kernels take them.
#[derive(Clone, Copy)]
pub(super) struct Mask {
    key: u64,
    threshold: u64,
    kept: f32,
    first: usize,
}

impl Mask {
    pub(super) fn new(key: Option<DropoutKey>, first: usize) -> Self {
        match key {
            Some(DropoutKey { key, rate }) => {
                let threshold = (rate * 2f64.powi(53)).ceil() as u64;
                Self { key, threshold, kept: (1.0 / (1.0 - rate)) as f32, first }
            }
            None => Self { key: 0, threshold: 0, kept: 1.0, first },
        }
    }

    pub(super) fn arguments(self) -> [Argument; 4] {
        [
            Argument::Bits(self.key),
            Argument::Bits(self.threshold),
            Argument::Float(self.kept),
            index(self.first),
        ]
    }
}

/// So many images, of so many positions each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Images {
    pub(super) rows: usize,
    pub(super) positions: usize,
}

impl Images {
    pub(super) fn slabs(self) -> usize {
        self.positions.div_ceil(SLAB)
    }
}

/// A norm of inputs with so many channels, and its parameters.
#[derive(Clone, Debug)]
pub(super) struct Norm {
    pub(super) channels: usize,
    scale: Tensor<(usize,), f32, Cuda>,
    bias: Tensor<(usize,), f32, Cuda>,
    first_channel: usize,
    groups: usize,
    epsilon: f32,
    swish: bool,
}

impl Norm {
    pub(super) fn new(norm: &GroupNorm<'_, f32, Cuda>, channels: usize) -> Self {
        Self {
            channels,
            scale: norm.scale.clone(),
            bias: norm.bias.clone(),
            first_channel: norm.first_channel,
            groups: norm.groups,
            epsilon: norm.epsilon as f32,
            swish: norm.swish,
        }
    }

    fn parameters(&self) -> [View; 2] {
        [&self.scale, &self.bias].map(|x| view(x).part(self.first_channel, self.channels))
    }

    /// The numbers that [`forward`](Norm::forward) and [`backward`](Norm::backward) need room for.
    pub(super) fn room(&self, images: Images) -> usize {
        images.rows * (images.slabs() * self.channels * BACK + self.groups * (STATISTICS + BACK))
    }

    /// The pieces of the room: the parts of slabs, the statistics of groups, and what the backward pass has of them.
    fn pieces(&self, images: Images, room: View) -> [View; 3] {
        let sizes = [
            images.rows * images.slabs() * self.channels * BACK,
            images.rows * self.groups * STATISTICS,
            images.rows * self.groups * BACK,
        ];
        let mut first = 0;
        sizes.map(|size| {
            first += size;
            room.part(first - size, size)
        })
    }

    fn statistics(
        &self,
        engine: &Engine,
        images: Images,
        x: Streams,
        [part, statistics]: [View; 2],
    ) -> Result<(), CudaError> {
        let Images { rows, positions } = images;
        let slabs = images.slabs();
        let sizes = [int(positions), int(self.channels), int(slabs), int(SLAB)];
        let [positions, channels, of_slabs, slab] = sizes;
        engine.launch(
            "norm_slabs",
            rows * slabs,
            arguments![part, x.0, x.1, positions, channels, of_slabs, slab],
        )?;
        let (groups, epsilon) = (int(self.groups), Argument::Float(self.epsilon));
        let arguments = arguments![statistics, part, positions, channels, of_slabs, slab, groups, epsilon];
        engine.launch("norm_statistics", rows, arguments)
    }

    /// The blocks of the element-wise kernels, and the arguments about their shape.
    fn shape(&self, images: Images) -> (usize, [Argument; 5]) {
        let image = images.positions * self.channels;
        let shares = element_blocks(image);
        let of = [int(image), int(shares), int(self.channels), int(self.groups), flag(self.swish)];
        (images.rows * shares, of)
    }

    /// `y` of `x`, and their tangents.
    pub(super) fn forward(
        &self,
        engine: &Engine,
        images: Images,
        (x, y): (Streams, Streams),
        mask: Mask,
        room: View,
    ) -> Result<(), CudaError> {
        let [part, statistics, _] = self.pieces(images, room);
        self.statistics(engine, images, x, [part, statistics])?;
        let ([scale, bias], [key, threshold, kept, first]) = (self.parameters(), mask.arguments());
        let (blocks, [image, shares, channels, groups, swish]) = self.shape(images);
        engine.launch(
            "norm_apply",
            blocks,
            arguments![
                y.0, y.1, x.0, x.1, statistics, scale, bias, image, shares, channels, groups, swish, key,
                threshold, kept, first
            ],
        )
    }

    /// Adds to the gradients `gx`, and to those of scale and bias in the store.
    pub(super) fn backward(
        &self,
        engine: &Engine,
        images: Images,
        [x, gy, gx]: [Streams; 3],
        mask: Mask,
        room: View,
        store: &mut Store,
    ) -> Result<(), CudaError> {
        let [part, statistics, back] = self.pieces(images, room);
        self.statistics(engine, images, x, [part, statistics])?;
        let ([scale, bias], [key, threshold, kept, first]) = (self.parameters(), mask.arguments());
        let (many, [image, shares, channels, groups, swish]) = self.shape(images);
        let (positions, slabs) = (int(images.positions), int(images.slabs()));
        engine.launch(
            "norm_back_slabs",
            images.rows * images.slabs(),
            arguments![
                part,
                x.0,
                x.1,
                gy.0,
                gy.1,
                statistics,
                scale,
                bias,
                positions,
                channels,
                slabs,
                int(SLAB),
                groups,
                swish,
                key,
                threshold,
                kept,
                first
            ],
        )?;
        engine.launch(
            "norm_back_means",
            images.rows,
            arguments![back, part, statistics, scale, positions, channels, slabs, groups],
        )?;
        engine.launch(
            "norm_back_apply",
            many,
            arguments![
                gx.0, gx.1, x.0, x.1, gy.0, gy.1, statistics, back, scale, bias, image, shares, channels,
                groups, swish, key, threshold, kept, first
            ],
        )?;
        let of_parameters = [&self.scale, &self.bias].map(Ghost::of);
        let [gscale, gbias] = of_parameters.each_ref().map(|ghost| ghost.gradient(store));
        let (first, count) = (self.first_channel, self.channels);
        engine.launch(
            "norm_back_parameters",
            blocks(self.channels),
            arguments![
                gscale?.part(first, count),
                gbias?.part(first, count),
                part,
                int(images.rows),
                channels,
                slabs
            ],
        )
    }
}

type Image<T> = Tensor<ImageBatch<usize, usize, usize>, f32, Cuda, T>;

fn images<T>(x: &Image<T>) -> Images {
    let (rows, height, width, _) = *x.shape();
    Images { rows, positions: height * width }
}

/// See [`GroupNorm`]; the operation with its backward pass.
pub(super) fn group_norm<T: Tape<f32, Cuda> + 'static>(
    engine: Rc<Engine>,
    x: Image<T>,
    norm: &GroupNorm<'_, f32, Cuda>,
) -> Image<T> {
    let [y] = normed(engine, [x], norm);
    y
}

/// [`group_norm`] of a value and its tangent.
pub(super) fn group_norm_jvp<T: Tape<f32, Cuda> + 'static>(
    engine: Rc<Engine>,
    x: Dual<Image<T>>,
    norm: &GroupNorm<'_, f32, Cuda>,
) -> Dual<Image<T>> {
    let [value, tangent] = normed(engine, [x.value, x.tangent], norm);
    Dual::new(value, tangent)
}

/// The first of one stream or two, and the second if there is one.
pub(super) fn streams<const N: usize>(views: [View; N]) -> Streams {
    (views[0], views.get(1).copied())
}

fn normed<const N: usize, T: Tape<f32, Cuda> + 'static>(
    engine: Rc<Engine>,
    x: [Image<T>; N],
    norm: &GroupNorm<'_, f32, Cuda>,
) -> [Image<T>; N] {
    let mut tape = T::default();
    let x = x.map(|x| take_tape(x, &mut tape));
    let (device, shape) = (x[0].device().clone(), *x[0].shape());
    let (norm, images) = (Norm::new(norm, shape.3), images(&x[0]));
    let mask = Mask::new(None, 0);
    let y = [(); N].map(|()| output(&device, shape));
    let room = norm.room(images);
    done(engine.scratch(room, |room| {
        let pair = (streams(x.each_ref().map(view)), streams(y.each_ref().map(view)));
        norm.forward(&engine, images, pair, mask, room)
    }));
    if T::OWNS_TAPE {
        let (inputs, outputs) = (x.each_ref().map(Ghost::of), y.each_ref().map(Ghost::of));
        tape.add_backward_op(move |store| {
            let mut gy = Vec::with_capacity(N);
            for output in &outputs {
                gy.push(output.take(store, &device)?);
            }
            let mut gx = [view(&x[0]); N];
            for (gx, input) in gx.iter_mut().zip(&inputs) {
                *gx = input.gradient(store)?;
            }
            let gy: [View; N] = std::array::from_fn(|i| taken(&gy[i]));
            let all = [x.each_ref().map(view), gy, gx].map(streams);
            engine.scratch(room, |room| norm.backward(&engine, images, all, mask, room, store))
        });
    }
    with_tape(y, tape)
}

/// Outputs, the first of which carries the tape.
pub(super) fn with_tape<const N: usize, S: Shape, T: Tape<f32, Cuda>>(
    y: [Tensor<S, f32, Cuda>; N],
    tape: T,
) -> [Tensor<S, f32, Cuda, T>; N] {
    let mut tape = Some(tape);
    y.map(|y| y.put_tape(tape.take().unwrap_or_default()))
}
