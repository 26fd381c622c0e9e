//! `cargo check-all`: every check of the repository, cheapest first; stops at the first that fails.

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
    ExitCode::SUCCESS
}
