//! Vector instructions chosen at run time, and the functions that need them.
//!
//! Loops over single numbers run over indices. An iterator of two slices is begun by a function that the standard library leaves to the
//! compiler to inline; where the crate is compiled in many units it is called instead, for each short row anew, and takes as long as the row.

use pulp::WithSimd;

/// Runs `f` compiled for the widest vector instructions that the processor has.
///
/// What `f` calls must be inlined into it to profit. That it is bound as `FnOnce` here, and not as what pulp makes of that, has the compiler
/// call its body, and not a way to it that is not inlined.
#[inline(always)]
pub(super) fn vectorized<R>(f: impl FnOnce() -> R) -> R {
    dispatched(f)
}

/// Does `work` with the widest vector instructions that the processor has: compiled once for every kind of them, not again wherever it is called.
#[inline(never)]
pub(super) fn dispatched<W: WithSimd>(work: W) -> W::Output {
    pulp::Arch::new().dispatch(work)
}

/// Adds the numbers of `x` to as many of `to`.
#[inline(always)]
pub(super) fn add(to: &mut [f32], x: &[f32]) {
    let len = to.len().min(x.len());
    let (to, x) = (&mut to[..len], &x[..len]);
    for i in 0..len {
        to[i] += x[i];
    }
}

/// Sets every number to 0: unlike `fill`, inlined, and so known to be what the system's own clearing of memory does.
#[inline(always)]
pub(super) fn clear(x: &mut [f32]) {
    x.iter_mut().for_each(|x| *x = 0.0);
}

/// `e^x` to about 2 units in the last place, without branches, so that loops over it vectorize.
///
/// `x = n ln 2 + r` with `|r| <= ln 2 / 2`; `e^r` by its Taylor polynomial of degree 7 (its remainder is below
/// 6e-9 relative), scaled by `2^n`. Saturates at `|x| = 87`.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    // Adding and subtracting 1.5 * 2^23 rounds to the nearest integer, left in the low bits.
    const ROUND: f32 = 12_582_912.0;
    let x = x.clamp(-87.0, 87.0);
    let shifted = x.mul_add(std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = n.mul_add(2.121_944_4e-4, n.mul_add(-0.693_359_4, x));
    let p: f32 = 1.0 / 5040.0;
    let p = p.mul_add(r, 1.0 / 720.0);
    let p = p.mul_add(r, 1.0 / 120.0);
    let p = p.mul_add(r, 1.0 / 24.0);
    let p = p.mul_add(r, 1.0 / 6.0);
    let p = p.mul_add(r, 0.5);
    let p = p.mul_add(r, 1.0);
    let p = p.mul_add(r, 1.0);
    p * f32::from_bits((shifted.to_bits().wrapping_add(127)) << 23)
}

/// The sum of a row, in 16 running sums: in the same order on every machine.
#[inline(always)]
pub(super) fn row_sum(row: &[f32]) -> f32 {
    let (chunks, rest) = row.as_chunks::<16>();
    let mut sums = [0.0f32; 16];
    for chunk in chunks {
        for i in 0..16 {
            sums[i] += chunk[i];
        }
    }
    sums.iter().chain(rest).sum()
}

/// The sum of the products of two rows of the same length, in 16 running sums.
#[inline(always)]
pub(super) fn row_dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
    let mut sums = [0.0f32; 16];
    for (a, b) in a.iter().zip(b) {
        for i in 0..16 {
            sums[i] = a[i].mul_add(b[i], sums[i]);
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

/// The largest number of a row.
#[inline(always)]
pub(super) fn row_max(row: &[f32]) -> f32 {
    let (chunks, rest) = row.as_chunks::<16>();
    let larger = |a: f32, b: f32| if b > a { b } else { a };
    let mut max = [f32::NEG_INFINITY; 16];
    for chunk in chunks {
        for i in 0..16 {
            max[i] = larger(max[i], chunk[i]);
        }
    }
    max.iter().chain(rest).fold(f32::NEG_INFINITY, |a, b| larger(a, *b))
}

/// The logistic function.
#[inline(always)]
pub(super) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_accurate() {
        for i in -86_000..=86_000 {
            let x = i as f32 * 1e-3;
            let (ours, exact) = (f64::from(exp(x)), f64::from(x).exp());
            assert!((ours / exact - 1.0).abs() < 3e-7, "exp({x}) = {ours}, expected {exact}");
        }
        assert!(exp(-1e30) < 1e-37 && exp(1e30).is_finite());
    }
}
