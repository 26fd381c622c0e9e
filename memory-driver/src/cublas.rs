//! cuBLAS: products of column-major matrices by the crate `gemm`, in TF32 of factors that were rounded before.

use crate::memory::{Element, elements};
use cudarc::cublas::sys::*;
use gemm::Parallelism;
use num_traits::Float;
use std::cell::Cell;
use std::ffi::{c_int, c_longlong, c_void};

/// A column-major matrix, as it is stored: its rows, the columns, and how far a column is from the next.
struct Stored {
    rows: usize,
    columns: usize,
    leading: usize,
}

impl Stored {
    /// A matrix of `rows` and `columns` after the operation; `None` where a column does not fit.
    fn new(operation: cublasOperation_t, rows: usize, columns: usize, leading: c_int) -> Option<Self> {
        let (rows, columns) = if transposed(operation) { (columns, rows) } else { (rows, columns) };
        let leading = usize::try_from(leading).ok().filter(|leading| *leading >= rows.max(1))?;
        Some(Self { rows, columns, leading })
    }

    /// How many numbers from the first to the last of all matrices, `stride` apart.
    fn extent(&self, stride: usize, batch: usize) -> usize {
        match self.rows * self.columns * batch {
            0 => 0,
            _ => (batch - 1) * stride + (self.columns - 1) * self.leading + self.rows,
        }
    }
}

fn transposed(operation: cublasOperation_t) -> bool {
    operation != cublasOperation_t::CUBLAS_OP_N
}

/// An operand: its operation, address, leading dimension, and how far it is from the next of the batch.
type Operand = (cublasOperation_t, u64, c_int, c_longlong);

/// What a factor's numbers are rounded to before they are multiplied.
type Rounding<T> = fn(T) -> T;

/// The nearest number with 10 bits of mantissa, of two that are as near the one whose last bit is 0.
pub(crate) fn tf32(x: f32) -> f32 {
    const CUT: u32 = 13;
    let bits = x.to_bits();
    let half_less_one = (1 << (CUT - 1)) - 1 + (bits >> CUT & 1);
    if x.is_finite() { f32::from_bits((bits + half_less_one) >> CUT << CUT) } else { x }
}

/// `C = alpha op(A) op(B) + beta C` of each of a batch; `C` is not read where `beta` is 0.
///
/// # Safety
/// `factors` points to a number each, `alpha` and `beta`; no other thread uses the matrices.
unsafe fn product<T: Element + Float>(
    sizes: [c_int; 3],
    factors: [*const T; 2],
    [a, b, c]: [Operand; 3],
    batch: c_int,
    rounding: Option<Rounding<T>>,
) -> cublasStatus_t {
    let invalid = cublasStatus_t::CUBLAS_STATUS_INVALID_VALUE;
    let [Ok(m), Ok(n), Ok(k)] = sizes.map(usize::try_from) else { return invalid };
    let Ok(batch) = usize::try_from(batch) else { return invalid };
    let [Ok(a_stride), Ok(b_stride), Ok(c_stride)] = [a.3, b.3, c.3].map(usize::try_from) else {
        return invalid;
    };
    let stored = (Stored::new(a.0, m, k, a.2), Stored::new(b.0, k, n, b.2), Stored::new(c.0, m, n, c.2));
    let (Some(of_a), Some(of_b), Some(of_c)) = stored else { return invalid };
    if m * n * batch == 0 {
        return cublasStatus_t::CUBLAS_STATUS_SUCCESS;
    }
    // SAFETY: the caller says so.
    let found = unsafe { (elements::<T>(a.1), elements::<T>(b.1), elements::<T>(c.1)) };
    let (Ok(at_a), Ok(at_b), Ok(at_c)) = found else { return cublasStatus_t::CUBLAS_STATUS_EXECUTION_FAILED };
    let needed = [of_a.extent(a_stride, batch), of_b.extent(b_stride, batch), of_c.extent(c_stride, batch)];
    let held = [at_a.len(), at_b.len(), at_c.len()];
    if needed.iter().zip(&held).any(|(needed, held)| needed > held) {
        eprintln!("memory-driver: a product of {needed:?} numbers in buffers of {held:?}");
        return cublasStatus_t::CUBLAS_STATUS_EXECUTION_FAILED;
    }
    // SAFETY: the caller says so.
    let (alpha, beta) = unsafe { (*factors[0], *factors[1]) };
    let steps = |stored: &Stored, operation| match transposed(operation) {
        false => (stored.leading as isize, 1),
        true => (1, stored.leading as isize),
    };
    let ((a_column, a_row), (b_column, b_row)) = (steps(&of_a, a.0), steps(&of_b, b.0));
    let rounded = rounding.map(|round| {
        let of = |factor: &[Cell<T>]| factor.iter().map(|cell| round(cell.get())).collect::<Vec<T>>();
        [of(&at_a[..needed[0]]), of(&at_b[..needed[1]])]
    });
    let [from_a, from_b]: [*const T; 2] = match &rounded {
        Some(rounded) => [rounded[0].as_ptr(), rounded[1].as_ptr()],
        None => [at_a, at_b].map(|factor| factor.as_ptr().cast::<T>()),
    };
    for i in 0..batch {
        let at_c = at_c[i * c_stride..].as_ptr().cast::<T>().cast_mut();
        // SAFETY: all numbers are within the buffers, as was just checked, and cells may be written.
        unsafe {
            gemm::gemm(
                m,
                n,
                k,
                at_c,
                of_c.leading as isize,
                1,
                beta != T::zero(),
                from_a.add(i * a_stride),
                a_column,
                a_row,
                from_b.add(i * b_stride),
                b_column,
                b_row,
                beta,
                alpha,
                false,
                false,
                false,
                Parallelism::None,
            );
        }
    }
    cublasStatus_t::CUBLAS_STATUS_SUCCESS
}

