//! The driver: one device, whose work is done when a call returns.

use crate::arguments::Arguments;
use crate::compiled::Compiled;
use crate::kernels::{self, Kernel};
use crate::memory::{self, Answer};
use crate::module::Module;
use cudarc::driver::sys::*;
use std::ffi::{CStr, c_char, c_int, c_uchar, c_uint, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

/// A kernel by the name that it was asked for.
struct Function {
    name: String,
    kernel: Body,
}

/// A kernel of dfdx's, or one of idode's.
enum Body {
    Function(Kernel),
    Compiled(Compiled),
}

fn code(answer: Answer) -> CUresult {
    match answer {
        Ok(()) => CUresult::CUDA_SUCCESS,
        Err(error) => error,
    }
}

/// Writes an answer to where the caller wants it.
///
/// # Safety
/// `to` is a place for one.
unsafe fn give<T>(to: *mut T, answer: Answer<T>) -> CUresult {
    // SAFETY: the caller says so.
    code(answer.map(|answer| unsafe { to.write(answer) }))
}

/// What stands for a context, a stream or an event: there is one of each, and nothing in it.
fn token<T>() -> *mut T {
    std::ptr::NonNull::dangling().as_ptr()
}

/// The compute capability, two digits: that of the least card with TF32, unless `IDODE_MEMORY_DRIVER_CAPABILITY` has another.
fn capability() -> c_int {
    let asked = std::env::var("IDODE_MEMORY_DRIVER_CAPABILITY").ok();
    asked.and_then(|digits| digits.parse().ok()).unwrap_or(80)
}

fn copy(to: *mut u8, from: *const u8, bytes: usize) {
    // SAFETY: both were checked to be pieces of this length: by `memory::bytes` on the device, by the caller on the host.
    unsafe { std::ptr::copy(from, to, bytes) }
}

/// Writes what is launched, or crosses the bus, to standard error, where `IDODE_MEMORY_DRIVER_TRACE` is set.
fn trace(name: &str, size: usize) {
    static TRACED: OnceLock<bool> = OnceLock::new();
    if *TRACED.get_or_init(|| std::env::var_os("IDODE_MEMORY_DRIVER_TRACE").is_some()) {
        eprintln!("memory-driver: launch {name} {size}");
    }
}

fn set(to: u64, value: c_uchar, count: usize) -> Answer {
    trace("memset", count);
    let to = memory::bytes(to, count)?;
    // SAFETY: it is a piece of this length.
    unsafe { to.write_bytes(value, count) };
    Ok(())
}

fn launch(
    function: &Function,
    grid: [c_uint; 3],
    block: [c_uint; 3],
    arguments: *const *const c_void,
) -> Answer {
    let product = |sizes: [c_uint; 3]| sizes.iter().map(|size| *size as usize).product::<usize>();
    let (grid, block) = (product(grid), product(block));
    if grid == 0 || block == 0 || block > 1024 {
        eprintln!("memory-driver: {}: a launch of {grid} blocks of {block} threads", function.name);
        return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
    }
    trace(&function.name, grid);
    let left = |answer| {
        eprintln!("memory-driver: {} left a buffer", function.name);
        answer
    };
    match &function.kernel {
        Body::Function(kernel) => {
            // SAFETY: `cuLaunchKernel` is called with the arguments of this kernel, and holds its buffers until it returns.
            let mut arguments = unsafe { Arguments::new(arguments, block, grid * block) };
            catch_unwind(AssertUnwindSafe(|| kernel(&mut arguments)))
                .map_err(|_| left(CUresult::CUDA_ERROR_ILLEGAL_ADDRESS))
        }
        Body::Compiled(_) if fault(&function.name) == Some(Fault::Fails) => {
            Err(CUresult::CUDA_ERROR_INVALID_VALUE)
        }
        // SAFETY: as above.
        Body::Compiled(kernel) => {
            unsafe { kernel.run(grid, block, arguments) }.map_err(left).and_then(|()| {
                match fault(&function.name) {
                    // SAFETY: the kernel's first argument is an address, which was checked before it ran, and what it writes to.
                    Some(_) => disturb(unsafe { (*arguments).cast::<u64>().read_unaligned() }),
                    None => Ok(()),
                }
            })
        }
    }
}

/// What a kernel does wrong on purpose.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Computes,
    Fails,
}

