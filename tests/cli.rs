//! The command line on input that cannot be used: exit code 2, one line on standard error, and
//! nothing on disk that was not there before; and whole runs.
#![cfg(feature = "cli")]

#[path = "cli/budget.rs"]
mod budget;
#[path = "cli/checkpointed_blocks.rs"]
mod checkpointed_blocks;
#[path = "cli/compare.rs"]
mod compare;
#[path = "cli/diverging.rs"]
mod diverging;
#[cfg(unix)]
#[path = "cli/evaluations.rs"]
mod evaluations;
#[path = "cli/import_export.rs"]
mod import_export;
#[path = "cli/kills.rs"]
mod kills;
#[path = "cli/limits.rs"]
mod limits;
#[path = "cli/longer.rs"]
mod longer;
#[path = "cli/precision.rs"]
mod precision;
#[path = "cli/run_folders.rs"]
mod run_folders;
#[path = "cli/runs.rs"]
mod runs;
#[path = "cli/shapes.rs"]
mod shapes;
#[cfg(unix)]
#[path = "cli/signals.rs"]
mod signals;
#[path = "cli/stages.rs"]
mod stages;
#[path = "cli/tables.rs"]
mod tables;

use idode::commands::resolved;
use idode::config::Recipe;
use idode::registry::Registry;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const RECIPE: &str = "[data]\nname = \"digits\"\n\n[network]\nname = \"unet\"\n";

/// The end of a recipe whose run is measured and sampled in a moment.
const SMALL_MEASUREMENT: &str = "[evaluation]
images = 2
stage_images = 3
vlb_levels = 2
dequantizers = ['truncated_normal']
stepping = { name = 'fixed', steps = 3 }
[sample]
count = 1
stepping = { name = 'fixed', steps = 3 }
";

/// Runs the binary in a folder.
fn idode(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_idode"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the binary runs")
}

/// Every path below a folder, with a file's bytes; but for the file of a run's lock, which names its last writer.
fn tree(root: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let bytes = path.is_file().then(|| fs::read(&path).expect("a file"));
            if path.is_dir() {
                folders.push(path.clone());
            }
            if !path.to_string_lossy().ends_with(".lock") {
                found.insert(path, bytes);
            }
        }
    }
    found
}

/// Runs the binary, which must refuse: the line it gives, without `error: `.
#[track_caller]
fn refusal(folder: &Path, arguments: &[&str]) -> String {
    let before = tree(folder);
    let output = idode(folder, arguments);
    assert!(before == tree(folder), "{arguments:?} changed the folder");
    assert!(output.stdout.is_empty(), "{arguments:?} wrote to standard output");
    let stderr = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
    assert_eq!((stderr.lines().count(), stderr.ends_with('\n')), (1, true), "{arguments:?}: {stderr}");
    stderr.trim_end().strip_prefix("error: ").expect("an error").to_owned()
}

/// What `idode train r.toml` says to a recipe.
#[track_caller]
fn recipe_refusal(recipe: &str) -> String {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("r.toml"), recipe).expect("a file");
    refusal(folder.path(), &["train", "r.toml"])
}

