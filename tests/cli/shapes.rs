//! Rows of any shape by recipe: trained, measured and sampled.

use super::{SMALL_MEASUREMENT, idode, refusal};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::fs;
use std::path::Path;

const STAGE: &str = "[[stage]]\nsteps = 2\nbatch = 2\n";

/// Grey levels that nobody drew.
fn levels(count: usize, seed: u64) -> Vec<u8> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|_| rng.r#gen()).collect()
}

/// An IDX file of bytes.
fn idx(path: &Path, shape: &[usize]) {
    let mut bytes = vec![0, 0, 8, shape.len() as u8];
    bytes.extend(shape.iter().flat_map(|&side| (side as u32).to_be_bytes()));
    bytes.extend(levels(shape.iter().product(), 1));
    fs::write(path, bytes).expect("a file");
}

/// A NumPy array of bytes.
fn npy(path: &Path, shape: &str, count: usize) {
    let mut header = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}");
    while (header.len() + 11) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.bytes().chain(levels(count, 2)));
    fs::write(path, bytes).expect("a file");
}

/// Trains a recipe in `folder`; gives its result.
fn trained(folder: &Path, recipe: &str) -> serde_json::Value {
    fs::write(folder.join("r.toml"), recipe).expect("a file");
    let output = idode(folder, &["train", "r.toml", "--out", "run"]);
    assert!(output.status.success(), "{recipe}: {}", String::from_utf8_lossy(&output.stderr));
    let text = fs::read_to_string(folder.join("run/result.json")).expect("a result");
    let result: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    for estimate in result["estimates"].as_array().expect("estimates") {
        assert!(estimate["bits_per_dim"].as_f64().is_some_and(f64::is_finite), "{recipe}: {estimate}");
    }
    assert!(fs::read(folder.join("run/samples.png")).expect("a PNG").starts_with(b"\x89PNG"));
    result
}

#[test]
fn images_of_any_size_train() {
    let unet = "[network]\nname = 'unet'\nwidth = 32\nblocks = 1\n";
    let files = |name: &str| format!("[data]\nname = '{name}'\ntrain = 'x'\ntest = 'x'\n");
    for shape in [&[4, 28, 28][..], &[4, 32, 32], &[4, 16, 16, 3], &[4, 5, 7]] {
        let folder = tempfile::tempdir().expect("a folder");
        idx(&folder.path().join("x"), shape);
        let recipe = format!("{}{unet}{STAGE}{SMALL_MEASUREMENT}", files("idx"));
        assert_eq!(trained(folder.path(), &recipe)["estimates"].as_array().map(Vec::len), Some(2));
    }
    let folder = tempfile::tempdir().expect("a folder");
    npy(&folder.path().join("x"), "(4, 8, 16)", 4 * 8 * 16);
    trained(folder.path(), &format!("{}{unet}{STAGE}{SMALL_MEASUREMENT}", files("npy")));
    // And an MLP, which takes an image for a row of numbers.
    let mlp = "[network]\nname = 'mlp'\nwidth = 24\ndepth = 1\n";
    fs::remove_dir_all(folder.path().join("run")).expect("a folder");
    trained(folder.path(), &format!("{}{mlp}{STAGE}{SMALL_MEASUREMENT}", files("npy")));
}

#[test]
fn photographs_of_64_pixels_train() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::create_dir(folder.path().join("images")).expect("a folder");
    for i in 0..3 {
        let path = folder.path().join(format!("images/{i}.png"));
        image::RgbImage::from_raw(64, 64, levels(64 * 64 * 3, i))
            .expect("an image")
            .save(path)
            .expect("a file");
    }
    let data = "[data]\nname = 'folder'\ntrain = 'images'\ntest = 'images'\nshape = [64, 64, 3]\n";
    let recipe =
        format!("{data}[network]\nname = 'unet'\nwidth = 32\nblocks = 1\n{STAGE}{SMALL_MEASUREMENT}");
    trained(folder.path(), &recipe);
}

#[test]
fn class_labels_are_conditions() {
    let folder = tempfile::tempdir().expect("a folder");
    let unet = "[network]\nname = 'unet'\nwidth = 32\nblocks = 1\n";
    let data = "[data]\nname = 'digits'\ncondition = 'label'\n";
    trained(folder.path(), &format!("{data}{unet}{STAGE}{SMALL_MEASUREMENT}"));
    let output = idode(folder.path(), &["sample", "run", "--count", "2", "--condition", "label=3"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for (given, line) in [
        ("label=10", "condition \"label\" = 10: expected a class, 0 to 9"),
        ("colour=1", "condition = \"colour\": expected label, once"),
    ] {
        let found = refusal(folder.path(), &["sample", "run", "--condition", given]);
        assert!(found.contains(line), "{found}");
    }
    // Labels that are not there.
    idx(&folder.path().join("x"), &[4, 8, 8]);
    let data = "[data]\nname = 'idx'\ntrain = 'x'\ntest = 'x'\ncondition = 'label'\n";
    fs::write(folder.path().join("r.toml"), format!("{data}{unet}{STAGE}")).expect("a file");
    let found = refusal(folder.path(), &["train", "r.toml", "--out", "other"]);
    assert!(found.contains("line 5, data.condition: found \"label\", expected no such key"), "{found}");
}
