//! What crosses between the host and a device: every line of the rooms that compute on tensors, and why.
//!
//! In a step of training or of the solver that is the batch, draws, numbers of whole rows, fixed tables, and losses. The lines of the
//! table are all there are: a new one fails here until it has its line.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms whose code runs in a step; `tensor/cpu` is the host itself, and `tensor/cuda` brings tables there, and back sums of squares and what
/// the solver asks of rows.
const ROOMS: &[&str] =
    &["tensor", "nn", "objective", "train", "divergence", "likelihood", "solver", "sample.rs"];

/// What takes numbers to a device or brings them back. dfdx's `ones_like` and its random tensors are made on the host.
const CROSSINGS: &[&str] = &[
    ".as_vec()",
    ".array()",
    ".tensor_from_vec(",
    ".copy_from(",
    ".copy_into(",
    "upload(",
    ".download()",
    ".ones_like(",
    ".fill_with_ones(",
    ".sample_",
    // What a parameter does with the above, whatever its shape.
    ".numbers()",
    "parameter.replace(",
];

/// A file, how many such lines it has, and what crosses there.
const PLACES: &[(&str, usize, &str)] = &[
    // In a step.
    ("tensor/dropout.rs", 1, "a mask, one bit an element: a draw"),
    (
        "tensor/rows.rs",
        4,
        "a coefficient for each row, and features of its time; back, an error and a finiteness of each row",
    ),
    ("objective/passes.rs", 3, "a probe and a unit vector: draws; back, losses of rows"),
    ("train/trainer.rs", 2, "the batch and its noise; back, losses of rows"),
    (
        "train/gradients.rs",
        2,
        "gradients of several ranks that no engine adds on their devices, and back their sums",
    ),
    ("train/score.rs", 2, "states at which noise in training asks for the network, and its answers"),
    ("tensor/update.rs", 1, "back, a sum of squares for each parameter, together"),
    (
        "likelihood/device_field.rs",
        3,
        "probes; back, products or forms of them, where a divergence asks for those",
    ),
    ("likelihood/state.rs", 4, "the first states and the last; which rows go on"),
    ("likelihood/batched_network.rs", 7, "states of a solve that lives on the host"),
    ("likelihood/flow.rs", 2, "the states of rows as they begin; back, as they end"),
    // Once.
    ("tensor/kernels.rs", 1, "`upload` itself"),
    ("tensor/trial.rs", 7, "drawn inputs and what candidates make of them, at the first use of a shape"),
    ("tensor/portable.rs", 1, "tables of indices, once a thread"),
    ("nn/fourier.rs", 2, "frequencies, once; in a step, factors for each row"),
    ("nn/init.rs", 1, "initial weights: draws"),
    ("nn/norm.rs", 1, "initial scales"),
    ("nn/parameters.rs", 2, "`Parameter::{numbers, replace}` themselves"),
    ("train/optimizer.rs", 3, "the start of the moving average, and its end"),
    ("train/checkpoint.rs", 5, "what is saved and read"),
];

#[test]
fn nothing_else_crosses_between_host_and_device() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = BTreeMap::new();
    for room in ROOMS {
        count(&src, &src.join(room), &mut found);
    }
    let table: BTreeMap<String, usize> = PLACES.iter().map(|(file, n, _)| ((*file).to_owned(), *n)).collect();
    let odd = found.iter().filter(|(file, places)| table.get(*file) != Some(&places.len()));
    let odd: Vec<_> = odd.collect();
    assert!(odd.is_empty(), "{odd:#?}");
    for file in table.keys() {
        assert!(found.contains_key(file), "{file}: nothing crosses there");
    }
}

/// The lines with a crossing, by file; comments, tests and the processor's own kernels left out.
fn count(src: &Path, path: &Path, found: &mut BTreeMap<String, Vec<String>>) {
    if ["tensor/cpu", "tensor/cuda"].iter().any(|host| path.ends_with(host)) {
        return;
    }
    if path.is_dir() {
        let mut entries: Vec<PathBuf> =
            fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()).collect();
        entries.sort();
        entries.iter().for_each(|entry| count(src, entry, found));
        return;
    }
    if path.ends_with("tests.rs") {
        return;
    }
    let text = fs::read_to_string(path).unwrap();
    // By habit of the house the tests of a file are its last module.
    let code = text.split("\nmod tests {").next().unwrap_or_default();
    let code = code.lines().map(|line| line.split("//").next().unwrap_or_default());
    let crossing = |line: &&str| CROSSINGS.iter().any(|crossing| line.contains(crossing));
    let places: Vec<String> = code.filter(crossing).map(|line| line.trim().to_owned()).collect();
    if !places.is_empty() {
        found.insert(path.strip_prefix(src).unwrap().to_string_lossy().replace('\\', "/"), places);
    }
}
