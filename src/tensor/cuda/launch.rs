//! Launches of the own kernels, and cuBLAS's products, on addresses of the device.
//!
//! Everything runs on the null stream, in the order of the calls: memory that is given back after a call is given to others behind it.
//! A [`View`] carries how many numbers lie at its address, and every part of one is checked. It does not hold its buffer: who calls
//! keeps the tensor, or the store of gradients, until the call returns.

use super::cudnn::Cudnn;
use super::functions::driver::unwritten;
use super::precision::{self, Scope};
use super::source::{self, Kind};
use crate::tensor::{Precision, Refused};
use cudarc::cublas::sys::{cublasComputeType_t, cublasGemmAlgo_t, cublasOperation_t, cudaDataType};
use cudarc::cublas::{CudaBlas, result as cublas};
use cudarc::driver::sys::{CUdevice_attribute as Attribute, CUfunction, CUmodule};
use cudarc::driver::{CudaDevice, CudaSlice, DevicePtr, DeviceSlice, result as driver};
use cudarc::nvrtc::{CompileOptions, Ptx, compile_ptx_with_opts};
use dfdx::prelude::{Cuda, CudaError, Storage};
use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::ffi::{CString, c_void};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

/// The threads of a block, as in `source/kernel.h`.
pub(super) const THREADS: usize = 256;
/// The numbers that a thread of an element-wise kernel visits, as there.
const EACH: usize = 4;

/// A 64-bit number of a [`View`], which counts in `f32`.
pub(super) const WORD: usize = size_of::<u64>() / size_of::<f32>();

/// The blocks of a kernel with one thread an item.
pub(super) fn blocks(items: usize) -> usize {
    items.div_ceil(THREADS)
}

/// The blocks of an element-wise kernel.
pub(super) fn element_blocks(count: usize) -> usize {
    count.div_ceil(THREADS * EACH)
}

/// Numbers on the device: where they begin, and how many there are. `None` of an `Option` is a null pointer.
#[derive(Clone, Copy, Debug)]
pub(super) struct View {
    at: u64,
    len: usize,
}

impl View {
    /// # Safety
    /// A buffer of the device has `len` numbers in `f32` from the address on.
    pub(super) unsafe fn new(at: u64, len: usize) -> Self {
        Self { at, len }
    }

    pub(super) fn len(self) -> usize {
        self.len
    }

    pub(super) fn address(self) -> u64 {
        self.at
    }

    /// The numbers from `first` on, `len` of them.
    ///
    /// # Panics
    /// If there are fewer.
    pub(super) fn part(self, first: usize, len: usize) -> Self {
        assert!(first + len <= self.len, "numbers {first} to {} of {}", first + len, self.len);
        Self { at: self.at + (first * size_of::<f32>()) as u64, len }
    }
}

/// An argument of a kernel, of the type that its declaration has.
#[derive(Clone, Copy, Debug)]
pub(super) enum Argument {
    Address(u64),
    Int(i32),
    Index(i64),
    Bits(u64),
    Float(f32),
    Double(f64),
}

impl Argument {
    fn kind(&self) -> Kind {
        match self {
            Self::Address(_) => Kind::Address,
            Self::Int(_) => Kind::Int,
            Self::Index(_) => Kind::Index,
            Self::Bits(_) => Kind::Bits,
            Self::Float(_) => Kind::Float,
            Self::Double(_) => Kind::Double,
        }
    }

    fn pointer(&mut self) -> *mut c_void {
        match self {
            Self::Address(x) | Self::Bits(x) => std::ptr::from_mut(x).cast(),
            Self::Int(x) => std::ptr::from_mut(x).cast(),
            Self::Index(x) => std::ptr::from_mut(x).cast(),
            Self::Float(x) => std::ptr::from_mut(x).cast(),
            Self::Double(x) => std::ptr::from_mut(x).cast(),
        }
    }
}

impl From<View> for Argument {
    fn from(view: View) -> Self {
        Self::Address(view.at)
    }
}

impl From<Option<View>> for Argument {
    fn from(view: Option<View>) -> Self {
        Self::Address(view.map_or(0, |view| view.at))
    }
}

/// A count that a kernel takes as an `int`.
///
/// # Panics
/// If it is too large for one.
#[allow(clippy::panic)]
fn count(count: usize) -> i32 {
    i32::try_from(count).unwrap_or_else(|_| panic!("{count} is too large for a kernel"))
}

