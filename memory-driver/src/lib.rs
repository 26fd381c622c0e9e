//! A CUDA device made of host memory, for tests on machines without a GPU.
//!
//! This library defines the functions of NVIDIA's driver, cuBLAS, cuDNN, NVRTC and NCCL that dfdx 0.13's device `Cuda` and idode call. Under the names
//! of those libraries on `LD_LIBRARY_PATH` it is what a program with the feature `cuda` opens: the program is the user's, unchanged.
//! `cargo cuda-memory test ...` builds it, puts it there and runs the tests on it.
//!
//! - Memory is the host's; each buffer has its exact length, and starts as NaN. Copies and kernels that leave a buffer are errors.
//! - A kernel is launched by its name and is the Rust function of that name in `kernels`: it reads dfdx's launch arguments (lengths,
//!   shapes, strides, null pointers) as the CUDA source of the same name does, its bugs included, and runs at once, in order.
//! - idode's own kernels are compiled by the system's C compiler, and run a block after the other: see `compiled`.
//! - Products are those of the crate `gemm`, after cuBLAS's checks of dimensions and leading dimensions; in TF32 both factors are rounded to 10
//!   bits of mantissa before, to the nearest, half-way to even, and sums are in `f32`. So are cuDNN's convolutions, where the math type allows TF32.
//! - `IDODE_MEMORY_DRIVER_TRACE` writes a line to standard error for each launch: the kernel's name and its blocks, or `memset`, `copy`,
//!   `upload` or `download` and the bytes.
//! - `IDODE_MEMORY_DRIVER_BYTES` is how much memory the device has; without it there is no limit.
//! - `IDODE_MEMORY_DRIVER_CAPABILITY` is its compute capability: 80.
//! - `IDODE_MEMORY_DRIVER_NAME` is its name: `host memory`, of which idode takes no times.
//! - `IDODE_MEMORY_DRIVER_WRONG=winograd_output,pool:fails` makes these of idode's kernels compute a wrong number, or fail: a fault to be noticed.
//!   So does `cudnnConvolutionForward` and what else of cuDNN's computes.
//!
//! What no kernel here shows: 32-bit counts, atomics and their order, streams and barriers, speed, and whether dfdx's CUDA sources
//! compile. An unknown kernel is not found, an unknown function not there: a test that needs one fails with its name.

// These functions are called from outside with bare addresses: every block says what it relies on.
#![allow(unsafe_code)]

mod arguments;
mod compiled;
mod convolution;
mod cublas;
mod cudnn;
mod driver;
mod index;
mod kernels;
mod memory;
mod module;
mod nccl;
mod nvrtc;

/// Defines functions for the linker.
macro_rules! export {
    ($($(#[$about:meta])* fn $name:ident($($arg:ident: $type:ty),* $(,)?) -> $answer:ty $body:block)*) => {
        $(
            $(#[$about])*
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $name($($arg: $type),*) -> $answer $body
        )*
    };
}
use export;

/// Defines functions for the linker, each of the type of its binding in `$sys`.
macro_rules! define {
    ($sys:path; $($(#[$about:meta])* fn $name:ident($($arg:ident: $type:ty),* $(,)?) -> $answer:ty $body:block)*) => {
        $(
            crate::export! { $(#[$about])* fn $name($($arg: $type),*) -> $answer $body }

            const _: () = {
                use $sys as sys;
                const _: unsafe extern "C" fn($($type),*) -> $answer = sys::$name;
            };
        )*
    };
}
use define;
