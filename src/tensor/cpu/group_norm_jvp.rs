//! Group norm and swish of images and their tangents.

use super::convolution_layer::Image;
use super::norm_images;
use super::normalize::Kept;
use super::recorded::Backward;
use super::scratch::scratch;
use super::storage::{numbers, numbers_mut, take};
use super::unwritten::unwritten;
use crate::tensor::parallel::each;
use crate::tensor::{Dual, GroupNorm};
use dfdx::prelude::*;

/// The output, and the backward pass if it is to `record`.
pub(super) fn group_norm_jvp(
    Dual { value: x, tangent: dx }: Dual<Image>,
    norm: &GroupNorm<'_, f32, Cpu>,
    record: bool,
) -> (Dual<Image>, Option<Backward>) {
    let device = x.device().clone();
    let (rows, height, width, channels) = *x.shape();
    let image = (height * width * channels).max(1);
    let kept = Kept::new(norm, channels);

    let (mut y, mut dy) = (unwritten(&device, x.shape()), unwritten(&device, x.shape()));
    let outputs = numbers_mut(&mut y).chunks_mut(image).zip(numbers_mut(&mut dy).chunks_mut(image));
    let inputs = numbers(&x).chunks(image).zip(numbers(&dx).chunks(image));
    each(outputs.zip(inputs), |_, ((y, dy), (x, dx))| {
        scratch(norm_images::FORWARD[1] * channels, |buffer| {
            norm_images::both(&kept, [x, dx], [y, dy], buffer);
        });
    });

    let backward = record.then(|| -> Backward {
        let (input, tangent, output, slope) = (x.ghost(), dx.ghost(), y.ghost(), dy.ghost());
        Box::new(move |grads| {
            let mut gy = take(grads.get_or_alloc_mut(&output)?, &device)?;
            let mut gdy = take(grads.get_or_alloc_mut(&slope)?, &device)?;
            let mut parts = vec![0.0; rows * 2 * channels];
            let mut gdx = take(grads.get_or_alloc_mut(&tangent)?, &device)?;
            let to = grads.get_or_alloc_mut(&input)?.chunks_mut(image).zip(gdx.chunks_mut(image));
            let from = gy.chunks_mut(image).zip(gdy.chunks_mut(image));
            let at = numbers(&x).chunks(image).zip(numbers(&dx).chunks(image));
            let images = to.zip(from).zip(at).zip(parts.chunks_mut(2 * channels));
            each(images, |_, ((((gx, gdx), (gy, gdy)), (x, dx)), part)| {
                scratch(norm_images::BACKWARD[1] * channels, |buffer| {
                    norm_images::both_back(&kept, [x, dx], [gy, gdy], [gx, gdx], (part, buffer));
                });
            });
            *grads.get_or_alloc_mut(&tangent)? = gdx;
            kept.add_parts(&parts, grads)
        })
    });
    (Dual::new(y, dy), backward)
}
