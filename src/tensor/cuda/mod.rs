//! NVIDIA's libraries, opened when they are first used.
//!
//! `cudarc` declares their functions and is told not to link to them (its feature `ci-check`); the module `functions` defines each, and passes
//! it on to the library. Of cuDNN, which nothing needs, the module `cudnn` declares what it calls. So a program with the feature `cuda` is built without these libraries and starts without them, and a device
//! is refused with the name of what is missing.
//!
//! # Without a GPU
//!
//! `cargo cuda-memory test ...` puts another library under these names: the crate `memory-driver`, for tests, whose device is host memory
//! whose kernels are Rust functions of the names and launch arguments of dfdx's, and our own, compiled as C. The program is the one that a GPU would run.
//!
//! It proves, value and gradient, that what idode and dfdx do on the host is right: which kernels run, in which order, on which
//! buffers; their lengths, shapes, strides and null pointers; tapes, gradient buffers and the cache; leading dimensions of products;
//! what crosses the bus. New memory is NaN, nothing leaves a buffer unseen, nothing is freed twice, an empty launch is an error, and a
//! device may have as little memory as a test wants. The bugs of dfdx that arguments cause are there too: a taped reshape of a broadcast tensor
//! loses its gradient (`tests/device_operations.rs`).
//!
//! It cannot prove that dfdx's CUDA sources compute what those functions do (they were read, and a card is needed to see), nor show 32-bit
//! counts, atomics and their order, streams and barriers, headers missing at first use, NVIDIA's rounding, or speed.
//!
//! # Own kernels
//!
//! `source/*.cu` holds the kernels of [`Kernels<f32>`](crate::tensor::Kernels), with the equations of `tensor/cpu`: group norm, swish and
//! dropout; 3x3 convolution by Winograd's F(4x4, 3x3), by patches and a product, or what cuDNN's wants around it; softmax and its derivatives; pooling; sums; Fourier features,
//! of images and of times; numbers a row; the optimizer. `launch` compiles them by NVRTC at the first use of a device and launches them with
//! arguments that are checked against the declarations; products are cuBLAS's, in `f32` or TF32. Where they cannot be compiled the portable
//! operations compute, after one line on standard error. `f64` has kernels for what the solver does with states (`rows`), and is portable elsewhere.
//!
//! - One text, two compilers: a kernel is written in phases between barriers, so that a C compiler makes loops of its threads
//!   (`source/kernel.h`). On a device of host memory it is compiled so, and its buffers have guards around them.
//! - Products are `cublasSgemmStridedBatched` of a handle in cuBLAS's default mode, which keeps at least the mantissa that the type has; TF32 is asked for by
//!   the call (`CUBLAS_COMPUTE_32F_FAST_TF32`) while work runs that wants it (`precision`), backward passes and recomputed segments included, since
//!   they run within the step. `NVIDIA_TF32_OVERRIDE=0` takes it away from every call, so that TF32 is refused; with another value no device is opened.
//! - In TF32 3x3 convolutions are Winograd's too. Its transforms grow the rounding of the factors, on random images to 2.3e-3 of the largest entry at most,
//!   where one product by patches has 3.4e-4; `cargo cuda-memory test --test precision -- --nocapture winograd` prints both, for output and gradients,
//!   and holds the former below 1e-2.
//! - No atomics, and every sum in a fixed order: two runs on one kind of card give the same bits, as far as dfdx's own kernels have no
//!   part in a number. `IDODE_MEMORY_DRIVER_ORDER=reversed` runs threads and blocks backwards, and the bits stay.
//! - Batches are worked on in chunks whose scratch memory a GPU's cache mostly holds (`IDODE_CUDA_CHUNK`, in numbers, to measure others);
//!   normalized images, transformed tiles and scores never outlive an operation, and the backward pass makes them again.
//! - Many tensors, or many terms, are one launch: their addresses and counts come as a table of 64-bit numbers in one transfer, and a block
//!   searches its row. So a step of the optimizer is three launches, of gradients' copies, of their squares, and of AdamW with the average,
//!   up to 16 million numbers; more go in groups of that many, since what is new lies beside what is old (`update`).
//! - An output's memory is not zeroed first: dfdx's `zeros_like` makes it, and `functions` leaves out the launch for the zeros. The zeros of
//!   gradients stay, since kernels add to them. dfdx's copies of gradients are put off there too, and made in one launch.
//! - The solver's products are rounded before they are added, so that a stage has the bits of the host's.
//! - An address is read off a tensor's `Debug` text (`storage`), which is why dfdx is pinned.
//!
//! - cuDNN, where it is installed, computes 3x3 convolutions by its legacy interface (`cudnn`, `direct`): images with the channels last, the weight
//!   transposed once a call, implicit GEMM by algorithms that NVIDIA calls deterministic, workspace of the engine's scratch memory. Its default for
//!   `f32` is TF32, so the math type is FMA, and the default where TF32 is asked for. A status other than success is an error of the operation.
//! - Every operation has candidates: own kernels, for 3x3 convolution cuDNN and patches as well, and the portable operations. At the first use of a shape
//!   they are checked and timed (`candidates`): a kernel that is wrong on a user's card is left out with a line on standard error and makes no number
//!   wrong. `IDODE_CUDA_CANDIDATE=own|cudnn|patches|portable` names one for all, unchecked. A check costs two rows in `f64` and a timing some rows in `f32`:
//!   by estimate tens of milliseconds a shape, and dfdx's compilation of two kernels once. `idode bench --kernels` prints the table.
//!   `IDODE_MEMORY_DRIVER_WRONG=winograd_output,pool` makes kernels wrong on a device of host memory, to see that it is noticed. A run keeps what was
//!   chosen (`candidates.json`), and on a device of the same name it is taken again: checked, not timed (`kept`).
//!
//! None of it has run on a GPU yet. **Estimates** for an H100, from bytes at 3 TB/s, products at 75% of the 47.5 TFLOP/s that cuBLAS was
//! measured at, and 3 us a launch; 32 images of 32x32x128, in ms, beside what the portable operations were measured to take:
//!
//! | operation | bytes, operations | estimate | portable, measured |
//! |---|---|---|---|
//! | group norm + swish | x read twice, y written: 50 MB | 0.03 | 0.561 |
//! | the same with backward | and x twice, gy twice, gx read and written: 200 MB | 0.09 | 1.513 |
//! | 3x3 convolution | 2.4 GFLOP; 50 MB of memory, 150 MB of cache | 0.13 | 0.924 |
//! | the same with backward | 3 products, 6 transforms | 0.45 | 3.156 |
//! | norm + swish + convolution, jvp | 2 products, 4 transforms, one norm of both | 0.32 | 3.199 |
//! | 1x1 convolution | 1.1 GFLOP, 67 MB | 0.05 | 0.083 |
//! | attention | 17 GFLOP; scores of 134 MB read 3 times and written twice in cache | 0.60 | 1.826 |
//! | the same with backward | 60 GFLOP | 2.0 | 4.256 |
//! | AdamW and average, of 10 million numbers | 36 bytes a number, one launch | 0.12 | |
//! | their gradients' copies and squares | 12 bytes a number, two launches | 0.05 | |
//! | Fourier features of 32 images of 32x32x3, 2 waves | 2 MB, one launch | 0.004 | |
//! | a stage of 6 terms, 64 states of 3072 | 13 MB of `f64`, one launch | 0.008 | |
//! | its error norm | 5 MB of `f64`, one launch | 0.005 | |
//!
//! What a step of training leaves to dfdx's element-wise kernels are two biases of the time embedding and the mean of the losses: some KB each,
//! about 15 launches with what dfdx brings to the device for them, 0.05 ms by the same estimate. They have no kernel of their own.
//! `cargo cuda-memory test --test cuda_launches -- --nocapture` prints the launches of a step by kernel; in debug builds, which it
//! runs, most of the zeros (`memset`) are those of a check in `tensor::reshape`.
//!
//! # dfdx's own kernels
//!
//! `f64`, and in `f32` what has no kernel above, runs these. dfdx 0.13.0 and cudarc 0.9.15 were read, value and gradient, for every operation that idode calls on CUDA: lengths of the
//! memory taken for those of the shape, or the reverse; 32-bit counts; atomics; nothing to allocate or launch; panics.
//! A broadcast tensor has stride 0 along an axis and fewer numbers in memory than elements; its gradient is as long as
//! its memory. Files are those of dfdx's `src/tensor_ops` where no other folder is named.
//!
//! Right for contiguous, permuted and broadcast inputs alike:
//! - Operations on one tensor (with a number, `square`, `sqrt`, `recip`, `sigmoid`, `sin`, `cos`, `exp`, `abs`, `to_dtype`)
//!   visit the memory and keep the strides (`utilities/cuda_kernels.rs:80`, `:110`; `to_dtype/cuda_kernel.rs:42`).
//! - `add`, `sub`, `mul`, `div`, `maximum`, comparisons, `choose`, `gather`, `concat_along` and `slice` visit the elements through
//!   the strides; the gradient of a broadcast operand is added up in chunks (`utilities/cuda_kernels.rs:379`).
//! - `broadcast` and `permute` are views with the same gradient. `copy_from` and `as_vec` move the memory.
//!
//! | operation | finding | reached by idode? | what we do |
//! |---|---|---|---|
//! | `reshape`, gradient | visits the input's memory, not its elements (`reshape_to/cuda_kernel.rs:82`): a broadcast input loses most of its gradient | it was, by group norm | `reshape` refuses it where a tape records, in debug builds; group norm stays split |
//! | `sum`, `mean`, gradient | takes the output for contiguous (`sum_to/cuda_kernel.rs:109`): wrong, or beyond the end, if the input is broadcast along an axis that stays | no: every taped sum is of a full tensor | nothing |
//! | `sum`, `max` of a single number (no axes) | panics (`utilities/reduction_utils.rs:61`; seen on a device of host memory) | no: what is summed has an axis | nothing |
//! | `max` | its gradient has the right strides (`max_to/cuda_kernel.rs:112`) | value only: `softmax` takes it without a tape | nothing |
//! | `matmul` of a broadcast operand | strides 1, 0 or 0, 1 pass for a full matrix (`matmul/mod.rs:315`) and are read beyond the memory; a broadcast batch panics | no: operands are full, or the transpose of one | nothing |
//! | `slice`, gradient | adds (`slice/slice.cu:33`), where the CPU's overwrites (`slice/cpu_kernel.rs:45`) | no: dropout's mask has no tape | `gather` where there is one |
//! | `stack` | panics unless all strides are equal | with equal ones only | nothing |
//! | every kernel of dfdx, above 2^31 numbers | `numel as u32`, and a 32-bit index that wraps: elements are visited twice, so gradients add twice and values in place are computed twice, in silence | by batches far above the default 64 and 128, see below | nothing |
//! | every kernel of dfdx, from 2^32 numbers | element-wise loops and `gather` never end; `sum` and `max` leave out the rest in silence | as above | nothing |
//! | `sum`, `mean`; gradient of a broadcast operand | each block of 128 threads adds by an atomic (`utilities/cuda_utils.cuh:93`): no fixed order | yes, values too: group norm, `softmax`, norms of states and gradients | tests compare to a tolerance |
//! | `gather`, gradient | an atomic for each of a pixel's 9 uses (`select_and_gather/gather.cu:85`): no fixed order | yes: every 3x3 convolution | the same |
//! | gradients of `concat_along`, `slice`, `reshape`, `choose`; `max` | atomics, but one term a number, or in any order the same | yes | nothing is needed |
//! | `matmul`, gradient | one cuBLAS handle on two streams (`matmul/cuda_kernel.rs:285`): cuBLAS promises the same bits for one stream only | yes | nothing |
//! | `sum`, barriers | a loop with barriers whose length differs between threads of a block (`utilities/cuda_utils.cuh:80`); threads that are done leave the kernel, on which compute capability 7.0 and later do not wait | yes: a bias over 6 rows | nothing |
//! | a buffer of nothing | the pool's allocation takes 0 bytes (seen on an H100), `cuMemAlloc` does not | yes: a moved gradient, no Fourier exponents, dfdx at its start and whenever it caches a buffer | a device without pools is refused when it is opened |
//! | a launch of nothing | 0 blocks are an error, which panics; an empty `sum` divides by zero | no: solves and scatters of no rows return before; unused parameters get zeros | nothing |
//! | out of memory | dfdx's operations unwrap, as below | yes | what could not be given is noted ([`shortage`]), and the command line says it in one line |
//! | any other driver error | dfdx's operations unwrap. Even their `try_` forms panic: a copy (`tensor/cuda/device.rs:165`), a drop (`:233`), `as_vec` (`:313`), `copy_from` (`tensor/cuda/allocate.rs:162`) | yes | the command line says the error's name in one line, and ends with exit code 2; what was written stands |
//! | the cache of buffers | keeps each size for ever and is not emptied when memory runs out (`tensor/cuda/device.rs:116`) | yes | a solve halves its batch, so it sees few sizes; emptied after each network's work |
//! | `reshape` with a copy, `concat_along`, `to_dtype` | compiled at first use from headers **at the paths of the build** (`concat_along/cuda_kernel.rs:25`); without them a panic, not an error (`:30`) | yes: the first 3x3 convolution | CONTRIBUTING says what goes along |
//!
//! Rows at which 2^31 numbers are passed, on 32x32 pixels: the patches of two inputs of width `w` hold `18432 w` numbers a row,
//! which allows 1820 rows at width 64, 910 at 128 and 455 at 256; attention's scores allow 2048. Twice as many rows pass 2^32.
//!
//! What has no fixed order: losses, likelihoods and samples differ in their last digits from one run to the next on the same
//! card, and an adaptive solver may then take another number of steps. Gradients differ likewise.
//!
//! Streams: everything runs on the null stream. One half of the gradient of a product, a sum or a difference of two tensors runs
//! on a second stream; events make it wait for the null stream and the null stream for it
//! (`utilities/cuda_kernels.rs:395`), so buffers are free again when the call returns. That event and cuBLAS's stream are one for
//! all clones of a `Cuda`: **two threads must not compute on clones of one**. idode opens one for each thread.

