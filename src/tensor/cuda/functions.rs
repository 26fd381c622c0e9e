//! Every function of NVIDIA's libraries that `cudarc` calls, with the types of its parameters.

#![allow(unsafe_code)]

/// Defines each function for the linker: it passes its arguments to the library, or answers `$absent` where that is absent.
macro_rules! forward {
    ($library:ident, $absent:path: $answer:ty; $($name:ident($($type:ty),*);)*) => {
        $(forward! { @ $library $absent, $answer, $name [a b c d e f g h i j k l m n o p q r s t u v w x y z] [] $($type,)* })*
    };
    // The next parameter gets the next name.
    (@ $library:ident $absent:path, $answer:ty, $name:ident [$next:ident $($names:ident)*] [$($named:tt)*] $type:ty, $($types:ty,)*) => {
        forward! { @ $library $absent, $answer, $name [$($names)*] [$($named)* ($next $type)] $($types,)* }
    };
    (@ $library:ident $absent:path, $answer:ty, $name:ident [$($names:ident)*] [$(($arg:ident $type:ty))*]) => {
        #[unsafe(no_mangle)]
        unsafe extern "C" fn $name($($arg: $type),*) -> $answer {
            type Function = unsafe extern "C" fn($($type),*) -> $answer;
            static FOUND: OnceLock<Option<Function>> = OnceLock::new();
            // SAFETY: the library's function has the type of its binding, which is this one.
            const _: Function = sys::$name;
            match FOUND.get_or_init(|| unsafe { $library.function(stringify!($name)) }) {
                // SAFETY: what holds for a call of the binding holds for this one.
                Some(function) => unsafe { function($($arg),*) },
                None => $absent,
            }
        }
    };
}

pub(super) mod driver {
    use super::super::DRIVER;
    use cudarc::driver::sys::{self, *};
    use std::cell::{Cell, RefCell};
    use std::ffi::*;
    use std::sync::OnceLock;

    forward! {
        DRIVER, CUresult::CUDA_ERROR_STUB_LIBRARY: CUresult;
        cuGetErrorString(CUresult, *mut *const c_char);
        cuGetErrorName(CUresult, *mut *const c_char);
        cuInit(c_uint);
        cuDeviceGet(*mut CUdevice, c_int);
        cuDeviceGetCount(*mut c_int);
        cuDeviceGetName(*mut c_char, c_int, CUdevice);
        cuDeviceTotalMem_v2(*mut usize, CUdevice);
        cuDeviceGetAttribute(*mut c_int, CUdevice_attribute, CUdevice);
        cuDevicePrimaryCtxRetain(*mut CUcontext, CUdevice);
        cuDevicePrimaryCtxRelease_v2(CUdevice);
        cuCtxSetCurrent(CUcontext);
        cuCtxGetCurrent(*mut CUcontext);
        cuModuleLoad(*mut CUmodule, *const c_char);
        cuModuleLoadData(*mut CUmodule, *const c_void);
        cuModuleUnload(CUmodule);
        cuModuleGetFunction(*mut CUfunction, CUmodule, *const c_char);
        cuMemGetInfo_v2(*mut usize, *mut usize);
        cuMemAlloc_v2(*mut CUdeviceptr, usize);
        cuMemFree_v2(CUdeviceptr);
        cuMemcpyHtoD_v2(CUdeviceptr, *const c_void, usize);
        cuMemcpyDtoH_v2(*mut c_void, CUdeviceptr, usize);
        cuMemcpyDtoD_v2(CUdeviceptr, CUdeviceptr, usize);
        cuMemcpyHtoDAsync_v2(CUdeviceptr, *const c_void, usize, CUstream);
        cuMemcpyDtoHAsync_v2(*mut c_void, CUdeviceptr, usize, CUstream);
        cuMemsetD8_v2(CUdeviceptr, c_uchar, usize);
        cuMemFreeAsync(CUdeviceptr, CUstream);
        cuStreamCreate(*mut CUstream, c_uint);
        cuStreamWaitEvent(CUstream, CUevent, c_uint);
        cuStreamSynchronize(CUstream);
        cuStreamDestroy_v2(CUstream);
        cuEventCreate(*mut CUevent, c_uint);
        cuEventRecord(CUevent, CUstream);
        cuEventQuery(CUevent);
        cuEventDestroy_v2(CUevent);
        cuEventElapsedTime(*mut f32, CUevent, CUevent);
        cuImportExternalMemory(*mut CUexternalMemory, *const CUDA_EXTERNAL_MEMORY_HANDLE_DESC);
        cuExternalMemoryGetMappedBuffer(
            *mut CUdeviceptr, CUexternalMemory, *const CUDA_EXTERNAL_MEMORY_BUFFER_DESC
        );
        cuDestroyExternalMemory(CUexternalMemory);
        cuLaunchKernel(
            CUfunction, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, c_uint, CUstream, *mut *mut c_void,
            *mut *mut c_void
        );
        cuOccupancyMaxActiveBlocksPerMultiprocessor(*mut c_int, CUfunction, c_int, usize);
        cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(*mut c_int, CUfunction, c_int, usize, c_uint);
        cuOccupancyMaxPotentialBlockSize(
            *mut c_int, *mut c_int, CUfunction, CUoccupancyB2DSize, usize, c_int
        );
        cuOccupancyMaxPotentialBlockSizeWithFlags(
            *mut c_int, *mut c_int, CUfunction, CUoccupancyB2DSize, usize, c_int, c_uint
        );
        cuOccupancyAvailableDynamicSMemPerBlock(*mut usize, CUfunction, c_int, c_int);
        cuOccupancyMaxPotentialClusterSize(*mut c_int, CUfunction, *const CUlaunchConfig);
        cuOccupancyMaxActiveClusters(*mut c_int, CUfunction, *const CUlaunchConfig);
        cuProfilerStart();
        cuProfilerStop();
    }