/// A [`count`].
pub(super) fn int(number: usize) -> Argument {
    Argument::Int(count(number))
}

/// A count that a kernel takes as an `index`.
pub(super) fn index(count: usize) -> Argument {
    Argument::Index(count as i64)
}

/// Whether, as a kernel takes it.
pub(super) fn flag(whether: bool) -> Argument {
    Argument::Int(whether.into())
}

/// The arguments of a launch.
macro_rules! arguments {
    ($($argument:expr),* $(,)?) => { &mut [$($crate::tensor::cuda::launch::Argument::from($argument)),*] };
}
pub(super) use arguments;

/// A row-major matrix, or several of one shape, `stride` numbers apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Matrices {
    pub(super) view: View,
    pub(super) rows: usize,
    pub(super) columns: usize,
    /// From one row to the next.
    pub(super) line: usize,
    /// From one matrix to the next.
    pub(super) stride: usize,
    /// Whether their transposes are meant, whose sizes these are not.
    pub(super) turned: bool,
}

impl Matrices {
    /// Full matrices, one after the other.
    pub(super) fn full(view: View, rows: usize, columns: usize) -> Self {
        Self { view, rows, columns, line: columns, stride: rows * columns, turned: false }
    }

    pub(super) fn turned(self) -> Self {
        Self { turned: !self.turned, ..self }
    }

    fn sizes(&self) -> (usize, usize) {
        if self.turned { (self.columns, self.rows) } else { (self.rows, self.columns) }
    }

    fn extent(&self, batch: usize) -> usize {
        (batch - 1) * self.stride + (self.rows - 1) * self.line + self.columns
    }

    /// As cuBLAS sees it: its transpose, column-major.
    fn operation(&self) -> cublasOperation_t {
        if self.turned { cublasOperation_t::CUBLAS_OP_T } else { cublasOperation_t::CUBLAS_OP_N }
    }
}

/// What a device computes with: the loaded kernels, cuBLAS, and room for what lives as long as one operation.
#[derive(Debug)]
pub(super) struct Engine {
    blas: CudaBlas,
    /// Opened at its first use; why not, in words.
    cudnn: OnceCell<Result<Cudnn, String>>,
    kernels: HashMap<&'static str, CUfunction>,
    scratch: RefCell<Option<CudaSlice<f32>>>,
    chunk: usize,
    capability: i32,
    /// What products are made in.
    pub(super) precision: Scope,
    // Dropped after what it holds.
    _module: Module,
    pub(super) handle: Arc<CudaDevice>,
}

/// The numbers that the images of a chunk take in scratch memory, unless `IDODE_CUDA_CHUNK` says how many: 64 MiB, of which a GPU's cache
/// holds most.
const CHUNK: usize = 16 << 20;

/// A loaded module; its functions go with it.
#[derive(Debug)]
struct Module(CUmodule);

impl Drop for Module {
    fn drop(&mut self) {
        // SAFETY: it was loaded once, and its functions go with it. Where the driver has gone already there is nothing to unload.
        let _ = unsafe { driver::module::unload(self.0) };
    }
}

thread_local! {
    /// The engines of this thread by the ordinals of their devices; `None` where the kernels do not compile.
    static ENGINES: RefCell<HashMap<usize, Option<Rc<Engine>>>> = RefCell::default();
}

/// The engine of a device; `None` where its kernels cannot be had, and the portable operations compute.
pub(super) fn engine(device: &Cuda) -> Option<Rc<Engine>> {
    // Only a buffer tells where it is.
    let handle = unwritten(|| <Cuda as Storage<f32>>::try_alloc_len(device, 0)).ok()?.device();
    ENGINES.with_borrow_mut(|engines| {
        let own = engines.entry(handle.ordinal());
        own.or_insert_with(|| match Engine::open(handle) {
            Ok(engine) => Some(Rc::new(engine)),
            Err(error) => {
                eprintln!("warning: the portable operations compute on this device, for its own kernels cannot be had: {error}");
                None
            }
        })
        .clone()
    })
}

