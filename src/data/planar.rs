//! Images stored one channel after another, as CIFAR-10 and the new ImageNet-32 are.

use crate::data::shape::ImageShape;

/// Puts the channels of each pixel side by side: (channels, height, width) to (height, width, channels).
pub(crate) fn interleave(shape: ImageShape, planes: &[u16], pixels: &mut Vec<u16>) {
    let plane = shape.height * shape.width;
    pixels.clear();
    pixels.reserve(plane * shape.channels);
    for p in 0..plane {
        for c in 0..shape.channels {
            pixels.push(planes[c * plane + p]);
        }
    }
}