#[test]
fn recipe_keys_and_values() {
    let cases = [
        (
            "[schedul]\nname = 'vp'",
            "line 7, schedul: found an unknown key, expected \"schedule\" (the nearest of ",
        ),
        ("[stage]\nsteps = 3", "line 7, stage: found a table, expected an array"),
        (
            "[[stage]]\nlerning_rate = 1",
            "line 8, stage[0].lerning_rate: found an unknown key, expected \"learning_rate\"",
        ),
        (
            "[[stage]]\nbatch = 'big'",
            "line 8, stage[0].batch: found string \"big\", expected a whole number, 0 or more",
        ),
        ("[[stage]]\nbatch = 0", "line 8, stage[0].batch: found 0, expected 1 to "),
        (
            "[[stage]]\nlearning_rate = -0.1",
            "line 8, stage[0].learning_rate: found -0.1, expected a finite number above 0",
        ),
        ("dropout = 1.0", "line 7, network.dropout: found 1, expected at least 0 and below 1"),
        (
            "[range]\ngamma_min = 3\ngamma_max = 2",
            "line 8, range.gamma_min: found 3, expected a noise level below gamma_max = 2",
        ),
        (
            "[schedule]\nname = 'vpp'",
            "line 8, schedule.name: found the unknown noise schedule \"vpp\", expected \"vp\" (the nearest of sp, sub_vp, ve, vp)",
        ),
        (
            "[parameterization]\nname = 'wavelet'",
            "line 8, parameterization.name: found the unknown parameterization \"wavelet\", expected one of data, noise, score, velocity",
        ),
        (
            "[time]\nname = 'stratified'\ninner = { name = 'log_normal', men = 1 }",
            "line 9, time.inner.men: found an unknown key, expected \"mean\" (the nearest of mean, std)",
        ),
        (
            "[evaluation]\ndequantizers = ['truncated']",
            "line 8, evaluation.dequantizers[0]: found the unknown dequantizer \"truncated\", expected \"truncated_normal\"",
        ),
        (
            "[evaluation]\ndequantizers = [{ name = 'uniform', gamma = -50 }]",
            "line 8, evaluation.dequantizers[0].gamma: found -50, expected a level of the range [",
        ),
        (
            "[evaluation]\nsolver = 'rk45'",
            "line 8, evaluation.solver: found the unknown ODE solver \"rk45\", expected ",
        ),
        (
            "[evaluation]\nsolver = 'rk4'",
            "line 8, evaluation.solver: found \"rk4\", which has no error estimate, expected a solver with one",
        ),
        (
            "[evaluation]\ndivergence = { name = 'hutchinson', probe = 'gauss' }",
            "line 8, evaluation.divergence.probe: found the unknown name \"gauss\", expected \"gaussian\"",
        ),
        (
            "[sample]\ncount = 1.5",
            "line 8, sample.count: found floating point 1.5, expected a whole number, 0 or more",
        ),
        ("[sample\ncount = 1", "line 7: found bad TOML ("),
        ("name = 'mlp'", "line 7: found bad TOML ("),
    ];
    for (text, message) in cases {
        let line = recipe_refusal(&format!("{RECIPE}\n{text}\n"));
        assert!(line.starts_with(&format!("r.toml: {message}")), "{text}\n{line}\n{message}");
    }
}

#[test]
fn recipe_without_data_or_network() {
    assert_eq!(recipe_refusal(""), "r.toml: data: found nothing, expected this key, which has no default");
    let line = recipe_refusal("data.name = 'digits'");
    assert_eq!(line, "r.toml: network: found nothing, expected this key, which has no default");
    let line = recipe_refusal("data.name = 'digits'\nnetwork.name = 'resnet'");
    assert!(
        line.starts_with("r.toml: line 2, network.name: found the unknown network \"resnet\", expected "),
        "{line}"
    );
}

#[test]
fn recipe_files() {
    let folder = tempfile::tempdir().expect("a folder");
    assert!(refusal(folder.path(), &["train", "none.toml"]).starts_with("none.toml: cannot read: "));
    fs::create_dir(folder.path().join("dir")).expect("a folder");
    assert!(refusal(folder.path(), &["train", "dir"]).starts_with("dir: cannot read: "));
    fs::write(folder.path().join("bytes.toml"), b"\xff\xfe\x00").expect("a file");
    assert!(refusal(folder.path(), &["train", "bytes.toml"]).starts_with("bytes.toml: cannot read: "));
    fs::write(folder.path().join("two\nlines.toml"), "seed = 1").expect("a file");
    refusal(folder.path(), &["train", "two\nlines.toml"]);
}

