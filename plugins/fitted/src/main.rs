//! The command line of idode with the fitted time density in it.

fn main() -> std::process::ExitCode {
    let mut registry = idode::registry::Registry::default();
    idode_fitted::register(&mut registry);
    idode::cli::run(registry)
}
