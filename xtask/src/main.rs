//! `cargo check-all`: every check of the repository, cheapest first; stops at the first that fails.
//! `cargo xtask guide` runs what the guide's pages show.
//! `cargo xtask public-api` writes `public-api.txt`, see [`public_api`].
//! `cargo xtask gpu-check` packs what a machine with a GPU is to run, see [`gpu_check`].
//! `cargo cuda-memory test ...`: tests on a CUDA device made of host memory, see [`memory`].

mod gpu_check;
mod guide;
mod memory;
mod public_api;
mod target;

use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, ExitCode};

/// A name, the arguments of `cargo`, and a variable of its environment.
type Check = (&'static str, &'static [&'static str], Option<(&'static str, &'static str)>);

const CHECKS: &[Check] = &[
    ("format", &["fmt", "--all", "--check"], None),
    ("lints", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"], None),
    ("library without the command line", &["clippy", "--no-default-features", "--", "-D", "warnings"], None),
    (
        "documentation",
        &["doc", "--workspace", "--no-deps", "--features", "idode/testkit"],
        Some(("RUSTDOCFLAGS", "-D warnings")),
    ),
    (
        "types of the CUDA build",
        &[
            "check",
            "--lib",
            "--bins",
            "--test",
            "device",
            "--features",
            "cuda,dfdx/ci-check",
            "--target-dir",
            "target/cuda-check",
        ],
        None,
    ),
    ("tests", &["test", "--workspace"], None),
    (
        "a CUDA device of host memory",
        &[
            "cuda-memory",
            "test",
            "--test",
            "cuda_candidates",
            "--test",
            "cuda_choices",
            "--test",
            "cuda_kernels",
            "--test",
            "cuda_launches",
            "--test",
            "device",
            "--test",
            "device_memory",
            "--test",
            "device_operations",
            "--test",
            "device_precision",
            "--test",
            "device_training",
            "--test",
            "high_order",
            "--test",
            "precision",
            "--test",
            "reference",
            "--",
            // What they have of a device; the rest is the processor's, and long curves and solves are for a real one.
            "agree",
            "bits_do_not_depend",
            "left_out",
            "by_time",
            "table_shows",
            "without_faults",
            "device",
            "held_elsewhere",
            "launch",
            "not_finite",
            "operation",
            "reshape",
            "draws",
            "derivatives",
            "central_differences",
            "every_case_agrees",
            "tf32",
        ],
        Some(("IDODE_REFERENCE_ONLY", "checkpoint,loss,network_32,time")),
    ),
];

fn main() -> ExitCode {
    if let Some(done) = public_api::as_rustdoc() {
        return done;
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        None => check_all(&cargo),
        Some((command, [])) if command == "guide" => finished("guide", guide::run()),
        Some((command, [])) if command == "public-api" => finished("public face", public_api::write(&cargo)),
        Some((command, rest)) if command == "gpu-check" && rest.len() < 2 => {
            finished("gpu-check", gpu_check::run(&cargo, rest.first().map(Path::new)))
        }
        Some((command, rest)) if command == "cuda-memory" => {
            finished("cuda-memory", memory::run(&cargo, rest))
        }
        Some((command, _)) => {
            eprintln!(
                "{command}: expected guide, public-api, gpu-check, cuda-memory, or nothing for every check"
            );
            ExitCode::FAILURE
        }
    }
}

/// The checks that know more where there is an MPI to build with.
const WITH_MPI: [&str; 2] = ["lints", "tests"];

/// Whether there is one that the tests can start: they use options of Open MPI's.
fn has_mpi() -> bool {
    let said = |program: &str| {
        Command::new(program).arg("--version").output().ok().filter(|said| said.status.success())
    };
    let is_open_mpi =
        said("mpirun").is_some_and(|said| String::from_utf8_lossy(&said.stdout).contains("Open MPI"));
    let found = said("mpicc").is_some() && is_open_mpi;
    if !found {
        eprintln!("== MPI: no mpicc and mpirun of Open MPI here; the tests of several processes do not run");
    }
    found
}

fn check_all(cargo: &OsString) -> ExitCode {
    let has_mpi = has_mpi();
    for (name, arguments, variable) in CHECKS {
        let mut arguments = arguments.to_vec();
        if has_mpi && WITH_MPI.contains(name) {
            // Before what is for the command below.
            arguments.splice(1..1, ["--features", "idode/mpi"]);
        }
        eprintln!("== {name}: cargo {}", arguments.join(" "));
        let status = Command::new(cargo).args(&arguments).envs(variable.iter().copied()).status();
        match status {
            Ok(status) if status.success() => {}
            Ok(status) => {
                eprintln!("== {name}: failed ({status})");
                return ExitCode::FAILURE;
            }
            Err(error) => {
                eprintln!("== {name}: cannot run cargo: {error}");
                return ExitCode::FAILURE;
            }
        }
    }
    match finished("public face", public_api::compare(cargo)) {
        ExitCode::SUCCESS => finished("book", book()),
        failed => failed,
    }
}

fn finished(name: &str, found: Result<(), String>) -> ExitCode {
    match found {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("== {name}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Builds the guide where `mdbook` is installed, and says so where it is not. (Its links are a test of the workspace.)
fn book() -> Result<(), String> {
    eprintln!("== book: mdbook build docs");
    match Command::new("mdbook").args(["build", "docs"]).status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(format!("failed ({status})")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            eprintln!("== book: not built, for mdbook is not installed here");
            Ok(())
        }
        Err(error) => Err(format!("cannot run mdbook: {error}")),
    }
}