#![allow(unsafe_code)]

mod attention;
pub(crate) mod candidates;
mod convolution;
mod cudnn;
mod direct;
mod elementwise;
mod functions;
mod group_norm;
mod kept;
mod launch;
mod layer;
pub(crate) mod nccl;
mod operations;
mod patches;
mod pointwise;
mod precision;
mod rows;
mod scratch;
mod source;
mod storage;
mod sums;
mod update;
mod waves;
mod winograd;

pub(crate) use precision::overridden;

use cudarc::driver::{result::mem_get_info, sys::cuDeviceGetName};
use dfdx::prelude::{Cuda, Storage};
use libloading::Library;
use std::ffi::CStr;
use std::sync::{Mutex, OnceLock, PoisonError};

/// Which of the devices of its type this is.
pub(crate) fn ordinal(device: &Cuda) -> usize {
    // Only a buffer tells where it is.
    let empty = <Cuda as Storage<f32>>::try_alloc_len(device, 0);
    // No device has this one: what is kept for others is not taken for its own.
    empty.map_or(usize::MAX, |empty| empty.device().ordinal())
}

/// A device's name, and its free bytes and all of them, if the driver tells.
pub(crate) fn describe(device: &Cuda) -> Option<(String, (usize, usize))> {
    let handle = <Cuda as Storage<f32>>::try_alloc_len(device, 0).ok()?.device();
    handle.bind_to_thread().ok()?;
    let mut name = [0u8; 256];
    // SAFETY: the name has so much room, and ends with a zero.
    let told =
        unsafe { cuDeviceGetName(name.as_mut_ptr().cast(), name.len() as i32, handle.ordinal() as i32) };
    told.result().ok()?;
    let name = CStr::from_bytes_until_nul(&name).ok()?.to_string_lossy().into_owned();
    Some((name, mem_get_info().ok()?))
}

