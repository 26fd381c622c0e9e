//! The walls between the rooms of `src`: which room may name which.
//!
//! Reads every path in code, `crate::room` and `super::...` alike; comments may point anywhere.

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::path::{Path, PathBuf};

/// Rooms that may name nothing but the rooms of their row, and themselves.
const NARROW: &[(&str, &[&str])] = &[
    ("error", &[]),
    ("level", &["error"]),
    ("math", &[]),
    ("number", &["error"]),
    ("density", &["error", "math"]),
    ("pixels", &["error"]),
    ("schedule", &["level", "math"]),
    ("parameterization", &["level"]),
    ("time", &["density", "error", "level", "math", "number"]),
    ("dequantization", &["density", "error", "level", "math", "pixels"]),
    ("solver", &["error"]),
    ("tensor", &[]),
    ("nn", &["error", "tensor"]),
    ("diffusion", &["error", "level", "math", "parameterization", "schedule"]),
    ("divergence", &["error"]),
    ("objective", &["diffusion", "error", "level", "nn", "parameterization", "schedule", "tensor"]),
    ("budget", &["error", "math"]),
    ("communicator", &["error", "tensor"]),
    ("comparison", &["error", "files", "math", "progress", "result"]),
    ("progress", &["error"]),
    ("files", &["error"]),
];

/// Rooms whose tests may name more: a test of a composition needs its parts.
const NARROW_TESTS: &[(&str, &[&str])] =
    &[("diffusion", &["time"]), ("nn", &["math"]), ("comparison", &["data"])];

/// Rooms that know no tensor library.
const WITHOUT_DFDX: &[&str] = &[
    "level",
    "math",
    "number",
    "density",
    "pixels",
    "schedule",
    "parameterization",
    "time",
    "dequantization",
    "solver",
    "diffusion",
];

/// The rooms that know names: of built-ins, of recipes, of a run's files. (The kit composes built-ins by name.)
const OF_NAMES: &[&str] =
    &["cli", "commands", "config", "experiment", "need", "registry", "report", "run", "model", "testkit"];

/// The outer rooms from the lowest: none names one above it.
const STAIRS: &[&str] =
    &["config", "registry", "need", "run", "model", "experiment", "report", "commands", "cli"];

/// A path in the code of a room.
struct Mention {
    room: String,
    target: String,
    in_tests: bool,
    place: String,
}

impl Display for Mention {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} may not name {}", self.place, self.room, self.target)
    }
}

#[test]
fn narrow_rooms_name_their_row_only() {
    for mention in mentions() {
        let Some((_, allowed)) = NARROW.iter().find(|(room, _)| *room == mention.room) else { continue };
        let more = NARROW_TESTS.iter().find(|(room, _)| mention.in_tests && *room == mention.room);
        let allowed = allowed.iter().chain(more.into_iter().flat_map(|(_, rooms)| *rooms));
        let dfdx = mention.target == "dfdx";
        assert!(dfdx || allowed.into_iter().any(|room| *room == mention.target), "{mention}");
    }
}

#[test]
fn mathematics_knows_no_tensor() {
    for mention in mentions() {
        let bare = WITHOUT_DFDX.contains(&mention.room.as_str());
        assert!(!(bare && mention.target == "dfdx"), "{mention}");
    }
}

#[test]
fn only_the_outer_rooms_know_names() {
    for mention in mentions() {
        if OF_NAMES.contains(&mention.target.as_str()) {
            // The binary runs the command line; the prelude only names what programs use.
            let outside = ["main", "prelude"].contains(&mention.room.as_str());
            assert!(OF_NAMES.contains(&mention.room.as_str()) || outside, "{mention}");
        }
    }
}

#[test]
fn no_arrow_runs_back_up() {
    let stair = |room: &str| STAIRS.iter().position(|own| *own == room);
    for mention in mentions().into_iter().filter(|mention| !mention.in_tests) {
        if let (Some(from), Some(to)) = (stair(&mention.room), stair(&mention.target)) {
            assert!(from >= to, "{mention}");
        }
    }
}

