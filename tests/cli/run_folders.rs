//! Run folders that something has happened to: what is corrupt, lost or of another run is said, and nothing is lost.

use super::runs::{checkpoint, copy, folder_with, tiny};
use super::{idode, refusal};
use idode::result::Outcome;
use std::fs;
use std::path::Path;

const RESUME: [&str; 5] = ["train", "r.toml", "--out", "run", "--resume"];

/// Flips a bit of a weight.
fn corrupt(path: &Path) {
    let mut bytes = fs::read(path).expect("a checkpoint");
    let at = bytes.len() - 100;
    bytes[at] ^= 4;
    fs::write(path, bytes).expect("a file");
}

/// What a command that succeeds says on standard error.
#[track_caller]
fn said(root: &Path, arguments: &[&str]) -> String {
    let output = idode(root, arguments);
    let stderr = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    stderr
}

#[test]
fn the_newest_checkpoints_stay_and_a_corrupt_one_is_passed_over() {
    let folder = copy();
    let root = folder.path();
    let names: Vec<_> = fs::read_dir(root.join("run/checkpoints")).expect("a folder").collect();
    assert_eq!(names.len(), 3, "{names:?}");
    let (last, earlier) = (checkpoint(root), root.join("run/checkpoints/step_000000000004.safetensors"));
    let [whole, metrics] =
        [last.clone(), root.join("run/metrics.jsonl")].map(|p| fs::read(p).expect("a file"));
    corrupt(&last);
    let line = said(root, &RESUME);
    assert!(line.starts_with("run/checkpoints/last.safetensors: sha256 of the checkpoint: found "), "{line}");
    assert!(
        line.ends_with("; goes on from run/checkpoints/step_000000000004.safetensors, step 4\n"),
        "{line}"
    );
    assert_eq!(line.lines().count(), 1, "{line}");
    assert!(fs::read(&last).expect("a checkpoint") == whole, "another checkpoint");
    // Lines up to step 4 are the old ones, byte for byte.
    let again = fs::read(root.join("run/metrics.jsonl")).expect("metrics");
    let kept = metrics.split_inclusive(|&byte| byte == b'\n').take(2).flatten().count();
    assert!(again[..kept] == metrics[..kept]);
    assert_eq!(again.split(|&byte| byte == b'\n').count(), metrics.split(|&byte| byte == b'\n').count());

    // A crash between two renames leaves none of that name.
    fs::remove_file(&last).expect("a file");
    assert_eq!(
        said(root, &RESUME),
        "run/checkpoints/last.safetensors: checkpoint: found nothing, expected the newest; \
         goes on from run/checkpoints/step_000000000004.safetensors, step 4\n"
    );
    assert!(fs::read(&last).expect("a checkpoint") == whole, "another checkpoint");

    // Neither is whole, nor the first: the newest's corruption is the answer, and all of them stay.
    [last, earlier, root.join("run/checkpoints/step_000000000000.safetensors")]
        .iter()
        .for_each(|path| corrupt(path));
    let line = refusal(root, &RESUME);
    assert!(line.starts_with("run/checkpoints/last.safetensors: sha256 of the checkpoint: found "), "{line}");
}

#[test]
fn a_checkpoint_of_another_run_is_refused() {
    let folder = folder_with(&format!("seed = 1\n{}", tiny(8, "")));
    let root = folder.path();
    said(root, &["train", "r.toml", "--out", "other"]);
    let copied = copy();
    fs::copy(root.join("other/checkpoints/last.safetensors"), checkpoint(copied.path())).expect("a file");
    for arguments in [&RESUME[..], &["eval", "run"], &["export", "run", "p.flax"]] {
        let line = refusal(copied.path(), arguments);
        assert_eq!(
            line, "run/checkpoints/last.safetensors: seed: found 1, expected 0, by the recipe of the run",
            "{arguments:?}"
        );
    }
}