/// A shared library under the file names that it has had, the newest first.
struct Shared {
    names: &'static [&'static str],
    open: OnceLock<Option<Library>>,
}

impl Shared {
    const fn of(names: &'static [&'static str]) -> Self {
        Self { names, open: OnceLock::new() }
    }

    fn open(&self) -> Option<&Library> {
        // SAFETY: loading one of NVIDIA's libraries runs what it does at its start, as linking to it does.
        let open = || self.names.iter().find_map(|name| unsafe { Library::new(*name) }.ok());
        self.open.get_or_init(open).as_ref()
    }

    /// A function of the library.
    ///
    /// # Safety
    /// `F` is the type of a pointer to that function.
    unsafe fn function<F: Copy>(&self, name: &str) -> Option<F> {
        // SAFETY: the caller says so; the library is never closed.
        let symbol = unsafe { self.open()?.get::<F>(name) };
        symbol.ok().map(|function| *function)
    }
}

static DRIVER: Shared = Shared::of(match cfg!(windows) {
    true => &["nvcuda.dll"],
    false => &["libcuda.so.1"],
});
static CUBLAS: Shared = Shared::of(match cfg!(windows) {
    true => &["cublas64_13.dll", "cublas64_12.dll", "cublas64_11.dll"],
    false => &["libcublas.so.13", "libcublas.so.12", "libcublas.so.11"],
});
static NVRTC: Shared = Shared::of(match cfg!(windows) {
    true => &["nvrtc64_130_0.dll", "nvrtc64_120_0.dll", "nvrtc64_112_0.dll"],
    false => &["libnvrtc.so.13", "libnvrtc.so.12", "libnvrtc.so.11.2"],
});

