//! What every plugin of this repository has, and how short it is.

#![allow(clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

/// The lines of code that a plugin may have.
const MOST: usize = 40;

fn plugins() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins");
    let entries = fs::read_dir(folder).expect("the plugins").map(|entry| entry.expect("an entry").path());
    let mut found: Vec<PathBuf> = entries.filter(|path| path.is_dir()).collect();
    found.sort();
    found
}

fn name(plugin: &Path) -> String {
    plugin.file_name().expect("a folder").to_string_lossy().into_owned()
}

fn read(path: PathBuf) -> String {
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The lines of code of a file, up to its tests: those that are neither blank nor documentation, nor only name what is
/// used (`use`, `mod`), nor attributes, nor only close brackets.
fn code(text: &str) -> Vec<&str> {
    let lines = text.lines().take_while(|line| !line.starts_with("#[cfg(test)]")).map(str::trim);
    let is_code = |line: &&str| {
        let apart = ["//", "#[", "use ", "pub use ", "mod "];
        let closes = line.chars().all(|c| "{}()[];,".contains(c));
        !closes && !apart.iter().any(|start| line.starts_with(start))
    };
    lines.filter(is_code).collect()
}

#[test]
fn the_count_counts() {
    let text = "//! Doc\nuse a::b;\n\n#[derive(Debug)]\nstruct A {\n    b: u8, // c\n}\n);\n#[cfg(test)]\nmod tests;\nfn f() {}\n";
    assert_eq!(code(text), ["struct A {", "b: u8, // c"]);
}

/// The learned dequantizer holds a network and its training; the others are one formula each.
#[test]
fn every_plugin_but_the_learned_dequantizer_is_short() {
    let mut counted = 0;
    for plugin in plugins() {
        let lines = code(&read(plugin.join("src/lib.rs"))).len();
        if name(&plugin) != "learned" {
            assert!(lines <= MOST, "{}: {lines} lines of code", plugin.display());
            counted += 1;
        }
    }
    assert_eq!(counted, 4);
    // A Runge-Kutta method's coefficients are a table of their own, without code.
    let table = read(Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/dop853/src/table.rs"));
    for line in code(&table) {
        assert!(!["fn ", "impl ", "if ", "for "].iter().any(|word| line.contains(word)), "{line}");
    }
}

#[test]
fn every_plugin_has_what_a_plugin_has() {
    let listed = read(Path::new(env!("CARGO_MANIFEST_DIR")).join("plugins/README.md"));
    for plugin in plugins() {
        let name = name(&plugin);
        assert!(listed.contains(&format!("[`{name}`]({name})")), "{name} is not in plugins/README.md");
        let manifest = read(plugin.join("Cargo.toml"));
        let core = "idode = { path = \"../..\", version = \"0.1.0\", default-features = false }";
        assert!(manifest.contains(core), "{name}: {manifest}");
        assert!(read(plugin.join("README.md")).starts_with(&format!("# idode-{name}\n")), "{name}");
        let library = read(plugin.join("src/lib.rs"));
        assert!(library.contains("//! # Reference") && library.contains("pub fn register"), "{name}");
        assert!(read(plugin.join("tests/conformance.rs")).contains("idode::testkit::"), "{name}");
        // The whole command line is three lines.
        let main = read(plugin.join("src/main.rs"));
        assert_eq!(code(&main).len(), 4, "{name}: fn main and three lines: {main}");
        for folder in ["examples", "recipes"] {
            let files = fs::read_dir(plugin.join(folder)).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(files.count() > 0, "{name} has no {folder}");
        }
    }
}
