//! 3x3 convolution by Winograd's F(4x4, 3x3): `source/winograd.cu`.
//!
//! The tiles of a chunk of images are transformed, 36 products made by one call of cuBLAS, and the outputs transformed back with bias, shift
//! and residual. The gradient of the inputs is the convolution of the output's with the taps in reverse.

use super::launch::{Argument, Engine, Matrices, View, arguments, blocks, flag, int};
use super::layer::{Added, Inputs, Layer, Sizes, Terms, gradients};
use super::scratch::Room;
use super::storage::{Ghost, Image, Store, view};
use dfdx::prelude::*;

/// The products of a tile and a pair of channels.
const POINTS: usize = 36;
/// The positions of an output tile along a side.
const OUT: usize = 4;

impl Sizes {
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

    /// The arguments about the shape of images: height, width, and their tiles down and across.
    fn shape(&self) -> [Argument; 4] {
        [self.height, self.width, self.down(), self.across()].map(int)
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

/// The numbers that an image takes in scratch memory, beside what norms make of it.
pub(super) fn room_of_image(sizes: &Sizes) -> usize {
    POINTS * sizes.tiles(1) * (sizes.channels + sizes.out)
}

/// Computes the outputs.
pub(super) fn forward<const N: usize>(
    engine: &Engine,
    sizes: &Sizes,
    layer: &Layer,
    xs: &[[Image<NoneTape>; N]],
    added: Added<'_, N>,
    ys: [View; N],
) -> Result<(), CudaError> {
    let (channels, out) = (sizes.channels, sizes.out);
    let tiles = sizes.tiles(sizes.chunk);
    let own = layer.room_of_prepared(sizes, N);
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
                let terms = layer.terms(sizes, &images, added, i);
                let y = sizes.part(&images, *y, out);
                outputs(engine, sizes, images.len(), m, (out, 0), terms, y, false)?;
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

/// Adds to the gradients of the inputs, the weights and the norms.
pub(super) fn backward<const N: usize>(
    engine: &Engine,
    sizes: &Sizes,
    layer: &Layer,
    (xs, ghosts): Inputs<'_, N>,
    gys: [View; N],
    store: &mut Store,
) -> Result<(), CudaError> {
    let (channels, out) = (sizes.channels, sizes.out);
    let tiles = sizes.tiles(sizes.chunk);
    let own = layer.room_of_prepared(sizes, 2 * N);
    let norms = layer.room_of_norms(sizes.chunk, sizes.positions());
    let gxs = gradients(ghosts, gys[0], store)?;
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
            let [gas, gxs] = layer.chunk_gradients(sizes, &images, &gxs, &mut room);
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
            layer.norms_backward(engine, sizes, &images, xs, (&gas, &gxs), (work, store))?;
        }
        if kept > 0.0 {
            let gweight = Ghost::of(&layer.weight).gradient(store)?;
            let of = arguments![gweight, gu, int(channels), int(out)];
            engine.launch("winograd_weights_back", blocks(channels * out), of)?;
        }
        Ok(())
    })
}
