//! NVIDIA's libraries, opened when they are first used.
//!
//! `cudarc` declares their functions and is told not to link to them (its feature `ci-check`); the module `functions` defines each, and passes
//! it on to the library. So a program with the feature `cuda` is built without these libraries and starts without them, and a device
//! is refused with the name of what is missing.

#![allow(unsafe_code)]

mod functions;

use libloading::Library;
use std::sync::OnceLock;

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

/// The first library that is needed and cannot be loaded, in words.
pub(crate) fn missing() -> Option<String> {
    let needed = [("CUDA driver", &DRIVER), ("cuBLAS", &CUBLAS), ("NVRTC", &NVRTC)];
    let (what, library) = needed.into_iter().find(|(_, library)| library.open().is_none())?;
    Some(format!("no {what} can be loaded ({})", library.names.join(", ")))
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
