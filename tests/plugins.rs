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

/// The lines of a file that are neither blank nor only a comment or documentation, nor of an item under `#[cfg(test)]`:
/// `use` lines, attributes and lone brackets are counted.
fn code(text: &str) -> Vec<&str> {
    let mut found: Vec<&str> = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            // Of the item that follows, everything to its last line, which is indented as the attribute is.
            let indent = &line[..line.len() - line.trim_start().len()];
            let begins = |line: &&str| {
                line.strip_prefix(indent)
                    .is_some_and(|rest| !rest.is_empty() && !rest.starts_with([' ', '#', '/']))
            };
            if let Some(first) = lines.find(begins).filter(|first| first.ends_with('{')) {
                let end = format!("{indent}}}");
                lines.find(|line| *line == end).unwrap_or_else(|| panic!("{first}: no end"));
            }
        } else if !line.trim().is_empty() && !line.trim().starts_with("//") {
            found.push(line);
        }
    }
    found
}

#[test]
fn the_count_counts() {
    let text = "//! Doc\nuse a::b;\n\n#[derive(Debug)]\nstruct A {\n    b: u8, // c\n}\n);\n#[cfg(test)]\nmod tests;\n\
                fn f() {}\n#[cfg(test)]\nmod more {\n    fn g() {\n    }\n\n    use c;\n}\n    // d\nfn h() {}\n";
    let expected = [
        "use a::b;",
        "#[derive(Debug)]",
        "struct A {",
        "    b: u8, // c",
        "}",
        ");",
        "fn f() {}",
        "fn h() {}",
    ];
    assert_eq!(code(text), expected);
}

/// The files of a plugin's library: what `src` holds but for its binary and its tests.
fn library(plugin: &Path) -> Vec<PathBuf> {
    let (mut folders, mut files) = (vec![plugin.join("src")], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if !["main.rs", "tests.rs"].iter().any(|apart| path.ends_with(apart)) {
                files.push(path);
            }
        }
    }
    files
}

/// A Runge-Kutta method's coefficients are a table of their own, without code: what a line of it may not hold.
const TABLE: &str = "src/table.rs";
const CODE: [&str; 8] = ["fn ", "impl ", "if ", "for ", "match ", "|", "macro_rules", "loop "];

/// The learned dequantizer holds a network and its training, and one is a network itself; the others are one formula each.
#[test]
fn every_plugin_without_a_network_is_short() {
    let mut counted = Vec::new();
    for plugin in plugins().into_iter().filter(|plugin| !["ddpm", "learned"].contains(&name(plugin).as_str()))
    {
        let mut lines = 0;
        for file in library(&plugin) {
            let text = read(file.clone());
            if file == plugin.join(TABLE) {
                for line in code(&text) {
                    assert!(!CODE.iter().any(|word| line.contains(word)), "{}: {line}", file.display());
                }
            } else {
                lines += code(&text).len();
            }
        }
        println!("{}: {lines} lines", name(&plugin));
        assert!(lines <= MOST, "{}: {lines} lines of code", plugin.display());
        counted.push(name(&plugin));
    }
    assert_eq!(counted, ["dop853", "edm", "fitted", "superellipse"]);
}

/// What `idode new-plugin` writes is short too.
#[test]
fn every_template_is_short() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/new_plugin");
    for kind in ["dequantizer", "parameterization", "schedule", "solver", "time_sampler"] {
        let lines = code(&read(folder.join(format!("{kind}.rs.template")))).len();
        println!("{kind}: {lines} lines");
        assert!(lines <= MOST, "{kind}: {lines} lines of code");
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
        let own = read(plugin.join("tests/command_line.rs"));
        assert!(own.contains("idode::testkit::command_line_suite!") && own.contains(".toml"), "{name}");
        // The whole command line is three lines.
        let main = read(plugin.join("src/main.rs"));
        assert_eq!(code(&main).len(), 5, "{name}: fn main, three lines and its end: {main}");
        for folder in ["examples", "recipes"] {
            let files = fs::read_dir(plugin.join(folder)).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert!(files.count() > 0, "{name} has no {folder}");
        }
    }
}
