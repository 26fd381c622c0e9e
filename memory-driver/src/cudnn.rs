//! cuDNN: 3x3 convolutions of images with the channels last, as patches and a product by the crate `gemm`, of factors that are rounded to TF32 where
//! the math type allows it.
//!
//! The types are those of the headers of cuDNN 8 and 9, the statuses those of 9. A workspace is as large as it was said to be, or the call fails, and
//! holds NaN after it.

use crate::cublas::tf32;
use crate::driver::{Fault, disturb, fault};
use crate::memory::{bytes, elements};
use gemm::Parallelism;
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

/// What descriptors hold: four sizes in the order that they were given in, or a convolution's math type; nothing before that.
type Sizes = Option<[usize; 4]>;
type Math = Option<c_uint>;

/// A convolution's sizes.
#[derive(Clone, Copy)]
struct Shape {
    images: usize,
    height: usize,
    width: usize,
    channels: usize,
    out: usize,
}

/// What is computed of what, as in cuDNN's names.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Pass {
    Forward,
    Data,
    Filter,
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

impl Shape {
    /// Of images, outputs and a filter that belong together.
    fn of(x: Sizes, y: Sizes, filter: Sizes) -> Option<Self> {
        let ([images, channels, height, width], [k, c, 3, 3]) = (x?, filter?) else { return None };
        (c == channels && y? == [images, k, height, width]).then_some(Self {
            images,
            height,
            width,
            channels,
            out: k,
        })
    }

    /// By a pass, whose descriptors these are.
    ///
    /// # Safety
    /// They were created here, those of images and filters each as such, and not destroyed.
    unsafe fn by(pass: Pass, [first, second, result]: [Pointer; 3]) -> Option<Self> {
        // SAFETY: the caller says so.
        let of = |descriptor: Pointer| unsafe { descriptor.cast::<Sizes>().as_ref() }.copied().flatten();
        let (first, second, result) = (of(first), of(second), of(result));
        match pass {
            Pass::Forward => Self::of(first, result, second),
            Pass::Data => Self::of(result, second, first),
            Pass::Filter => Self::of(first, second, result),
        }
    }

    fn positions(&self) -> usize {
        self.images * self.height * self.width
    }

    /// Nothing that a user could guess.
    fn room(&self, pass: Pass) -> usize {
        match pass {
            Pass::Forward => 12 * self.positions(),
            Pass::Data => 4 * (self.channels + self.images),
            Pass::Filter => 36 * self.channels + 8 * self.out,
        }
    }

    /// The numbers of images, outputs and filter.
    fn numbers(&self) -> [usize; 3] {
        [self.positions() * self.channels, self.positions() * self.out, 9 * self.channels * self.out]
    }

    /// For each position and tap, the position that the tap is at, if it is within the image.
    fn taps(&self) -> impl Iterator<Item = Option<usize>> + '_ {
        let (height, width) = (self.height as isize, self.width as isize);
        (0..self.positions()).flat_map(move |position| {
            let (line, column) = ((position / self.width % self.height) as isize, position % self.width);
            (0..9).map(move |tap| {
                let (down, across) = (tap / 3 - 1, tap % 3 - 1);
                let (i, j) = (line + down, column as isize + across);
                ((0..height).contains(&i) && (0..width).contains(&j))
                    .then(|| (position as isize + down * width + across) as usize)
            })
        })
    }

    fn patches(&self, x: &[f32]) -> Vec<f32> {
        let mut patches = Vec::with_capacity(9 * x.len());
        for position in self.taps() {
            match position {
                Some(at) => patches.extend_from_slice(&x[at * self.channels..][..self.channels]),
                None => patches.resize(patches.len() + self.channels, 0.0),
            }
        }
        patches
    }
}

/// A row-major matrix, or the transpose of one: its numbers, and the steps from one column and row to the next.
type Matrix<'a> = (&'a [f32], isize, isize);

