//! Images stored one channel after another, as CIFAR-10 and the new ImageNet-32 are.

use crate::data::shape::ImageShape;

/// Puts the channels of each pixel side by side: (channels, height, width) to (height, width, channels).
pub(crate) fn interleave(shape: ImageShape, planes: &[u16], pixels: &mut Vec<u16>) {
    let plane = shape.height * shape.width;
    pixels.clear();
    pixels.extend((0..plane).flat_map(|p| (0..shape.channels).map(move |c| planes[c * plane + p])));
}
