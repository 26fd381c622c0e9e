//! A plugin outside this repository: `idode new-plugin` writes a crate of every kind into a temporary folder; against the
//! crate as it is packaged each compiles, fails its conformance test until the formula is filled in, and then passes. Beside
//! them stands the program of the guide with parts of its own, which trains.
#![cfg(feature = "cli")]

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A plugin to be written.
struct Plugin {
    kind: &'static str,
    name: &'static str,
    /// What stands in for the formula in `src/lib.rs`, to the end of its line, and the formula.
    blanks: [&'static str; 2],
    /// The same in `tests/conformance.rs`, for a kind whose formula is checked against another.
    checked: Option<[&'static str; 2]>,
    /// What the unfinished crate's test says.
    complaint: &'static str,
}

const PLUGINS: [Plugin; 6] = [
    Plugin {
        kind: "parameterization",
        name: "my-velocity",
        blanks: [
            "todo!(\"the pair",
            "Affine { noise: alpha + sigma * sigma / alpha, state: -sigma / alpha }",
        ],
        checked: Some(["todo!(\"F of", "alpha * eps - sigma * x"]),
        complaint: "not yet implemented: the pair (a, b) at alpha = ",
    },
    Plugin {
        kind: "schedule",
        name: "my-circle",
        blanks: ["todo!(\"ln alpha", "idode::math::softplus(gamma) * -0.5"],
        checked: None,
        complaint: "not yet implemented: ln alpha at gamma = ",
    },
    Plugin {
        kind: "time-sampler",
        name: "my-times",
        blanks: ["todo!(\"the density", "1.0 / (0.5 * gamma).cosh()"],
        checked: None,
        complaint: "not yet implemented: the density at gamma = ",
    },
    Plugin {
        kind: "dequantizer",
        name: "my-noise",
        blanks: ["todo!(\"the density", "1.5 - v * v"],
        checked: None,
        complaint: "not yet implemented: the density at ",
    },
    Plugin {
        kind: "solver",
        name: "my-midpoint",
        blanks: ["&[f64::NAN; 2],", "&[0.0, 1.0],"],
        checked: None,
        complaint: "order condition of [] = NaN: expected 0 to within 1e-14",
    },
    Plugin {
        kind: "network",
        name: "my-net",
        blanks: ["todo!(\"the hidden", "M::swish(h)"],
        checked: None,
        complaint: "not yet implemented: the hidden units of ",
    },
];

/// A temporary folder outside the workspace, always the same one of a workspace: what is built from it replaces what was.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let mut hasher = DefaultHasher::new();
        env!("CARGO_MANIFEST_DIR").hash(&mut hasher);
        let path = std::env::temp_dir().join(format!("idode-out-of-tree-{:x}", hasher.finish()));
        let _ = fs::remove_dir_all(&path);
        fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The build folder of this workspace, so that dependencies are compiled once.
fn target() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the build folder").to_owned()
}

fn cargo(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO"))
        .args(arguments)
        .current_dir(folder)
        .envs([("CARGO_NET_OFFLINE", "true".into()), ("CARGO_TARGET_DIR", target().into_os_string())])
        .output()
        .expect("cargo runs")
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[track_caller]
fn succeeds(folder: &Path, arguments: &[&str]) -> String {
    let output = cargo(folder, arguments);
    assert!(output.status.success(), "{arguments:?}: {}", text(&output));
    text(&output)
}

/// The crate as it is published, unpacked in `folder`.
fn packaged(folder: &Path) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let own = folder.join("package");
    let own_text = own.to_str().expect("UTF-8");
    succeeds(root, &["package", "-p", "idode", "--no-verify", "--allow-dirty", "--target-dir", own_text]);
    let name = concat!("idode-", env!("CARGO_PKG_VERSION"));
    let file = fs::File::open(own.join("package").join(format!("{name}.crate"))).expect("the package");
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    // The archive's times are no news to cargo.
    archive.set_preserve_mtime(false);
    archive.unpack(folder).expect("an archive");
    folder.join(name)
}

/// The program of the guide.
const PROGRAM: &str = "own-program";

/// What the guide shows, as a crate.
fn write_program(folder: &Path) {
    let source = folder.join("src");
    fs::create_dir_all(&source).expect("a folder");
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/src/files/own_program.rs");
    fs::copy(page, source.join("main.rs")).expect("the guide's file");
    let manifest = format!(
        "[package]\nname = {PROGRAM:?}\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n\
         idode = {{ version = {:?}, default-features = false }}\n\
         dfdx = \"0.13\"\nrand = \"0.8\"\nrand_chacha = \"0.3\"\ntypenum = \"1\"\n",
        env!("CARGO_PKG_VERSION")
    );
    fs::write(folder.join("Cargo.toml"), manifest).expect("a file");
    // Cargo builds a crate's binary for its tests, with all crates at once: what they share is compiled once.
    fs::create_dir(folder.join("tests")).expect("a folder");
    let test = format!("#[test]\nfn is_built() {{\n    let _ = env!(\"CARGO_BIN_EXE_{PROGRAM}\");\n}}\n");
    fs::write(folder.join("tests/built.rs"), test).expect("a file");
}

/// Writes a crate of every kind by `idode new-plugin`, and around them what lets cargo build all at once.
fn generate(folder: &Path, idode: &Path) {
    fs::create_dir(folder).expect("a folder");
    for Plugin { kind, name, .. } in &PLUGINS {
        let new = || {
            let arguments = ["new-plugin", kind, name];
            Command::new(env!("CARGO_BIN_EXE_idode")).args(arguments).current_dir(folder).output()
        };
        let output = new().expect("the binary runs");
        assert!(output.status.success() && output.stderr.is_empty(), "{}", text(&output));
        let expected = format!("{name}: write the formula into src/lib.rs, then: cargo test\n");
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected);

        let library = fs::read_to_string(folder.join(name).join("src/lib.rs")).expect("the library");
        let again = new().expect("the binary runs");
        assert_eq!(again.status.code(), Some(2), "{}", text(&again));
        let line = String::from_utf8_lossy(&again.stderr);
        assert!(line.lines().count() == 1 && line.contains("something there already"), "{line}");
        let kept = fs::read_to_string(folder.join(name).join("src/lib.rs")).expect("the library");
        assert_eq!(library, kept);
    }
    write_program(&folder.join(PROGRAM));
    let members = PLUGINS.iter().map(|plugin| plugin.name).chain([PROGRAM]);
    let members: Vec<String> = members.map(|name| format!("{name:?}")).collect();
    // The profile of this repository for dependencies, which are compiled already; the crate itself and its plugins at a level
    // at which what one of them has compiled the others take: their build is most of this test.
    let manifest = format!(
        "[workspace]\nmembers = [{}]\nresolver = \"3\"\n\n[patch.crates-io]\nidode = {{ path = {:?} }}\n\n{}",
        members.join(", "),
        idode,
        "[profile.dev]\nopt-level = 1\ndebug = false\nlto = \"off\"\ncodegen-units = 64\n\n\
         [profile.dev.package.\"*\"]\nopt-level = 3\ndebug = false\ncodegen-units = 1\n\n\
         [profile.dev.package.idode]\nopt-level = 1\ncodegen-units = 64\n\n\
         [profile.dev.build-override]\nopt-level = 0\n"
    );
    fs::write(folder.join("Cargo.toml"), manifest).expect("a file");
    let lock = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.lock");
    fs::copy(lock, folder.join("Cargo.lock")).expect("the versions of this repository");
}

