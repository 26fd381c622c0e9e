//! `cargo cuda-memory test ...`: a command of cargo with the feature `cuda`, on a device made of host memory.

use crate::target;
use std::env::{join_paths, split_paths, var_os};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The names under which `tensor::cuda` opens NVIDIA's libraries.
const NAMES: [&str; 5] =
    ["libcuda.so.1", "libcublas.so.13", "libcudnn.so.9", "libnvrtc.so.13", "libnccl.so.2"];

/// These tests are small, and their build is most of their time.
const QUICK: (&str, &str) = ("CARGO_PROFILE_DEV_OPT_LEVEL", "1");

/// Runs `cargo` with these arguments, the first of which is its command.
pub(crate) fn run(cargo: &OsString, arguments: &[String]) -> Result<(), String> {
    let (command, rest) = arguments
        .split_first()
        .ok_or("expected a command of cargo, such as: cargo cuda-memory test --test device")?;
    let libraries = target::folder(cargo)?.join("cuda-memory");
    place(&driver(cargo)?, &libraries).map_err(|e| format!("{}: {e}", libraries.display()))?;
    let before = var_os("LD_LIBRARY_PATH").unwrap_or_default();
    let path = join_paths(std::iter::once(libraries.clone()).chain(split_paths(&before)))
        .map_err(|e| e.to_string())?;
    let status = Command::new(cargo)
        .args([command, "--features", "cuda,dfdx/ci-check"])
        .args(rest)
        .env(QUICK.0, QUICK.1)
        .env("LD_LIBRARY_PATH", path)
        .env("IDODE_TEST_DEVICE", "cuda:0")
        // Small chunks, so that small batches are several.
        .env("IDODE_CUDA_CHUNK", "60000")
        .env("IDODE_MEMORY_DRIVER", &libraries)
        .status();
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("cargo {}: {status}", arguments.join(" "))),
        Err(error) => Err(format!("cannot run cargo: {error}")),
    }
}

/// Builds the library; its path.
fn driver(cargo: &OsString) -> Result<PathBuf, String> {
    let mut build = Command::new(cargo);
    build.args(["build", "--package", "memory-driver", "--message-format", "json-render-diagnostics"]);
    let build = build.env(QUICK.0, QUICK.1).stderr(Stdio::inherit());
    let output = build.output().map_err(|e| format!("cannot run cargo: {e}"))?;
    let messages = String::from_utf8_lossy(&output.stdout);
    let path = messages.split('"').find(|word| word.ends_with("libmemory_driver.so"));
    match path {
        Some(path) if output.status.success() => Ok(path.into()),
        _ => Err(format!("memory-driver was not built as a shared library of Linux ({})", output.status)),
    }
}

/// One file under all names, so that it is loaded once and they share their memory.
fn place(driver: &Path, libraries: &Path) -> std::io::Result<()> {
    fs::create_dir_all(libraries)?;
    for name in NAMES {
        let link = libraries.join(name);
        if link.exists() {
            fs::remove_file(&link)?;
        }
        fs::hard_link(driver, link)?;
    }
    Ok(())
}