/// Both kinds of product of one type of number.
macro_rules! products {
    ($single:ident, $batched:ident, $type:ty) => {
        crate::define! {
            cudarc::cublas::sys;

            fn $single(
                _handle: cublasHandle_t,
                of_a: cublasOperation_t,
                of_b: cublasOperation_t,
                m: c_int,
                n: c_int,
                k: c_int,
                alpha: *const $type,
                a: *const $type,
                lda: c_int,
                b: *const $type,
                ldb: c_int,
                beta: *const $type,
                c: *mut $type,
                ldc: c_int,
            ) -> cublasStatus_t {
                let c = (cublasOperation_t::CUBLAS_OP_N, c as u64, ldc, 0);
                let operands = [(of_a, a as u64, lda, 0), (of_b, b as u64, ldb, 0), c];
                // SAFETY: the caller gives the two factors, and the thread of the device is this one.
                unsafe { product([m, n, k], [alpha, beta], operands, 1, None) }
            }

            fn $batched(
                _handle: cublasHandle_t,
                of_a: cublasOperation_t,
                of_b: cublasOperation_t,
                m: c_int,
                n: c_int,
                k: c_int,
                alpha: *const $type,
                a: *const $type,
                lda: c_int,
                a_stride: c_longlong,
                b: *const $type,
                ldb: c_int,
                b_stride: c_longlong,
                beta: *const $type,
                c: *mut $type,
                ldc: c_int,
                c_stride: c_longlong,
                batch: c_int,
            ) -> cublasStatus_t {
                let c = (cublasOperation_t::CUBLAS_OP_N, c as u64, ldc, c_stride);
                let operands = [(of_a, a as u64, lda, a_stride), (of_b, b as u64, ldb, b_stride), c];
                // SAFETY: the caller gives the two factors, and the thread of the device is this one.
                unsafe { product([m, n, k], [alpha, beta], operands, batch, None) }
            }
        }
    };
}

products!(cublasSgemm_v2, cublasSgemmStridedBatched, f32);
products!(cublasDgemm_v2, cublasDgemmStridedBatched, f64);