#[test]
fn a_log_with_a_hole_is_said() {
    let folder = copy();
    let root = folder.path();
    let path = root.join("run/metrics.jsonl");
    let metrics = fs::read_to_string(&path).expect("metrics");
    let two: String = metrics.split_inclusive('\n').take(2).collect();
    fs::write(&path, &two).expect("a file");
    let line = said(root, &RESUME);
    assert_eq!(
        line,
        "run/metrics.jsonl: ends at step 4, before the checkpoint's step 8: the lines between them are lost\n"
    );
    assert_eq!(fs::read_to_string(&path).expect("metrics"), two);
}

#[test]
fn a_corrupt_result_guards_its_data() {
    let folder = copy();
    let root = folder.path();
    let expected = "run/result.json: data.fingerprint: found nothing that can be read, \
                    expected the rows of that result (move it away to measure others)";
    for corruption in ["", "{", "{}", "\0\0"] {
        fs::write(root.join("run/result.json"), corruption).expect("a file");
        for arguments in [&RESUME[..], &["eval", "run"]] {
            assert_eq!(refusal(root, arguments), expected, "{corruption}");
        }
    }
    let whole =
        fs::read_to_string(super::runs::finished().0.path().join("run/result.json")).expect("a result");
    fs::write(root.join("run/result.json"), whole.replace("\"sha256\"", "\"sha255\"")).expect("a file");
    assert_eq!(refusal(root, &["eval", "run"]), expected);
    fs::remove_file(root.join("run/result.json")).expect("a file");
    assert_eq!(said(root, &["eval", "run"]), "");
}

/// Ten rows of two numbers as NumPy stores them.
fn rows(seed: u8, count: u8) -> Vec<u8> {
    let header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({count}, 1, 2), }}");
    let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    bytes.extend(format!("{header:<117}\n").bytes());
    bytes.extend((0..2 * count).map(|i| i.wrapping_mul(37).wrapping_add(seed)));
    bytes
}

#[test]
fn other_training_data_are_refused() {
    let recipe = tiny(4, "").replace(
        "data.name = 'two_pixel'",
        "data = { name = 'npy', train = 'train.npy', test = 'test.npy' }",
    );
    let folder = folder_with(&recipe);
    let root = folder.path();
    fs::write(root.join("train.npy"), rows(0, 10)).expect("a file");
    fs::write(root.join("test.npy"), rows(99, 6)).expect("a file");
    said(root, &["train", "r.toml", "--out", "run"]);
    assert_eq!(said(root, &RESUME), "");
    for (seed, count) in [(1, 10), (0, 20), (0, 2)] {
        fs::write(root.join("train.npy"), rows(seed, count)).expect("a file");
        let line = refusal(root, &RESUME);
        let found = format!("training data: found {{\"images\":{count},\"levels\":256,\"sha256\":\"");
        assert!(line.starts_with(&format!("run/checkpoints/last.safetensors: {found}")), "{line}");
        assert!(line.contains(", expected {\"images\":10,\"levels\":256,\"sha256\":\""), "{line}");
        assert!(line.ends_with("}, as it was"), "{line}");
    }
    // The held-out images are looked at before the training that would end in a refusal.
    fs::write(root.join("train.npy"), rows(0, 10)).expect("a file");
    fs::write(root.join("test.npy"), rows(98, 6)).expect("a file");
    let line = refusal(root, &RESUME);
    assert!(line.starts_with("run/result.json: data.fingerprint: found data set sha256 = "), "{line}");
}

#[test]
fn what_a_process_left_that_was_ended_while_it_began_is_a_new_folder() {
    for resume in [false, true] {
        let folder = folder_with(&tiny(4, ""));
        let root = folder.path();
        fs::create_dir(root.join("run")).expect("a folder");
        fs::write(root.join("run/recipe.toml.4000000.tmp"), "seed =").expect("a file");
        let arguments = &RESUME[..if resume { 5 } else { 4 }];
        let said = said(root, arguments);
        let line = "run: nothing had begun there: trains from the start\n";
        assert_eq!(said, if resume { line } else { "" });
        assert!(!root.join("run/recipe.toml.4000000.tmp").exists());
        assert!(root.join("run/result.json").exists());
    }
}