    thread_local! {
        /// Whether new memory of this thread stays as it is.
        static UNWRITTEN: Cell<bool> = const { Cell::new(false) };
    }

    /// Sets it back, whatever ends the work.
    struct Written;

    impl Drop for Written {
        fn drop(&mut self) {
            UNWRITTEN.set(false);
        }
    }

    /// Makes tensors of arbitrary numbers: dfdx's `zeros_like` without its launch for the zeros.
    pub(in crate::tensor::cuda) fn unwritten<R>(make: impl FnOnce() -> R) -> R {
        UNWRITTEN.set(true);
        let _written = Written;
        make()
    }

    /// Sets bytes, but not within [`unwritten`].
    #[unsafe(no_mangle)]
    unsafe extern "C" fn cuMemsetD8Async(
        to: CUdeviceptr,
        value: c_uchar,
        bytes: usize,
        stream: CUstream,
    ) -> CUresult {
        type Function = unsafe extern "C" fn(CUdeviceptr, c_uchar, usize, CUstream) -> CUresult;
        static FOUND: OnceLock<Option<Function>> = OnceLock::new();
        // SAFETY: the library's function has the type of its binding, which is this one.
        const _: Function = sys::cuMemsetD8Async;
        match FOUND.get_or_init(|| unsafe { DRIVER.function("cuMemsetD8Async") }) {
            Some(_) if UNWRITTEN.get() => CUresult::CUDA_SUCCESS,
            // SAFETY: what holds for a call of the binding holds for this one.
            Some(function) => unsafe { function(to, value, bytes, stream) },
            None => CUresult::CUDA_ERROR_STUB_LIBRARY,
        }
    }

    /// A copy within a device that is put off: where to, where from, and how many bytes.
    pub(in crate::tensor::cuda) type Copy = (CUdeviceptr, CUdeviceptr, usize);

    thread_local! {
        /// The copies of this thread that are put off, if they are.
        static COPIES: RefCell<Option<Vec<Copy>>> = const { RefCell::new(None) };
    }

    /// Ends the putting off, whatever ends the work.
    struct AtOnce;

    impl Drop for AtOnce {
        fn drop(&mut self) {
            COPIES.take();
        }
    }

    /// Puts off the copies within a device that `work` makes: who calls makes them, before what they read and write is used.
    pub(in crate::tensor::cuda) fn copies<R>(work: impl FnOnce() -> R) -> (R, Vec<Copy>) {
        if COPIES.with_borrow(Option::is_some) {
            // They belong to the work around it.
            return (work(), Vec::new());
        }
        COPIES.set(Some(Vec::new()));
        let _at_once = AtOnce;
        let answer = work();
        (answer, COPIES.take().unwrap_or_default())
    }

