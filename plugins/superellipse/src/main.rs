//! The command line of idode with the family alpha^q + sigma^q = 1 in it.

fn main() -> std::process::ExitCode {
    let mut registry = idode::registry::Registry::default();
    idode_superellipse::register(&mut registry);
    idode::cli::run(registry)
}
