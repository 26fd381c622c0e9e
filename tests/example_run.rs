//! `examples/09_cifar10.rs` on a small file of CIFAR's format: killed and run again it ends where nothing stops it; and it is short.
#![cfg(feature = "cli")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const EXAMPLE: &str = "09_cifar10";

/// The program, which `cargo test` builds; with `--test` alone it is built here.
fn program() -> PathBuf {
    let own = std::env::current_exe().expect("a program");
    let folder = own.parent().and_then(Path::parent).expect("the folder of the profile");
    let path = folder.join("examples").join(EXAMPLE).with_extension(std::env::consts::EXE_EXTENSION);
    if !path.exists() {
        let built = Command::new(env!("CARGO")).args(["build", "--example", EXAMPLE]).status();
        assert!(built.expect("cargo").success(), "the example is built");
    }
    path
}

/// Every batch of CIFAR-10 with a few images, one label and 3,072 levels each.
fn cifar(folder: &Path) -> PathBuf {
    let batches = folder.join("cifar-10-batches-bin");
    fs::create_dir(&batches).expect("a folder");
    let names = (1..=5).map(|i| format!("data_batch_{i}.bin")).chain(["test_batch.bin".to_owned()]);
    for (batch, name) in names.enumerate() {
        let image = |i: usize| {
            let level = move |j: usize| (i * 31 + batch * 57 + j / 32 * 3 + j / 1024 * 50) as u8;
            std::iter::once((i % 10) as u8).chain((0..3072).map(level)).collect::<Vec<u8>>()
        };
        fs::write(batches.join(name), (0..3).flat_map(image).collect::<Vec<u8>>()).expect("a file");
    }
    batches
}

fn start(data: &Path, run: &Path) -> Child {
    let child = Command::new(program()).arg(data).arg(run).arg("small").stdout(Stdio::piped()).spawn();
    child.expect("the program runs")
}

fn finish(data: &Path, run: &Path) -> String {
    let output = start(data, run).wait_with_output().expect("the program ends");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn killed_and_run_again_it_ends_with_the_same_bytes() {
    let folder = tempfile::tempdir().expect("a folder");
    let (data, undisturbed, killed) =
        (cifar(folder.path()), folder.path().join("a"), folder.path().join("b"));
    let said = finish(&data, &undisturbed);
    assert!(said.contains("ode_truncated_normal"), "{said}");

    let mut child = start(&data, &killed);
    let begun = Instant::now();
    // Twelve steps of 26 are in the file, four checkpoints are written.
    let logged = || fs::read_to_string(killed.join("metrics.jsonl")).map_or(0, |text| text.lines().count());
    while logged() < 4 {
        assert!(begun.elapsed() < Duration::from_secs(300), "no step");
        std::thread::sleep(Duration::from_millis(2));
    }
    child.kill().expect("a running child");
    assert_eq!(child.wait().expect("the program ends").code(), None);
    assert!(!killed.join("result.json").exists(), "it was killed in training");
    finish(&data, &killed);
    for file in ["checkpoints/last.safetensors", "records.json", "samples.png", "recipe.toml"] {
        let read = |run: &Path| fs::read(run.join(file)).expect("a file");
        assert!(read(&undisturbed) == read(&killed), "{file}");
    }
    // Every part has a name, so the folder is one that the command line opens.
    assert!(fs::read_to_string(killed.join("recipe.toml")).expect("a recipe").starts_with("seed = 0"));
    let model = idode::model::Model::load(&killed).expect("built-in names alone");
    assert_eq!(model.step(), 26);
}

#[test]
fn main_is_at_most_thirty_lines() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(EXAMPLE).with_extension("rs");
    let text = fs::read_to_string(path).expect("the example");
    let body =
        text.split_once("\nfn main() -> Result<()> {\n").and_then(|(_, rest)| rest.split_once("\n}\n"));
    let (body, after) = body.expect("a main");
    let code = body.lines().filter(|line| !line.trim().is_empty() && !line.trim().starts_with("//"));
    let lines = code.count();
    assert!(lines <= 30 && after.trim().is_empty(), "{lines} lines");
}