/// Needed by nothing.
static CUDNN: Shared = Shared::of(match cfg!(windows) {
    true => &["cudnn64_9.dll", "cudnn64_8.dll"],
    false => &["libcudnn.so.9", "libcudnn.so.8"],
});

/// Needed by several processes alone.
static NCCL: Shared = Shared::of(&["libnccl.so.2"]);

/// The first library that is needed and cannot be loaded, in words.
pub(crate) fn missing() -> Option<String> {
    let needed = [("CUDA driver", &DRIVER), ("cuBLAS", &CUBLAS), ("NVRTC", &NVRTC)];
    let (what, library) = needed.into_iter().find(|(_, library)| library.open().is_none())?;
    Some(format!("no {what} can be loaded ({})", library.names.join(", ")))
}

/// Memory that a device could not give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Shortage {
    /// The bytes of the buffer.
    pub(crate) needed: usize,
    /// The bytes that were free, if the driver tells.
    pub(crate) free: Option<usize>,
}

static SHORTAGE: Mutex<Option<Shortage>> = Mutex::new(None);

fn note(shortage: Shortage) {
    *SHORTAGE.lock().unwrap_or_else(PoisonError::into_inner) = Some(shortage);
}

/// The last buffer of this process that a device had no memory for.
pub(crate) fn shortage() -> Option<Shortage> {
    *SHORTAGE.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// NVRTC needs no device, so where it is installed a call can be followed through.
    #[test]
    fn a_call_reaches_its_library_or_is_answered_without() {
        let program = "extern \"C\" __global__ void nothing() {}";
        let compiled = cudarc::nvrtc::compile_ptx(program).map(|ptx| ptx.to_src());
        match NVRTC.open() {
            Some(_) => assert!(compiled.unwrap().contains(".entry nothing")),
            None => {
                assert!(compiled.is_err());
                assert!(missing().unwrap().ends_with(')'));
            }
        }
    }

    #[test]
    fn what_is_missing_is_named() {
        let nowhere = Shared::of(&["libidode-nowhere.so.1"]);
        assert!(nowhere.open().is_none());
        // SAFETY: there is no such function.
        assert!(unsafe { nowhere.function::<unsafe extern "C" fn()>("nothing") }.is_none());
    }
}
