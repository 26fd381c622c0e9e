//! Images as blocks of as many channels as a vector holds.
//!
//! Loops over a block work on copies of it, and write it back as a whole: written number by number, a place would have to be told from every
//! place that is read, for each block anew, before a vector is.

/// The sums over positions of `K` vectors of `L` channels, four positions at a time.
#[inline(always)]
pub(super) fn totals<const L: usize, const K: usize>(
    positions: usize,
    f: impl Fn(usize) -> [[f32; L]; K],
) -> [[f32; L]; K] {
    const LANES: usize = 4;
    let mut sums = [[[0.0f32; L]; K]; LANES];
    let whole = positions / LANES * LANES;
    for first in (0..whole).step_by(LANES) {
        for (lane, sums) in sums.iter_mut().enumerate() {
            add_all(sums, f(first + lane));
        }
    }
    for p in whole..positions {
        add_all(&mut sums[0], f(p));
    }
    let [mut total, rest @ ..] = sums;
    for rest in rest {
        add_all(&mut total, rest);
    }
    total
}

/// `sums += x`.
#[inline(always)]
fn add_all<const L: usize, const K: usize>(sums: &mut [[f32; L]; K], x: [[f32; L]; K]) {
    for k in 0..K {
        for i in 0..L {
            sums[k][i] += x[k][i];
        }
    }
}

/// Runs `$run` with vector instructions on blocks of 16 channels, if the channels fill them as those of every network here do; else channel by
/// channel.
macro_rules! with_lanes {
    ($channels:expr, $lanes:ident => $run:expr) => {
        if $channels % 16 == 0 {
            const $lanes: usize = 16;
            $crate::tensor::cpu::simd::vectorized(
                #[inline(always)]
                || $run,
            )
        } else {
            const $lanes: usize = 1;
            $run
        }
    };
}
pub(super) use with_lanes;

/// A slice as blocks of `L` channels.
#[inline(always)]
pub(super) fn lanes<const L: usize>(x: &[f32]) -> &[[f32; L]] {
    x.as_chunks().0
}

/// A slice to be written, as blocks of `L` channels.
#[inline(always)]
pub(super) fn lanes_mut<const L: usize>(x: &mut [f32]) -> &mut [[f32; L]] {
    x.as_chunks_mut().0
}
