//! The command line of idode with Dormand-Prince 8(5,3) in it.

fn main() -> std::process::ExitCode {
    let mut registry = idode::registry::Registry::default();
    idode_dop853::register(&mut registry);
    idode::cli::run(registry)
}
