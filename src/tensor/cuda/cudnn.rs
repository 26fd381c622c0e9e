//! cuDNN's 3x3 convolutions, where cuDNN is installed: nothing needs it.
//!
//! Its functions are declared here. cudarc's bindings are of cuDNN 8, where a status is one of an enumeration, and cuDNN 9 answers numbers that
//! this one lacks. Types and numbers were compared with the headers of cuDNN 8.9.7 and 9.28, in which they are the same.
//!
//! The algorithms are those that NVIDIA calls deterministic, and whose products are not transformed. cuDNN's default for `f32` is TF32: the
//! math type says FMA unless TF32 is asked for.

use super::{CUDNN, Shared};
use crate::tensor::Precision;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int, c_uint, c_void};
use std::fmt;
use std::ptr::null_mut;
use std::rc::Rc;

/// What a pointer to a handle or a descriptor is here.
type Pointer = *mut c_void;
/// `0` is success.
type Status = c_int;

/// `CUDNN_DATA_FLOAT`.
const FLOAT: c_uint = 0;
/// `CUDNN_TENSOR_NHWC`: the channels of a position side by side; of a filter, those of a tap.
const CHANNELS_LAST: c_uint = 1;
/// `CUDNN_CROSS_CORRELATION`.
const CROSS_CORRELATION: c_uint = 1;
/// `CUDNN_DEFAULT_MATH`, which allows TF32, and `CUDNN_FMA_MATH`, which does not.
const DEFAULT_MATH: c_uint = 0;
const FMA_MATH: c_uint = 3;
/// `CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM`, `CUDNN_CONVOLUTION_BWD_DATA_ALGO_1` and `CUDNN_CONVOLUTION_BWD_FILTER_ALGO_1`.
const ALGORITHM: c_uint = 1;
/// The taps along a side.
const SIDE: c_int = 3;

type Create = unsafe extern "C" fn(*mut Pointer) -> Status;
type Destroy = unsafe extern "C" fn(Pointer) -> Status;
/// The bytes of workspace: handle, the descriptors of both factors with the convolution's between that of the result and theirs, algorithm.
type Room = unsafe extern "C" fn(Pointer, Pointer, Pointer, Pointer, Pointer, c_uint, *mut usize) -> Status;
/// Handle, alpha, the factors, each a descriptor and an address, the convolution's descriptor, algorithm, workspace and its bytes, beta, and
/// the result.
type Convolve = unsafe extern "C" fn(
    Pointer,
    *const c_void,
    Pointer,
    *const c_void,
    Pointer,
    *const c_void,
    Pointer,
    c_uint,
    *mut c_void,
    usize,
    *const c_void,
    Pointer,
    *mut c_void,
) -> Status;

/// Functions of cuDNN by what they are called here.
macro_rules! functions {
    ($($field:ident: $type:ty = $name:literal;)*) => {
        #[derive(Clone, Copy)]
        struct Functions {
            $($field: $type,)*
        }

        impl Functions {
            /// All of them, if the library has each.
            fn of(library: &Shared) -> Option<Self> {
                // SAFETY: these are the types of the headers.
                unsafe { Some(Self { $($field: library.function($name)?,)* }) }
            }
        }
    };
}

functions! {
    create: Create = "cudnnCreate";
    destroy: Destroy = "cudnnDestroy";
    set_stream: unsafe extern "C" fn(Pointer, Pointer) -> Status = "cudnnSetStream";
    words: unsafe extern "C" fn(Status) -> *const c_char = "cudnnGetErrorString";
    create_images: Create = "cudnnCreateTensorDescriptor";
    set_images: unsafe extern "C" fn(Pointer, c_uint, c_uint, c_int, c_int, c_int, c_int) -> Status
        = "cudnnSetTensor4dDescriptor";
    destroy_images: Destroy = "cudnnDestroyTensorDescriptor";
    create_filter: Create = "cudnnCreateFilterDescriptor";
    set_filter: unsafe extern "C" fn(Pointer, c_uint, c_uint, c_int, c_int, c_int, c_int) -> Status
        = "cudnnSetFilter4dDescriptor";
    destroy_filter: Destroy = "cudnnDestroyFilterDescriptor";
    create_convolution: Create = "cudnnCreateConvolutionDescriptor";
    set_convolution: unsafe extern "C" fn(
        Pointer, c_int, c_int, c_int, c_int, c_int, c_int, c_uint, c_uint
    ) -> Status = "cudnnSetConvolution2dDescriptor";
    set_math: unsafe extern "C" fn(Pointer, c_uint) -> Status = "cudnnSetConvolutionMathType";
    destroy_convolution: Destroy = "cudnnDestroyConvolutionDescriptor";
    room_forward: Room = "cudnnGetConvolutionForwardWorkspaceSize";
    room_inputs: Room = "cudnnGetConvolutionBackwardDataWorkspaceSize";
    room_weight: Room = "cudnnGetConvolutionBackwardFilterWorkspaceSize";
    forward: Convolve = "cudnnConvolutionForward";
    inputs: Convolve = "cudnnConvolutionBackwardData";
    weight: Convolve = "cudnnConvolutionBackwardFilter";
}

