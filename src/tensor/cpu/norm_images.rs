//! Group norm of a few images on the caller's thread: of values, or of values and tangents.
//!
//! Each pass over one image is a function of its own, so that it is compiled once.

use super::lanes::{lanes, lanes_mut, with_lanes};
use super::normalize::{Kept, Plan};
use super::normalize_jvp as jvp;

/// One image: the numbers that its passes need beside it, for values and for values with tangents; the image's statistics are the first, as
/// many as a forward pass needs.
pub(super) const FORWARD: [usize; 2] = [2, 4];
pub(super) const BACKWARD: [usize; 2] = [4, 9];

/// The statistics of one image.
fn statistics(plan: &Plan<'_>, x: &[f32], to: &mut [f32]) {
    with_lanes!(plan.channels, L => plan.statistics::<L>(lanes(x), lanes_mut(to)));
}

/// The statistics of one image and its tangent.
fn both_statistics(plan: &Plan<'_>, [x, dx]: [&[f32]; 2], to: &mut [f32]) {
    let (own, means) = to.split_at_mut(FORWARD[0] * plan.channels);
    statistics(plan, x, own);
    with_lanes!(plan.channels, L => jvp::statistics::<L>(plan, (lanes(x), lanes(dx)), lanes(own), lanes_mut(means)));
}

/// The norm of one image.
pub(super) fn value(norm: &Kept, x: &[f32], y: &mut [f32], scratch: &mut [f32]) {
    let plan = norm.plan();
    statistics(&plan, x, scratch);
    with_lanes!(plan.channels, L => plan.forward::<L>(lanes(x), lanes_mut(y), lanes(scratch)));
}

/// The norm of one image, and its derivative along a tangent.
pub(super) fn both(norm: &Kept, [x, dx]: [&[f32]; 2], [y, dy]: [&mut [f32]; 2], scratch: &mut [f32]) {
    let plan = norm.plan();
    both_statistics(&plan, [x, dx], scratch);
    with_lanes!(plan.channels, L => jvp::forward::<L>(
        &plan,
        (lanes(x), lanes(dx)),
        (lanes_mut(y), lanes_mut(dy)),
        lanes(scratch),
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
    let (own, scratch) = scratch.split_at_mut(FORWARD[0] * plan.channels);
    statistics(&plan, x, own);
    with_lanes!(plan.channels, L => plan.backward::<L>(
        lanes(x),
        lanes_mut(gy),
        lanes_mut(gx),
        lanes_mut(part),
        (lanes(own), lanes_mut(scratch)),
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
    let (own, scratch) = scratch.split_at_mut(FORWARD[1] * plan.channels);
    both_statistics(&plan, [x, dx], own);
    with_lanes!(plan.channels, L => jvp::backward::<L>(
        &plan,
        jvp::Image { x: lanes(x), dx: lanes(dx), gy: lanes_mut(gy), gdy: lanes_mut(gdy) },
        (lanes_mut(gx), lanes_mut(gdx)),
        lanes_mut(part),
        (lanes(own), lanes_mut(scratch)),
    ));
}

/// Normalizes images of `len` numbers each: one stream of values, or two of values and tangents.
pub(super) fn forward(norm: &Kept, len: usize, x: &[&[f32]], y: &mut [&mut [f32]]) {
    let (channels, len) = (norm.plan().channels, len.max(1));
    match (x, y) {
        ([x, dx], [y, dy]) => {
            let mut scratch = vec![0.0; FORWARD[1] * channels];
            let inputs = x.chunks_exact(len).zip(dx.chunks_exact(len));
            let outputs = y.chunks_exact_mut(len).zip(dy.chunks_exact_mut(len));
            for ((x, dx), (y, dy)) in inputs.zip(outputs) {
                both(norm, [x, dx], [y, dy], &mut scratch);
            }
        }
        ([x], [y]) => {
            let mut scratch = vec![0.0; FORWARD[0] * channels];
            for (x, y) in x.chunks_exact(len).zip(y.chunks_exact_mut(len)) {
                value(norm, x, y, &mut scratch);
            }
        }
        _ => {}
    }
}

/// Adds to `gx` the gradients of the images, and to `parts` those of scale and bias, image by image. `gy` is used up.
pub(super) fn backward(
    norm: &Kept,
    len: usize,
    x: &[&[f32]],
    gy: &mut [&mut [f32]],
    gx: &mut [&mut [f32]],
    parts: &mut [f32],
) {
    let (channels, len) = (norm.plan().channels, len.max(1));
    let parts = parts.chunks_exact_mut(2 * channels);
    match (x, gy, gx) {
        ([x, dx], [gy, gdy], [gx, gdx]) => {
            let mut scratch = vec![0.0; BACKWARD[1] * channels];
            let at = x.chunks_exact(len).zip(dx.chunks_exact(len));
            let from = gy.chunks_exact_mut(len).zip(gdy.chunks_exact_mut(len));
            let to = gx.chunks_exact_mut(len).zip(gdx.chunks_exact_mut(len));
            for (((part, (x, dx)), (gy, gdy)), (gx, gdx)) in parts.zip(at).zip(from).zip(to) {
                both_back(norm, [x, dx], [gy, gdy], [gx, gdx], (part, &mut scratch));
            }
        }
        ([x], [gy], [gx]) => {
            let mut scratch = vec![0.0; BACKWARD[0] * channels];
            let images = x.chunks_exact(len).zip(gy.chunks_exact_mut(len)).zip(gx.chunks_exact_mut(len));
            for (part, ((x, gy), gx)) in parts.zip(images) {
                value_back(norm, x, gy, gx, (part, &mut scratch));
            }
        }
        _ => {}
    }
}
