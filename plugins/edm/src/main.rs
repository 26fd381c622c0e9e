//! The command line of idode with EDM preconditioning in it.

fn main() -> std::process::ExitCode {
    let mut registry = idode::registry::Registry::default();
    idode_edm::register(&mut registry);
    idode::cli::run(registry)
}