/// The kernels compiled for a device of this compute capability (0 where the driver tells none), once a process.
fn compiled(capability: i32) -> Result<Ptx, String> {
    static COMPILED: Mutex<Vec<(i32, Ptx)>> = Mutex::new(Vec::new());
    let mut compiled = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, ptx)) = compiled.iter().find(|(own, _)| *own == capability) {
        return Ok(ptx.clone());
    }
    // The name is kept for the process, as what it makes is.
    let name = |capability| &*format!("compute_{capability}").leak();
    let options =
        CompileOptions { arch: (capability > 0).then(|| name(capability)), ..CompileOptions::default() };
    let ptx = compile_ptx_with_opts(source::text(), options).map_err(|error| format!("{error:?}"))?;
    compiled.push((capability, ptx.clone()));
    Ok(ptx)
}

impl Engine {
    fn open(handle: Arc<CudaDevice>) -> Result<Self, String> {
        let words = |error: &dyn std::fmt::Debug| format!("{error:?}");
        let attribute = |which| handle.attribute(which).map_err(|error| words(&error));
        let capability = 10 * attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?
            + attribute(Attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?;
        handle.bind_to_thread().map_err(|error| words(&error))?;
        let ptx = CString::new(compiled(capability)?.to_src()).map_err(|error| words(&error))?;
        // SAFETY: the text ends with a zero, and the device is this thread's.
        let module = unsafe { driver::module::load_data(ptx.as_ptr().cast()) };
        let module = Module(module.map_err(|error| words(&error))?);
        let mut kernels = HashMap::new();
        for name in source::kernels().keys() {
            let symbol = CString::new(*name).map_err(|error| words(&error))?;
            // SAFETY: the module was loaded and not unloaded.
            let function = unsafe { driver::module::get_function(module.0, symbol) };
            kernels.insert(*name, function.map_err(|error| words(&error))?);
        }
        let blas = CudaBlas::new(handle.clone()).map_err(|error| words(&error))?;
        let chunk = std::env::var("IDODE_CUDA_CHUNK").ok().and_then(|numbers| numbers.parse().ok());
        Ok(Self {
            blas,
            cudnn: OnceCell::new(),
            kernels,
            scratch: RefCell::new(None),
            chunk: chunk.unwrap_or(CHUNK),
            capability,
            precision: Scope::default(),
            _module: module,
            handle,
        })
    }

    /// cuDNN, where it is installed; why not, in words.
    pub(super) fn cudnn(&self) -> Result<&Cudnn, &str> {
        let open = || {
            self.handle.bind_to_thread().map_err(|error| format!("{error:?}"))?;
            Cudnn::open((*self.handle.cu_stream()).cast())
        };
        self.cudnn.get_or_init(open).as_ref().map_err(String::as_str)
    }

    /// Why this device has no TF32, if so.
    pub(super) fn refusal_of_tf32(&self) -> Option<Refused> {
        precision::refusal(self.capability)
    }

    /// How many of `rows` images make a chunk, each of which takes `each` numbers in scratch memory.
    pub(super) fn chunk(&self, each: usize, rows: usize) -> usize {
        (self.chunk / each.max(1)).clamp(1, rows.max(1))
    }

    /// Launches a kernel of `blocks` blocks; none where there is nothing to do.
    ///
    /// # Panics
    /// If the arguments are not of the types that its declaration has, or there is no such kernel.
    #[allow(clippy::panic)]
    pub(super) fn launch(
        &self,
        name: &'static str,
        blocks: usize,
        arguments: &mut [Argument],
    ) -> Result<(), CudaError> {
        let kinds = source::kernels().get(name);
        let given = arguments.iter().map(Argument::kind);
        assert!(
            kinds.is_some_and(|kinds| kinds.iter().copied().eq(given)),
            "{name}: {kinds:?}, not {arguments:?}"
        );
        if blocks == 0 {
            return Ok(());
        }
        let Some(kernel) = self.kernels.get(name) else { panic!("no kernel {name}") };
        let grid = (count(blocks) as u32, 1, 1);
        // A kernel numbers its threads by an `int` where it has one thread an item.
        assert!(
            blocks <= i32::MAX as usize / THREADS || !name.starts_with("winograd"),
            "{name}: {blocks} blocks"
        );
        let stream = *self.handle.cu_stream();
        self.handle.bind_to_thread().map_err(CudaError::Driver)?;
        let mut pointers: Vec<*mut c_void> = arguments.iter_mut().map(Argument::pointer).collect();
        // SAFETY: the arguments are of the declared types, and are read before the call returns. The addresses are those of buffers
        // that the caller holds; a kernel stays within the sizes that are its arguments, which tests on buffers with guards check.
        unsafe { driver::launch_kernel(*kernel, grid, (THREADS as u32, 1, 1), 0, stream, &mut pointers) }
            .map_err(CudaError::Driver)
    }

    /// `c = alpha a b + beta c` of each of a batch of matrices, in `f32` with the factors as they are; or in the precision that holds now.
    ///
    /// `cublasSgemm` of a handle in cuBLAS's default mode keeps at least the mantissa of its type. TF32 is asked for by each call that is to have it.
    ///
    /// # Panics
    /// If the sizes do not fit together or the views are too short.
    pub(super) fn product(
        &self,
        batch: usize,
        alpha: f32,
        [a, b]: [Matrices; 2],
        beta: f32,
        c: Matrices,
    ) -> Result<(), CudaError> {
        let ((m, k), (k_of_b, n)) = (a.sizes(), b.sizes());
        self.handle.bind_to_thread().map_err(CudaError::Driver)?;
        assert!(k == k_of_b && (m, n) == (c.rows, c.columns) && !c.turned, "{a:?} {b:?} {c:?}");
        if batch * m * n * k == 0 {
            return Ok(());
        }
        for matrices in [&a, &b, &c] {
            assert!(
                matrices.columns <= matrices.line && matrices.extent(batch) <= matrices.view.len,
                "{matrices:?}"
            );
        }
        // SAFETY: all numbers lie within their views, as was just checked; the factors are read before the call returns. The transpose
        // of a row-major product is the column-major product of the transposes in the other order.
        let done = match self.precision.get() {
            Precision::F32 => unsafe {
                cublas::sgemm_strided_batched(
                    *self.blas.handle(),
                    b.operation(),
                    a.operation(),
                    count(n),
                    count(m),
                    count(k),
                    &raw const alpha,
                    b.view.at as *const f32,
                    count(b.line),
                    b.stride as i64,
                    a.view.at as *const f32,
                    count(a.line),
                    a.stride as i64,
                    &raw const beta,
                    c.view.at as *mut f32,
                    count(c.line),
                    c.stride as i64,
                    count(batch),
                )
            },
            // SAFETY: as above.
            Precision::Tf32 => unsafe {
                cublas::gemm_strided_batched_ex(
                    *self.blas.handle(),
                    b.operation(),
                    a.operation(),
                    count(n),
                    count(m),
                    count(k),
                    (&raw const alpha).cast(),
                    b.view.at as *const c_void,
                    cudaDataType::CUDA_R_32F,
                    count(b.line),
                    b.stride as i64,
                    a.view.at as *const c_void,
                    cudaDataType::CUDA_R_32F,
                    count(a.line),
                    a.stride as i64,
                    (&raw const beta).cast(),
                    c.view.at as *mut c_void,
                    cudaDataType::CUDA_R_32F,
                    count(c.line),
                    c.stride as i64,
                    count(batch),
                    cublasComputeType_t::CUBLAS_COMPUTE_32F_FAST_TF32,
                    cublasGemmAlgo_t::CUBLAS_GEMM_DEFAULT,
                )
            },
        };
        done.map_err(CudaError::Blas)
    }

    /// Brings 64-bit numbers to the device in one transfer, for the launches of `work`.
    pub(super) fn table<R>(
        &self,
        numbers: &[u64],
        work: impl FnOnce(View) -> Result<R, CudaError>,
    ) -> Result<R, CudaError> {
        let held = self.handle.htod_sync_copy(numbers).map_err(CudaError::Driver)?;
        work(View { at: *held.device_ptr(), len: numbers.len() * WORD })
    }

    /// Lends `len` arbitrary numbers; a buffer as large as the largest that was asked for stays.
    pub(super) fn scratch<R>(
        &self,
        len: usize,
        work: impl FnOnce(View) -> Result<R, CudaError>,
    ) -> Result<R, CudaError> {
        let mut held = self.scratch.borrow_mut();
        if held.as_ref().is_none_or(|held| held.len() < len) {
            *held = None;
            // SAFETY: whoever borrows the numbers writes each before it is read.
            *held = Some(unsafe { self.handle.alloc::<f32>(len.max(1)) }.map_err(CudaError::Driver)?);
        }
        match &*held {
            Some(buffer) => work(View { at: *buffer.device_ptr(), len }),
            None => work(View { at: 0, len: 0 }),
        }
    }
}
