//! idode's own kernels: their source is C as well, and the system's compiler makes a shared library of it.
//!
//! A source is one of idode's where it has lines `KERNEL name(...)`; `src/tensor/cuda/source/kernel.h` says what those are. The library is
//! kept in the folder that `IDODE_MEMORY_DRIVER` names, under a hash of its text. `CC` is the compiler, or the first of `cc`, `gcc` and
//! `clang`; without one the source does not compile. `IDODE_MEMORY_DRIVER_ORDER=reversed` runs threads and blocks backwards.

use crate::memory;
use cudarc::driver::sys::CUresult;
use std::collections::hash_map::DefaultHasher;
use std::env::var;
use std::ffi::{CString, c_char, c_int, c_uint, c_void};
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

/// The threads of a block of every such kernel.
pub(crate) const THREADS: usize = 256;
const PREFIX: &str = "KERNEL ";
/// What a module's text of such a source begins with, before the library's path.
const LIBRARY: &str = "library ";

/// A kernel: its name and the types of its parameters.
struct Declared<'a> {
    name: &'a str,
    types: Vec<&'a str>,
}

/// A C declaration without the name that it declares.
fn type_of(parameter: &str) -> &str {
    parameter.trim().trim_end_matches(|c: char| c.is_alphanumeric() || c == '_').trim()
}

/// A pointer to a table, which may hold addresses; another pointer; or a number.
fn kind_of(kind: &str) -> char {
    match kind {
        _ if kind.contains("bits *") => 't',
        _ if kind.contains('*') => 'p',
        _ => 'n',
    }
}

fn kernels(source: &str) -> Vec<Declared<'_>> {
    let declared = source.match_indices("\nKERNEL ").filter_map(|(at, before)| {
        let (name, rest) = source[at + before.len()..].split_once('(')?;
        let types = rest.split_once(')')?.0.split(',').map(type_of).collect();
        Some(Declared { name: name.trim(), types })
    });
    declared.collect()
}

/// The text of the module of a source, if it is one of idode's; `Some(None)` where it does not compile.
pub(crate) fn compile(source: &str) -> Option<Option<String>> {
    let kernels = kernels(source);
    if kernels.is_empty() {
        return None;
    }
    let mut text = source.to_owned();
    for Declared { name, types } in &kernels {
        let arguments: Vec<String> =
            types.iter().enumerate().map(|(i, kind)| format!("*({kind} *)arguments[{i}]")).collect();
        let arguments = arguments.join(", ");
        text += &format!(
            "\nvoid launch_{name}(unsigned blocks, void **arguments) {{\n  for (unsigned b = 0; b < blocks; ++b) {{\n#ifdef REVERSED\n    \
             block_of_launch = (int)(blocks - 1 - b);\n#else\n    block_of_launch = (int)b;\n#endif\n    {name}({arguments});\n  }}\n}}\n"
        );
    }
    let library = built(&text).map_err(|error| eprintln!("memory-driver: {error}")).ok();
    Some(library.map(|library| {
        let lines = kernels.iter().map(|kernel| {
            let kinds: String = kernel.types.iter().map(|kind| kind_of(kind)).collect();
            format!("{PREFIX}{} {kinds}\n", kernel.name)
        });
        format!("{LIBRARY}{}\n{}", library.display(), lines.collect::<String>())
    }))
}

/// The shared library of a text in C.
fn built(text: &str) -> io::Result<PathBuf> {
    let reversed = var("IDODE_MEMORY_DRIVER_ORDER").is_ok_and(|order| order == "reversed");
    let mut hasher = DefaultHasher::new();
    (text, reversed).hash(&mut hasher);
    let folder = var("IDODE_MEMORY_DRIVER").map(PathBuf::from).ok().filter(|folder| folder.is_dir());
    let folder = folder.unwrap_or_else(std::env::temp_dir);
    let stem = folder.join(format!("idode-kernels-{:016x}", hasher.finish()));
    let library = stem.with_extension("so");
    if library.exists() {
        return Ok(library);
    }
    // Threads and processes that build at once each have files of their own, and put the whole library in place.
    let own = format!("{}-{:?}", std::process::id(), std::thread::current().id());
    let [source, built] = ["c", "so"].map(|kind| folder.join(format!("idode-kernels-{own}.{kind}")));
    fs::write(&source, text)?;
    let compilers = var("CC").map_or_else(|_| vec!["cc".into(), "gcc".into(), "clang".into()], |cc| vec![cc]);
    let mut missing = Vec::new();
    for compiler in compilers {
        let mut command = Command::new(&compiler);
        command.args(["-std=c11", "-O2", "-shared", "-fPIC", "-Wall", "-Werror", "-Wno-unused-function"]);
        if reversed {
            command.arg("-DREVERSED");
        }
        match command.arg("-o").args([&built, &source]).arg("-lm").status() {
            Ok(status) if status.success() => {
                fs::rename(&built, &library)?;
                fs::remove_file(&source)?;
                return Ok(library);
            }
            Ok(status) => return Err(io::Error::other(format!("{compiler} {}: {status}", source.display()))),
            Err(error) => missing.push(format!("{compiler}: {error}")),
        }
    }
    fs::remove_file(&source)?;
    Err(io::Error::other(format!("no C compiler for idode's kernels ({})", missing.join(", "))))
}

