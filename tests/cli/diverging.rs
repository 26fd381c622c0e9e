//! Runs whose numbers are not finite: what is kept, and what is skipped.

use super::idode;
use super::runs::{checkpoint, folder_with, tiny};
use idode::run::MetricsLog;
use std::fs;
use std::path::Path;

/// The exit code, and the lines on standard error.
fn ended(root: &Path, arguments: &[&str]) -> (Option<i32>, Vec<String>) {
    let output = idode(root, arguments);
    (output.status.code(), String::from_utf8_lossy(&output.stderr).lines().map(str::to_owned).collect())
}

const TRAIN: [&str; 4] = ["train", "r.toml", "--out", "run"];
const RESUME: [&str; 5] = ["train", "r.toml", "--out", "run", "--resume"];

/// A rate that single precision does not hold makes parameters that are not finite, from a finite gradient.
#[test]
fn parameters_that_are_not_finite_are_never_written() {
    let recipe = tiny(8, "learning_rate = 1e39").replace("checkpoint_every = 4", "checkpoint_every = 1");
    let folder = folder_with(&recipe);
    let root = folder.path();
    for arguments in [&TRAIN[..], &RESUME] {
        let (code, lines) = ended(root, arguments);
        assert_eq!((code, lines.len()), (Some(1), 1), "{lines:?}");
        assert!(lines[0].starts_with("error: step 1: parameters/"), "{lines:?}");
        assert!(
            lines[0].ends_with(" is not finite: no checkpoint of it is written, the one before is kept"),
            "{lines:?}"
        );
    }
    let files = fs::read_dir(root.join("run/checkpoints")).expect("a folder").count();
    assert_eq!(files, 1);
    assert_eq!(ended(root, &["eval", "run"]), (Some(0), Vec::new()));
    let table = String::from_utf8(idode(root, &["eval", "run"]).stdout).expect("UTF-8");
    assert!(table.contains("after step 0"), "{table}");
}

#[test]
fn steps_that_are_not_finite_are_skipped_and_counted() {
    let skipping = |steps| tiny(steps, "learning_rate = 1e30\non_non_finite = 'skip'");
    let folder = folder_with(&skipping(12));
    let root = folder.path();
    let (code, lines) = ended(root, &TRAIN);
    // The first step is taken, the others have no finite loss; the images that are measured have no value then, and
    // samples cannot be drawn.
    assert_eq!(code, Some(2), "{lines:?}");
    assert!(lines.last().is_some_and(|line| line.starts_with("error: samples = 4 of 4 that ")), "{lines:?}");
    // No step that is logged has a value, so there is no curve.
    assert!(root.join("run/result.json").exists() && !root.join("run/curve.png").exists());
    let skipped: Vec<&String> = lines.iter().filter(|line| line.contains(": skipped, ")).collect();
    assert_eq!(skipped.len(), 11, "{lines:?}");
    for (index, line) in skipped.iter().enumerate() {
        let named = [" is not finite at gamma ", ", learning rate 1", ", rows "]
            .iter()
            .all(|part| line.contains(part));
        assert!(named && line.starts_with(&format!("step {}: ", index + 2)), "{line}");
        assert!(line.ends_with(&format!(": skipped, {} so far", index + 1)), "{line}");
    }
    let metrics = MetricsLog::read(&root.join("run/metrics.jsonl")).expect("metrics");
    let found: Vec<_> = metrics.iter().map(|m| (m.step, m.skipped, m.loss.is_nan())).collect();
    assert_eq!(found, (2..=12).map(|step| (step, step - 1, true)).collect::<Vec<_>>());

    // Stopped at a checkpoint in between, as a crash would, it ends the same.
    let whole = fs::read(checkpoint(root)).expect("a checkpoint");
    let earlier = root.join("run/checkpoints/step_000000000008.safetensors");
    fs::rename(earlier, checkpoint(root)).expect("a file");
    assert_eq!(ended(root, &RESUME).0, Some(2));
    assert!(fs::read(checkpoint(root)).expect("a checkpoint") == whole);

    // A run that no longer has any finite step is lost.
    let folder = folder_with(&skipping(200));
    let (code, lines) = ended(folder.path(), &TRAIN);
    assert_eq!((code, lines.len()), (Some(1), 101), "{lines:?}");
    assert!(lines[100].starts_with("error: step 102: "), "{lines:?}");
}
