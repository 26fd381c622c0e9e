//! Matrix products on slices, on one thread: parallelism is over units of work around them.

#![allow(unsafe_code)]

use gemm::Parallelism;

/// A matrix inside a slice: `(row, column)` lies at `row * row_stride + column * column_stride`.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    data: &'a [f32],
    row_stride: usize,
    column_stride: usize,
}

impl<'a> View<'a> {
    /// A row-major matrix with `columns` columns.
    pub(super) fn new(data: &'a [f32], columns: usize) -> Self {
        Self { data, row_stride: columns, column_stride: 1 }
    }

    /// A matrix with these strides between rows and between columns.
    pub(super) fn strided(data: &'a [f32], (row_stride, column_stride): (usize, usize)) -> Self {
        Self { data, row_stride, column_stride }
    }

    /// The transpose of this matrix.
    pub(super) fn t(self) -> Self {
        Self { row_stride: self.column_stride, column_stride: self.row_stride, ..self }
    }

    fn holds(&self, rows: usize, columns: usize) -> bool {
        rows == 0
            || columns == 0
            || (rows - 1) * self.row_stride + (columns - 1) * self.column_stride < self.data.len()
    }
}

/// `c = keep c + factor a b` with `a` of shape `(m, k)`, `b` of shape `(k, n)` and `c` row-major `(m, n)`;
/// what `c` held is not read unless `keep`. One row is multiplied as one of two: a vector's product rounds otherwise than a
/// matrix's, and what becomes of a row does not depend on how many are beside it.
pub(super) fn multiply(
    (m, k, n): (usize, usize, usize),
    c: &mut [f32],
    keep: bool,
    factor: f32,
    a: View<'_>,
    b: View<'_>,
) {
    if m == 1 {
        let mut both = if keep { [&c[..n], &c[..n]].concat() } else { vec![0.0; 2 * n] };
        let a = View { row_stride: 0, ..a };
        run((2, k, n), &mut both, keep, factor, a, b, Parallelism::None);
        return c[..n].copy_from_slice(&both[..n]);
    }
    run((m, k, n), c, keep, factor, a, b, Parallelism::None);
}

fn run(
    (m, k, n): (usize, usize, usize),
    c: &mut [f32],
    keep: bool,
    factor: f32,
    a: View<'_>,
    b: View<'_>,
    parallelism: Parallelism,
) {
    assert!(a.holds(m, k) && b.holds(k, n) && c.len() >= m * n, "matrix product of wrong sizes");
    // SAFETY: the assertion above keeps every index of all three matrices inside its slice, and
    // `c` is borrowed mutably, so it overlaps neither `a` nor `b`.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            c.as_mut_ptr(),
            1,
            n as isize,
            keep,
            a.data.as_ptr(),
            a.column_stride as isize,
            a.row_stride as isize,
            b.data.as_ptr(),
            b.column_stride as isize,
            b.row_stride as isize,
            1.0,
            factor,
            false,
            false,
            false,
            parallelism,
        );
    }
}

/// `c = a b` of row-major matrices of shapes `(m, k)` and `(k, n)` on all threads.
///
/// # Panics
/// If a slice is too short.
#[cfg(feature = "cli")]
pub(crate) fn product((m, k, n): (usize, usize, usize), c: &mut [f32], a: &[f32], b: &[f32]) {
    let (a, b) = (View::new(a, k), View::new(b, n));
    run((m, k, n), c, false, 1.0, a, b, Parallelism::Rayon(0));
}