#[test]
fn run_folders() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    fs::write(root.join("r.toml"), RECIPE).expect("a file");
    fs::create_dir_all(root.join("runs/r")).expect("a folder");
    fs::write(root.join("runs/r/recipe.toml"), RECIPE).expect("a file");
    let line = refusal(root, &["train", "r.toml"]);
    assert_eq!(
        line,
        "runs/r: run folder: found an earlier run, expected a new folder (--out), or --resume to continue that run"
    );
    // A recipe without a checkpoint was a run's, and is none.
    let network =
        "width = 32\nblocks = 2\nattention = \"middle\"\ndropout = 0.0\nfading = false\ncheckpoint = false\n";
    let recipe = format!("{RECIPE}{network}\n[range]\ngamma_min = -7.876079238381587\ngamma_max = 5\n");
    fs::write(root.join("runs/r/recipe.toml"), recipe).expect("a file");
    for arguments in [&["train", "r.toml", "--resume"][..], &["train", "r.toml", "--continue", "runs/r"]] {
        let line = refusal(root, arguments);
        let expected = "found none, expected the last one of the run, which was removed";
        assert_eq!(line, format!("runs/r/checkpoints: checkpoints: {expected}"));
    }

    fs::create_dir(root.join("photos")).expect("a folder");
    fs::write(root.join("photos/a.jpg"), b"x").expect("a file");
    let line = refusal(root, &["train", "r.toml", "--out", "photos"]);
    assert_eq!(line, "photos: run folder: found other files, expected a new or an empty folder");
    let line = refusal(root, &["train", "r.toml", "--out", "photos", "--resume"]);
    assert_eq!(
        line,
        "photos: run folder: found no recipe.toml, expected a folder that idode train has written"
    );
    let line = refusal(root, &["train", "r.toml", "--out", "nowhere", "--resume"]);
    assert_eq!(line, "nowhere: run folder: found nothing, expected a folder that idode train has written");
    let line = refusal(root, &["train", "r.toml", "--out", "r.toml"]);
    assert!(line.starts_with("r.toml: cannot use as run folder: "), "{line}");
    let line = refusal(root, &["train", "r.toml", "--out", "r.toml/run"]);
    assert!(line.starts_with("r.toml/run: cannot "), "{line}");

    for command in ["eval", "sample"] {
        let line = refusal(root, &[command, "nowhere"]);
        assert_eq!(
            line,
            "nowhere: run folder: found nothing, expected a folder that idode train has written"
        );
        refusal(root, &[command, "photos"]);
        refusal(root, &[command, "r.toml"]);
    }
}

#[test]
fn resume_with_another_recipe() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    fs::write(root.join("r.toml"), format!("{RECIPE}width = 64\n")).expect("a file");
    fs::create_dir(root.join("run")).expect("a folder");
    // As a run writes it: with every setting.
    let own = Recipe::parse("r.toml", RECIPE).and_then(|recipe| resolved(&recipe, &Registry::default()));
    let own = own.and_then(|recipe| recipe.to_toml()).expect("a recipe");
    fs::write(root.join("run/recipe.toml"), own).expect("a file");
    let line = refusal(root, &["train", "r.toml", "--out", "run", "--resume"]);
    assert!(
        line.starts_with("r.toml: line 6, network.width: found 64, expected 32, as the run in run has it"),
        "{line}"
    );
    fs::write(root.join("run/recipe.toml"), "seed = 'corrupt'").expect("a file");
    let line = refusal(root, &["train", "r.toml", "--out", "run", "--resume"]);
    assert!(line.starts_with("run/recipe.toml: line 1, seed: found string \"corrupt\""), "{line}");
    let line = refusal(root, &["eval", "run"]);
    assert!(line.starts_with("run/recipe.toml: line 1, seed: found string \"corrupt\""), "{line}");
}

#[test]
fn arguments() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    assert!(refusal(root, &[]).starts_with(
        "no command: expected train, eval, merge, ladder, sample, report, compare, import, export, bench, list or new-plugin"
    ));
    let line = refusal(root, &["trian"]);
    assert!(line.contains("trian") && line.contains("train"), "{line}");
    let line = refusal(root, &["train"]);
    assert!(line.contains("<RECIPE>"), "{line}");
    let line = refusal(root, &["train", "r.toml", "--resum"]);
    assert!(line.contains("--resum") && line.contains("--resume"), "{line}");
    let line = refusal(root, &["train", "r.toml", "--out", ""]);
    assert!(line.contains("--out"), "{line}");
    let line = refusal(root, &["sample", "run", "--count", "0"]);
    assert!(line.contains("--count") && line.contains('0'), "{line}");
    let line = refusal(root, &["sample", "run", "--count", "many"]);
    assert!(line.contains("many"), "{line}");
    for time in ["23", "1x", "-1s", ""] {
        let line = refusal(root, &["train", "r.toml", "--max-time", time]);
        assert!(line.contains("--max-time"), "{line}");
    }
    for other in [&["--resume"][..], &["--out", "x"], &["--dry-run"]] {
        let line = refusal(root, &[&["train", "r.toml", "--continue", "run"], other].concat());
        assert!(line.contains("--continue") && line.contains(other[0]), "{line}");
    }
}