/// The walls of the house plan, said as such: rows above that change must still keep them.
#[test]
fn rows_keep_the_plan() {
    let row = |name: &str| NARROW.iter().find(|(room, _)| *room == name).expect("a row").1;
    let siblings = ["schedule", "parameterization", "time", "dequantization"];
    for room in siblings {
        assert!(siblings.iter().all(|other| !row(room).contains(other)), "{room}");
    }
    let diffusion = ["level", "diffusion", "likelihood", "dequantization", "nn", "tensor", "train"];
    assert!(siblings.iter().chain(&diffusion).all(|other| !row("solver").contains(other)));
    for room in ["tensor", "nn"] {
        let outer = ["likelihood", "data", "train", "objective", "diffusion", "divergence"];
        assert!(outer.iter().all(|other| !row(room).contains(other)), "{room}");
    }
}

/// A row for a room that is gone would keep no wall.
#[test]
fn every_room_of_the_rows_is_there() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let rows = NARROW.iter().flat_map(|(room, allowed)| std::iter::once(room).chain(*allowed));
    for room in rows.chain(WITHOUT_DFDX).chain(OF_NAMES).chain(STAIRS) {
        let found = src.join(format!("{room}.rs")).is_file() || src.join(room).is_dir();
        assert!(found, "{room} is no room of src");
    }
}

/// One idea a file: 500 lines never. And what could break memory lives in the two folders that stand between tensors and hardware, and in
/// the hardware that tests have instead.
#[test]
fn files_are_short_and_unsafe_code_has_one_room() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "plugins", "examples", "xtask", "memory-driver"] {
        collect(&root.join(folder), &mut files);
    }
    for file in files {
        let text = fs::read_to_string(&file).expect("UTF-8");
        assert!(text.lines().count() <= 500, "{}: {} lines", file.display(), text.lines().count());
        let rooms = ["src/tensor/cpu", "src/tensor/cuda", "memory-driver"];
        let inside = rooms.iter().any(|room| file.starts_with(root.join(room)));
        let allows = text.lines().any(|line| line.contains("allow(unsafe_code)"));
        assert!(inside || !allows, "{}: unsafe code", file.display());
    }
}

/// What is written goes through one room, so that a test can make any of it fail: see `files::fault_injection`.
#[test]
fn files_are_written_in_one_room() {
    const WRITES: [&str; 9] = [
        "fs::write(",
        "fs::create_dir",
        "fs::rename(",
        "fs::remove_",
        "fs::copy(",
        "fs::hard_link(",
        "File::create",
        "OpenOptions",
        ".set_len(",
    ];
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&src, &mut files);
    let mut rooms = 0;
    for file in files {
        let module = module_of(file.strip_prefix(&src).expect("below src"));
        let text = fs::read_to_string(&file).expect("UTF-8");
        let code = text.split("\nmod tests {").next().unwrap_or(&text);
        let found = code.lines().find(|line| WRITES.iter().any(|write| line.contains(write)));
        let is_test = module[0] == "testkit" || module.iter().any(|part| part == "tests");
        match found {
            Some(_) if module[0] == "files" => rooms += 1,
            Some(line) => assert!(is_test, "{}: {line}", file.display()),
            None => {}
        }
    }
    assert!(rooms > 0, "the room that writes");
}

/// Every path in code from one room to another, or to dfdx.
fn mentions() -> Vec<Mention> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&src, &mut files);
    assert!(files.len() > 100, "the sources of the crate");
    let mut found = Vec::new();
    for file in files {
        let module = module_of(file.strip_prefix(&src).expect("below src"));
        let text = fs::read_to_string(&file).expect("UTF-8");
        found.extend(mentions_in(&module, &file.display().to_string(), &text));
    }
    assert!(found.len() > 300, "the paths of the crate");
    found
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

/// `time/mod.rs` is `[time]`, `time/cosine.rs` is `[time, cosine]`.
fn module_of(path: &Path) -> Vec<String> {
    let mut parts: Vec<String> =
        path.with_extension("").iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    parts
}

