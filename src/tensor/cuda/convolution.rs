//! 3x3 convolution by Winograd's F(4x4, 3x3), of images as they are or after group norm, swish and dropout: `source/winograd.cu`.
//!
//! The batch is worked on in chunks of images: they are normalized into scratch memory, their tiles transformed, 36 products made by one
//! call of cuBLAS, and the outputs transformed back with bias, shift and residual. Nothing but the outputs leaves the scratch memory; the
//! backward pass makes the rest again. The gradient of the inputs is the convolution of the output's with the taps in reverse.

use super::group_norm::{Images, Mask, Norm, Streams, streams, with_tape};
use super::launch::{Argument, Engine, Matrices, View, arguments, blocks, flag, int};
use super::scratch::Room;
use super::storage::{Ghost, Image, Store, done, output, take_tape, taken, view};
use super::sums::{add, sums};
use crate::tensor::DropoutKey;
use dfdx::prelude::*;
use std::ops::Range;
use std::rc::Rc;

/// The products of a tile and a pair of channels.
const POINTS: usize = 36;
/// The positions of an output tile along a side.
const OUT: usize = 4;

/// The convolution and what comes before it.
pub(super) struct Layer {
    /// Height and width.
    pub(super) side: (usize, usize),
    pub(super) weight: Tensor<(usize, usize), f32, Cuda>,
    pub(super) bias: Option<Tensor<(usize,), f32, Cuda>>,
    /// The norm of each input, if there are any.
    pub(super) norms: Option<Vec<Norm>>,
    pub(super) dropout: Option<DropoutKey>,
}

/// A layer's sizes, and how the batch is split.
#[derive(Clone)]
struct Sizes {
    rows: usize,
    height: usize,
    width: usize,
    /// The channels of each input.
    widths: Vec<usize>,
    channels: usize,
    out: usize,
    /// The images of a chunk.
    chunk: usize,
}

impl Sizes {
    fn positions(&self) -> usize {
        self.height * self.width
    }

    fn down(&self) -> usize {
        self.height.div_ceil(OUT)
    }

    fn across(&self) -> usize {
        self.width.div_ceil(OUT)
    }

    fn tiles(&self, images: usize) -> usize {
        images * self.down() * self.across()
    }

    /// The numbers of transformed weights.
    fn taps(&self) -> usize {
        POINTS * self.channels * self.out
    }

    /// The chunks of the batch.
    fn chunks(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let (rows, chunk) = (self.rows, self.chunk);
        (0..rows).step_by(chunk).map(move |first| first..(first + chunk).min(rows))
    }

    /// The arguments about the shape of images: height, width, and their tiles down and across.
    fn shape(&self) -> [Argument; 4] {
        [self.height, self.width, self.down(), self.across()].map(int)
    }

    /// The part of a batch that a chunk is.
    fn part(&self, images: &Range<usize>, batch: View, channels: usize) -> View {
        let image = self.positions() * channels;
        batch.part(images.start * image, images.len() * image)
    }

    /// The transform of images of several inputs, one after the other, into one matrix of tiles for each point.
    fn transform(
        &self,
        engine: &Engine,
        images: usize,
        inputs: &[View],
        total: usize,
        v: View,
    ) -> Result<(), CudaError> {
        let tiles = self.tiles(images);
        let [height, width, down, across] = self.shape();
        let mut before = 0;
        for x in inputs {
            let channels = x.len() / (images * self.positions());
            let of = arguments![
                v,
                *x,
                int(tiles),
                height,
                width,
                down,
                across,
                int(channels),
                int(total),
                int(before)
            ];
            engine.launch("winograd_input", blocks(tiles * channels), of)?;
            before += channels;
        }
        Ok(())
    }
}

/// What an output's transform adds.
#[derive(Clone, Copy, Default)]
struct Terms {
    bias: Option<View>,
    shift: Option<View>,
    residual: Option<View>,
}

impl Layer {
    fn room_of_norms(&self, images: usize, positions: usize) -> usize {
        let images = Images { rows: images, positions };
        self.norms.iter().flatten().map(|norm| norm.room(images)).max().unwrap_or(0)
    }

    fn mask(&self, first: usize) -> Mask {
        Mask::new(self.dropout, first)
    }

