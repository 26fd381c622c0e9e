//! A device with too little memory, or one that fails, which only a device of host memory can be: see `cargo cuda-memory`.
#![cfg(all(feature = "cuda", feature = "cli"))]

use std::path::Path;
use std::process::{Command, Output};

/// Trains in a folder on a device of which these variables tell.
fn train(folder: &Path, more: &[&str], variables: &[(&str, &str)]) -> Output {
    let recipe = "data.name = 'two_pixel'\nnetwork = { name = 'mlp', width = 32, depth = 1 }\n\
        [[stage]]\nsteps = 2\nbatch = 32\n\
        [evaluation]\nimages = 6\nvlb_levels = 2\nstepping = { name = 'fixed', steps = 2 }\n\
        [sample]\ncount = 4\nstepping = { name = 'fixed', steps = 2 }\n";
    std::fs::write(folder.join("r.toml"), recipe).expect("a file");
    Command::new(env!("CARGO_BIN_EXE_idode"))
        .args(["train", "r.toml", "--out", "run", "--device", "cuda:0"])
        .args(more)
        .envs(variables.iter().copied())
        .current_dir(folder)
        .output()
        .expect("the binary runs")
}

#[test]
fn a_device_without_enough_memory_is_one_line() {
    if std::env::var_os("IDODE_MEMORY_DRIVER").is_none() {
        return;
    }
    let train = |bytes: usize| {
        let folder = tempfile::tempdir().expect("a folder");
        train(folder.path(), &[], &[("IDODE_MEMORY_DRIVER_BYTES", &bytes.to_string())])
    };
    let enough = train(1 << 30);
    assert!(enough.status.success(), "{enough:?}");
    for bytes in [1000, 10_000, 40_000] {
        let output = train(bytes);
        let text = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), text.lines().count()), (Some(2), 1), "{bytes}: {text}");
        assert!(text.starts_with("error: out of memory on the device: "), "{text}");
        let numbers: Vec<usize> = text.split(' ').filter_map(|word| word.parse().ok()).collect();
        assert_eq!(numbers.len(), 2, "{text}");
        assert!(numbers[0] > numbers[1] && numbers[1] <= bytes, "{text}");
        assert!(text.contains("batch") && text.contains("accumulation"), "{text}");
    }
}

/// Where it is found by no check of the kernels.
#[test]
fn a_device_that_fails_is_one_line_and_the_run_goes_on() {
    if std::env::var_os("IDODE_MEMORY_DRIVER").is_none() {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let fails = [("IDODE_MEMORY_DRIVER_WRONG", "adamw:fails"), ("IDODE_CUDA_CANDIDATE", "own")];
    let output = train(folder.path(), &[], &fails);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!((output.status.code(), text.lines().count()), (Some(2), 1), "{text}");
    assert!(text.starts_with("error: device = CUDA_ERROR_") && text.contains("expected no error"), "{text}");
    let resumed = train(folder.path(), &["--resume"], &[]);
    assert!(resumed.status.success(), "{resumed:?}");
}