    /// Copies within a device, but not within [`copies`].
    #[unsafe(no_mangle)]
    unsafe extern "C" fn cuMemcpyDtoDAsync_v2(
        to: CUdeviceptr,
        from: CUdeviceptr,
        bytes: usize,
        stream: CUstream,
    ) -> CUresult {
        type Function = unsafe extern "C" fn(CUdeviceptr, CUdeviceptr, usize, CUstream) -> CUresult;
        static FOUND: OnceLock<Option<Function>> = OnceLock::new();
        // SAFETY: the library's function has the type of its binding, which is this one.
        const _: Function = sys::cuMemcpyDtoDAsync_v2;
        let put_off = |copies: &mut Option<Vec<Copy>>| {
            copies
                .as_mut()
                .filter(|_| bytes.is_multiple_of(size_of::<f32>()))
                .map(|copies| copies.push((to, from, bytes)))
        };
        match FOUND.get_or_init(|| unsafe { DRIVER.function("cuMemcpyDtoDAsync_v2") }) {
            Some(_) if COPIES.with_borrow_mut(put_off).is_some() => CUresult::CUDA_SUCCESS,
            // SAFETY: what holds for a call of the binding holds for this one.
            Some(function) => unsafe { function(to, from, bytes, stream) },
            None => CUresult::CUDA_ERROR_STUB_LIBRARY,
        }
    }

    /// The one way to memory of the devices that are used: what it cannot give is noted, since dfdx panics on the answer.
    #[unsafe(no_mangle)]
    unsafe extern "C" fn cuMemAllocAsync(to: *mut CUdeviceptr, bytes: usize, stream: CUstream) -> CUresult {
        type Function = unsafe extern "C" fn(*mut CUdeviceptr, usize, CUstream) -> CUresult;
        static FOUND: OnceLock<Option<Function>> = OnceLock::new();
        // SAFETY: the library's function has the type of its binding, which is this one.
        const _: Function = sys::cuMemAllocAsync;
        let Some(function) = *FOUND.get_or_init(|| unsafe { DRIVER.function("cuMemAllocAsync") }) else {
            return CUresult::CUDA_ERROR_STUB_LIBRARY;
        };
        // SAFETY: what holds for a call of the binding holds for this one.
        let answer = unsafe { function(to, bytes, stream) };
        if answer == CUresult::CUDA_ERROR_OUT_OF_MEMORY {
            let (mut free, mut total) = (0, 0);
            // SAFETY: both are places for a number.
            let known = unsafe { cuMemGetInfo_v2(&raw mut free, &raw mut total) } == CUresult::CUDA_SUCCESS;
            super::super::note(super::super::Shortage { needed: bytes, free: known.then_some(free) });
        }
        answer
    }
}

mod cublas {
    use super::super::CUBLAS;
    use cudarc::cublas::sys::{self, *};
    use std::ffi::*;
    use std::sync::OnceLock;

    forward! {
        CUBLAS, cublasStatus_t::CUBLAS_STATUS_NOT_INITIALIZED: cublasStatus_t;
        cublasCreate_v2(*mut cublasHandle_t);
        cublasDestroy_v2(cublasHandle_t);
        cublasSetStream_v2(cublasHandle_t, cudaStream_t);
        cublasSgemv_v2(
            cublasHandle_t, cublasOperation_t, c_int, c_int, *const f32, *const f32, c_int, *const f32,
            c_int, *const f32, *mut f32, c_int
        );
        cublasDgemv_v2(
            cublasHandle_t, cublasOperation_t, c_int, c_int, *const f64, *const f64, c_int, *const f64,
            c_int, *const f64, *mut f64, c_int
        );
        cublasSgemm_v2(
            cublasHandle_t, cublasOperation_t, cublasOperation_t, c_int, c_int, c_int, *const f32,
            *const f32, c_int, *const f32, c_int, *const f32, *mut f32, c_int
        );
        cublasDgemm_v2(
            cublasHandle_t, cublasOperation_t, cublasOperation_t, c_int, c_int, c_int, *const f64,
            *const f64, c_int, *const f64, c_int, *const f64, *mut f64, c_int
        );
        cublasGemmEx(
            cublasHandle_t, cublasOperation_t, cublasOperation_t, c_int, c_int, c_int, *const c_void,
            *const c_void, cudaDataType, c_int, *const c_void, cudaDataType, c_int, *const c_void,
            *mut c_void, cudaDataType, c_int, cublasComputeType_t, cublasGemmAlgo_t
        );
        cublasGemmStridedBatchedEx(
            cublasHandle_t, cublasOperation_t, cublasOperation_t, c_int, c_int, c_int, *const c_void,
            *const c_void, cudaDataType, c_int, c_longlong, *const c_void, cudaDataType, c_int, c_longlong,
            *const c_void, *mut c_void, cudaDataType, c_int, c_longlong, c_int, cublasComputeType_t,
            cublasGemmAlgo_t
        );
        cublasSgemmStridedBatched(
            cublasHandle_t, cublasOperation_t, cublasOperation_t, c_int, c_int, c_int, *const f32,
            *const f32, c_int, c_longlong, *const f32, c_int, c_longlong, *const f32, *mut f32, c_int,
            c_longlong, c_int
        );
        cublasDgemmStridedBatched(
            cublasHandle_t, cublasOperation_t, cublasOperation_t, c_int, c_int, c_int, *const f64,
            *const f64, c_int, c_longlong, *const f64, c_int, c_longlong, *const f64, *mut f64, c_int,
            c_longlong, c_int
        );
    }
}

