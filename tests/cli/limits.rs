//! Numbers that ask for more memory than there is: one line with the need and what is available, before anything is written.

use super::runs::{copy, tiny};
use super::{RECIPE, idode, recipe_refusal, refusal};
use std::fs;

/// A line that begins with the place and says what would be needed.
#[track_caller]
fn refused(recipe: &str, start: &str, what: &str) {
    let line = recipe_refusal(recipe);
    assert!(line.starts_with(&format!("r.toml: {start}: found ")), "{line}\n{start}");
    assert!(
        line.contains(&format!(" of memory at least for {what}, and ")) && line.ends_with(" are available"),
        "{line}"
    );
}

#[test]
#[cfg(target_os = "linux")]
fn each_number_is_refused_by_its_name() {
    let more = |text: &str| format!("{RECIPE}{text}\n");
    refused(&more("[[stage]]\nbatch = 1000000000"), "line 7, stage[0].batch", "a training step");
    let rows = "[[stage]]\nbatch = 128\naccumulation = 1000000000";
    refused(&more(rows), "line 8, stage[0].accumulation", "the rows of a step");
    let evaluation = |text: &str| more(&format!("[evaluation]\n{text}"));
    refused(
        &evaluation("vlb_levels = 1000000000"),
        "line 7, evaluation.vlb_levels",
        "a row at all of its levels",
    );
    let draws = "draws = 1000000000\nimportance_samples = 100000000";
    refused(&evaluation(draws), "line 7, evaluation.draws", "the draws of a row");
    let samples = "draws = 100000000\nimportance_samples = 1000000000";
    refused(&evaluation(samples), "line 8, evaluation.importance_samples", "the draws of a row");
    let probes = "divergence = { name = 'hutchinson', probes = 1000000000 }";
    refused(&evaluation(probes), "line 7, evaluation.divergence.probes", "the directions of a row");
    let products = "divergence = { name = 'hutch++', products = 1000000000 }";
    refused(&evaluation(products), "line 7, evaluation.divergence.products", "the directions of a row");
    let ladder = "draws = 100000\nladder = [1000000000]";
    refused(&evaluation(ladder), "line 8, evaluation.ladder", "the draws of a row");
    let validation = "[validation]\nvlb_levels = 1000000000";
    refused(&more(validation), "line 7, validation.vlb_levels", "a row at all of its levels");
}

#[test]
#[cfg(target_os = "linux")]
fn a_network_that_no_memory_holds_is_not_built() {
    for (network, first) in [("name = 'mlp', depth = 65536", 2), ("name = 'unet', blocks = 65536", 2)] {
        let recipe = format!("data.name = 'digits'\nnetwork = {{ {network}, width = 65536 }}\n");
        refused(&recipe, &format!("line {first}, network"), "its parameters in training");
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("r.toml"), &recipe).expect("a file");
        let line = refusal(folder.path(), &["train", "r.toml", "--dry-run"]);
        assert!(line.contains("its parameters in training"), "{line}");
    }
}

/// A run that was trained, measured with other numbers.
#[test]
#[cfg(target_os = "linux")]
fn an_evaluation_is_refused_too_and_its_run_stays_as_it_is() {
    let folder = copy();
    let path = folder.path().join("run/recipe.toml");
    let recipe = fs::read_to_string(&path).expect("a recipe");
    let changed = recipe.replace("vlb_levels = 2", "vlb_levels = 1000000000");
    assert_ne!(recipe, changed);
    fs::write(&path, changed).expect("a file");
    let line = refusal(folder.path(), &["eval", "run"]);
    assert!(line.contains("evaluation.vlb_levels: found 1000000000, expected less: "), "{line}");
}

/// Above the range of a number, where the memory is asked by no name.
#[test]
fn depths_and_samples_have_an_end() {
    let recipe = "data.name = 'digits'\nnetwork = { name = 'mlp', depth = 1000000000 }\n";
    let line = recipe_refusal(recipe);
    assert!(line.starts_with("r.toml: line 2, network.depth: found 1000000000, expected "), "{line}");
    let line = recipe_refusal(&format!("{RECIPE}[sample]\ncount = 1000000000\n"));
    assert!(line.starts_with("r.toml: line 7, sample.count: found 1000000000, expected 1 to "), "{line}");
    let folder = copy();
    let line = refusal(folder.path(), &["sample", "run", "--count", "1000000000"]);
    assert!(line.contains("--count") && line.contains("1000000000"), "{line}");
}

#[test]
fn a_dry_run_says_what_is_needed() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("r.toml"), tiny(3, "")).expect("a file");
    // Two pixels have their shape without data.
    let output = idode(folder.path(), &["train", "r.toml", "--dry-run"]);
    let said = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(output.status.success(), "{said}");
    for key in
        ["stage[0].batch = 32", "stage[0].accumulation = 1", "evaluation.vlb_levels = 2", "sample.count = 4"]
    {
        let line = said.lines().find(|line| line.contains(key));
        assert!(line.is_some_and(|line| line.starts_with("at least ")), "{key}\n{said}");
    }
    assert!(!cfg!(target_os = "linux") || said.contains("\navailable "), "{said}");
}
