//! 3x3 convolution as patches and a product: `source/patches.cu`.
//!
//! Of every position of a chunk of images the 3x3 neighbours lie side by side, as the rows of the weight do, and one product of cuBLAS makes
//! the outputs. Nine times the images pass through memory, against Winograd's 36 / 16 of them and back, but no numbers are transformed.

use super::launch::{Engine, Matrices, View, arguments, element_blocks, flag, index, int};
use super::layer::{Added, Inputs, Layer, Sizes, gradients};
use super::scratch::Room;
use super::storage::{Ghost, Image, Store, view};
use dfdx::prelude::*;

/// The taps.
const TAPS: usize = 9;

/// The numbers that an image takes in scratch memory, beside what norms make of it.
pub(super) fn room_of_image(sizes: &Sizes) -> usize {
    TAPS * sizes.positions() * sizes.channels
}

/// The patches of images of several inputs.
fn gather(engine: &Engine, sizes: &Sizes, inputs: &[View], p: View) -> Result<(), CudaError> {
    let mut before = 0;
    for (x, &channels) in inputs.iter().zip(&sizes.widths) {
        let [height, width, own, total, first] =
            [sizes.height, sizes.width, channels, sizes.channels, before].map(int);
        let count = TAPS * x.len();
        let of = arguments![p, *x, index(count), height, width, own, total, first];
        engine.launch("patches", element_blocks(count), of)?;
        before += channels;
    }
    Ok(())
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
    let (channels, out, positions) = (sizes.channels, sizes.out, sizes.positions());
    let own = layer.room_of_prepared(sizes, N);
    let norms = layer.room_of_norms(sizes.chunk, positions);
    let of_patches = sizes.chunk * room_of_image(sizes);
    engine.scratch(of_patches + own + norms, |room| {
        let mut room = Room::new(room);
        let (p, work) = (room.cut(of_patches), room.cut(norms));
        for images in sizes.chunks() {
            let mut room = room;
            let prepared = layer.prepare(engine, sizes, &images, xs, (&mut room, work))?;
            let lines = images.len() * positions;
            for (i, y) in ys.iter().enumerate() {
                let inputs: Vec<View> = prepared.iter().map(|x| x[i]).collect();
                gather(engine, sizes, &inputs, p)?;
                let y = layer.begin(engine, sizes, &images, added, (i, *y))?;
                let weight = Matrices::full(view(&layer.weight), TAPS * channels, out);
                let product = [Matrices::full(p, lines, TAPS * channels), weight];
                engine.product(1, 1.0, product, 1.0, Matrices::full(y, lines, out))?;
            }
        }
        Ok(())
    })
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
    let (channels, out, positions) = (sizes.channels, sizes.out, sizes.positions());
    let own = layer.room_of_prepared(sizes, 2 * N);
    let norms = layer.room_of_norms(sizes.chunk, positions);
    let of_patches = sizes.chunk * room_of_image(sizes);
    let gxs = gradients(ghosts, gys[0], store)?;
    let weight = Matrices::full(view(&layer.weight), TAPS * channels, out);
    let gweight = Matrices { view: Ghost::of(&layer.weight).gradient(store)?, ..weight };
    engine.scratch(of_patches + own + norms, |room| {
        let mut room = Room::new(room);
        let (p, work) = (room.cut(of_patches), room.cut(norms));
        for images in sizes.chunks() {
            let mut room = room;
            let prepared = layer.prepare(engine, sizes, &images, xs, (&mut room, work))?;
            let [gas, gxs] = layer.chunk_gradients(sizes, &images, &gxs, &mut room);
            let lines = images.len() * positions;
            let of_lines = Matrices::full(p, lines, TAPS * channels);
            for (i, gy) in gys.iter().enumerate() {
                let gy = Matrices::full(sizes.part(&images, *gy, out), lines, out);
                let inputs: Vec<View> = prepared.iter().map(|x| x[i]).collect();
                gather(engine, sizes, &inputs, p)?;
                engine.product(1, 1.0, [of_lines.turned(), gy], 1.0, gweight)?;
                engine.product(1, 1.0, [gy, weight.turned()], 0.0, of_lines)?;
                let (mut before, add) = (0, layer.norms.is_none());
                for (ga, &own) in gas.iter().zip(&sizes.widths) {
                    let [height, width, channels, total, first] =
                        [sizes.height, sizes.width, own, sizes.channels, before].map(int);
                    let count = lines * own;
                    let of =
                        arguments![ga[i], p, index(count), height, width, channels, total, first, flag(add)];
                    engine.launch("patches_back", element_blocks(count), of)?;
                    before += own;
                }
            }
            layer.norms_backward(engine, sizes, &images, xs, (&gas, &gxs), (work, store))?;
        }
        Ok(())
    })
}