    /// A chunk's inputs after norm and dropout; without norms, as they are.
    fn prepare<const N: usize>(
        &self,
        engine: &Engine,
        sizes: &Sizes,
        images: &Range<usize>,
        xs: &[[Image<NoneTape>; N]],
        (room, work): (&mut Room, View),
    ) -> Result<Vec<[View; N]>, CudaError> {
        let mut inputs = Vec::with_capacity(xs.len());
        let own = Images { rows: images.len(), positions: sizes.positions() };
        for (i, (x, channels)) in xs.iter().zip(&sizes.widths).enumerate() {
            let x = x.each_ref().map(|x| sizes.part(images, view(x), *channels));
            let Some(norm) = self.norms.as_ref().and_then(|norms| norms.get(i)) else {
                inputs.push(x);
                continue;
            };
            let a = x.map(|x| room.cut(x.len()));
            let first = images.start * sizes.positions() * channels;
            norm.forward(engine, own, (streams(x), streams(a)), self.mask(first), work)?;
            inputs.push(a);
        }
        Ok(inputs)
    }
}

/// See [`Convolution`](crate::tensor::Convolution) and [`Preparation`](crate::tensor::Preparation); the operation with
/// its backward pass. Bias and shift belong to the first stream.
pub(super) fn convolution<const N: usize, T: Tape<f32, Cuda> + 'static>(
    engine: Rc<Engine>,
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
    let image = POINTS * sizes.tiles(1) * (sizes.channels + sizes.out)
        + if layer.norms.is_some() { N * sizes.positions() * sizes.channels } else { 0 };
    sizes.chunk = engine.chunk(image, sizes.rows);

    let ys = [(); N].map(|()| output(&device, (sizes.rows, height, width, sizes.out)));
    let to = ys.each_ref().map(view);
    done(forward(&engine, &sizes, &layer, &xs, (&shift, &residual), to));

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
            backward(&engine, &sizes, &layer, (&xs, &ghosts), gys, store)
        });
    }
    with_tape(ys, tape)
}

type Added<'a, const N: usize> =
    (&'a Option<Tensor<(usize, usize), f32, Cuda>>, &'a Option<[Image<NoneTape>; N]>);

fn forward<const N: usize>(
    engine: &Engine,
    sizes: &Sizes,
    layer: &Layer,
    xs: &[[Image<NoneTape>; N]],
    (shift, residual): Added<'_, N>,
    ys: [View; N],
) -> Result<(), CudaError> {
    let (channels, out) = (sizes.channels, sizes.out);
    let tiles = sizes.tiles(sizes.chunk);
    let own = if layer.norms.is_some() { N * sizes.chunk * sizes.positions() * channels } else { 0 };
    let norms = layer.room_of_norms(sizes.chunk, sizes.positions());
    engine.scratch(sizes.taps() + POINTS * tiles * (channels + out) + own + norms, |room| {
        let mut room = Room::new(room);
        let u = room.cut(sizes.taps());
        weights(engine, sizes, view(&layer.weight), u, false)?;
        let (v, m) = (room.cut(POINTS * tiles * channels), room.cut(POINTS * tiles * out));
        let work = room.cut(norms);
        for images in sizes.chunks() {
            let mut room = room;
            let prepared = layer.prepare(engine, sizes, &images, xs, (&mut room, work))?;
            let tiles = sizes.tiles(images.len());
            for (i, y) in ys.iter().enumerate() {
                let inputs: Vec<View> = prepared.iter().map(|x| x[i]).collect();
                sizes.transform(engine, images.len(), &inputs, channels, v)?;
                let product = [Matrices::full(v, tiles, channels), Matrices::full(u, channels, out)];
                engine.product(POINTS, 1.0, product, 0.0, Matrices::full(m, tiles, out))?;
                let first = i == 0;
                let terms = Terms {
                    bias: layer.bias.as_ref().filter(|_| first).map(view),
                    shift: shift
                        .as_ref()
                        .filter(|_| first)
                        .map(|shift| view(shift).part(images.start * out, images.len() * out)),
                    residual: residual.as_ref().map(|r| sizes.part(&images, view(&r[i]), out)),
                };
                outputs(
                    engine,
                    sizes,
                    images.len(),
                    m,
                    (out, 0),
                    terms,
                    sizes.part(&images, *y, out),
                    false,
                )?;
            }
        }
        Ok(())
    })
}

fn weights(engine: &Engine, sizes: &Sizes, weight: View, u: View, turned: bool) -> Result<(), CudaError> {
    let (channels, out) = (sizes.channels, sizes.out);
    engine.launch(
        "winograd_weights",
        blocks(channels * out),
        arguments![u, weight, int(channels), int(out), flag(turned)],
    )
}

/// The images `y` of those channels of the products `m` from `before` on, of `total`.
#[allow(clippy::too_many_arguments)]
fn outputs(
    engine: &Engine,
    sizes: &Sizes,
    images: usize,
    m: View,
    (total, before): (usize, usize),
    terms: Terms,
    y: View,
    add: bool,
) -> Result<(), CudaError> {
    let tiles = sizes.tiles(images);
    let channels = y.len() / (images * sizes.positions());
    let [height, width, down, across] = sizes.shape();
    engine.launch(
        "winograd_output",
        blocks(tiles * channels),
        arguments![
            y,
            m,
            terms.bias,
            terms.shift,
            terms.residual,
            int(tiles),
            height,
            width,
            down,
            across,
            int(channels),
            int(total),
            int(before),
            flag(add)
        ],
    )
}

