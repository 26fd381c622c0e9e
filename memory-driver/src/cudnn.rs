//! cuDNN: 3x3 convolutions of images with the channels last, as patches and a product by the crate `gemm`, of factors that are rounded to TF32 where
//! the math type allows it.
//!
//! The types are those of the headers of cuDNN 8 and 9, the statuses those of 9. A workspace is as large as it was said to be, or the call fails, and
//! holds NaN after it.

use crate::convolution::{Pass, Shape, Sizes, computed};
use crate::cublas::tf32;
use crate::driver::{Fault, disturb, fault};
use crate::memory::{bytes, elements};
use std::cell::Cell;
use std::ffi::{c_char, c_int, c_uint, c_void};

type Status = c_int;
type Pointer = *mut c_void;

const SUCCESS: Status = 0;
const BAD_PARAM: Status = 2000;
const NOT_SUPPORTED: Status = 3000;
const EXECUTION_FAILED: Status = 5000;

/// `CUDNN_TENSOR_NHWC`, `CUDNN_CROSS_CORRELATION`, `CUDNN_FMA_MATH`; and 1, which every algorithm here has.
const CHANNELS_LAST: c_uint = 1;
const CROSS_CORRELATION: c_uint = 1;
const FMA_MATH: c_uint = 3;
const ALGORITHM: c_uint = 1;

/// What a descriptor of a convolution holds: its math type; nothing before that.
type Math = Option<c_uint>;

/// A convolution by a pass, whose descriptors these are.
///
/// # Safety
/// They were created here, those of images and filters each as such, and not destroyed.
unsafe fn shape(pass: Pass, [first, second, result]: [Pointer; 3]) -> Option<Shape> {
    // SAFETY: the caller says so.
    let of = |descriptor: Pointer| unsafe { descriptor.cast::<Sizes>().as_ref() }.copied().flatten();
    let (first, second, result) = (of(first), of(second), of(result));
    match pass {
        Pass::Forward => Shape::of(first, result, second),
        Pass::Data => Shape::of(result, second, first),
        Pass::Filter => Shape::of(first, second, result),
    }
}

/// The bytes of a pass's workspace: nothing that a user could guess.
fn workspace(shape: &Shape, pass: Pass) -> usize {
    match pass {
        Pass::Forward => 12 * shape.positions(),
        Pass::Data => 4 * (shape.channels + shape.images),
        Pass::Filter => 36 * shape.channels + 8 * shape.out,
    }
}

impl Pass {
    fn name(self) -> &'static str {
        match self {
            Self::Forward => "cudnnConvolutionForward",
            Self::Data => "cudnnConvolutionBackwardData",
            Self::Filter => "cudnnConvolutionBackwardFilter",
        }
    }
}

/// Gives the bytes of a pass's workspace.
///
/// # Safety
/// As for [`shape`]; there is a place for the number.
unsafe fn room(pass: Pass, descriptors: [Pointer; 3], algorithm: c_uint, to: *mut usize) -> Status {
    // SAFETY: the caller says so.
    match unsafe { shape(pass, descriptors) } {
        Some(shape) if algorithm == ALGORITHM => {
            // SAFETY: the caller says so.
            unsafe { to.write(workspace(&shape, pass)) };
            SUCCESS
        }
        Some(_) => NOT_SUPPORTED,
        None => BAD_PARAM,
    }
}

/// A call of one of the three.
struct Call {
    pass: Pass,
    /// Alpha and beta.
    scales: [*const c_void; 2],
    /// Of the factors and of the result.
    descriptors: [Pointer; 3],
    addresses: [u64; 3],
    convolution: Pointer,
    algorithm: c_uint,
    workspace: (u64, usize),
}

