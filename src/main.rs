//! The command line with the built-in names.

fn main() -> std::process::ExitCode {
    idode::cli::run(idode::registry::Registry::default())
}