fn mentions_in(module: &[String], file: &str, text: &str) -> Vec<Mention> {
    let room = module[0].clone();
    let tests_file = module.iter().any(|part| part == "tests");
    let mut found = Vec::new();
    let mut in_tests = tests_file;
    for (number, line) in text.lines().enumerate() {
        let code = line.split("//").next().unwrap_or(line);
        // By habit of the house the tests of a file are its last module.
        in_tests |= line.starts_with("mod tests {");
        let inline = usize::from(line.starts_with(' ') && in_tests && !tests_file);
        let targets = targets(code, module, inline);
        found.extend(targets.into_iter().filter(|target| *target != room).map(|target| Mention {
            room: room.clone(),
            target,
            in_tests,
            place: format!("{file}:{}", number + 1),
        }));
    }
    found
}

/// The rooms that a line of code names; `inline` modules are around it.
fn targets(code: &str, module: &[String], inline: usize) -> Vec<String> {
    let mut found = Vec::new();
    for start in starts(code, "crate") {
        found.extend(heads(&code[start..]));
    }
    for _ in starts(code, "dfdx") {
        found.push("dfdx".to_owned());
    }
    // A chain of `super` that leaves the room arrives at the crate's root.
    let mut rest = code;
    while let Some(start) = starts(rest, "super").first().copied() {
        let mut supers = 1;
        rest = &rest[start..];
        while let Some(next) = rest.strip_prefix("super::") {
            (supers, rest) = (supers + 1, next);
        }
        if supers >= module.len() + inline {
            found.extend(heads(rest));
        }
    }
    found
}

/// Where `name::` ends, each time that it stands alone.
fn starts(code: &str, name: &str) -> Vec<usize> {
    let whole = format!("{name}::");
    code.match_indices(&whole)
        .filter(|(at, _)| !code[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
        .map(|(at, _)| at + whole.len())
        .collect()
}

/// The first names of a path, `{a, b::c}` included.
fn heads(path: &str) -> Vec<String> {
    let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    match path.strip_prefix('{') {
        None => vec![name(path)],
        Some(group) => {
            let mut depth = 0;
            let mut heads = vec![String::new()];
            let braces = |brace| group.matches(brace).count();
            assert!(braces('{') < braces('}'), "a group over several lines is not read: {path}");
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => heads.push(String::new()),
                    _ => heads.last_mut().expect("never empty").push(c),
                }
            }
            heads.iter().map(|head| name(head.trim())).filter(|head| !head.is_empty()).collect()
        }
    }
}

#[test]
fn the_reader_reads() {
    let names = |module: &[&str], text: &str| {
        let module: Vec<String> = module.iter().map(|part| (*part).to_owned()).collect();
        mentions_in(&module, "f.rs", text).into_iter().map(|m| m.target).collect::<Vec<_>>()
    };
    assert_eq!(names(&["time", "cosine"], "use super::super::nn::Mlp; // crate::data"), ["nn"]);
    assert_eq!(names(&["time"], "use crate::{level::{Gamma, Level}, nn, time};"), ["level", "nn"]);
    assert_eq!(names(&["time", "cosine"], "use super::TimeSampler;\nuse mycrate::nn;"), [""; 0]);
    assert_eq!(
        names(&["time"], "fn f(x: dfdx::prelude::Cpu) -> crate::error::Result<()> {"),
        ["error", "dfdx"]
    );
    assert_eq!(
        names(&["time"], "#[cfg(test)]\nmod tests {\n    use super::*;\n    use super::super::nn;"),
        ["nn"]
    );
}

/// On CUDA the gradient of a broadcast tensor that is reshaped is wrong: `tensor::reshape` is the one way, and it refuses them.
/// (The processor's own kernels never run there.)
#[test]
fn tensors_are_reshaped_in_one_place() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    collect(&src, &mut files);
    let elsewhere =
        |file: &&PathBuf| !file.starts_with(src.join("tensor/cpu")) && !file.ends_with("tensor/reshape.rs");
    for file in files.iter().filter(elsewhere) {
        for (number, line) in fs::read_to_string(file).expect("UTF-8").lines().enumerate() {
            let code = line.split("//").next().unwrap_or(line);
            let own_way = ["reshape_like", ".contiguous()", ".reshape::<", ".reshape()"].iter();
            let found = own_way.copied().find(|way| code.contains(way));
            assert!(found.is_none(), "{}:{}: {found:?}", file.display(), number + 1);
        }
    }
}