/// Puts the formula where the template leaves it blank.
fn fill_in(folder: &Path, plugin: &Plugin) {
    let blanks = [("src/lib.rs", Some(plugin.blanks)), ("tests/conformance.rs", plugin.checked)];
    for (file, [blank, formula]) in blanks.into_iter().filter_map(|(file, blank)| Some((file, blank?))) {
        let path = folder.join(plugin.name).join(file);
        let text = fs::read_to_string(&path).expect("a file of the crate");
        let (before, rest) = text.split_once(blank).expect("a blank");
        let (_, after) = rest.split_once('\n').unwrap_or(("", rest));
        assert!(!after.contains(blank), "one blank: {text}");
        fs::write(&path, format!("{before}{formula}\n{after}")).expect("a file");
    }
}

#[test]
fn a_new_plugin_compiles_fails_until_the_formula_is_there_and_then_meets_every_law() {
    let folder = Folder::new();
    let idode = packaged(&folder.0);
    let plugins = folder.0.join("plugins");
    generate(&plugins, &idode);

    let built = succeeds(&plugins, &["test", "--workspace", "--test", "*", "--no-run"]);
    assert!(!built.contains("warning: unused") && built.contains("Finished"), "{built}");
    for plugin in &PLUGINS {
        let output = cargo(&plugins, &["test", "-p", plugin.name, "--test", "conformance"]);
        assert!(!output.status.success(), "{} passes unfinished", plugin.name);
        assert!(text(&output).contains(plugin.complaint), "{}: {}", plugin.name, text(&output));
        fill_in(&plugins, plugin);
    }
    let passed = succeeds(&plugins, &["test", "--workspace", "--test", "*"]);
    assert!(!passed.contains("warning: unused"), "{passed}");
    for plugin in &PLUGINS {
        let own = plugin.name.replace('-', "_");
        // Cargo builds a crate's binary for its tests.
        let binary = target().join("debug").join(format!("{}{}", plugin.name, std::env::consts::EXE_SUFFIX));
        let list = text(&Command::new(binary).arg("list").output().expect("the binary runs"));
        for name in [own.as_str(), "vp", "velocity", "stratified", "truncated_normal", "dormand_prince"] {
            assert!(list.lines().any(|line| line.trim_start().starts_with(name)), "{name}: {list}");
        }
    }
    runs(&plugins);
}

