//! Group norm of a few images on the caller's thread: of values, or of values and tangents.
//!
//! The four passes over one image are functions of their own, so that each is compiled once.

use super::lanes::{lanes, lanes_mut, with_lanes};
use super::normalize::Kept;
use super::normalize_jvp as jvp;

/// One image: the numbers that its passes need beside it, for values and for values with tangents.
pub(super) const FORWARD: [usize; 2] = [2, 4];
pub(super) const BACKWARD: [usize; 2] = [4, 9];

/// The norm of one image.
pub(super) fn value(norm: &Kept, x: &[f32], y: &mut [f32], scratch: &mut [f32]) {
    let plan = norm.plan();
    with_lanes!(plan.channels, L => plan.forward::<L>(lanes(x), lanes_mut(y), lanes_mut(scratch)));
}

/// The norm of one image, and its derivative along a tangent.
pub(super) fn both(norm: &Kept, [x, dx]: [&[f32]; 2], [y, dy]: [&mut [f32]; 2], scratch: &mut [f32]) {
    let plan = norm.plan();
    with_lanes!(plan.channels, L => jvp::forward::<L>(
        &plan,
        (lanes(x), lanes(dx)),
        (lanes_mut(y), lanes_mut(dy)),
        lanes_mut(scratch),
    ));
}

/// Adds to `gx` the gradient of one image, and to `part` those of scale and bias. `gy` is used up.
pub(super) fn value_back(
    norm: &Kept,
    x: &[f32],
    gy: &mut [f32],
    gx: &mut [f32],
    (part, scratch): (&mut [f32], &mut [f32]),
) {
    let plan = norm.plan();
    with_lanes!(plan.channels, L => plan.backward::<L>(
        lanes(x),
        lanes_mut(gy),
        lanes_mut(gx),
        lanes_mut(part),
        lanes_mut(scratch),
    ));
}

/// The same of an image and its tangent.
pub(super) fn both_back(
    norm: &Kept,
    [x, dx]: [&[f32]; 2],
    [gy, gdy]: [&mut [f32]; 2],
    [gx, gdx]: [&mut [f32]; 2],
    (part, scratch): (&mut [f32], &mut [f32]),
) {
    let plan = norm.plan();
    with_lanes!(plan.channels, L => jvp::backward::<L>(
        &plan,
        jvp::Image { x: lanes(x), dx: lanes(dx), gy: lanes_mut(gy), gdy: lanes_mut(gdy) },
        (lanes_mut(gx), lanes_mut(gdx)),
        lanes_mut(part),
        lanes_mut(scratch),
    ));
}

/// Normalizes images of `len` numbers each: one stream of values, or two of values and tangents.
pub(super) fn forward<const N: usize>(norm: &Kept, len: usize, x: [&[f32]; N], y: [&mut [f32]; N]) {
    let mut scratch = vec![0.0; FORWARD[N - 1] * norm.plan().channels];
    let mut y = y.map(|y| y.chunks_exact_mut(len.max(1)));
    let mut x = x.map(|x| x.chunks_exact(len.max(1)));
    while let ([Some(x), dx @ ..], [Some(y), dy @ ..]) =
        (&x.each_mut().map(Iterator::next)[..], &mut y.each_mut().map(Iterator::next)[..])
    {
        match (dx, dy) {
            ([Some(dx)], [Some(dy)]) => both(norm, [x, dx], [y, dy], &mut scratch),
            _ => value(norm, x, y, &mut scratch),
        }
    }
}

/// Adds to `gx` the gradients of the images, and to `parts` those of scale and bias, image by image. `gy` is used up.
pub(super) fn backward<const N: usize>(
    norm: &Kept,
    len: usize,
    x: [&[f32]; N],
    gy: [&mut [f32]; N],
    gx: [&mut [f32]; N],
    parts: &mut [f32],
) {
    let channels = norm.plan().channels;
    let mut scratch = vec![0.0; BACKWARD[N - 1] * channels];
    let mut x = x.map(|x| x.chunks_exact(len.max(1)));
    let mut gy = gy.map(|g| g.chunks_exact_mut(len.max(1)));
    let mut gx = gx.map(|g| g.chunks_exact_mut(len.max(1)));
    for part in parts.chunks_exact_mut(2 * channels) {
        let ([Some(x), dx @ ..], [Some(gy), gdy @ ..], [Some(gx), gdx @ ..]) = (
            &x.each_mut().map(Iterator::next)[..],
            &mut gy.each_mut().map(Iterator::next)[..],
            &mut gx.each_mut().map(Iterator::next)[..],
        ) else {
            return;
        };
        match (dx, gdy, gdx) {
            ([Some(dx)], [Some(gdy)], [Some(gdx)]) => {
                both_back(norm, [x, dx], [gy, gdy], [gx, gdx], (part, &mut scratch));
            }
            _ => value_back(norm, x, gy, gx, (part, &mut scratch)),
        }
    }
}