/// What cuDNN did not do: in which step, and its own word for why.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Failed(String);

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Functions {
    fn check(&self, step: &str, status: Status) -> Result<(), Failed> {
        if status == 0 {
            return Ok(());
        }
        // SAFETY: the function takes any number, and answers a text that stays.
        let words = unsafe {
            let words = (self.words)(status);
            if words.is_null() { c"no word" } else { CStr::from_ptr(words) }
        };
        Err(Failed(format!("cuDNN, {step}: {} ({status})", words.to_string_lossy())))
    }

    fn describe(&self, create: Create, destroy: Destroy) -> Result<Descriptor, Failed> {
        let mut at = null_mut();
        // SAFETY: there is a place for the descriptor.
        self.check("a descriptor", unsafe { create(&raw mut at) })?;
        Ok(Descriptor { at, destroy })
    }

    fn images(&self, shape: Shape, channels: usize) -> Result<Descriptor, Failed> {
        let [n, c, h, w] = counts([shape.images, channels, shape.height, shape.width])?;
        let new = self.describe(self.create_images, self.destroy_images)?;
        // SAFETY: it is a descriptor of images.
        let status = unsafe { (self.set_images)(new.at, CHANNELS_LAST, FLOAT, n, c, h, w) };
        self.check("images", status).map(|()| new)
    }

    fn filter(&self, shape: Shape) -> Result<Descriptor, Failed> {
        let [k, c] = counts([shape.out, shape.channels])?;
        let new = self.describe(self.create_filter, self.destroy_filter)?;
        // SAFETY: it is a descriptor of a filter.
        let status = unsafe { (self.set_filter)(new.at, FLOAT, CHANNELS_LAST, k, c, SIDE, SIDE) };
        self.check("a filter", status).map(|()| new)
    }

    /// Steps of one position, and one position of zeros around an image.
    fn convolution(&self, precision: Precision) -> Result<Descriptor, Failed> {
        let new = self.describe(self.create_convolution, self.destroy_convolution)?;
        let math = match precision {
            Precision::F32 => FMA_MATH,
            Precision::Tf32 => DEFAULT_MATH,
        };
        // SAFETY: it is a descriptor of a convolution.
        unsafe {
            let status = (self.set_convolution)(new.at, 1, 1, 1, 1, 1, 1, CROSS_CORRELATION, FLOAT);
            self.check("a convolution", status)?;
            self.check("a math type", (self.set_math)(new.at, math))?;
        }
        Ok(new)
    }
}

/// The counts as cuDNN takes them.
fn counts<const N: usize>(counts: [usize; N]) -> Result<[c_int; N], Failed> {
    let mut found = [0; N];
    for (to, count) in found.iter_mut().zip(counts) {
        *to = c_int::try_from(count).map_err(|_| Failed(format!("{count} is too large for cuDNN")))?;
    }
    Ok(found)
}

/// A descriptor of cuDNN's.
struct Descriptor {
    at: Pointer,
    destroy: Destroy,
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        // SAFETY: it was created, and is destroyed once.
        unsafe { (self.destroy)(self.at) };
    }
}

/// A convolution's sizes and precision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Shape {
    pub(super) images: usize,
    pub(super) height: usize,
    pub(super) width: usize,
    pub(super) channels: usize,
    pub(super) out: usize,
    pub(super) precision: Precision,
}

/// What is computed of what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pass {
    /// The outputs, of inputs and weight.
    Forward,
    /// The gradient of the inputs, of the weight and the outputs' gradient.
    Inputs,
    /// The gradient of the weight, of the inputs and the outputs' gradient.
    Weight,
}

/// A convolution as cuDNN knows it.
pub(super) struct Problem {
    shape: Shape,
    x: Descriptor,
    y: Descriptor,
    weight: Descriptor,
    convolution: Descriptor,
    /// The bytes of workspace of each pass.
    room: [usize; 3],
}

impl Problem {
    /// The factors and the result of a pass: how many numbers each has, and its descriptor.
    fn operands(&self, pass: Pass) -> [(usize, &Descriptor); 3] {
        let Shape { images, height, width, channels, out, .. } = self.shape;
        let positions = images * height * width;
        let (x, y) = ((positions * channels, &self.x), (positions * out, &self.y));
        let weight = ((SIDE * SIDE) as usize * channels * out, &self.weight);
        match pass {
            Pass::Forward => [x, weight, y],
            Pass::Inputs => [weight, y, x],
            Pass::Weight => [x, y, weight],
        }
    }