/// What `IDODE_MEMORY_DRIVER_WRONG` says of a kernel, or of a function of cuDNN.
pub(crate) fn fault(name: &str) -> Option<Fault> {
    static WRONG: OnceLock<Option<String>> = OnceLock::new();
    let wrong = WRONG.get_or_init(|| std::env::var("IDODE_MEMORY_DRIVER_WRONG").ok());
    let own = wrong.as_ref()?.split(',').find(|own| own.strip_suffix(":fails").unwrap_or(own) == name)?;
    Some(if own == name { Fault::Computes } else { Fault::Fails })
}

/// Adds 1 to the first number at an address; of one of 64 bits this changes the lower half.
pub(crate) fn disturb(address: u64) -> Answer {
    let number = memory::bytes(address, 4)?.cast::<f32>();
    // SAFETY: the buffer has so many bytes, and is this thread's.
    unsafe { number.write_unaligned(number.read_unaligned() + 1.0) };
    Ok(())
}

fn words(error: CUresult) -> &'static CStr {
    match error {
        CUresult::CUDA_SUCCESS => c"no error",
        CUresult::CUDA_ERROR_OUT_OF_MEMORY => c"out of memory",
        CUresult::CUDA_ERROR_INVALID_VALUE => c"invalid argument",
        CUresult::CUDA_ERROR_INVALID_DEVICE => c"invalid device ordinal",
        CUresult::CUDA_ERROR_NOT_FOUND => c"named symbol not found",
        CUresult::CUDA_ERROR_ILLEGAL_ADDRESS => c"an illegal memory access was encountered",
        _ => c"unknown error",
    }
}

