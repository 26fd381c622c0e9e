//! Group norm of a few images on the caller's thread: of values, or of values and tangents.

use super::group_norm::Kept;
use super::group_norm_jvp as jvp;
use super::lanes::{by_lanes, lanes, lanes_mut};
use super::vectorized;

/// Normalizes images of `len` numbers each: one stream of values, or two of values and tangents.
pub(super) fn forward<const N: usize>(norm: &Kept, len: usize, x: [&[f32]; N], y: [&mut [f32]; N]) {
    let (plan, channels) = (norm.plan(), norm.plan().channels);
    let mut scratch = vec![0.0; 4 * channels];
    let mut y = y.map(|y| y.chunks_exact_mut(len.max(1)));
    let mut x = x.map(|x| x.chunks_exact(len.max(1)));
    while let ([Some(x), dx @ ..], [Some(y), dy @ ..]) =
        (&x.each_mut().map(Iterator::next)[..], &mut y.each_mut().map(Iterator::next)[..])
    {
        vectorized(
            #[inline(always)]
            || {
                by_lanes!(channels, L => match (dx, &mut *dy) {
                    ([Some(dx)], [Some(dy)]) => jvp::forward::<L>(
                        &plan,
                        (lanes(x), lanes(dx)),
                        (lanes_mut(y), lanes_mut(dy)),
                        lanes_mut(&mut scratch),
                    ),
                    _ => plan.forward::<L>(lanes(x), lanes_mut(y), lanes_mut(&mut scratch)),
                })
            },
        );
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
    let (plan, channels) = (norm.plan(), norm.plan().channels);
    let mut scratch = vec![0.0; 9 * channels];
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
        vectorized(
            #[inline(always)]
            || {
                by_lanes!(channels, L => match (dx, &mut *gdy, &mut *gdx) {
                    ([Some(dx)], [Some(gdy)], [Some(gdx)]) => jvp::backward::<L>(
                        &plan,
                        jvp::Image { x: lanes(x), dx: lanes(dx), gy: lanes_mut(gy), gdy: lanes_mut(gdy) },
                        (lanes_mut(gx), lanes_mut(gdx)),
                        lanes_mut(part),
                        lanes_mut(&mut scratch),
                    ),
                    _ => plan.backward::<L>(
                        lanes(x),
                        lanes_mut(gy),
                        lanes_mut(gx),
                        lanes_mut(part),
                        lanes_mut(&mut scratch),
                    ),
                })
            },
        );
    }
}
