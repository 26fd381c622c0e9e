//! The one-dimensional maps of Winograd's F(4, 3) at the points 0, `a`, `-a`, `b = 1/a`, `-b` and infinity, `a^2 = 1/2`.
//!
//! `y = A^T ((G g) * (B^T d))` gives 4 outputs of 3 taps `g` over 6 inputs `d`. A row of `B^T` has the coefficients
//! of the product of `x - p` over the other finite points `p`; a row of `A` the powers of its point.

use pulp::Simd;

/// The positions of an output tile along a side.
pub(super) const OUT: usize = 4;
/// The inputs that it sees along a side.
pub(super) const IN: usize = 6;

/// The point `a`.
pub(super) const A: f32 = std::f32::consts::FRAC_1_SQRT_2;
/// The point `b`.
pub(super) const B: f32 = std::f32::consts::SQRT_2;

/// The taps along a side.
pub(super) const TAPS: usize = 3;

macro_rules! both_sides {
    ($(#[$doc:meta])* $name:ident, $from:ident, $($i:literal)+) => {
        $(#[$doc])*
        #[inline(always)]
        pub(super) fn $name<V: Copy, const TO: usize>(
            map: impl Fn([V; $from]) -> [V; TO],
            at: impl Fn(usize, usize) -> V,
            mut put: impl FnMut(usize, usize, V),
        ) {
            #[inline(always)]
            fn column<V, const TO: usize>(
                map: &impl Fn([V; $from]) -> [V; TO],
                at: &impl Fn(usize, usize) -> V,
                j: usize,
            ) -> [V; TO] {
                map([$(at($i, j)),+])
            }
            let columns = [$(column(&map, &at, $i)),+];
            for i in 0..TO {
                let line = map([$(columns[$i][i]),+]);
                for (j, y) in line.into_iter().enumerate() {
                    put(i, j, y);
                }
            }
        }
    };
}

both_sides! {
    /// `put(i, j, y_ij)` for every `y_ij` of `y = M x M^T`, `M` being a map from [`IN`] numbers and `x_ij = at(i, j)`.
    ///
    /// Memory sees what `put` writes and no more: an array that is filled element by element would be cleared first.
    both_sides_of_inputs, IN, 0 1 2 3 4 5
}

both_sides! {
    /// As [`both_sides_of_inputs`], of a map from [`OUT`] numbers.
    both_sides_of_outputs, OUT, 0 1 2 3
}

both_sides! {
    /// As [`both_sides_of_inputs`], of a map from [`TAPS`] numbers.
    both_sides_of_taps, TAPS, 0 1 2
}

/// `B^T d`.
#[inline(always)]
pub(super) fn input_map<S: Simd>(simd: S, d: [S::f32s; IN]) -> [S::f32s; IN] {
    let c = |x: f32| simd.splat_f32s(x);
    let [d0, d1, d2, d3, d4, d5] = d;
    let p = simd.mul_add_e_f32s(c(-2.0), d2, d4);
    let q = simd.mul_add_e_f32s(c(-2.0), d1, d3);
    let r = simd.mul_add_e_f32s(c(-0.5), d2, d4);
    let s = simd.mul_add_e_f32s(c(-0.5), d1, d3);
    [
        simd.mul_add_e_f32s(c(-2.5), d2, simd.add_f32s(d0, d4)),
        simd.mul_add_e_f32s(c(A), q, p),
        simd.mul_add_e_f32s(c(-A), q, p),
        simd.mul_add_e_f32s(c(B), s, r),
        simd.mul_add_e_f32s(c(-B), s, r),
        simd.mul_add_e_f32s(c(-2.5), d3, simd.add_f32s(d1, d5)),
    ]
}

/// `B v`, the transpose of [`input_map`].
#[inline(always)]
pub(super) fn input_transpose<S: Simd>(simd: S, v: [S::f32s; IN]) -> [S::f32s; IN] {
    let c = |x: f32| simd.splat_f32s(x);
    let [v0, v1, v2, v3, v4, v5] = v;
    let (p, r) = (simd.add_f32s(v1, v2), simd.add_f32s(v3, v4));
    let q = simd.mul_f32s(c(A), simd.sub_f32s(v1, v2));
    let s = simd.mul_f32s(c(B), simd.sub_f32s(v3, v4));
    [
        v0,
        simd.mul_add_e_f32s(c(-2.0), q, simd.mul_add_e_f32s(c(-0.5), s, v5)),
        simd.mul_add_e_f32s(c(-2.5), v0, simd.mul_add_e_f32s(c(-2.0), p, simd.mul_f32s(c(-0.5), r))),
        simd.mul_add_e_f32s(c(-2.5), v5, simd.add_f32s(q, s)),
        simd.add_f32s(v0, simd.add_f32s(p, r)),
        v5,
    ]
}

/// `A^T m`.
#[inline(always)]
pub(super) fn output_map<S: Simd>(simd: S, m: [S::f32s; IN]) -> [S::f32s; OUT] {
    let c = |x: f32| simd.splat_f32s(x);
    let [m0, m1, m2, m3, m4, m5] = m;
    let (p, r) = (simd.add_f32s(m1, m2), simd.add_f32s(m3, m4));
    let q = simd.mul_f32s(c(A), simd.sub_f32s(m1, m2));
    let s = simd.mul_f32s(c(B), simd.sub_f32s(m3, m4));
    [
        simd.add_f32s(m0, simd.add_f32s(p, r)),
        simd.add_f32s(q, s),
        simd.mul_add_e_f32s(c(0.5), p, simd.mul_f32s(c(2.0), r)),
        simd.mul_add_e_f32s(c(0.5), q, simd.mul_add_e_f32s(c(2.0), s, m5)),
    ]
}

/// `A g`, the transpose of [`output_map`].
#[inline(always)]
pub(super) fn output_transpose<S: Simd>(simd: S, g: [S::f32s; OUT]) -> [S::f32s; IN] {
    let c = |x: f32| simd.splat_f32s(x);
    let [g0, g1, g2, g3] = g;
    let p = simd.mul_add_e_f32s(c(0.5), g2, g0);
    let q = simd.mul_add_e_f32s(c(0.5), g3, g1);
    let r = simd.mul_add_e_f32s(c(2.0), g2, g0);
    let s = simd.mul_add_e_f32s(c(2.0), g3, g1);
    [
        g0,
        simd.mul_add_e_f32s(c(A), q, p),
        simd.mul_add_e_f32s(c(-A), q, p),
        simd.mul_add_e_f32s(c(B), s, r),
        simd.mul_add_e_f32s(c(-B), s, r),
        g3,
    ]
}

/// `G g`: row `p` of `G` is `p^j / f(p)`, `f` being the product of the distances to the other points.
#[inline(always)]
pub(super) fn taps_map<S: Simd>(simd: S, g: [S::f32s; TAPS]) -> [S::f32s; IN] {
    let c = |x: f32| simd.splat_f32s(x);
    let [g0, g1, g2] = g;
    let p = simd.mul_add_e_f32s(c(-2.0 / 3.0), g0, simd.mul_f32s(c(-1.0 / 3.0), g2));
    let q = simd.mul_f32s(c(-A / 1.5), g1);
    let r = simd.mul_add_e_f32s(c(1.0 / 6.0), g0, simd.mul_f32s(c(1.0 / 3.0), g2));
    let s = simd.mul_f32s(c(B / 6.0), g1);
    [g0, simd.add_f32s(p, q), simd.sub_f32s(p, q), simd.add_f32s(r, s), simd.sub_f32s(r, s), g2]
}

/// `G^T u`, the transpose of [`taps_map`].
#[inline(always)]
pub(super) fn taps_transpose<S: Simd>(simd: S, u: [S::f32s; IN]) -> [S::f32s; TAPS] {
    let c = |x: f32| simd.splat_f32s(x);
    let [u0, u1, u2, u3, u4, u5] = u;
    let (p, r) = (simd.add_f32s(u1, u2), simd.add_f32s(u3, u4));
    let (q, s) = (simd.sub_f32s(u1, u2), simd.sub_f32s(u3, u4));
    [
        simd.mul_add_e_f32s(c(1.0 / 6.0), r, simd.mul_add_e_f32s(c(-2.0 / 3.0), p, u0)),
        simd.mul_add_e_f32s(c(-A / 1.5), q, simd.mul_f32s(c(B / 6.0), s)),
        simd.mul_add_e_f32s(c(1.0 / 3.0), simd.sub_f32s(r, p), u5),
    ]
}
