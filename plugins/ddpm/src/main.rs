//! The command line of idode with this network in it.

fn main() -> std::process::ExitCode {
    let mut registry = idode::registry::Registry::default();
    idode_ddpm::register(&mut registry);
    idode::cli::run(registry)
}
