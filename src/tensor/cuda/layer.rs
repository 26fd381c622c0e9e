//! What every way to compute a 3x3 convolution shares: its sizes, the chunks of its batch, and the norms before it.

use super::group_norm::{Images, Mask, Norm, Streams, streams};
use super::launch::{Engine, View, arguments, element_blocks, index, int};
use super::scratch::Room;
use super::storage::{Ghost, Image, Store, view};
use crate::tensor::DropoutKey;
use dfdx::prelude::*;
use std::ops::Range;

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
pub(super) struct Sizes {
    pub(super) rows: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    /// The channels of each input.
    pub(super) widths: Vec<usize>,
    pub(super) channels: usize,
    pub(super) out: usize,
    /// The images of a chunk.
    pub(super) chunk: usize,
}

impl Sizes {
    pub(super) fn positions(&self) -> usize {
        self.height * self.width
    }

    /// The chunks of the batch.
    pub(super) fn chunks(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let (rows, chunk) = (self.rows, self.chunk);
        (0..rows).step_by(chunk).map(move |first| first..(first + chunk).min(rows))
    }

    /// The part of a batch that a chunk is.
    pub(super) fn part(&self, images: &Range<usize>, batch: View, channels: usize) -> View {
        let image = self.positions() * channels;
        batch.part(images.start * image, images.len() * image)
    }
}

/// The shift and the residual, which are added to an output.
pub(super) type Added<'a, const N: usize> =
    (&'a Option<Tensor<(usize, usize), f32, Cuda>>, &'a Option<[Image<NoneTape>; N]>);

/// What is added to a chunk of an output.
#[derive(Clone, Copy, Default)]
pub(super) struct Terms {
    pub(super) bias: Option<View>,
    pub(super) shift: Option<View>,
    pub(super) residual: Option<View>,
}

/// Each input's streams, and where their gradients lie.
pub(super) type Inputs<'a, const N: usize> = (&'a [[Image<NoneTape>; N]], &'a [[Ghost; N]]);

impl Layer {
    pub(super) fn room_of_norms(&self, images: usize, positions: usize) -> usize {
        let images = Images { rows: images, positions };
        self.norms.iter().flatten().map(|norm| norm.room(images)).max().unwrap_or(0)
    }

    /// The numbers of `streams` images of every input of a chunk, if norms make them.
    pub(super) fn room_of_prepared(&self, sizes: &Sizes, streams: usize) -> usize {
        let images = if self.norms.is_some() { streams * sizes.chunk } else { 0 };
        images * sizes.positions() * sizes.channels
    }

    /// What is added to a chunk of output `i`: the first alone has bias and shift, for they have no tangent.
    pub(super) fn terms<const N: usize>(
        &self,
        sizes: &Sizes,
        images: &Range<usize>,
        (shift, residual): Added<'_, N>,
        i: usize,
    ) -> Terms {
        let out = sizes.out;
        let of_chunk = |shift| view(shift).part(images.start * out, images.len() * out);
        Terms {
            bias: self.bias.as_ref().filter(|_| i == 0).map(view),
            shift: shift.as_ref().filter(|_| i == 0).map(of_chunk),
            residual: residual.as_ref().map(|r| sizes.part(images, view(&r[i]), out)),
        }
    }

    /// The chunk of output `i` that a convolution is added to: what is added to it, or zeros.
    pub(super) fn begin<const N: usize>(
        &self,
        engine: &Engine,
        sizes: &Sizes,
        images: &Range<usize>,
        added: Added<'_, N>,
        (i, y): (usize, View),
    ) -> Result<View, CudaError> {
        let y = sizes.part(images, y, sizes.out);
        let Terms { bias, shift, residual } = self.terms(sizes, images, added, i);
        let (count, image, out) = (index(y.len()), int(sizes.positions() * sizes.out), int(sizes.out));
        let of = arguments![y, bias, shift, residual, count, image, out];
        engine.launch("terms", element_blocks(y.len()), of)?;
        Ok(y)
    }

    /// Where a chunk's gradients go: what a convolution's own are put to, in scratch memory if norms follow, and those of the inputs.
    pub(super) fn chunk_gradients<const N: usize>(
        &self,
        sizes: &Sizes,
        images: &Range<usize>,
        gxs: &[[View; N]],
        room: &mut Room,
    ) -> [Vec<[View; N]>; 2] {
        let part = |gx: &[View; N], channels: usize| gx.map(|gx| sizes.part(images, gx, channels));
        let gxs: Vec<[View; N]> = gxs.iter().zip(&sizes.widths).map(|(gx, c)| part(gx, *c)).collect();
        let gas = match &self.norms {
            Some(_) => gxs.iter().map(|gx| gx.map(|gx| room.cut(gx.len()))).collect(),
            None => gxs.clone(),
        };
        [gas, gxs]
    }

    pub(super) fn mask(&self, first: usize) -> Mask {
        Mask::new(self.dropout, first)
    }

    /// A chunk's inputs after norm and dropout; without norms, as they are.
    pub(super) fn prepare<const N: usize>(
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

    /// The backward pass of the norms of a chunk's inputs `xs`: from the gradients `gas` of what they made, to those of the inputs.
    pub(super) fn norms_backward<const N: usize>(
        &self,
        engine: &Engine,
        sizes: &Sizes,
        images: &Range<usize>,
        xs: &[[Image<NoneTape>; N]],
        (gas, gxs): (&[[View; N]], &[[View; N]]),
        (work, store): (View, &mut Store),
    ) -> Result<(), CudaError> {
        let own = Images { rows: images.len(), positions: sizes.positions() };
        for (((norm, x), ga), gx) in self.norms.iter().flatten().zip(xs).zip(gas).zip(gxs) {
            let x = x.each_ref().map(|x| sizes.part(images, view(x), norm.channels));
            let all: [Streams; 3] = [x, *ga, *gx].map(streams);
            let first = images.start * sizes.positions() * norm.channels;
            norm.backward(engine, own, all, self.mask(first), work, store)?;
        }
        Ok(())
    }
}

/// The gradients of all inputs, to be added to.
pub(super) fn gradients<const N: usize>(
    ghosts: &[[Ghost; N]],
    any: View,
    store: &mut Store,
) -> Result<Vec<[View; N]>, CudaError> {
    let mut gxs = Vec::with_capacity(ghosts.len());
    for ghost in ghosts {
        let mut own = [any; N];
        for (view, ghost) in own.iter_mut().zip(ghost) {
            *view = ghost.gradient(store)?;
        }
        gxs.push(own);
    }
    Ok(gxs)
}
