//! Products of small matrices that lie in the first caches: no packing, one thread.

#![allow(unsafe_code)]

use pulp::{Simd, WithSimd};

/// Channels are padded to a multiple of this, so that rows are whole vectors of any width.
pub(super) const PAD: usize = 16;

/// Rows of `c` that are summed up in registers at once: two vectors of each, two of `b` and one of `a` fit into 16 registers, or 32. Without
/// vectors there is less to gain. What is left is summed up by four rows, two and one: each number of rows is compiled for itself.
const fn rows<S: Simd>() -> usize {
    match (S::F32_LANES, S::REGISTER_COUNT) {
        (1, _) => 4,
        (_, ..32) => 6,
        _ => 8,
    }
}

/// `len` rounded up to whole vectors.
pub(super) fn padded(len: usize) -> usize {
    len.next_multiple_of(PAD)
}

/// `c = a b`, or `c += a b` with `keep`.
///
/// `a(i, p)` lies at `i * a_strides.0 + p * a_strides.1`; `b` has rows of `n` numbers, a multiple of [`PAD`], and those of
/// `c` begin every `c_line`. The sum over `p` runs in order, whatever the other sizes, so a row of `c` depends on its row of `a` alone.
pub(super) struct Product<'a> {
    pub(super) sizes: (usize, usize, usize),
    pub(super) a: &'a [f32],
    pub(super) a_strides: (usize, usize),
    pub(super) b: &'a [f32],
    pub(super) c: &'a mut [f32],
    pub(super) c_line: usize,
    pub(super) keep: bool,
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let (m, k, n) = self.sizes;
        if m == 0 || k == 0 || n == 0 {
            return;
        }
        let last = (m - 1) * self.a_strides.0 + (k - 1) * self.a_strides.1;
        assert!(
            last < self.a.len() && k * n <= self.b.len() && n.is_multiple_of(PAD),
            "matrix product of wrong sizes"
        );
        assert!(
            n <= self.c_line && (m - 1) * self.c_line + n <= self.c.len(),
            "matrix product of wrong sizes"
        );
        for column in (0..n).step_by(2 * S::F32_LANES) {
            let mut row = 0;
            while row < m {
                // SAFETY: the assertion above keeps every index of `a`, `b` and `c` inside its slice: a tile covers rows
                // `row..row + R <= m` and columns `column..column + N * F32_LANES <= n`.
                row += unsafe {
                    if column + 2 * S::F32_LANES <= n {
                        self.tiles::<S, 2>(simd, row, column)
                    } else {
                        self.tiles::<S, 1>(simd, row, column)
                    }
                };
            }
        }
    }
}

impl Product<'_> {
    /// The tile at `row` of as many rows as there is one for, and how many these are.
    #[inline(always)]
    unsafe fn tiles<S: Simd, const N: usize>(&mut self, simd: S, row: usize, column: usize) -> usize {
        // SAFETY: as the caller's.
        unsafe {
            match self.sizes.0 - row {
                8.. if const { rows::<S>() == 8 } => self.tile::<S, 8, N>(simd, row, column),
                6.. if const { rows::<S>() == 6 } => self.tile::<S, 6, N>(simd, row, column),
                4.. => self.tile::<S, 4, N>(simd, row, column),
                2.. => self.tile::<S, 2, N>(simd, row, column),
                _ => self.tile::<S, 1, N>(simd, row, column),
            }
        }
    }

    /// `R` rows of `N` vectors, summed up in registers.
    #[inline(always)]
    unsafe fn tile<S: Simd, const R: usize, const N: usize>(
        &mut self,
        simd: S,
        row: usize,
        column: usize,
    ) -> usize {
        let (_, k, n) = self.sizes;
        let (down, along) = self.a_strides;
        let mut sums = [[simd.splat_f32s(0.0); N]; R];
        // SAFETY: the caller's rows and columns lie inside the matrices; reads and writes need no alignment.
        unsafe {
            let mut a = self.a.as_ptr().add(row * down);
            let mut b = self.b.as_ptr().add(column);
            for _ in 0..k {
                let mut line = [simd.splat_f32s(0.0); N];
                for (v, line) in line.iter_mut().enumerate() {
                    *line = b.add(v * S::F32_LANES).cast::<S::f32s>().read_unaligned();
                }
                for (r, sums) in sums.iter_mut().enumerate() {
                    let x = simd.splat_f32s(*a.add(r * down));
                    for (sum, line) in sums.iter_mut().zip(line) {
                        *sum = simd.mul_add_e_f32s(x, line, *sum);
                    }
                }
                a = a.wrapping_add(along);
                b = b.wrapping_add(n);
            }
            let c = self.c.as_mut_ptr().add(row * self.c_line + column);
            for (r, sums) in sums.iter().enumerate() {
                for (v, sum) in sums.iter().enumerate() {
                    let c = c.add(r * self.c_line + v * S::F32_LANES).cast::<S::f32s>();
                    let sum = if self.keep { simd.add_f32s(c.read_unaligned(), *sum) } else { *sum };
                    c.write_unaligned(sum);
                }
            }
        }
        R
    }
}
