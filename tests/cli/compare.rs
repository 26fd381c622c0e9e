//! `idode compare`: two checkpoints of one run, and what it refuses.

use super::{idode, refusal};
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;
use tempfile::TempDir;

/// A folder with the runs `early` and `late`: the first is a checkpoint of the second, whose rate is constant.
fn checkpoints() -> &'static TempDir {
    static RUNS: OnceLock<TempDir> = OnceLock::new();
    RUNS.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        for (run, steps) in [("early", 300), ("late", 360)] {
            let recipe = format!(
                "data.name = 'two_pixel'\nnetwork = {{ name = 'mlp', width = 32, depth = 1 }}\n\
                 [[stage]]\nsteps = {steps}\nbatch = 64\nlearning_rate = 1e-3\ndecay = 'constant'\n\
                 [evaluation]\nimages = 150\nvlb_levels = 8\ndivergence = 'exact'\n\
                 stepping = {{ name = 'fixed', steps = 5 }}\n\
                 [sample]\ncount = 1\nstepping = {{ name = 'fixed', steps = 5 }}\n"
            );
            fs::write(folder.path().join("r.toml"), recipe).expect("a file");
            let output = idode(folder.path(), &["train", "r.toml", "--out", run]);
            assert!(output.status.success(), "{output:?}");
        }
        folder
    })
}

/// A folder with both runs, of which `late` has been changed.
fn changed(change: impl FnOnce(&mut Value, &mut Value)) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let read =
        |path: &Path| -> Value { serde_json::from_slice(&fs::read(path).expect("a file")).expect("JSON") };
    let late = checkpoints().path().join("late");
    let (mut result, mut records) = (read(&late.join("result.json")), read(&late.join("records.json")));
    change(&mut result, &mut records);
    for run in ["early", "late"] {
        let to = folder.path().join(run);
        fs::create_dir(&to).expect("a folder");
        for file in ["recipe.toml", "result.json", "records.json"] {
            fs::copy(checkpoints().path().join(run).join(file), to.join(file)).expect("a copy");
        }
    }
    fs::write(folder.path().join("late/result.json"), result.to_string()).expect("a file");
    fs::write(folder.path().join("late/records.json"), records.to_string()).expect("a file");
    folder
}

#[test]
fn two_checkpoints_of_a_run_differ_by_more_than_three_times_as_sure_a_number() {
    let root = checkpoints().path();
    let output = idode(root, &["compare", "early", "late", "--json", "--out", "pairs.png"]);
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    assert!(fs::read(root.join("pairs.png")).expect("a PNG").starts_with(b"\x89PNG"));
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(found["data"]["name"], "two_pixel");
    let differences = found["differences"].as_array().expect("a list");
    let names: Vec<&Value> = differences.iter().map(|difference| &difference["estimate"]).collect();
    assert_eq!(names, ["vlb", "ode_truncated_normal", "ode_uniform", "ode_gaussian"]);
    for difference in differences {
        let number = |key: &str| difference[key].as_f64().expect("a number");
        assert_eq!((number("images"), number("left_out")), (150.0, 0.0));
        assert_eq!(difference["unit"], "bits/dim");
        let exactly = number("value") - number("baseline_value");
        assert!((number("difference") - exactly).abs() < 1e-12, "{difference}");
        let (paired, unpaired) = (number("standard_error"), number("unpaired_standard_error"));
        assert!(paired > 0.0 && 3.0 * paired <= unpaired, "{difference}");
    }
    let output = idode(root, &["compare", "early", "late", "--estimate", "vlb"]);
    let table = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(
        table.starts_with("two_pixel, test split\nestimate  run   bits/dim  against  bits/dim  difference"),
        "{table}"
    );
    assert!(table.ends_with("\n\ncompare.png\n") && table.lines().count() == 6, "{table}");
}

#[test]
fn failed_images_are_left_out_of_both() {
    let folder = changed(|_, records| records["vlb"][3]["bits_per_dim"] = Value::Null);
    let output = idode(folder.path(), &["compare", "early", "late", "--estimate", "vlb", "--json"]);
    let found: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(
        (&found["differences"][0]["images"], &found["differences"][0]["left_out"]),
        (&149.into(), &1.into())
    );
}

#[test]
fn unlike_runs_are_refused_in_one_line() {
    type Change = fn(&mut Value, &mut Value);
    let cases: [(Change, &str); 6] = [
        (
            |result, _| result["data"]["split"] = "train".into(),
            "split of late = train: expected test, as early has",
        ),
        (
            |result, _| result["data"]["fingerprint"]["sha256"] = "ab".into(),
            "data's sha256 of late = ab: expected ",
        ),
        (
            |result, _| result["data"]["fingerprint"]["levels"] = 17.into(),
            "data's levels of late = 17: expected 256, as early has",
        ),
        (
            |_, records| drop(records["vlb"].as_array_mut().expect("a list").pop()),
            "images of late = 149 (numbers 0 to 148): expected 150 (numbers 0 to 149), as early has",
        ),
        (|_, records| records["vlb"] = Value::Null, "late/records.json: vlb: found no records, expected "),
        (
            |result, _| {
                result["estimates"].as_array_mut().expect("a list").remove(0);
            },
            "estimate = \"vlb\": expected one that late has: ode_truncated_normal, ode_uniform, ode_gaussian",
        ),
    ];
    for (change, start) in cases {
        let folder = changed(change);
        let line = refusal(folder.path(), &["compare", "early", "late", "--estimate", "vlb"]);
        assert!(line.starts_with(start), "{line}");
    }
    // Another bound: K of the K-sample bound is in the recipe.
    let folder = changed(|_, _| {});
    let recipe = folder.path().join("late/recipe.toml");
    let text = fs::read_to_string(&recipe).expect("a recipe");
    fs::write(&recipe, text.replace("importance_samples = 1", "importance_samples = 5")).expect("a file");
    let line = refusal(folder.path(), &["compare", "early", "late", "--estimate", "ode_uniform"]);
    assert_eq!(
        line,
        "bound of late = ode_uniform with 5 importance samples: expected ode_uniform, as early has"
    );

    // Others may write where the checkpoints are, and a refusal is to leave a folder as it was.
    let folder = changed(|_, _| {});
    let root = folder.path();
    let line = refusal(root, &["compare", "early", "--reference", "i-DODE-cifar10"]);
    assert!(
        line.starts_with("data of early = two_pixel: expected cifar10, as i-dode-cifar10 (i-DODE, "),
        "{line}"
    );
    let line = refusal(root, &["compare", "early", "--reference", "i-dode"]);
    assert!(line.starts_with("reference \"i-dode\" is unknown: expected one of i-dode-cifar10, "), "{line}");
    let line = refusal(root, &["compare", "early"]);
    assert_eq!(line, "runs = 1: expected two or more, or one and a published figure");
    let line = refusal(root, &["compare", "early", "nowhere"]);
    assert!(line.starts_with("nowhere: run folder: found nothing, expected "), "{line}");
}