#[test]
fn what_dead_processes_left_is_removed() {
    let folder = copy();
    let root = folder.path().join("run");
    let left = [
        "metrics.jsonl.4000000.tmp",
        "result.json.7.tmp",
        "checkpoints/last.safetensors.4000000.tmp",
        "checkpoints/best.safetensors.1.tmp",
    ];
    let others = ["notes.4000000.tmp", "checkpoints/best.safetensors", "checkpoints/mine.safetensors.1.tmp"];
    left.iter().chain(&others).for_each(|name| fs::write(root.join(name), "left").expect("a file"));
    said(folder.path(), &["sample", "run"]);
    assert!(left.iter().all(|name| !root.join(name).exists()));
    assert!(others.iter().all(|name| root.join(name).exists()));
}

/// The same run measured with other settings of its evaluation.
fn measured(max_steps: u32) -> (Option<i32>, String, Outcome) {
    let folder = copy();
    let root = folder.path();
    let recipe = fs::read_to_string(root.join("run/recipe.toml")).expect("a recipe");
    let mut recipe: toml::Table = recipe.parse().expect("TOML");
    let stepping =
        format!("name = 'adaptive'\nmax_steps = {max_steps}").parse::<toml::Table>().expect("TOML");
    recipe["evaluation"].as_table_mut().expect("a table").insert("stepping".into(), stepping.into());
    fs::write(root.join("run/recipe.toml"), recipe.to_string()).expect("a file");
    let output = idode(root, &["eval", "run"]);
    let outcome = Outcome::read(&root.join("run/result.json")).expect("a result");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned(), outcome)
}

#[test]
fn images_without_a_value_are_counted() {
    let (code, table, whole) = measured(10_000);
    assert_eq!(code, Some(0), "{table}");
    assert!(whole.is_whole());
    let (code, table, outcome) = measured(1);
    assert_eq!(code, Some(3), "{table}");
    for estimate in outcome.estimates {
        let failed = if estimate.name == "vlb" { 0 } else { 6 };
        assert_eq!((estimate.failures, estimate.images), (failed, 6 - failed), "{}", estimate.name);
        assert_eq!(estimate.bits_per_dim.is_nan(), failed == 6);
    }
    assert_eq!(table.lines().filter(|line| line.contains("-           -  0 of 6")).count(), 3, "{table}");
    // Some have one: the mean is theirs.
    let partly = (2..200).map(measured).find(|(_, _, outcome)| {
        outcome.estimates.iter().any(|estimate| estimate.failures > 0 && estimate.images > 0)
    });
    let (code, table, outcome) = partly.expect("a number of steps that is enough for some images");
    let estimate = outcome.estimates.into_iter().find(|e| e.failures > 0 && e.images > 0).expect("one");
    assert_eq!((code, estimate.images + estimate.failures), (Some(3), 6), "{table}");
    assert!(table.contains(&format!("  {} of 6  ", estimate.images)), "{table}");
    assert!(estimate.bits_per_dim.is_finite());
}

/// The baseline of the digits, and every mean, of one image.
#[test]
fn one_held_out_image_has_a_result_without_a_standard_error() {
    let recipe = format!(
        "data.name = 'digits'\nnetwork = {{ name = 'unet', width = 32, blocks = 1 }}\n\
         [[stage]]\nsteps = 1\nbatch = 2\n{}",
        super::SMALL_MEASUREMENT.replace("images = 2\n", "images = 1\n")
    );
    let folder = folder_with(&recipe);
    let output = idode(folder.path(), &["train", "r.toml", "--out", "run"]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = fs::read(folder.path().join("run/result.json")).expect("a result");
    let result: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    for estimate in result["estimates"].as_array().expect("a list") {
        assert!(estimate["standard_error"].is_null() && estimate["bits_per_dim"].is_f64(), "{estimate}");
    }
    assert!(result["baseline"]["bits_per_dim"].is_f64());
    assert!(["samples.png", "curve.png"].iter().all(|name| folder.path().join("run").join(name).exists()));
}
