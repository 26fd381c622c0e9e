//! TF32 where it cannot be had: one line, exit code 2, and nothing written.

use super::{RECIPE, SMALL_MEASUREMENT, idode, recipe_refusal, refusal, tree};
use std::fs;

const EXPECTED: &str =
    "f32; tf32 is of a CUDA device with this crate's kernels, of compute capability 8.0 or more, in f32";

#[test]
fn a_processor_has_no_tf32() {
    let line = recipe_refusal(&format!("precision = 'tf32'\n{RECIPE}"));
    assert_eq!(line, format!("r.toml: line 1, precision: found tf32 on the processor, expected {EXPECTED}"));
    let line = recipe_refusal(&format!("{RECIPE}[evaluation]\nprecision = 'tf32'\n"));
    let place = "r.toml: line 7, evaluation.precision";
    assert_eq!(line, format!("{place}: found tf32 on the processor, expected {EXPECTED}"));
    let line = recipe_refusal(&format!("precision = 'f16'\n{RECIPE}"));
    assert!(line.starts_with("r.toml: line 1, precision: found ") && line.contains("f16"), "{line}");

    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("r.toml"), format!("precision = 'tf32'\n{RECIPE}")).expect("a file");
    let line = refusal(folder.path(), &["train", "r.toml", "--dry-run"]);
    assert!(line.contains("precision: found tf32 on the processor"), "{line}");
    let line = refusal(folder.path(), &["bench", "--case", "s", "--precision", "tf32"]);
    assert_eq!(line, format!("precision = tf32 on the processor: expected {EXPECTED}"));
    let line = refusal(folder.path(), &["bench", "--precision", "bf16"]);
    assert!(line.contains("\"bf16\": expected f32 or tf32"), "{line}");
}

/// A run of two steps: other precisions are refused, and `f32` is not written anywhere.
#[test]
fn a_run_keeps_its_precision() {
    let folder = tempfile::tempdir().expect("a folder");
    let (path, run) = (folder.path().join("r.toml"), folder.path().join("run"));
    let of = |head: &str, evaluation: &str| {
        format!(
            "{head}data.name = 'digits'\nnetwork = {{ name = 'mlp', width = 8, depth = 1 }}\n[[stage]]\nsteps = 2\nbatch = 4\n{}",
            SMALL_MEASUREMENT.replace("[evaluation]\n", &format!("[evaluation]\n{evaluation}"))
        )
    };
    fs::write(&path, of("precision = 'f32'\n", "precision = 'f32'\n")).expect("a file");
    let trained = idode(folder.path(), &["train", "r.toml", "--out", "run"]);
    assert!(trained.status.success(), "{trained:?}");
    for name in ["recipe.toml", "result.json", "checkpoints/last.safetensors", "records.jsonl"] {
        let bytes = fs::read(run.join(name)).expect("a file");
        assert!(!String::from_utf8_lossy(&bytes).contains("precision"), "{name}");
    }
    let before = tree(folder.path());
    let line = {
        fs::write(&path, of("precision = 'tf32'\n", "")).expect("a file");
        let lines = ["--resume", "--continue"].map(|how| match how {
            "--resume" => refusal(folder.path(), &["train", "r.toml", "--out", "run", how]),
            _ => refusal(folder.path(), &["train", "r.toml", how, "run"]),
        });
        fs::write(&path, of("precision = 'f32'\n", "precision = 'f32'\n")).expect("a file");
        lines
    };
    for line in line {
        assert!(line.starts_with("r.toml: line 1, precision: found "), "{line}");
    }
    assert!(tree(folder.path()) == before);

    // A measurement in TF32 needs a card, and says where that was asked for.
    let recipe = fs::read_to_string(run.join("recipe.toml")).expect("a file");
    let other = recipe.replace("[evaluation]\n", "[evaluation]\nprecision = \"tf32\"\n");
    assert_ne!(recipe, other);
    fs::write(run.join("recipe.toml"), other).expect("a file");
    let before = tree(folder.path());
    for command in ["eval", "ladder", "sample"] {
        let line = refusal(folder.path(), &[command, "run"]);
        assert!(line.contains("evaluation.precision: found tf32 on the processor, expected f32"), "{line}");
    }
    assert!(tree(folder.path()) == before);
}