unsafe extern "C" {
    fn dlopen(path: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(library: *mut c_void, name: *const c_char) -> *mut c_void;
}

type Launch = unsafe extern "C" fn(c_uint, *mut *mut c_void);

/// A kernel of a compiled module.
pub(crate) struct Compiled {
    launch: Launch,
    kinds: String,
}

/// A kernel of a module's text; `None` where the text is not of a compiled module or has no such kernel.
pub(crate) fn find(text: &str, name: &str) -> Option<Compiled> {
    let (path, rest) = text.strip_prefix(LIBRARY)?.split_once('\n')?;
    let line = format!("{PREFIX}{name} ");
    let kinds = rest.lines().find_map(|own| own.strip_prefix(&line))?;
    let path = CString::new(Path::new(path).to_str()?).ok()?;
    let symbol = CString::new(format!("launch_{name}")).ok()?;
    const NOW: c_int = 2;
    // SAFETY: both are strings that end with a zero; the library was built of idode's kernels and does nothing at its start.
    let launch = unsafe {
        let library = dlopen(path.as_ptr(), NOW);
        if library.is_null() { std::ptr::null_mut() } else { dlsym(library, symbol.as_ptr()) }
    };
    // SAFETY: `compile` wrote the function with this type, and the library is never closed.
    let launch =
        (!launch.is_null()).then(|| unsafe { std::mem::transmute::<*mut c_void, Launch>(launch) })?;
    Some(Compiled { launch, kinds: kinds.to_owned() })
}

impl Compiled {
    /// Runs all blocks. Buffers are checked before, and that none was left after.
    ///
    /// # Safety
    /// There is a pointer to an argument of its type for each parameter; no other thread uses the buffers.
    pub(crate) unsafe fn run(
        &self,
        blocks: usize,
        threads: usize,
        arguments: *const *const c_void,
    ) -> memory::Answer {
        if threads != THREADS {
            return Err(CUresult::CUDA_ERROR_INVALID_VALUE);
        }
        let blocks = c_uint::try_from(blocks).map_err(|_| CUresult::CUDA_ERROR_INVALID_VALUE)?;
        let mut buffers = Vec::new();
        for (i, _) in self.kinds.char_indices().filter(|(_, kind)| *kind != 'n') {
            // SAFETY: there are as many arguments, and this one is an address, by the caller's word.
            let address = unsafe { (*arguments.add(i)).cast::<u64>().read_unaligned() };
            if address != 0 {
                memory::bytes(address, 0)?;
                buffers.push(address);
            }
        }
        // SAFETY: by the caller's word; what a kernel leaves its buffers for is found in their guards below.
        unsafe { (self.launch)(blocks, arguments.cast_mut().cast()) };
        // A table's addresses may be those of any buffers.
        let all = !self.kinds.contains('t') || memory::are_intact();
        match all && buffers.iter().all(|address| memory::is_intact(*address)) {
            true => Ok(()),
            false => Err(CUresult::CUDA_ERROR_ILLEGAL_ADDRESS),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "#define KERNEL static void\nstatic int block_of_launch;\n\nKERNEL add(float *y, const float *x,\n  int count, int beyond) {\n  \
         for (int i = block_of_launch; i < count + beyond; i += count) y[i] += x[i < count ? i : 0];\n}\n";

    fn run(beyond: c_int) -> Option<(memory::Answer, Vec<f32>)> {
        let text = compile(SOURCE).unwrap()?;
        assert!(find(&text, "sub").is_none());
        let kernel = find(&text, "add").unwrap();
        let (y, x) = (memory::allocate(8).unwrap(), memory::allocate(8).unwrap());
        // SAFETY: the buffers are this test's.
        let cells = unsafe { [memory::elements::<f32>(y).unwrap(), memory::elements::<f32>(x).unwrap()] };
        cells
            .iter()
            .flat_map(|cells| cells.iter())
            .zip([1.0, 2.0, 10.0, 20.0])
            .for_each(|(cell, x)| cell.set(x));
        let count: c_int = 2;
        let arguments: [*const c_void; 4] = [
            (&raw const y).cast(),
            (&raw const x).cast(),
            (&raw const count).cast(),
            (&raw const beyond).cast(),
        ];
        // SAFETY: the arguments are those of `add`.
        let answer = unsafe { kernel.run(2, THREADS, arguments.as_ptr()) };
        let numbers = cells[0].iter().map(std::cell::Cell::get).collect();
        memory::free(x).unwrap();
        assert_eq!(memory::free(y).is_ok(), answer.is_ok());
        Some((answer, numbers))
    }

    #[test]
    fn a_source_in_c_computes_and_does_not_leave_its_buffers_unseen() {
        let Some((answer, numbers)) = run(0) else {
            eprintln!("not run: no C compiler is here");
            return;
        };
        assert_eq!((answer, numbers), (Ok(()), vec![11.0, 22.0]));
        assert_eq!(run(1).unwrap().0, Err(CUresult::CUDA_ERROR_ILLEGAL_ADDRESS));
        assert!(compile("extern \"C\" __global__ void f() {}").is_none());
    }
}
