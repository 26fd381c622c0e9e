//! Group norm and swish in one pass over each image.

use super::convolution_layer::Image;
use super::norm_images;
use super::normalize::Kept;
use super::recorded::Backward;
use super::scratch::scratch;
use super::storage::{numbers, numbers_mut, take};
use super::unwritten::unwritten;
use crate::tensor::GroupNorm;
use crate::tensor::parallel::each;
use dfdx::prelude::*;

/// See [`GroupNorm`]: the output, and the backward pass if it is to `record`.
pub(super) fn group_norm(
    x: Image,
    norm: &GroupNorm<'_, f32, Cpu>,
    record: bool,
) -> (Image, Option<Backward>) {
    let device = x.device().clone();
    let (rows, height, width, channels) = *x.shape();
    let image = (height * width * channels).max(1);
    let kept = Kept::new(norm, channels);

    let mut y = unwritten(&device, x.shape());
    each(numbers_mut(&mut y).chunks_mut(image).zip(numbers(&x).chunks(image)), |_, (y, x)| {
        scratch(norm_images::FORWARD[0] * channels, |buffer| norm_images::value(&kept, x, y, buffer));
    });

    let backward = record.then(|| -> Backward {
        let (input, output) = (x.ghost(), y.ghost());
        Box::new(move |grads| {
            let mut gy = take(grads.get_or_alloc_mut(&output)?, &device)?;
            let mut parts = vec![0.0; rows * 2 * channels];
            let gradients = grads.get_or_alloc_mut(&input)?.chunks_mut(image).zip(gy.chunks_mut(image));
            let images = gradients.zip(numbers(&x).chunks(image)).zip(parts.chunks_mut(2 * channels));
            each(images, |_, (((gx, gy), x), part)| {
                scratch(norm_images::BACKWARD[0] * channels, |buffer| {
                    norm_images::value_back(&kept, x, gy, gx, (part, buffer));
                });
            });
            kept.add_parts(&parts, grads)
        })
    });
    (y, backward)
}