crate::define! {
    cudarc::cublas::sys;

    /// Products of `f32` in TF32, and no others.
    fn cublasGemmStridedBatchedEx(
        _handle: cublasHandle_t,
        of_a: cublasOperation_t,
        of_b: cublasOperation_t,
        m: c_int,
        n: c_int,
        k: c_int,
        alpha: *const c_void,
        a: *const c_void,
        a_type: cudaDataType,
        lda: c_int,
        a_stride: c_longlong,
        b: *const c_void,
        b_type: cudaDataType,
        ldb: c_int,
        b_stride: c_longlong,
        beta: *const c_void,
        c: *mut c_void,
        c_type: cudaDataType,
        ldc: c_int,
        c_stride: c_longlong,
        batch: c_int,
        compute: cublasComputeType_t,
        _algorithm: cublasGemmAlgo_t,
    ) -> cublasStatus_t {
        let single = [a_type, b_type, c_type].iter().all(|own| *own == cudaDataType::CUDA_R_32F);
        if !single || compute != cublasComputeType_t::CUBLAS_COMPUTE_32F_FAST_TF32 {
            return cublasStatus_t::CUBLAS_STATUS_NOT_SUPPORTED;
        }
        let c = (cublasOperation_t::CUBLAS_OP_N, c as u64, ldc, c_stride);
        let operands = [(of_a, a as u64, lda, a_stride), (of_b, b as u64, ldb, b_stride), c];
        let factors = [alpha, beta].map(<*const c_void>::cast::<f32>);
        // SAFETY: the caller gives the two factors, and the thread of the device is this one.
        unsafe { product([m, n, k], factors, operands, batch, Some(tf32)) }
    }

    fn cublasCreate_v2(to: *mut cublasHandle_t) -> cublasStatus_t {
        // SAFETY: the caller gives a place for the handle.
        unsafe { to.write(std::ptr::NonNull::dangling().as_ptr()) };
        cublasStatus_t::CUBLAS_STATUS_SUCCESS
    }

    fn cublasDestroy_v2(_handle: cublasHandle_t) -> cublasStatus_t {
        cublasStatus_t::CUBLAS_STATUS_SUCCESS
    }

    fn cublasSetStream_v2(_handle: cublasHandle_t, _stream: cudaStream_t) -> cublasStatus_t {
        cublasStatus_t::CUBLAS_STATUS_SUCCESS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::{allocate, free};

    const PLAIN: cublasOperation_t = cublasOperation_t::CUBLAS_OP_N;
    const TURNED: cublasOperation_t = cublasOperation_t::CUBLAS_OP_T;

    /// `op(A) B + beta C` with `A` of 2x3 after its operation and `B` of 3x1, from these numbers.
    fn of(operation: cublasOperation_t, lda: c_int, beta: f64) -> (cublasStatus_t, Vec<f64>) {
        let buffers =
            [[1.0, 2.0, 3.0, 4.0, 5.0, 6.0].as_slice(), &[1.0, 10.0, 100.0], &[7.0, 8.0]].map(|numbers| {
                let address = allocate(8 * numbers.len()).unwrap();
                // SAFETY: the buffer is this test's.
                let cells = unsafe { elements::<f64>(address) }.unwrap();
                cells.iter().zip(numbers).for_each(|(cell, x)| cell.set(*x));
                (address, cells)
            });
        let [a, b, c] = buffers.map(|(address, _)| address);
        let operands = [(operation, a, lda, 0), (PLAIN, b, 3, 0), (PLAIN, c, 2, 0)];
        // SAFETY: the factors and the buffers are this test's.
        let status = unsafe { product::<f64>([2, 1, 3], [&1.0, &beta], operands, 1, None) };
        let answer = buffers[2].1.iter().map(std::cell::Cell::get).collect();
        [a, b, c].into_iter().for_each(|address| free(address).unwrap());
        (status, answer)
    }

    #[test]
    fn tf32_has_ten_bits_of_mantissa() {
        let eps = f32::powi(2.0, -10);
        for (x, near) in [
            (1.0, 1.0),
            (1.0 + 0.49 * eps, 1.0),
            (1.0 + 0.5 * eps, 1.0),
            (1.0 + 0.51 * eps, 1.0 + eps),
            (1.0 + 1.5 * eps, 1.0 + 2.0 * eps),
            (-(2.0 - 0.1 * eps), -2.0),
            (0.0, 0.0),
            (f32::INFINITY, f32::INFINITY),
        ] {
            assert_eq!(tf32(x), near, "{x}");
        }
        assert!(tf32(f32::NAN).is_nan());
    }

    #[test]
    fn products_are_column_major_and_checked() {
        let done = cublasStatus_t::CUBLAS_STATUS_SUCCESS;
        assert_eq!(of(PLAIN, 2, 0.0), (done, vec![531.0, 642.0]));
        assert_eq!(of(TURNED, 3, 1.0), (done, vec![328.0, 662.0]));
        // A column of two does not fit into one number.
        assert_eq!(of(PLAIN, 1, 0.0), (cublasStatus_t::CUBLAS_STATUS_INVALID_VALUE, vec![7.0, 8.0]));
        // Columns three apart end beyond the buffer.
        assert_eq!(of(PLAIN, 3, 0.0), (cublasStatus_t::CUBLAS_STATUS_EXECUTION_FAILED, vec![7.0, 8.0]));
    }
}
