//! A device with too little memory, which only a device of host memory can be: see `cargo cuda-memory`.
#![cfg(all(feature = "cuda", feature = "cli"))]

use std::process::{Command, Output};

/// Trains on a device with this many bytes.
fn train(bytes: usize) -> Output {
    let folder = tempfile::tempdir().expect("a folder");
    let recipe = "data.name = 'two_pixel'\nnetwork = { name = 'mlp', width = 32, depth = 1 }\n\
        [[stage]]\nsteps = 2\nbatch = 32\n\
        [evaluation]\nimages = 6\nvlb_levels = 2\nstepping = { name = 'fixed', steps = 2 }\n\
        [sample]\ncount = 4\nstepping = { name = 'fixed', steps = 2 }\n";
    std::fs::write(folder.path().join("r.toml"), recipe).expect("a file");
    Command::new(env!("CARGO_BIN_EXE_idode"))
        .args(["train", "r.toml", "--out", "run", "--device", "cuda:0"])
        .env("IDODE_MEMORY_DRIVER_BYTES", bytes.to_string())
        .current_dir(folder.path())
        .output()
        .expect("the binary runs")
}

#[test]
fn a_device_without_enough_memory_is_one_line() {
    if std::env::var_os("IDODE_MEMORY_DRIVER").is_none() {
        return;
    }
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