/// The guide's program: trains with its own parts, and says a bound on the entropy that it prints.
fn runs(plugins: &Path) {
    let run = plugins.join("run");
    let program = target().join("debug").join(format!("{PROGRAM}{}", std::env::consts::EXE_SUFFIX));
    let printed = Command::new(program).arg(&run).output().expect("the program runs");
    assert!(printed.status.success() && printed.stderr.is_empty(), "{}", text(&printed));
    let printed = text(&printed);
    let numbers = |start: &str| -> Vec<f64> {
        let line = printed.lines().find(|line| line.starts_with(start));
        let line = line.unwrap_or_else(|| unreachable!("no {start:?}: {printed}"));
        line.split_whitespace().filter_map(|word| word.parse().ok()).collect()
    };
    let (entropy, bound) = (numbers("exact entropy")[0], numbers("vlb"));
    assert!(bound[0] > entropy - 3.0 * bound[1] && bound[0] < 9.0, "{printed}");
    let shown = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/src/types.md"));
    let shown = shown.expect("the page");
    for line in printed.lines() {
        let start = line.split_once("  ").map_or(line, |(start, _)| start);
        assert!(shown.contains(&format!("\n{start} ")), "the page does not show {line:?}");
    }
    let recipe = fs::read_to_string(run.join("recipe.toml")).expect("the folder");
    assert!(recipe.starts_with("# Of a program; no registry has a name for: "), "{recipe}");
}

#[test]
fn a_bad_kind_or_name_is_one_line_and_leaves_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let cases = [
        (["new-plugin", "objective", "mine"], "invalid value 'objective' for '<KIND>'"),
        (["new-plugin", "solver", "My Solver"], "name = \"My Solver\": expected a crate's name: "),
        (["new-plugin", "solver", "../mine"], "name = \"../mine\": expected a crate's name: "),
        (["new-plugin", "schedule", "fn"], "name = \"fn\": expected a crate's name that is not reserved"),
        (
            ["new-plugin", "solver", "tableau"],
            "name = \"tableau\": expected a name whose type does not have ",
        ),
    ];
    for (arguments, expected) in cases {
        let output = Command::new(env!("CARGO_BIN_EXE_idode")).args(arguments).current_dir(&folder).output();
        let output = output.expect("the binary runs");
        let line = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), line.lines().count()), (Some(2), 1), "{line}");
        assert!(line.starts_with("error: ") && line.contains(expected), "{line}");
        assert_eq!(fs::read_dir(&folder).expect("the folder").count(), 0);
    }
}