    /// How many numbers the factors and the result of a pass have.
    pub(super) fn numbers(&self, pass: Pass) -> [usize; 3] {
        self.operands(pass).map(|(numbers, _)| numbers)
    }

    /// The bytes of workspace that a pass takes.
    pub(super) fn room(&self, pass: Pass) -> usize {
        self.room[pass as usize]
    }
}

/// cuDNN on a device, and the convolutions that it knows.
pub(super) struct Cudnn {
    functions: Functions,
    handle: Pointer,
    problems: RefCell<HashMap<Shape, Rc<Problem>>>,
}

impl fmt::Debug for Cudnn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cudnn").field("problems", &self.problems.borrow().len()).finish_non_exhaustive()
    }
}

impl Drop for Cudnn {
    fn drop(&mut self) {
        // SAFETY: it was created, and is destroyed once.
        unsafe { (self.functions.destroy)(self.handle) };
    }
}

impl Cudnn {
    /// cuDNN on the device of this thread, whose work is in the order of a stream; why not, in words.
    pub(super) fn open(stream: Pointer) -> Result<Self, String> {
        let missing = || format!("no cuDNN can be loaded ({})", CUDNN.names.join(", "));
        let functions = Functions::of(&CUDNN).ok_or_else(missing)?;
        let mut handle = null_mut();
        // SAFETY: there is a place for the handle, and the device is this thread's.
        functions.check("a handle", unsafe { (functions.create)(&raw mut handle) }).map_err(|e| e.0)?;
        let own = Self { functions, handle, problems: RefCell::default() };
        // SAFETY: the handle and the stream are of one device.
        let status = unsafe { (functions.set_stream)(handle, stream) };
        functions.check("a stream", status).map_err(|e| e.0)?;
        Ok(own)
    }

    /// A convolution of these sizes, which is kept.
    pub(super) fn problem(&self, shape: Shape) -> Result<Rc<Problem>, Failed> {
        if let Some(known) = self.problems.borrow().get(&shape) {
            return Ok(known.clone());
        }
        let of = &self.functions;
        let mut new = Problem {
            shape,
            x: of.images(shape, shape.channels)?,
            y: of.images(shape, shape.out)?,
            weight: of.filter(shape)?,
            convolution: of.convolution(shape.precision)?,
            room: [0; 3],
        };
        for (pass, room) in
            [(Pass::Forward, of.room_forward), (Pass::Inputs, of.room_inputs), (Pass::Weight, of.room_weight)]
        {
            let [first, second, result] = new.operands(pass).map(|(_, descriptor)| descriptor.at);
            let (convolution, mut bytes) = (new.convolution.at, 0);
            // SAFETY: the descriptors are those of this pass, and there is a place for the number.
            let status =
                unsafe { room(self.handle, first, second, convolution, result, ALGORITHM, &raw mut bytes) };
            of.check("workspace", status)?;
            new.room[pass as usize] = bytes;
        }
        let new = Rc::new(new);
        self.problems.borrow_mut().insert(shape, new.clone());
        Ok(new)
    }

    /// `result = f(factors) + beta result`.
    ///
    /// # Safety
    /// At the addresses lie so many numbers as [`Problem::numbers`] says, at the workspace's as many bytes as [`Problem::room`], of
    /// this device, whose thread this is.
    pub(super) unsafe fn run(
        &self,
        problem: &Problem,
        pass: Pass,
        factors: [u64; 2],
        beta: f32,
        result: u64,
        workspace: u64,
    ) -> Result<(), Failed> {
        let convolve = match pass {
            Pass::Forward => self.functions.forward,
            Pass::Inputs => self.functions.inputs,
            Pass::Weight => self.functions.weight,
        };
        let [first, second, to] = problem.operands(pass).map(|(_, descriptor)| descriptor.at);
        let alpha = 1.0f32;
        // SAFETY: by the caller's word; the factors alpha and beta are read before the call returns.
        let status = unsafe {
            convolve(
                self.handle,
                (&raw const alpha).cast(),
                first,
                factors[0] as *const c_void,
                second,
                factors[1] as *const c_void,
                problem.convolution.at,
                ALGORITHM,
                workspace as *mut c_void,
                problem.room(pass),
                (&raw const beta).cast(),
                to,
                result as *mut c_void,
            )
        };
        let step = match pass {
            Pass::Forward => "the outputs",
            Pass::Inputs => "the gradient of the inputs",
            Pass::Weight => "the gradient of the weight",
        };
        self.functions.check(step, status)
    }
}
