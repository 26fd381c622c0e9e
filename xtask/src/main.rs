//! `cargo check-all`: every check of the repository, cheapest first; stops at the first that fails. `cargo xtask guide` runs what the
//! guide's pages show.

mod guide;

use std::process::{Command, ExitCode};

/// A name, the arguments of `cargo`, and a variable of its environment.
type Check = (&'static str, &'static [&'static str], Option<(&'static str, &'static str)>);

const CHECKS: &[Check] = &[
    ("format", &["fmt", "--all", "--check"], None),
    ("lints", &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"], None),
    ("library without the command line", &["check", "--no-default-features"], None),
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
];

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("guide") {
        return finished("guide", guide::run());
    }
    for (name, arguments, variable) in CHECKS {
        eprintln!("== {name}: cargo {}", arguments.join(" "));
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let status = Command::new(cargo).args(*arguments).envs(variable.iter().copied()).status();
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
    finished("book", book())
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