mod nvrtc {
    use super::super::NVRTC;
    use cudarc::nvrtc::sys::{self, *};
    use std::ffi::*;
    use std::sync::OnceLock;

    forward! {
        NVRTC, nvrtcResult::NVRTC_ERROR_INTERNAL_ERROR: nvrtcResult;
        nvrtcCreateProgram(
            *mut nvrtcProgram, *const c_char, *const c_char, c_int, *const *const c_char,
            *const *const c_char
        );
        nvrtcDestroyProgram(*mut nvrtcProgram);
        nvrtcCompileProgram(nvrtcProgram, c_int, *const *const c_char);
        nvrtcGetPTXSize(nvrtcProgram, *mut usize);
        nvrtcGetPTX(nvrtcProgram, *mut c_char);
        nvrtcGetProgramLogSize(nvrtcProgram, *mut usize);
        nvrtcGetProgramLog(nvrtcProgram, *mut c_char);
    }
}

mod nccl {
    use super::super::NCCL;
    use cudarc::nccl::sys::{self, *};
    use std::ffi::*;
    use std::sync::OnceLock;

    forward! {
        NCCL, ncclResult_t::ncclSystemError: ncclResult_t;
        ncclGetVersion(*mut c_int);
        ncclGetUniqueId(*mut ncclUniqueId);
        ncclCommInitRankConfig(*mut ncclComm_t, c_int, ncclUniqueId, c_int, *mut ncclConfig_t);
        ncclCommInitRank(*mut ncclComm_t, c_int, ncclUniqueId, c_int);
        ncclCommInitAll(*mut ncclComm_t, c_int, *const c_int);
        ncclCommFinalize(ncclComm_t);
        ncclCommDestroy(ncclComm_t);
        ncclCommAbort(ncclComm_t);
        ncclCommSplit(ncclComm_t, c_int, c_int, *mut ncclComm_t, *mut ncclConfig_t);
        ncclCommCount(ncclComm_t, *mut c_int);
        ncclCommCuDevice(ncclComm_t, *mut c_int);
        ncclCommUserRank(ncclComm_t, *mut c_int);
        ncclRedOpCreatePreMulSum(*mut ncclRedOp_t, *mut c_void, ncclDataType_t, ncclScalarResidence_t, ncclComm_t);
        ncclRedOpDestroy(ncclRedOp_t, ncclComm_t);
        ncclReduce(
            *const c_void, *mut c_void, usize, ncclDataType_t, ncclRedOp_t, c_int, ncclComm_t, cudaStream_t
        );
        ncclBroadcast(*const c_void, *mut c_void, usize, ncclDataType_t, c_int, ncclComm_t, cudaStream_t);
        ncclAllReduce(*const c_void, *mut c_void, usize, ncclDataType_t, ncclRedOp_t, ncclComm_t, cudaStream_t);
        ncclReduceScatter(
            *const c_void, *mut c_void, usize, ncclDataType_t, ncclRedOp_t, ncclComm_t, cudaStream_t
        );
        ncclAllGather(*const c_void, *mut c_void, usize, ncclDataType_t, ncclComm_t, cudaStream_t);
        ncclSend(*const c_void, usize, ncclDataType_t, c_int, ncclComm_t, cudaStream_t);
        ncclRecv(*mut c_void, usize, ncclDataType_t, c_int, ncclComm_t, cudaStream_t);
        ncclGroupStart();
        ncclGroupEnd();
    }
}
