//! NVRTC: a source becomes the list of its kernels, see [`module`](crate::module); one of idode's is compiled, see [`compiled`](crate::compiled).

use crate::{compiled, module};
use cudarc::nvrtc::sys::*;
use std::ffi::{CStr, CString, c_char, c_int};

/// A source, and the module that was made of it.
#[derive(Default)]
struct Program {
    source: String,
    module: CString,
}

/// # Safety
/// It is a program of `nvrtcCreateProgram` that was not destroyed, and nobody else uses it.
unsafe fn program<'a>(program: nvrtcProgram) -> &'a mut Program {
    // SAFETY: the caller says so.
    unsafe { &mut *program.cast::<Program>() }
}

crate::define! {
    cudarc::nvrtc::sys;

    fn nvrtcCreateProgram(
        to: *mut nvrtcProgram,
        source: *const c_char,
        _name: *const c_char,
        _headers: c_int,
        _header_texts: *const *const c_char,
        _header_names: *const *const c_char,
    ) -> nvrtcResult {
        // SAFETY: a source ends with a zero.
        let source = unsafe { CStr::from_ptr(source) }.to_string_lossy().into_owned();
        let program = Box::new(Program { source, ..Program::default() });
        // SAFETY: the caller gives a place for the program.
        unsafe { to.write(Box::into_raw(program).cast()) };
        nvrtcResult::NVRTC_SUCCESS
    }

    fn nvrtcDestroyProgram(to: *mut nvrtcProgram) -> nvrtcResult {
        // SAFETY: it is a program of `nvrtcCreateProgram`, which its owner destroys once.
        drop(unsafe { Box::from_raw((*to).cast::<Program>()) });
        nvrtcResult::NVRTC_SUCCESS
    }

    fn nvrtcCompileProgram(of: nvrtcProgram, _count: c_int, _options: *const *const c_char) -> nvrtcResult {
        // SAFETY: the caller gives its program.
        let program = unsafe { program(of) };
        let text = compiled::compile(&program.source).unwrap_or_else(|| module::compile(&program.source));
        match text.and_then(|text| CString::new(text).ok()) {
            Some(module) => {
                program.module = module;
                nvrtcResult::NVRTC_SUCCESS
            }
            None => nvrtcResult::NVRTC_ERROR_COMPILATION,
        }
    }

    fn nvrtcGetPTXSize(of: nvrtcProgram, to: *mut usize) -> nvrtcResult {
        // SAFETY: the caller gives its program and a place for the number.
        unsafe { to.write(program(of).module.as_bytes_with_nul().len()) };
        nvrtcResult::NVRTC_SUCCESS
    }

    fn nvrtcGetPTX(of: nvrtcProgram, to: *mut c_char) -> nvrtcResult {
        // SAFETY: the caller gives its program and a place as large as `nvrtcGetPTXSize` said.
        unsafe {
            let module = program(of).module.as_bytes_with_nul();
            to.copy_from_nonoverlapping(module.as_ptr().cast(), module.len());
        }
        nvrtcResult::NVRTC_SUCCESS
    }

    fn nvrtcGetProgramLogSize(_of: nvrtcProgram, to: *mut usize) -> nvrtcResult {
        // SAFETY: the caller gives a place for the number.
        unsafe { to.write(1) };
        nvrtcResult::NVRTC_SUCCESS
    }

    fn nvrtcGetProgramLog(_of: nvrtcProgram, to: *mut c_char) -> nvrtcResult {
        // SAFETY: the caller gives a place as large as `nvrtcGetProgramLogSize` said.
        unsafe { to.write(0) };
        nvrtcResult::NVRTC_SUCCESS
    }
}
