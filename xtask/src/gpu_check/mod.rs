//! `cargo xtask gpu-check [PEER.py]`: everything that a machine with a GPU has to say about this code, packed here and run there.
//!
//! Here: `nvcc` and the toolkit's headers, no GPU; `CUDA_COMPUTE_CAP` says what for. There: a driver, cuBLAS and NVRTC, cuDNN perhaps, and no toolchain. The pack
//! holds the test programs, the program itself, the reference cases, and the headers from which dfdx compiles its last kernels **at the
//! paths of this build**. `PEER.py CASE BATCH MODE` times the same network in another framework, and runs beside `bench` where it can.

use crate::target;
use serde_json::Value;
use std::env::var_os;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What runs there, by its file in the pack: `run.sh` has their order and limits.
const TESTS: [&str; 8] = [
    "device",
    "cuda_kernels",
    "cuda_launches",
    "device_operations",
    "device_training",
    "high_order",
    "precision",
    "reference",
];

/// What may be carried there, in bytes.
const LIMIT: u64 = 60 << 20;

/// Builds, packs, and prints the command to run there.
pub(crate) fn run(cargo: &OsString, peer: Option<&Path>) -> Result<(), String> {
    let toolkit = var_os("CUDA_PATH").map(PathBuf::from).ok_or(
        "CUDA_PATH: found nothing, expected the folder of a CUDA toolkit, with nvcc on PATH and CUDA_COMPUTE_CAP set",
    )?;
    let target = target::folder(cargo)?;
    let folder = target.join("gpu-check");
    let within = |path: &Path, e: std::io::Error| format!("{}: {e}", path.display());
    if folder.exists() {
        fs::remove_dir_all(&folder).map_err(|e| within(&folder, e))?;
    }
    fs::create_dir_all(&folder).map_err(|e| within(&folder, e))?;

    let mut build = vec!["test", "--no-run"];
    build.extend(TESTS.iter().flat_map(|test| ["--test", test]));
    let mut found = programs(cargo, &build)?;
    found.extend(programs(cargo, &["build", "--bin", "idode"])?);
    for Program { name, path } in &found {
        fs::copy(path, folder.join(name)).map_err(|e| within(path, e))?;
    }
    for name in TESTS.iter().chain(&["idode"]) {
        if !found.iter().any(|program| program.name == *name) {
            return Err(format!("{name}: cargo named no such program"));
        }
    }
    let script = folder.join("run.sh");
    fs::write(&script, include_str!("run.sh")).map_err(|e| within(&script, e))?;
    if let Some(peer) = peer {
        fs::copy(peer, folder.join("peer.py")).map_err(|e| within(peer, e))?;
    }

    let mut headers = vec![toolkit.join("include").into_os_string()];
    headers.extend(kernels_of_dfdx(&target)?.into_iter().map(PathBuf::into_os_string));
    tool(Command::new("tar").arg("-chzPf").arg(folder.join("headers.tgz")).args(headers))?;
    // `reference` is the program.
    tool(Command::new("cp").args(["-r", "tests/data/reference"]).arg(folder.join("cases")))?;
    tool(Command::new("cp").arg("recipes/digits.toml").arg(&folder))?;
    let pack = target.join("gpu-check.txz");
    tool(Command::new("tar").arg("-C").arg(&target).arg("-cJf").arg(&pack).arg("gpu-check"))?;
    let size = fs::metadata(&pack).map_err(|e| within(&pack, e))?.len();
    if size > LIMIT {
        return Err(format!("{}: found {size} bytes, expected at most {LIMIT}", pack.display()));
    }
    println!(
        "{} holds {:.1} MiB. Where the GPU is, in the folder it was copied to:",
        pack.display(),
        size as f64 / 1048576.0
    );
    println!("tar -xJf gpu-check.txz && sh gpu-check/run.sh");
    Ok(())
}

/// A program that cargo built: its name without cargo's suffix.
struct Program {
    name: String,
    path: PathBuf,
}

/// Builds for release, stripped, with the feature `cuda`.
fn programs(cargo: &OsString, arguments: &[&str]) -> Result<Vec<Program>, String> {
    let (command, rest) = arguments.split_first().ok_or("expected a command of cargo")?;
    let output = Command::new(cargo)
        .args([*command, "--release", "--features", "cuda", "--message-format", "json-render-diagnostics"])
        .args(rest)
        .env("CARGO_PROFILE_RELEASE_STRIP", "true")
        .stderr(Stdio::inherit())
        .output()
        .map_err(|e| format!("cannot run cargo: {e}"))?;
    if !output.status.success() {
        return Err(format!("cargo {}: {}", arguments.join(" "), output.status));
    }
    let lines = String::from_utf8_lossy(&output.stdout);
    let messages = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    Ok(messages
        .filter_map(|message| {
            let path = message["executable"].as_str()?.into();
            Some(Program { name: message["target"]["name"].as_str()?.to_owned(), path })
        })
        .collect())
}

/// The headers that dfdx's build script left for the device's own compiler.
fn kernels_of_dfdx(target: &Path) -> Result<Vec<PathBuf>, String> {
    let mut folders = vec![target.to_path_buf()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            let text = path.to_string_lossy();
            if path.extension().is_some_and(|extension| extension == "cuh")
                && text.contains("/release/build/dfdx-")
            {
                found.push(path);
            } else if path.is_dir()
                && !path.is_symlink()
                && !text.contains("/incremental")
                && !text.ends_with("/deps")
            {
                folders.push(path);
            }
        }
    }
    if found.is_empty() {
        return Err("no header of dfdx's kernels is below the target folder".to_owned());
    }
    Ok(found)
}

/// Runs a program of the system.
fn tool(command: &mut Command) -> Result<(), String> {
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("{command:?}: {status}")),
        Err(error) => Err(format!("{command:?}: {error}")),
    }
}
