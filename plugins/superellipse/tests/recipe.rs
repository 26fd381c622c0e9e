//! The recipes of this plugin, and its name on its own command line.
#![cfg(feature = "cli")]

use std::path::Path;
use std::process::Command;

/// Runs this plugin's binary in the root of the repository, as its README says.
fn run(arguments: &[&str]) -> (Option<i32>, String, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let output =
        Command::new(env!("CARGO_BIN_EXE_idode-superellipse")).args(arguments).current_dir(root).output();
    let output = output.expect("the binary runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn the_name_is_beside_the_built_ins() {
    let (code, list, _) = run(&["list"]);
    assert_eq!(code, Some(0));
    for name in ["superellipse", "vp", "velocity", "stratified", "truncated_normal", "dormand_prince"] {
        assert!(list.lines().any(|line| line.starts_with(&format!("  {name} "))), "{name}: {list}");
    }
}

#[test]
fn the_recipe_is_one_of_this_binary_alone() {
    let recipe = "plugins/superellipse/recipes/two_pixel.toml";
    let (code, costs, complaint) = run(&["train", "--dry-run", recipe]);
    assert_eq!((code, complaint.as_str()), (Some(0), ""), "{costs}");

    // An unknown name says what there is.
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("r.toml");
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes/two_pixel.toml"));
    let text = text.expect("the recipe").replace("\"superellipse\"", "\"superellipses\"");
    std::fs::write(&path, text).expect("a file");
    let (code, _, line) = run(&["train", "--dry-run", path.to_str().expect("UTF-8")]);
    assert_eq!((code, line.lines().count()), (Some(2), 1), "{line}");
    assert!(line.contains("\"superellipses\", expected \"superellipse\" (the nearest of "), "{line}");
}
