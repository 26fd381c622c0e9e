//! Checkpoints of the published code through the command line, and what a recipe would cost.

use super::{idode, refusal, tree};
use std::fs;
use std::path::Path;
use tempfile::TempDir;

/// A checkpoint that the published code wrote.
const PUBLISHED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/reference/checkpoint.flax");

/// Four 8x8x3 images, the recipe of that checkpoint's network, and the checkpoint.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let mut header = "{'descr': '|u1', 'fortran_order': False, 'shape': (4, 8, 8, 3), }".to_owned();
    while !(10 + header.len() + 1).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend(u16::try_from(header.len()).expect("a short header").to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend((0..4 * 192).map(|i| (i * 7 % 256) as u8));
    fs::write(folder.path().join("images.npy"), bytes).expect("a file");
    let recipe = "data = { name = 'npy', train = 'images.npy', test = 'images.npy', shape = [8, 8, 3] }
network = { name = 'unet', width = 32, blocks = 1, fourier = [6, 7] }
[[stage]]
steps = 2
batch = 2
[evaluation]
images = 1
vlb_levels = 2
dequantizers = ['truncated_normal']
stepping = { name = 'fixed', steps = 2 }
[sample]
count = 1
stepping = { name = 'fixed', steps = 2 }
";
    fs::write(folder.path().join("r.toml"), recipe).expect("a file");
    fs::copy(PUBLISHED, folder.path().join("published.flax")).expect("a file");
    folder
}

#[track_caller]
fn success(folder: &Path, arguments: &[&str]) -> String {
    let output = idode(folder, arguments);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {error}");
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn an_imported_checkpoint_is_measured_sampled_exported_and_trained() {
    let folder = folder();
    let root = folder.path();
    let said = success(root, &["import", "published.flax", "--recipe", "r.toml", "--out", "run"]);
    assert!(said.contains("the moving average is measured and sampled"), "{said}");
    success(root, &["export", "run", "again.flax"]);
    let published = fs::read(PUBLISHED).expect("a file");
    assert!(fs::read(root.join("again.flax")).expect("a file") == published, "not bit by bit");
    success(root, &["eval", "run"]);
    success(root, &["sample", "run"]);
    assert!(root.join("run/result.json").exists() && root.join("run/samples.png").exists());
    success(root, &["export", "run", "average.safetensors"]);
    success(root, &["train", "r.toml", "--out", "run", "--resume"]);
    success(root, &["export", "run", "trained.flax"]);
    assert!(fs::read(root.join("trained.flax")).expect("a file") != published, "nothing was trained");
}

#[test]
fn a_checkpoint_that_does_not_fit_is_refused() {
    let folder = folder();
    let root = folder.path();
    let import = ["import", "published.flax", "--recipe", "r.toml", "--out", "run"];
    let recipe = fs::read_to_string(root.join("r.toml")).expect("a file");
    fs::write(root.join("r.toml"), recipe.replace("blocks = 1", "blocks = 2")).expect("a file");
    let line = refusal(root, &import);
    assert!(line.starts_with("published.flax: ") && line.contains("down.block_1"), "{line}");
    fs::write(root.join("r.toml"), &recipe).expect("a file");
    let whole = fs::read(root.join("published.flax")).expect("a file");
    fs::write(root.join("published.flax"), &whole[..whole.len() / 2]).expect("a file");
    let line = refusal(root, &import);
    assert!(line.starts_with("published.flax: "), "{line}");
    let line = refusal(root, &["export", "nothing", "out.flax"]);
    assert!(line.starts_with("nothing: "), "{line}");
}

#[test]
fn a_dry_run_prints_costs_and_touches_nothing() {
    let folder = folder();
    let root = folder.path();
    let recipe = fs::read_to_string(root.join("r.toml")).expect("a file");
    let second = recipe
        .replace("[evaluation]", "[[stage]]\nobjective = 'second_order'\nsteps = 2\nbatch = 2\n[evaluation]");
    fs::write(root.join("r.toml"), second).expect("a file");
    // The images' shape is all that it needs of the data.
    let before = tree(root);
    let said = success(root, &["train", "r.toml", "--dry-run"]);
    assert_eq!(before, tree(root));
    for line in ["parameters ", "state ", "forward, an image ", "stage 0 ", "stage 1 "] {
        assert!(said.lines().any(|own| own.starts_with(line)), "{line}: {said}");
    }
}
