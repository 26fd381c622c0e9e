//! Whole runs by the binary: what they leave, how they are stopped and go on, and corrupt ones.

use super::{idode, refusal, tree};
use idode::result::Outcome;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use tempfile::TempDir;

/// A recipe that takes a moment: `steps` steps of a small network for two pixels.
pub(super) fn tiny(steps: u32, stage: &str) -> String {
    format!(
        "data.name = 'two_pixel'\nnetwork = {{ name = 'mlp', width = 32, depth = 1 }}\n\
         [[stage]]\nsteps = {steps}\nbatch = 32\n{stage}\n\
         [log]\nevery = 2\ncheckpoint_every = 4\n\
         [evaluation]\nimages = 6\nvlb_levels = 2\ndivergence = 'exact'\n\
         stepping = {{ name = 'fixed', steps = 5 }}\n\
         [sample]\ncount = 4\nstepping = {{ name = 'fixed', steps = 5 }}\n"
    )
}

pub(super) fn folder_with(recipe: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("r.toml"), recipe).expect("a file");
    folder
}

/// A folder with `r.toml` and its finished run `run`, made once.
pub(super) fn finished() -> &'static (TempDir, Output) {
    static FINISHED: OnceLock<(TempDir, Output)> = OnceLock::new();
    FINISHED.get_or_init(|| {
        let folder = folder_with(&tiny(8, ""));
        let output = idode(folder.path(), &["train", "r.toml", "--out", "run"]);
        assert!(output.status.success(), "{output:?}");
        (folder, output)
    })
}

/// A copy of the finished run, to be corrupted.
pub(super) fn copy() -> TempDir {
    let from = finished().0.path();
    let folder = tempfile::tempdir().expect("a folder");
    for (path, bytes) in tree(from) {
        let to = folder.path().join(path.strip_prefix(from).expect("below"));
        fs::create_dir_all(to.parent().expect("a parent")).expect("a folder");
        if let Some(bytes) = bytes {
            fs::write(to, bytes).expect("a file");
        }
    }
    folder
}

pub(super) fn checkpoint(folder: &Path) -> PathBuf {
    folder.join("run/checkpoints/last.safetensors")
}

#[test]
fn a_run_leaves_what_it_promises() {
    let (folder, output) = finished();
    let run = folder.path().join("run");
    let table = String::from_utf8(output.stdout.clone()).expect("UTF-8");
    for row in ["bits/dim", "vlb ", "ode_truncated_normal ", "exact entropy ", "6.7894"] {
        assert!(table.contains(row), "{row}\n{table}");
    }
    for plot in ["samples.png", "curve.png"] {
        assert!(fs::read(run.join(plot)).expect("a PNG").starts_with(b"\x89PNG"), "{plot}");
    }
    let steps = fs::read_to_string(run.join("metrics.jsonl")).expect("metrics");
    assert_eq!(steps.lines().count(), 4, "{steps}");

    let text = fs::read(run.join("result.json")).expect("a result");
    let result: serde_json::Value = serde_json::from_slice(&text).expect("JSON");
    assert_eq!(result["data"]["name"], "two_pixel");
    assert_eq!(result["data"]["split"], "test");
    let estimates = result["estimates"].as_array().expect("a list");
    let names: Vec<_> = estimates.iter().map(|estimate| estimate["name"].as_str().expect("a name")).collect();
    assert_eq!(names, ["vlb", "ode_truncated_normal", "ode_uniform", "ode_gaussian"]);
    for estimate in estimates {
        assert_eq!(estimate["images"], 6);
        for key in ["bits_per_dim", "standard_error", "evaluations_per_image"] {
            let number = estimate[key].as_f64();
            assert!(number.is_some_and(|number| number.is_finite() && number >= 0.0), "{key} {estimate}");
        }
    }
}

