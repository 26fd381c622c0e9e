//! `--continue`: a finished run is trained for longer.

use super::runs::{checkpoint, copy, folder_with, tiny};
use super::{idode, refusal};
use idode::result::StageRecord;
use idode::run::MetricsLog;
use std::fs;
use std::path::Path;

const CONTINUE: [&str; 4] = ["train", "more.toml", "--continue", "run"];

/// The recipe of the finished run with more steps, and with more stages.
fn recipe(steps: u32, stages: &str) -> String {
    tiny(steps, "").replace("[log]", &format!("{stages}\n[log]"))
}

/// The last checkpoint, records of stages and steps of the metrics of a run of `recipe` from its beginning.
fn whole(recipe: &str) -> (Vec<u8>, Vec<StageRecord>, Vec<u64>) {
    let folder = folder_with(recipe);
    let output = idode(folder.path(), &["train", "r.toml", "--out", "run"]);
    assert!(output.status.success(), "{output:?}");
    left(folder.path())
}

fn left(root: &Path) -> (Vec<u8>, Vec<StageRecord>, Vec<u64>) {
    let metrics = MetricsLog::read(&root.join("run/metrics.jsonl")).expect("metrics");
    let steps = metrics.iter().map(|metrics| metrics.step).collect();
    let stages = StageRecord::read(&root.join("run/stages.json")).expect("records");
    (fs::read(checkpoint(root)).expect("a checkpoint"), stages, steps)
}

#[test]
fn a_run_that_goes_on_is_the_longer_run() {
    let second = "[[stage]]\nsteps = 4\nbatch = 16\nclip = { quantile = 0.5, window = 3 }";
    let longer_second = second.replace("steps = 4", "steps = 6");
    // More steps; a stage more; more steps of the last stage, whose record is of its new end.
    let folder = copy();
    let root = folder.path();
    for text in [recipe(12, ""), recipe(12, second), recipe(12, &longer_second)] {
        fs::write(root.join("more.toml"), &text).expect("a file");
        let line = refusal(root, &["train", "more.toml", "--out", "run", "--resume"]);
        assert!(line.contains("more.toml") && line.contains("as the run in run has it"), "{line}");
        assert!(line.ends_with("(--continue gives the last stage more steps, and adds stages)"), "{line}");
        let output = idode(root, &CONTINUE);
        assert!(output.status.success(), "{output:?}");
        assert!(left(root) == whole(&text), "{text}");
    }
    assert_eq!(left(root).1.iter().map(|stage| stage.step).collect::<Vec<_>>(), [12, 18]);
}

#[test]
fn what_was_trained_cannot_change() {
    let folder = copy();
    let root = folder.path();
    let refused = |text: &str| {
        fs::write(root.join("more.toml"), text).expect("a file");
        refusal(root, &CONTINUE)
    };
    let allowed = "(--continue changes the steps of the last stage, adds stages after it, and nothing else)";
    for (from, to) in [("batch = 32", "batch = 16"), ("width = 32", "width = 64")] {
        let line = refused(&recipe(12, "").replace(from, to));
        assert!(
            line.contains(&format!("expected {}, as the run in run has it", &from[from.len() - 2..])),
            "{line}"
        );
        assert!(line.ends_with(allowed), "{line}");
    }
    let line = refused(&recipe(6, ""));
    assert_eq!(
        line,
        "run/checkpoints/last.safetensors: step of its stage: found 8, expected at most 6, by the recipe of the run"
    );
    fs::remove_dir_all(root.join("run")).expect("a folder");
    let line = refused(&recipe(12, ""));
    assert_eq!(line, "run: run folder: found nothing, expected a folder that idode train has written");
}