crate::define! {
    cudarc::driver::sys;

    fn cuGetErrorString(error: CUresult, to: *mut *const c_char) -> CUresult {
        // SAFETY: the caller gives a place for the pointer.
        unsafe { give(to, Ok(words(error).as_ptr())) }
    }

    fn cuInit(_flags: c_uint) -> CUresult {
        CUresult::CUDA_SUCCESS
    }

    fn cuDeviceGetCount(to: *mut c_int) -> CUresult {
        // SAFETY: the caller gives a place for the number.
        unsafe { give(to, Ok(1)) }
    }

    fn cuDeviceGet(to: *mut CUdevice, ordinal: c_int) -> CUresult {
        let device = if ordinal == 0 { Ok(0) } else { Err(CUresult::CUDA_ERROR_INVALID_DEVICE) };
        // SAFETY: the caller gives a place for the device.
        unsafe { give(to, device) }
    }

    fn cuDeviceGetName(to: *mut c_char, length: c_int, _device: CUdevice) -> CUresult {
        let name = std::env::var("IDODE_MEMORY_DRIVER_NAME").unwrap_or_else(|_| "host memory".to_owned()) + "\0";
        if usize::try_from(length).unwrap_or(0) < name.len() {
            return CUresult::CUDA_ERROR_INVALID_VALUE;
        }
        // SAFETY: the caller gives so much room.
        unsafe { to.cast::<u8>().copy_from_nonoverlapping(name.as_ptr(), name.len()) };
        CUresult::CUDA_SUCCESS
    }

    fn cuDeviceGetAttribute(to: *mut c_int, attribute: CUdevice_attribute, _device: CUdevice) -> CUresult {
        let value = match attribute {
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED => 1,
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR => capability() / 10,
            CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR => capability() % 10,
            _ => 0,
        };
        // SAFETY: the caller gives a place for the number.
        unsafe { give(to, Ok(value)) }
    }

    fn cuDevicePrimaryCtxRetain(to: *mut CUcontext, _device: CUdevice) -> CUresult {
        // SAFETY: the caller gives a place for the context.
        unsafe { give(to, Ok(token())) }
    }

    fn cuDevicePrimaryCtxRelease_v2(_device: CUdevice) -> CUresult {
        CUresult::CUDA_SUCCESS
    }

    fn cuCtxSetCurrent(_context: CUcontext) -> CUresult {
        CUresult::CUDA_SUCCESS
    }

    fn cuStreamCreate(to: *mut CUstream, _flags: c_uint) -> CUresult {
        // SAFETY: the caller gives a place for the stream.
        unsafe { give(to, Ok(token())) }
    }

    fn cuStreamSynchronize(_stream: CUstream) -> CUresult {
        CUresult::CUDA_SUCCESS
    }

    fn cuStreamWaitEvent(_stream: CUstream, _event: CUevent, _flags: c_uint) -> CUresult {
        CUresult::CUDA_SUCCESS
    }

    fn cuStreamDestroy_v2(_stream: CUstream) -> CUresult {
        CUresult::CUDA_SUCCESS
    }

    fn cuEventCreate(to: *mut CUevent, _flags: c_uint) -> CUresult {
        // SAFETY: the caller gives a place for the event.
        unsafe { give(to, Ok(token())) }
    }

    fn cuEventRecord(_event: CUevent, _stream: CUstream) -> CUresult {
        CUresult::CUDA_SUCCESS
    }

    fn cuEventQuery(_event: CUevent) -> CUresult {
        CUresult::CUDA_SUCCESS
    }

    fn cuEventDestroy_v2(_event: CUevent) -> CUresult {
        CUresult::CUDA_SUCCESS
    }

    fn cuMemGetInfo_v2(free: *mut usize, total: *mut usize) -> CUresult {
        let (of_free, of_total) = memory::free_and_total();
        // SAFETY: the caller gives places for both numbers.
        unsafe {
            give(free, Ok(of_free));
            give(total, Ok(of_total))
        }
    }

    fn cuMemAllocAsync(to: *mut CUdeviceptr, bytes: usize, _stream: CUstream) -> CUresult {
        // SAFETY: the caller gives a place for the address.
        unsafe { give(to, memory::allocate(bytes)) }
    }

    fn cuMemFreeAsync(address: CUdeviceptr, _stream: CUstream) -> CUresult {
        code(memory::free(address))
    }

    fn cuMemcpyHtoD_v2(to: CUdeviceptr, from: *const c_void, bytes: usize) -> CUresult {
        trace("upload", bytes);
        code(memory::bytes(to, bytes).map(|to| copy(to, from.cast(), bytes)))
    }

    fn cuMemcpyHtoDAsync_v2(to: CUdeviceptr, from: *const c_void, bytes: usize, _stream: CUstream) -> CUresult {
        trace("upload", bytes);
        code(memory::bytes(to, bytes).map(|to| copy(to, from.cast(), bytes)))
    }

    fn cuMemcpyDtoH_v2(to: *mut c_void, from: CUdeviceptr, bytes: usize) -> CUresult {
        trace("download", bytes);
        code(memory::bytes(from, bytes).map(|from| copy(to.cast(), from, bytes)))
    }

    fn cuMemcpyDtoHAsync_v2(to: *mut c_void, from: CUdeviceptr, bytes: usize, _stream: CUstream) -> CUresult {
        trace("download", bytes);
        code(memory::bytes(from, bytes).map(|from| copy(to.cast(), from, bytes)))
    }

    fn cuMemcpyDtoDAsync_v2(to: CUdeviceptr, from: CUdeviceptr, bytes: usize, _stream: CUstream) -> CUresult {
        trace("copy", bytes);
        let both = memory::bytes(to, bytes).and_then(|to| Ok((to, memory::bytes(from, bytes)?)));
        code(both.map(|(to, from)| copy(to, from, bytes)))
    }

    fn cuMemsetD8Async(to: CUdeviceptr, value: c_uchar, count: usize, _stream: CUstream) -> CUresult {
        code(set(to, value, count))
    }

    fn cuModuleLoadData(to: *mut CUmodule, text: *const c_void) -> CUresult {
        // SAFETY: the text of a module ends with a zero.
        let text = unsafe { CStr::from_ptr(text.cast()) };
        let module = Box::new(Module::new(&text.to_string_lossy()));
        // SAFETY: the caller gives a place for the module.
        unsafe { give(to, Ok(Box::into_raw(module).cast())) }
    }

    fn cuModuleUnload(module: CUmodule) -> CUresult {
        // SAFETY: it is a module of `cuModuleLoadData`, which its owner unloads once.
        drop(unsafe { Box::from_raw(module.cast::<Module>()) });
        CUresult::CUDA_SUCCESS
    }

    fn cuModuleGetFunction(to: *mut CUfunction, module: CUmodule, name: *const c_char) -> CUresult {
        // SAFETY: it is a module of `cuModuleLoadData`, and a name ends with a zero.
        let (module, name) = unsafe { (&*module.cast::<Module>(), CStr::from_ptr(name)) };
        let name = name.to_string_lossy();
        let kernel = module.compiled(&name).map(Body::Compiled).or_else(|| {
            module.kernel(&name).and_then(|types| kernels::find(&name, &types)).map(Body::Function)
        });
        if kernel.is_none() {
            eprintln!("memory-driver: no kernel {name}");
        }
        let function = kernel.map(|kernel| Box::new(Function { name: name.into_owned(), kernel }));
        // Nobody gives a function back: it stays.
        let function = function.map(|function| Box::into_raw(function).cast::<CUfunc_st>());
        // SAFETY: the caller gives a place for the function.
        unsafe { give(to, function.ok_or(CUresult::CUDA_ERROR_NOT_FOUND)) }
    }

    fn cuLaunchKernel(
        function: CUfunction,
        grid_x: c_uint,
        grid_y: c_uint,
        grid_z: c_uint,
        block_x: c_uint,
        block_y: c_uint,
        block_z: c_uint,
        _shared: c_uint,
        _stream: CUstream,
        arguments: *mut *mut c_void,
        _extra: *mut *mut c_void,
    ) -> CUresult {
        // SAFETY: it is a function of `cuModuleGetFunction`, which stays.
        let function = unsafe { &*function.cast::<Function>() };
        let arguments = arguments.cast_const().cast::<*const c_void>();
        code(launch(function, [grid_x, grid_y, grid_z], [block_x, block_y, block_z], arguments))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(kernel: &str, grid: c_uint, arguments: &[*const c_void]) -> Answer {
        let function =
            Function { name: kernel.to_owned(), kernel: Body::Function(kernels::find(kernel, &[]).unwrap()) };
        launch(&function, [grid, 1, 1], [128, 1, 1], arguments.as_ptr())
    }

    /// `square` of two numbers in a buffer of `bytes` bytes.
    fn square(bytes: usize, grid: c_uint) -> (Answer, [f32; 2]) {
        let (x, y) = (memory::allocate(8).unwrap(), memory::allocate(bytes).unwrap());
        let (mut numbers, count) = ([3.0f32, -2.0], 2usize);
        copy(memory::bytes(x, 8).unwrap(), numbers.as_ptr().cast(), 8);
        let arguments: [*const c_void; 4] = [
            (&raw const count).cast(),
            (&raw const count).cast(),
            (&raw const x).cast(),
            (&raw const y).cast(),
        ];
        let answer = call("square_fwd_f32", grid, &arguments);
        if answer.is_ok() {
            copy(numbers.as_mut_ptr().cast(), memory::bytes(y, 8).unwrap(), 8);
        }
        memory::free(x).unwrap();
        memory::free(y).unwrap();
        (answer, numbers)
    }

    #[test]
    fn a_launch_computes_or_says_what_is_wrong() {
        assert_eq!(square(8, 1), (Ok(()), [9.0, 4.0]));
        assert_eq!(square(4, 1).0, Err(CUresult::CUDA_ERROR_ILLEGAL_ADDRESS));
        assert_eq!(square(8, 0).0, Err(CUresult::CUDA_ERROR_INVALID_VALUE));
    }
}