type Inputs<'a, const N: usize> = (&'a [[Image<NoneTape>; N]], &'a [[Ghost; N]]);

/// Adds to the gradients of the inputs, the weights and the norms.
fn backward<const N: usize>(
    engine: &Engine,
    sizes: &Sizes,
    layer: &Layer,
    (xs, ghosts): Inputs<'_, N>,
    gys: [View; N],
    store: &mut Store,
) -> Result<(), CudaError> {
    let (channels, out) = (sizes.channels, sizes.out);
    let tiles = sizes.tiles(sizes.chunk);
    let own = if layer.norms.is_some() { 2 * N * sizes.chunk * sizes.positions() * channels } else { 0 };
    let norms = layer.room_of_norms(sizes.chunk, sizes.positions());
    let mut gxs = Vec::with_capacity(xs.len());
    for ghost in ghosts {
        let mut own = [gys[0]; N];
        for (view, ghost) in own.iter_mut().zip(ghost) {
            *view = ghost.gradient(store)?;
        }
        gxs.push(own);
    }
    engine.scratch(2 * sizes.taps() + POINTS * tiles * (channels + out) + own + norms, |room| {
        let mut room = Room::new(room);
        let (turned, gu) = (room.cut(sizes.taps()), room.cut(sizes.taps()));
        weights(engine, sizes, view(&layer.weight), turned, true)?;
        let (v, e) = (room.cut(POINTS * tiles * channels), room.cut(POINTS * tiles * out));
        let work = room.cut(norms);
        let mut kept = 0.0;
        for images in sizes.chunks() {
            let mut room = room;
            let prepared = layer.prepare(engine, sizes, &images, xs, (&mut room, work))?;
            let part = |gx: &[View; N], channels: usize| gx.map(|gx| sizes.part(&images, gx, channels));
            let gxs: Vec<[View; N]> = gxs.iter().zip(&sizes.widths).map(|(gx, c)| part(gx, *c)).collect();
            let gas: Vec<[View; N]> = match &layer.norms {
                Some(_) => gxs.iter().map(|gx| gx.map(|gx| room.cut(gx.len()))).collect(),
                None => gxs.clone(),
            };
            let tiles = sizes.tiles(images.len());
            let of_tiles = Matrices::full(v, tiles, channels);
            for (i, gy) in gys.iter().enumerate() {
                let gy = sizes.part(&images, *gy, out);
                let inputs: Vec<View> = prepared.iter().map(|x| x[i]).collect();
                sizes.transform(engine, images.len(), &inputs, channels, v)?;
                let [height, width, down, across] = sizes.shape();
                let of = arguments![e, gy, int(tiles), height, width, down, across, int(out)];
                engine.launch("winograd_gradient", blocks(tiles * out), of)?;
                let product = [of_tiles.turned(), Matrices::full(e, tiles, out)];
                engine.product(POINTS, 1.0, product, kept, Matrices::full(gu, channels, out))?;
                kept = 1.0;
                sizes.transform(engine, images.len(), &[gy], out, e)?;
                let product = [Matrices::full(e, tiles, out), Matrices::full(turned, out, channels)];
                engine.product(POINTS, 1.0, product, 0.0, of_tiles)?;
                let (mut before, add) = (0, layer.norms.is_none());
                for (ga, width) in gas.iter().zip(&sizes.widths) {
                    let from = (channels, before);
                    outputs(engine, sizes, images.len(), v, from, Terms::default(), ga[i], add)?;
                    before += width;
                }
            }
            let own = Images { rows: images.len(), positions: sizes.positions() };
            for (((norm, x), ga), gx) in layer.norms.iter().flatten().zip(xs).zip(&gas).zip(&gxs) {
                let x = x.each_ref().map(|x| sizes.part(&images, view(x), norm.channels));
                let all: [Streams; 3] = [x, *ga, *gx].map(streams);
                let first = images.start * sizes.positions() * norm.channels;
                norm.backward(engine, own, all, layer.mask(first), work, store)?;
            }
        }
        if kept > 0.0 {
            let gweight = Ghost::of(&layer.weight).gradient(store)?;
            let of = arguments![gweight, gu, int(channels), int(out)];
            engine.launch("winograd_weights_back", blocks(channels * out), of)?;
        }
        Ok(())
    })
}