#[test]
fn list_has_every_kind_and_survives_a_closed_pipe() {
    let folder = tempfile::tempdir().expect("a folder");
    let output = idode(folder.path(), &["list"]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    for name in ["vp", "velocity", "stratified", "truncated_normal", "dormand_prince", "arXiv 2305.03935"] {
        assert!(text.contains(name), "{name}\n{text}");
    }
    let mut child = Command::new(env!("CARGO_BIN_EXE_idode"))
        .arg("list")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("the binary ends");
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn help_and_version_go_to_standard_output() {
    let folder = tempfile::tempdir().expect("a folder");
    for arguments in [&["--help"][..], &["--version"], &["train", "--help"]] {
        let output = idode(folder.path(), arguments);
        assert!(output.status.success() && output.stderr.is_empty() && !output.stdout.is_empty());
    }
    let help = String::from_utf8(idode(folder.path(), &["--help"]).stdout).expect("UTF-8");
    assert!(
        help.contains("Exit codes:")
            && help.contains("  130  stopped by Ctrl-C, SIGTERM, SIGHUP or --max-time, with a checkpoint"),
        "{help}"
    );
}

/// Without the feature "cuda", or without a driver: one line, on every command that computes.
#[test]
fn devices_that_cannot_be_used_are_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("r.toml"), RECIPE).expect("a file");
    for more in [&["--device", "cuda:999"][..], &["--device", "cuda:999", "--dry-run"]] {
        let line = refusal(folder.path(), &[&["train", "r.toml"], more].concat());
        assert!(line.starts_with("device = cuda:999: expected "), "{line}");
    }
    let line = refusal(folder.path(), &["bench", "--case", "s", "--device", "cuda:999"]);
    assert!(line.starts_with("device = cuda:999: expected "), "{line}");
    let on_device = format!("device = \"cuda:999\"\n{RECIPE}");
    assert!(recipe_refusal(&on_device).starts_with("device = cuda:999: expected "));
    for name in ["gpu", "cuda:", "cuda:x"] {
        let line = refusal(folder.path(), &["eval", "run", "--device", name]);
        assert!(line.contains(&format!("device = \"{name}\": expected \"cpu\" or \"cuda:N\"")), "{line}");
    }
}

/// A full standard output is an error and not a success; colours and names are as the terminal and the system have them.
#[test]
#[cfg(target_os = "linux")]
fn full_outputs_and_odd_names() {
    use std::os::unix::ffi::OsStrExt;

    let full = fs::File::options().write(true).open("/dev/full").expect("the device");
    let mut list = Command::new(env!("CARGO_BIN_EXE_idode"));
    let output = list.arg("list").stdout(full).stderr(Stdio::piped()).output().expect("the binary runs");
    let line = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{line}");
    assert!(
        line.starts_with("error: standard output: cannot write: ") && line.lines().count() == 1,
        "{line}"
    );

    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("r.toml"), runs::tiny(1, "")).expect("a file");
    let name = std::ffi::OsStr::from_bytes(b"run\xff");
    let mut train = Command::new(env!("CARGO_BIN_EXE_idode"));
    train.current_dir(folder.path()).env("NO_COLOR", "1").args(["train", "r.toml", "--out"]).arg(name);
    let output = train.output().expect("the binary runs");
    assert!(output.status.success(), "{output:?}");
    assert!(folder.path().join(name).join("result.json").exists());
    assert!([output.stdout, output.stderr].iter().all(|said| !said.contains(&0x1b)));
}