/// `C = A B + beta C`, all row-major; `C` is not read where `beta` is 0.
fn product([m, n, k]: [usize; 3], a: Matrix<'_>, b: Matrix<'_>, beta: f32, c: &mut [f32]) {
    let to = c.as_mut_ptr();
    // SAFETY: callers give matrices of these sizes.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            to,
            1,
            n as isize,
            beta != 0.0,
            a.0.as_ptr(),
            a.1,
            a.2,
            b.0.as_ptr(),
            b.1,
            b.2,
            beta,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

/// The pass of two factors.
fn computed(shape: &Shape, pass: Pass, [first, second]: [&[f32]; 2], beta: f32, result: &mut [f32]) {
    let (positions, out, columns) = (shape.positions(), shape.out, 9 * shape.channels);
    let step = |columns: usize| columns as isize;
    match pass {
        Pass::Forward => {
            let patches = shape.patches(first);
            let (a, b) = ((&*patches, 1, step(columns)), (second, step(columns), 1));
            product([positions, out, columns], a, b, beta, result);
        }
        Pass::Filter => {
            let patches = shape.patches(first);
            let (a, b) = ((second, step(out), 1), (&*patches, 1, step(columns)));
            product([out, columns, positions], a, b, beta, result);
        }
        Pass::Data => {
            let mut patches = vec![0.0; positions * columns];
            let (a, b) = ((second, 1, step(out)), (first, 1, step(columns)));
            product([positions, columns, out], a, b, 0.0, &mut patches);
            result.iter_mut().for_each(|x| *x = if beta == 0.0 { 0.0 } else { beta * *x });
            for (at, patch) in shape.taps().zip(patches.chunks_exact(shape.channels)) {
                let to = at.map(|at| &mut result[at * shape.channels..][..shape.channels]);
                to.into_iter().flatten().zip(patch).for_each(|(x, gradient)| *x += gradient);
            }
        }
    }
}

/// The bytes of a pass's workspace.
///
/// # Safety
/// As for [`Shape::by`]; there is a place for the number.
unsafe fn room(pass: Pass, descriptors: [Pointer; 3], algorithm: c_uint, to: *mut usize) -> Status {
    // SAFETY: the caller says so.
    match unsafe { Shape::by(pass, descriptors) } {
        Some(shape) if algorithm == ALGORITHM => {
            // SAFETY: the caller says so.
            unsafe { to.write(shape.room(pass)) };
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
            (Shape::by(pass, self.descriptors), self.convolution.cast::<Math>().as_ref().copied().flatten())
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
        if room < shape.room(pass) {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// By the definition: `y[p, k] = sum over taps and c of x[p + tap, c] w[k, tap, c]`, and its transposes.
    #[test]
    fn passes_are_those_of_the_definition() {
        let shape = Shape { images: 2, height: 3, width: 4, channels: 2, out: 3 };
        let draw = |count: usize, factor: usize| -> Vec<f32> {
            (0..count).map(|i| (i * factor % 17) as f32 - 8.0).collect()
        };
        let [x, y, w] = shape.numbers();
        let (x, gy, w) = (draw(x, 5), draw(y, 7), draw(w, 3));
        let (mut values, mut gx, mut gw) = (vec![1.0; gy.len()], vec![0.0; x.len()], vec![0.0; w.len()]);
        for (i, at) in shape.taps().enumerate().filter_map(|(i, at)| Some((i, at?))) {
            let (position, tap) = (i / 9, i % 9);
            for (k, c) in (0..3).flat_map(|k| (0..2).map(move |c| (k, c))) {
                let [from, weight, to] = [at * 2 + c, (k * 9 + tap) * 2 + c, position * 3 + k];
                values[to] += x[from] * w[weight];
                gx[from] += gy[to] * w[weight];
                gw[weight] += gy[to] * x[from];
            }
        }
        let of = |pass, factors, beta, before: f32, count| {
            let mut found = vec![before; count];
            computed(&shape, pass, factors, beta, &mut found);
            found
        };
        // Whole numbers, so that no sum rounds.
        assert_eq!(of(Pass::Forward, [&x, &w], 1.0, 1.0, gy.len()), values);
        assert_eq!(of(Pass::Data, [&w, &gy], 0.0, f32::NAN, x.len()), gx);
        assert_eq!(of(Pass::Filter, [&x, &gy], 0.0, f32::NAN, w.len()), gw);
    }

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let (x, filter) = (Some([2, 3, 4, 5]), Some([7, 3, 3, 3]));
        assert!(Shape::of(x, Some([2, 7, 4, 5]), filter).is_some());
        assert!(Shape::of(x, Some([2, 8, 4, 5]), filter).is_none());
        assert!(Shape::of(x, Some([2, 7, 4, 5]), Some([7, 3, 1, 1])).is_none());
        assert!(Shape::of(None, Some([2, 7, 4, 5]), filter).is_none());
    }
}