impl Call {
    /// # Safety
    /// The descriptors were created here and not destroyed, the scales point to a number each, and no other thread uses the buffers.
    unsafe fn run(&self) -> Result<(), Status> {
        let Self { pass, .. } = *self;
        // SAFETY: the caller says so.
        let (shape, math) = unsafe {
            (shape(pass, self.descriptors), self.convolution.cast::<Math>().as_ref().copied().flatten())
        };
        let (Some(shape), Some(math)) = (shape, math) else { return Err(BAD_PARAM) };
        if self.algorithm != ALGORITHM {
            return Err(NOT_SUPPORTED);
        }
        let fault = fault(pass.name());
        if fault == Some(Fault::Fails) {
            return Err(NOT_SUPPORTED);
        }
        let (at, room) = self.workspace;
        if room < workspace(&shape, pass) {
            eprintln!("memory-driver: {}: a workspace of {room} bytes", pass.name());
            return Err(BAD_PARAM);
        }
        let workspace = bytes(at, room).map_err(|_| EXECUTION_FAILED)?;
        let [x, y, filter] = shape.numbers();
        let needed = match pass {
            Pass::Forward => [x, filter, y],
            Pass::Data => [filter, y, x],
            Pass::Filter => [x, y, filter],
        };
        let mut found: [&[Cell<f32>]; 3] = [&[]; 3];
        for ((to, &address), &needed) in found.iter_mut().zip(&self.addresses).zip(&needed) {
            // SAFETY: the caller says so.
            let held = unsafe { elements::<f32>(address) }.map_err(|_| EXECUTION_FAILED)?;
            if held.len() < needed {
                eprintln!("memory-driver: {}: {needed} numbers in {}", pass.name(), held.len());
                return Err(EXECUTION_FAILED);
            }
            *to = &held[..needed];
        }
        // SAFETY: the caller says so.
        let (alpha, beta) = unsafe { (*self.scales[0].cast::<f32>(), *self.scales[1].cast::<f32>()) };
        if alpha != 1.0 {
            return Err(NOT_SUPPORTED);
        }
        // Factors are read before the workspace is written, as nobody may count on.
        let round = if math == FMA_MATH { |x: f32| x } else { tf32 };
        let [first, second] = [found[0], found[1]]
            .map(|cells| cells.iter().map(|cell| round(cell.get())).collect::<Vec<f32>>());
        // SAFETY: it was checked to be so many bytes of the device.
        unsafe { workspace.write_bytes(u8::MAX, room) };
        let mut result: Vec<f32> = found[2].iter().map(Cell::get).collect();
        computed(&shape, pass, [&first, &second], beta, &mut result);
        found[2].iter().zip(result).for_each(|(cell, x)| cell.set(x));
        if fault.is_some() {
            disturb(self.addresses[2]).map_err(|_| EXECUTION_FAILED)?;
        }
        Ok(())
    }
}

/// A new descriptor with nothing in it.
///
/// # Safety
/// `to` is a place for its address.
unsafe fn create<T: Default>(to: *mut Pointer) -> Status {
    // SAFETY: the caller says so.
    unsafe { to.write(Box::into_raw(Box::<T>::default()).cast()) };
    SUCCESS
}

/// # Safety
/// It was created as a `T`, and its owner destroys it once.
unsafe fn destroy<T>(descriptor: Pointer) -> Status {
    // SAFETY: the caller says so.
    drop(unsafe { Box::from_raw(descriptor.cast::<T>()) });
    SUCCESS
}

/// # Safety
/// The descriptor was created as one of sizes.
unsafe fn set(descriptor: Pointer, format: c_uint, kind: c_uint, sizes: [c_int; 4]) -> Status {
    if (format, kind) != (CHANNELS_LAST, 0) {
        return NOT_SUPPORTED;
    }
    if sizes.iter().any(|size| *size < 1) {
        return BAD_PARAM;
    }
    // SAFETY: the caller says so.
    unsafe { descriptor.cast::<Sizes>().write(Some(sizes.map(|size| size as usize))) };
    SUCCESS
}

/// A pass and its workspace by cuDNN's names.
macro_rules! passes {
    ($($pass:ident: $convolve:ident, $room:ident;)*) => {
        crate::export! {
            $(
                fn $room(
                    _handle: Pointer,
                    first: Pointer,
                    second: Pointer,
                    _convolution: Pointer,
                    result: Pointer,
                    algorithm: c_uint,
                    to: *mut usize,
                ) -> Status {
                    // SAFETY: the caller gives its descriptors and a place for the number.
                    unsafe { room(Pass::$pass, [first, second, result], algorithm, to) }
                }

                fn $convolve(
                    _handle: Pointer,
                    alpha: *const c_void,
                    first: Pointer,
                    a: *const c_void,
                    second: Pointer,
                    b: *const c_void,
                    convolution: Pointer,
                    algorithm: c_uint,
                    workspace: *mut c_void,
                    room: usize,
                    beta: *const c_void,
                    result: Pointer,
                    c: *mut c_void,
                ) -> Status {
                    let call = Call {
                        pass: Pass::$pass,
                        scales: [alpha, beta],
                        descriptors: [first, second, result],
                        addresses: [a as u64, b as u64, c as u64],
                        convolution,
                        algorithm,
                        workspace: (workspace as u64, room),
                    };
                    // SAFETY: the caller gives its descriptors and the two scales, and the thread of the device is this one.
                    unsafe { call.run() }.err().unwrap_or(SUCCESS)
                }
            )*
        }
    };
}