#[test]
fn evaluation_repeats_and_samples_are_drawn_again() {
    let folder = copy();
    let root = folder.path();
    let result = root.join("run/result.json");
    let estimates = |path: &Path| {
        let outcome = Outcome::read(path).expect("a result");
        outcome.estimates.into_iter().map(|e| (e.name, e.bits_per_dim, e.standard_error)).collect::<Vec<_>>()
    };
    let first = estimates(&result);
    let samples = fs::read(root.join("run/samples.png")).expect("samples");
    fs::remove_file(&result).expect("a file");
    let output = idode(root, &["eval", "run"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(estimates(&result), first);

    let output = idode(root, &["sample", "run"]);
    assert_eq!(String::from_utf8_lossy(&output.stdout), "run/samples.png\n");
    assert_eq!(fs::read(root.join("run/samples.png")).expect("samples"), samples);
    assert!(idode(root, &["sample", "run", "--count", "9"]).status.success());
    assert_ne!(fs::read(root.join("run/samples.png")).expect("samples"), samples);
}

#[test]
fn a_finished_run_is_not_trained_again() {
    let folder = copy();
    let root = folder.path();
    let line = refusal(root, &["train", "r.toml", "--out", "run"]);
    assert!(
        line.starts_with("run: run folder: found an earlier run, expected a new folder (--out), or "),
        "{line}"
    );
    let before = fs::read(checkpoint(root)).expect("a checkpoint");
    let output = idode(root, &["train", "r.toml", "--out", "run", "--resume"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(fs::read(checkpoint(root)).expect("a checkpoint"), before);
}

/// Every command that measures a checkpoint refuses this one, with a line that begins so.
#[track_caller]
fn refused(folder: &TempDir, start: &str) {
    for command in ["eval", "sample"] {
        let line = refusal(folder.path(), &[command, "run"]);
        let path = "run/checkpoints/last.safetensors: ";
        assert!(line.strip_prefix(path).is_some_and(|line| line.starts_with(start)), "{command}: {line}");
    }
}

#[test]
fn corrupt_checkpoints() {
    let folder = copy();
    let path = checkpoint(folder.path());
    let whole = fs::read(&path).expect("a checkpoint");
    let header = 8 + u64::from_le_bytes(whole[..8].try_into().expect("8 bytes")) as usize;
    for length in [0, 4, 8, header - 1, header, header + 100, whole.len() - 1] {
        fs::write(&path, &whole[..length]).expect("a file");
        refused(&folder, "checkpoint: found ");
    }
    // A longer file, another length of the header, a header that is no JSON.
    fs::write(&path, [&whole[..], b"x"].concat()).expect("a file");
    refused(&folder, "checkpoint: found ");
    for at in [0, 1, 7, 8, 9] {
        let mut corrupt = whole.clone();
        corrupt[at] ^= 0x40;
        fs::write(&path, corrupt).expect("a file");
        refused(&folder, "checkpoint: found ");
    }
    // Another name, another number and another key within a header of the same length.
    let replaced = |from: &str, to: &str| {
        let mut corrupt = whole.clone();
        let at = whole.windows(from.len()).position(|window| window == from.as_bytes()).expect(from);
        corrupt[at..at + to.len()].copy_from_slice(to.as_bytes());
        fs::write(&path, corrupt).expect("a file");
    };
    replaced("\"idode\"", "\"other\"");
    refused(&folder, "metadata: found no key \"idode\", expected ");
    replaced("\\\"step\\\":", "\\\"stap\\\":");
    refused(&folder, "metadata key \"idode\": found missing field `step`");
    for (from, to) in [
        ("ema/output/kernel", "ema/output/kermel"),
        ("\\\"step\\\":8", "\\\"step\\\":9"),
        ("\\\"seed\\\":0", "\\\"seed\\\":1"),
        // What would clear a terminal.
        ("network\\\":\\\"mlp for", "network\\\":\\\"\\\\u001b"),
    ] {
        replaced(from, to);
        refused(&folder, "sha256 of the checkpoint: found ");
    }
    // One bit of one weight.
    let mut corrupt = whole.clone();
    corrupt[header + 1000] ^= 1;
    fs::write(&path, corrupt).expect("a file");
    refused(&folder, "sha256 of the checkpoint: found ");
    fs::write(&path, &whole).expect("a file");
    assert!(idode(folder.path(), &["eval", "run"]).status.success());
}

#[test]
fn checkpoint_of_another_network_or_none() {
    let folder = copy();
    let root = folder.path();
    let recipe = fs::read_to_string(root.join("run/recipe.toml")).expect("a recipe");
    fs::write(root.join("run/recipe.toml"), recipe.replace("width = 32", "width = 64")).expect("a file");
    for command in ["eval", "sample"] {
        let line = refusal(root, &[command, "run"]);
        assert!(
            line.starts_with("run/checkpoints/last.safetensors: network: found mlp for 1x2x1, width 32, ")
                && line.contains(", expected mlp for 1x2x1, width 64, "),
            "{line}"
        );
    }
    fs::write(root.join("run/recipe.toml"), recipe).expect("a file");
    fs::remove_dir_all(root.join("run/checkpoints")).expect("a folder");
    let resume = ["train", "r.toml", "--out", "run", "--resume"];
    for arguments in [&["eval", "run"][..], &["sample", "run"], &["export", "run", "p.flax"], &resume] {
        let line = refusal(root, arguments);
        let expected =
            "run/checkpoints: checkpoints: found none, expected the last one of the run, which was removed";
        assert_eq!(line, expected, "{arguments:?}");
    }
}

/// Any network for any data, of any width; but for the groups of group norm.
#[test]
fn networks_of_any_size() {
    let recipe = |data: &str, network: &str, width: u32| {
        folder_with(&format!("data.name = '{data}'\n[network]\nname = '{network}'\nwidth = {width}\n"))
    };
    for (data, network, width) in [("two_pixel", "unet", 32), ("two_pixel", "mlp", 48), ("digits", "mlp", 5)]
    {
        let folder = recipe(data, network, width);
        let output = idode(folder.path(), &["train", "r.toml", "--dry-run"]);
        assert!(output.status.success(), "{output:?}");
    }
    let line = refusal(recipe("digits", "unet", 48).path(), &["train", "r.toml"]);
    let expected = "network.width: found 48, expected a multiple of 32, the groups of group norm";
    assert_eq!(line, format!("r.toml: line 4, {expected}"));
}

#[cfg(unix)]
#[test]
fn a_folder_that_cannot_be_written() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder_with(&tiny(4, ""));
    let root = folder.path();
    let closed = root.join("closed");
    fs::create_dir(&closed).expect("a folder");
    fs::set_permissions(&closed, fs::Permissions::from_mode(0o555)).expect("permissions");
    if fs::write(closed.join("probe"), "").is_ok() {
        return; // A user for whom every folder is open.
    }
    let line = refusal(root, &["train", "r.toml", "--out", "closed/run"]);
    assert!(line.starts_with("closed/run: cannot create: "), "{line}");
    let line = refusal(root, &["train", "r.toml", "--out", "closed"]);
    assert!(line.starts_with("closed/.lock: cannot lock: "), "{line}");
}

#[cfg(unix)]
#[test]
fn a_full_disk_ends_the_run_and_leaves_one_that_goes_on() {
    let folder = folder_with(&tiny(8, ""));
    // A limit on the size of files stands for the disk: the recipe fits, a checkpoint does not.
    let script = "trap '' XFSZ; ulimit -f 16; exec \"$0\" train r.toml --out run";
    let output = Command::new("sh")
        .args(["-c", script, env!("CARGO_BIN_EXE_idode")])
        .current_dir(folder.path())
        .output()
        .expect("a shell");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    assert!(stderr.starts_with("error: run/checkpoints/last.safetensors: cannot write: "), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    let left = fs::read_dir(folder.path().join("run/checkpoints")).expect("a folder").count();
    assert_eq!(left, 0, "half a checkpoint");
    assert!(idode(folder.path(), &["train", "r.toml", "--out", "run", "--resume"]).status.success());
}

#[test]
fn a_run_that_diverges_keeps_its_last_good_checkpoint() {
    let folder = folder_with(&tiny(40, "learning_rate = 1e30"));
    let root = folder.path();
    let output = idode(root, &["train", "r.toml", "--out", "run"]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    let named =
        [" is not finite at gamma ", ", learning rate ", ", rows "].iter().all(|part| stderr.contains(part));
    assert!(stderr.starts_with("error: step 2: ") && named, "{stderr}");
    assert!(!root.join("run/result.json").exists());
}
