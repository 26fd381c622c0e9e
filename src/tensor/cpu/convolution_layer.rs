//! A convolution's layer, how its batch is split in groups of images, and their inputs after norm and dropout: what the forward and the
//! backward pass share.

use super::dropout::mask;
use super::norm_images;
use super::normalize::Kept;
use super::storage::numbers;
use super::winograd::Sizes;
use crate::tensor::{DropoutKey, ImageBatch};
use dfdx::prelude::*;
use std::ops::Range;

/// A batch of images of a shape that is known at run time only.
pub(super) type Image = Tensor<ImageBatch<usize, usize, usize>, f32, Cpu>;

/// The convolution and what comes before it, of one stream (values) or two (values and tangents).
pub(super) struct Layer {
    /// Height and width.
    pub(super) side: (usize, usize),
    pub(super) weight: Tensor<(usize, usize), f32, Cpu>,
    pub(super) bias: Option<Tensor<(usize,), f32, Cpu>>,
    /// The norm of each input, if there are any.
    pub(super) norms: Option<Vec<Kept>>,
    pub(super) dropout: Option<DropoutKey>,
}

/// The layer's sizes, and how the batch is split.
#[derive(Clone, Copy)]
pub(super) struct Split {
    pub(super) sizes: Sizes,
    pub(super) rows: usize,
    /// The images of a unit of work.
    pub(super) group: usize,
}

impl Split {
    pub(super) fn groups(self) -> usize {
        self.rows.div_ceil(self.group)
    }

    pub(super) fn positions(self) -> usize {
        self.sizes.height * self.sizes.width
    }

    pub(super) fn images(self, group: usize) -> Range<usize> {
        group * self.group..((group + 1) * self.group).min(self.rows)
    }

    /// The numbers of the images of a group with this many channels.
    pub(super) fn range(self, group: usize, channels: usize) -> Range<usize> {
        let images = self.images(group);
        let image = self.positions() * channels;
        images.start * image..images.end * image
    }
}

/// Several buffers cut into the pieces of each group.
pub(super) fn pieces<'a>(
    split: Split,
    channels: usize,
    buffer: &'a mut [f32],
) -> std::slice::ChunksMut<'a, f32> {
    buffer.chunks_mut((split.group * split.positions() * channels).max(1))
}

/// For each group, its piece of every buffer.
pub(super) fn by_group<'a>(
    groups: usize,
    mut buffers: Vec<std::slice::ChunksMut<'a, f32>>,
) -> Vec<Vec<&'a mut [f32]>> {
    (0..groups).map(|_| buffers.iter_mut().filter_map(Iterator::next).collect()).collect()
}

/// Cuts the first `len` numbers off a buffer.
pub(super) fn cut<'a>(buffer: &mut &'a mut [f32], len: usize) -> &'a mut [f32] {
    let (head, rest) = std::mem::take(buffer).split_at_mut(len);
    *buffer = rest;
    head
}

/// The buffers for a group's inputs after norm and dropout, input by input and stream by stream.
pub(super) fn prepared<'a>(
    split: Split,
    layer: &Layer,
    group: usize,
    xs: &[Vec<Image>],
    buffer: &mut &'a mut [f32],
) -> Vec<Vec<&'a mut [f32]>> {
    let Some(norms) = &layer.norms else { return Vec::new() };
    let first = split.images(group).start;
    let mut all = Vec::with_capacity(xs.len());
    for (norm, x) in norms.iter().zip(xs) {
        let channels = x[0].shape().3;
        let range = split.range(group, channels);
        let x: Vec<&[f32]> = x.iter().map(|x| &numbers(x)[range.clone()]).collect();
        let mut a: Vec<&mut [f32]> = x.iter().map(|_| cut(buffer, range.len())).collect();
        norm_images::forward(norm, split.positions() * channels, &x, &mut a);
        if let Some(key) = layer.dropout {
            mask(key, first * split.positions() * channels, &mut a);
        }
        all.push(a);
    }
    all
}

/// How many numbers a group's inputs have after norm and dropout.
pub(super) fn prepared_len(split: Split, layer: &Layer, group: usize, streams: usize) -> usize {
    layer.norms.as_ref().map_or(0, |_| streams * split.range(group, split.sizes.channels).len())
}

/// A group's inputs of one stream, with their channels.
pub(super) fn stream<'a>(
    split: Split,
    group: usize,
    stream: usize,
    xs: &'a [Vec<Image>],
    prepared: &'a [Vec<&mut [f32]>],
) -> Vec<(&'a [f32], usize)> {
    let mut inputs = Vec::with_capacity(xs.len());
    for (i, x) in xs.iter().enumerate() {
        let channels = x[0].shape().3;
        let own = prepared.get(i).map(|a| &*a[stream]);
        inputs.push((own.unwrap_or_else(|| &numbers(&x[stream])[split.range(group, channels)]), channels));
    }
    inputs
}