passes! {
    Forward: cudnnConvolutionForward, cudnnGetConvolutionForwardWorkspaceSize;
    Data: cudnnConvolutionBackwardData, cudnnGetConvolutionBackwardDataWorkspaceSize;
    Filter: cudnnConvolutionBackwardFilter, cudnnGetConvolutionBackwardFilterWorkspaceSize;
}

crate::export! {
    fn cudnnCreate(to: *mut Pointer) -> Status {
        // SAFETY: the caller gives a place for the handle.
        unsafe { to.write(std::ptr::NonNull::dangling().as_ptr()) };
        SUCCESS
    }

    fn cudnnDestroy(_handle: Pointer) -> Status {
        SUCCESS
    }

    fn cudnnSetStream(_handle: Pointer, _stream: Pointer) -> Status {
        SUCCESS
    }

    fn cudnnGetErrorString(status: Status) -> *const c_char {
        let words = match status {
            SUCCESS => c"CUDNN_STATUS_SUCCESS",
            BAD_PARAM => c"CUDNN_STATUS_BAD_PARAM",
            NOT_SUPPORTED => c"CUDNN_STATUS_NOT_SUPPORTED",
            _ => c"CUDNN_STATUS_EXECUTION_FAILED",
        };
        words.as_ptr()
    }

    fn cudnnCreateTensorDescriptor(to: *mut Pointer) -> Status {
        // SAFETY: the caller gives a place for it.
        unsafe { create::<Sizes>(to) }
    }

    fn cudnnSetTensor4dDescriptor(
        descriptor: Pointer,
        format: c_uint,
        kind: c_uint,
        n: c_int,
        c: c_int,
        h: c_int,
        w: c_int,
    ) -> Status {
        // SAFETY: the caller gives its descriptor.
        unsafe { set(descriptor, format, kind, [n, c, h, w]) }
    }

    fn cudnnDestroyTensorDescriptor(descriptor: Pointer) -> Status {
        // SAFETY: the caller gives its descriptor.
        unsafe { destroy::<Sizes>(descriptor) }
    }

    fn cudnnCreateFilterDescriptor(to: *mut Pointer) -> Status {
        // SAFETY: the caller gives a place for it.
        unsafe { create::<Sizes>(to) }
    }

    fn cudnnSetFilter4dDescriptor(
        descriptor: Pointer,
        kind: c_uint,
        format: c_uint,
        k: c_int,
        c: c_int,
        h: c_int,
        w: c_int,
    ) -> Status {
        // SAFETY: the caller gives its descriptor.
        unsafe { set(descriptor, format, kind, [k, c, h, w]) }
    }

    fn cudnnDestroyFilterDescriptor(descriptor: Pointer) -> Status {
        // SAFETY: the caller gives its descriptor.
        unsafe { destroy::<Sizes>(descriptor) }
    }

    fn cudnnCreateConvolutionDescriptor(to: *mut Pointer) -> Status {
        // SAFETY: the caller gives a place for it.
        unsafe { create::<Math>(to) }
    }

    fn cudnnSetConvolution2dDescriptor(
        descriptor: Pointer,
        pad_h: c_int,
        pad_w: c_int,
        stride_h: c_int,
        stride_w: c_int,
        dilation_h: c_int,
        dilation_w: c_int,
        mode: c_uint,
        kind: c_uint,
    ) -> Status {
        let numbers = [pad_h, pad_w, stride_h, stride_w, dilation_h, dilation_w];
        if numbers != [1; 6] || (mode, kind) != (CROSS_CORRELATION, 0) {
            return NOT_SUPPORTED;
        }
        // SAFETY: the caller gives its descriptor. The default allows TF32.
        unsafe { descriptor.cast::<Math>().write(Some(0)) };
        SUCCESS
    }

    fn cudnnSetConvolutionMathType(descriptor: Pointer, math: c_uint) -> Status {
        if math > FMA_MATH {
            return BAD_PARAM;
        }
        // SAFETY: the caller gives its descriptor.
        unsafe { descriptor.cast::<Math>().write(Some(math)) };
        SUCCESS
    }

    fn cudnnDestroyConvolutionDescriptor(descriptor: Pointer) -> Status {
        // SAFETY: the caller gives its descriptor.
        unsafe { destroy::<Math>(descriptor) }
    }
}
