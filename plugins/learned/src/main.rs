//! The command line of idode with the learned dequantizer in it.

fn main() -> std::process::ExitCode {
    let mut registry = idode::registry::Registry::default();
    idode_learned::register(&mut registry);
    idode::cli::run(registry)
}
