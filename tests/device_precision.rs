//! A run in TF32 on a device of host memory: what is trained in it, what is measured in it, and a card that has none.
#![cfg(all(feature = "cuda", feature = "cli"))]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// The data, the network and a few steps, after `head`.
fn recipe(head: &str) -> String {
    format!(
        "{head}device = 'cuda:0'\ndata.name = 'digits'\n\
         network = {{ name = 'unet', width = 32, blocks = 1, attention = 'every_block', checkpoint = true }}\n\
         [[stage]]\nsteps = 5\nbatch = 4\nlearning_rate = 1e-3\n[log]\nevery = 1\n\
         [validation]\nevery = 5\nimages = 2\nvlb_levels = 2\node_steps = 2\node_images = 2\n\
         [evaluation]\nimages = 2\nvlb_levels = 2\ndequantizers = ['uniform']\nstepping = {{ name = 'fixed', steps = 2 }}\n\
         [sample]\ncount = 2\nstepping = {{ name = 'fixed', steps = 2 }}\n"
    )
}

/// Runs the program on a card of this compute capability.
fn idode(folder: &Path, capability: &str, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_idode"))
        .args(arguments)
        .env("IDODE_MEMORY_DRIVER_CAPABILITY", capability)
        .current_dir(folder)
        .output()
        .expect("the binary runs")
}

#[track_caller]
fn done(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The line of a refusal.
#[track_caller]
fn refused(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), text.lines().count()), (Some(2), 1), "{text}");
    text
}

/// A number of each line of the metrics.
fn numbers(run: &Path, key: &str) -> Vec<f64> {
    let text = fs::read_to_string(run.join("metrics.jsonl")).expect("metrics");
    let value = |line: &str| serde_json::from_str::<serde_json::Value>(line).expect("a line")[key].as_f64();
    text.lines().filter_map(value).collect()
}

fn result(run: &Path) -> serde_json::Value {
    serde_json::from_slice(&fs::read(run.join("result.json")).expect("a result")).expect("JSON")
}

/// The estimates' values.
fn values(run: &Path) -> Vec<f64> {
    let found = result(run);
    let estimates = found["estimates"].as_array().expect("estimates").iter();
    estimates.map(|estimate| estimate["bits_per_dim"].as_f64().expect("a number")).collect()
}

fn apart(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs() / a.abs()).fold(0.0, f64::max)
}

#[test]
fn training_is_in_tf32_and_what_is_measured_is_not_unless_it_is_asked_for() {
    if std::env::var_os("IDODE_MEMORY_DRIVER").is_none() {
        eprintln!("not run: no device of host memory");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    for (name, head) in [("single", ""), ("tf32", "precision = 'tf32'\n")] {
        fs::write(root.join(format!("{name}.toml")), recipe(head)).expect("a file");
    }
    let train = |name: &str, capability: &str| {
        idode(root, capability, &["train", &format!("{name}.toml"), "--out", name])
    };

    // An older card has none, and nothing is written.
    let line = refused(&train("tf32", "75"));
    let found =
        "error: tf32.toml: line 1, precision: found tf32 on a card of compute capability 7.5, expected f32; ";
    assert!(line.starts_with(found) && !root.join("tf32").exists(), "{line}");
    let bench = ["bench", "--case", "s", "--batch", "1", "--device", "cuda:0", "--precision", "tf32"];
    let line = refused(&idode(root, "75", &bench));
    assert!(line.starts_with("error: precision = tf32 on a card of compute capability 7.5: "), "{line}");

    done(&train("single", "80"));
    let said = done(&train("tf32", "80"));
    assert!(said.contains("split, after step 5, trained in tf32\n"), "{said}");
    let [single, tf32] = ["single", "tf32"].map(|name| root.join(name));
    let losses = [&single, &tf32].map(|run| numbers(run, "bits_per_dim"));
    let most = apart(&losses[0], &losses[1]);
    println!("losses of 5 steps in tf32 are apart from those in f32 by {most:.1e}");
    assert!(most > 0.0 && most < 1e-2, "{losses:?}");

    // The recipe, the checkpoint and the result say it; a run in f32 says nothing.
    let state = b"\\\"precision\\\":\\\"tf32\\\"";
    for (run, is_tf32) in [(&single, false), (&tf32, true)] {
        let bytes = fs::read(run.join("checkpoints/last.safetensors")).expect("a checkpoint");
        assert_eq!(bytes.windows(state.len()).any(|part| part == state), is_tf32);
        let text = fs::read_to_string(run.join("recipe.toml")).expect("a recipe");
        assert_eq!(text.contains("\nprecision = \"tf32\"\n"), is_tf32, "{text}");
        let found = result(run);
        assert_eq!(found.get("training_precision").is_some(), is_tf32);
        assert!(found.get("precision").is_none());
    }

    // On a card that has no TF32 the same checkpoint has the same numbers: they were f32, after training and on their own.
    let measured = fs::read(tf32.join("result.json")).expect("a result");
    for capability in ["80", "75"] {
        done(&idode(root, capability, &["eval", "tf32"]));
        assert!(fs::read(tf32.join("result.json")).expect("a result") == measured, "{capability}");
    }
    let samples = |capability: &str| {
        done(&idode(root, capability, &["sample", "tf32"]));
        fs::read(tf32.join("samples.png")).expect("samples")
    };
    assert!(samples("80") == samples("75"));

    // Asked for, it is had, and said.
    let before = values(&tf32);
    let recipe = fs::read_to_string(tf32.join("recipe.toml")).expect("a recipe");
    let asked = recipe.replace("[evaluation]\n", "[evaluation]\nprecision = \"tf32\"\n");
    fs::write(tf32.join("recipe.toml"), asked).expect("a file");
    let line = refused(&idode(root, "75", &["eval", "tf32"]));
    assert!(line.contains("evaluation.precision: found tf32 on a card of compute capability 7.5"), "{line}");
    let said = done(&idode(root, "80", &["eval", "tf32"]));
    assert!(said.contains("split, after step 5, trained in tf32, measured in tf32\n"), "{said}");
    let after = values(&tf32);
    let most = apart(&before, &after);
    println!("estimates in tf32 are apart from those in f32 by {most:.1e}");
    assert!(most > 0.0 && most < 1e-2, "{before:?} {after:?}");
    assert_eq!(result(&tf32)["precision"], "tf32");
}

/// What the variable may do to either precision is not left to it.
#[test]
fn the_variable_that_overrides_tf32_is_seen() {
    if std::env::var_os("IDODE_MEMORY_DRIVER").is_none() {
        eprintln!("not run: no device of host memory");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("r.toml"), recipe("precision = 'tf32'\n")).expect("a file");
    for (value, found) in [
        ("0", "error: r.toml: line 1, precision: found tf32 with NVIDIA_TF32_OVERRIDE=0, expected f32; "),
        ("1", "error: device = cuda:0: expected NVIDIA_TF32_OVERRIDE unset or 0, not \"1\": "),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_idode"))
            .args(["train", "r.toml", "--out", "run"])
            .env("NVIDIA_TF32_OVERRIDE", value)
            .current_dir(folder.path())
            .output()
            .expect("the binary runs");
        let line = refused(&output);
        assert!(line.starts_with(found), "{line}");
        assert!(!folder.path().join("run").exists());
    }
}
