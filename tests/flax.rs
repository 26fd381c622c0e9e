//! Checkpoints of the published code: in, out again bit by bit, and corruption.
#![allow(clippy::unwrap_used, clippy::panic)]

use idode::commands::{Destination, Imported, Trained, Weights, export, import, train};
use idode::config::Recipe;
use idode::flax::{Array, TrainState, Tree};
use idode::model::Model;
use idode::progress::Silent;
use idode::registry::Registry;
use idode::run::RunFolder;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const WIDTH: usize = 32;

/// Two 8x8x3 images of each kind, and a recipe that trains the smallest published network on them.
fn recipe(folder: &Path) -> Recipe {
    let mut text = "{'descr': '|u1', 'fortran_order': False, 'shape': (4, 8, 8, 3), }".to_owned();
    while !(10 + text.len() + 1).is_multiple_of(64) {
        text.push(' ');
    }
    text.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.extend((0..4 * 192).map(|i| (i * 7 % 256) as u8));
    let data = folder.join("images.npy");
    fs::write(&data, bytes).unwrap();
    let text = format!(
        "data = {{ name = 'npy', train = {data:?}, test = {data:?} }}\n\
         network = {{ name = 'unet', width = {WIDTH}, blocks = 1 }}\n\
         [[stage]]\nsteps = 2\nbatch = 2\n\
         [evaluation]\nimages = 1\nvlb_levels = 2\ndequantizers = ['truncated_normal']\n\
         stepping = {{ name = 'fixed', steps = 2 }}\n\
         [sample]\ncount = 1\nstepping = {{ name = 'fixed', steps = 2 }}\n"
    );
    Recipe::parse("r.toml", &text).unwrap()
}

/// The published names and shapes of that network's parameters.
fn shapes() -> BTreeMap<String, Vec<usize>> {
    let w = WIDTH;
    let mut all = BTreeMap::new();
    let mut add = |name: &str, shape: &[usize]| all.insert(format!("score_model/{name}"), shape.to_vec());
    for (name, inputs, outputs) in [("conv_in", 15, w), ("conv_out", w, 3)] {
        add(&format!("{name}/kernel"), &[3, 3, inputs, outputs]);
        add(&format!("{name}/bias"), &[outputs]);
    }
    for (name, inputs) in [("dense0", w + 1), ("dense1", 4 * w)] {
        add(&format!("{name}/kernel"), &[inputs, 4 * w]);
        add(&format!("{name}/bias"), &[4 * w]);
    }
    for part in ["scale", "bias"] {
        add(&format!("GroupNorm_0/{part}"), &[w]);
        add(&format!("mid.attn_1/GroupNorm_0/{part}"), &[w]);
    }
    for head in ["q", "k", "v", "proj_out"] {
        add(&format!("mid.attn_1/{head}/kernel"), &[w, w]);
        add(&format!("mid.attn_1/{head}/bias"), &[w]);
    }
    let blocks = [
        ("down.block_0", w),
        ("mid.block_1", w),
        ("mid.block_2", w),
        ("up.block_0", 2 * w),
        ("up.block_1", 2 * w),
    ];
    for (name, inputs) in blocks {
        for part in ["scale", "bias"] {
            add(&format!("{name}/GroupNorm_0/{part}"), &[inputs]);
            add(&format!("{name}/GroupNorm_1/{part}"), &[w]);
        }
        add(&format!("{name}/conv1/kernel"), &[3, 3, inputs, w]);
        add(&format!("{name}/conv2/kernel"), &[3, 3, w, w]);
        add(&format!("{name}/conv1/bias"), &[w]);
        add(&format!("{name}/conv2/bias"), &[w]);
        add(&format!("{name}/cond_proj/kernel"), &[4 * w, w]);
        if inputs > w {
            add(&format!("{name}/nin_shortcut/kernel"), &[inputs, w]);
            add(&format!("{name}/nin_shortcut/bias"), &[w]);
        }
    }
    all
}

fn branch(parts: Vec<(&str, Tree)>) -> Tree {
    Tree::Branch(parts.into_iter().map(|(name, part)| (name.to_owned(), part)).collect())
}

/// Puts leaves under their paths.
fn nested(leaves: BTreeMap<String, Tree>) -> Tree {
    let mut parts: BTreeMap<String, BTreeMap<String, Tree>> = BTreeMap::new();
    let mut whole = BTreeMap::new();
    for (path, leaf) in leaves {
        match path.split_once('/') {
            Some((first, rest)) => {
                parts.entry(first.to_owned()).or_default().insert(rest.to_owned(), leaf);
            }
            None => {
                whole.insert(path, leaf);
            }
        }
    }
    whole.extend(parts.into_iter().map(|(name, leaves)| (name, nested(leaves))));
    Tree::Branch(whole)
}

/// Parameters that differ in every bit pattern from set to set.
fn parameters(seed: u32) -> Tree {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 * 0.1 - 0.05 + 1e-39
    };
    nested(
        shapes()
            .into_iter()
            .map(|(name, shape)| {
                let values: Vec<f32> = (0..shape.iter().product()).map(|_| next()).collect();
                (name, Tree::Array(Array::float32(shape, &values).unwrap()))
            })
            .collect(),
    )
}

fn integer(value: i32) -> Tree {
    Tree::Array(Array::new("int32", vec![], value.to_le_bytes().into()).unwrap())
}

/// A whole training state as `optax.adamw` behind `clip_by_global_norm` leaves it.
fn state() -> Tree {
    let empty = || branch(vec![]);
    let squares = |tree: Tree| {
        let arrays = tree.arrays().into_iter().map(|(name, array)| {
            let squares: Vec<f32> = array.values().unwrap().iter().map(|value| value * value).collect();
            (name, Tree::Array(Array::float32(array.shape().to_vec(), &squares).unwrap()))
        });
        nested(arrays.collect())
    };
    let adam = branch(vec![("count", integer(41)), ("mu", parameters(3)), ("nu", squares(parameters(4)))]);
    let chain = branch(vec![("0", adam), ("1", branch(vec![("inner_state", empty())])), ("2", empty())]);
    branch(vec![
        ("ema_params", parameters(1)),
        ("opt_state", branch(vec![("0", empty()), ("1", chain)])),
        ("params", parameters(2)),
        ("step", integer(42)),
    ])
}

/// A folder with a file of `tree` and a recipe for it.
struct Case {
    folder: tempfile::TempDir,
    recipe: Recipe,
    file: PathBuf,
}

impl Case {
    fn of(name: &str, tree: &Tree) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(name);
        tree.save(&file).unwrap();
        let recipe = recipe(folder.path());
        Self { folder, recipe, file }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn import(&self, run: &str, chosen: Weights) -> Result<Imported, String> {
        import(&self.file, &self.recipe, &Registry::default(), &self.path(run), chosen)
            .map_err(|error| error.to_string())
    }

    fn export(&self, run: &str, to: &str) -> Tree {
        export(&RunFolder::open(&self.path(run)).unwrap(), &Registry::default(), &self.path(to)).unwrap();
        Tree::load(self.path(to)).unwrap()
    }
}

#[test]
fn what_goes_in_comes_out() {
    let case = Case::of("checkpoint.flax", &state());
    let found = case.import("run", Weights::Average).unwrap();
    assert_eq!((found.step, found.has_average, found.has_moments), (42, true, true));
    let expected: usize = shapes().values().map(|shape| shape.iter().product::<usize>()).sum();
    assert_eq!(found.parameters, expected);
    assert_eq!(case.export("run", "again.flax"), state());
    assert_eq!(fs::read(&case.file).unwrap(), fs::read(case.path("again.flax")).unwrap());
    // The average alone, under the same names.
    assert_eq!(case.export("run", "average.safetensors"), parameters(1));
    // A file that is there stays as it is.
    let run = RunFolder::open(&case.path("run")).unwrap();
    let error = export(&run, &Registry::default(), &case.file).unwrap_err().to_string();
    assert!(error.ends_with("checkpoint.flax: checkpoint: found a file, expected a new one"), "{error}");
}

#[test]
fn raw_parameters_take_the_place_of_the_average() {
    let case = Case::of("checkpoint.flax", &state());
    case.import("raw", Weights::Raw).unwrap();
    assert_eq!(case.export("raw", "raw.safetensors"), parameters(2));
}

#[test]
fn parameters_alone_are_enough() {
    for name in ["parameters.safetensors", "parameters.flax"] {
        let case = Case::of(name, &parameters(5));
        let found = case.import("run", Weights::Average).unwrap();
        assert_eq!((found.step, found.has_average, found.has_moments), (0, false, false));
        assert_eq!(case.export("run", "again.safetensors"), parameters(5));
        let whole = case.export("run", "whole.flax");
        let zeros =
            |tree: &Tree| tree.arrays().values().all(|array| array.bytes().iter().all(|&byte| byte == 0));
        let adam = whole.get("opt_state").unwrap().get("0").unwrap();
        assert!(zeros(adam.get("mu").unwrap()) && zeros(adam.get("nu").unwrap()));
        assert_eq!(adam.get("mu").unwrap().arrays().len(), shapes().len());
        assert_eq!(whole.get("params"), whole.get("ema_params"));
        assert_eq!(whole.get("params"), Some(&parameters(5)));
    }
}

#[test]
fn an_imported_run_is_measured_sampled_and_trained_further() {
    let case = Case::of("checkpoint.flax", &state());
    case.import("run", Weights::Average).unwrap();
    let model = Model::load(case.path("run")).unwrap();
    assert_eq!(model.step(), 42);
    assert!(model.bits_per_dim(&[128; 192]).unwrap().summary.bits_per_dim.is_finite());
    let destination = Destination::Resume(case.path("run"));
    let trained = train(&case.recipe, &Registry::default(), &destination, &mut Silent).unwrap();
    let Trained::Finished(outcome) = trained else { panic!("interrupted") };
    assert_eq!(outcome.step, 44);
    let after = case.export("run", "after.flax");
    let optimizer = after.get("opt_state").unwrap().get("1").unwrap().get("0").unwrap();
    assert_eq!(optimizer.get("count"), Some(&integer(43)));
    assert_eq!(after.get("step"), Some(&integer(44)));
    // The average moves on from the imported one: by at most a tenth of its way to the parameters a step,
    // (1 - decay) with decay >= min(0.9999, 43/52).
    let values = |tree: &Tree, part: &str| {
        tree.get(part).unwrap().arrays()["score_model/conv_in/bias"].values().unwrap()
    };
    let (old, new) = (values(&state(), "ema_params"), values(&after, "ema_params"));
    let raw = values(&after, "params");
    for ((old, new), raw) in old.iter().zip(&new).zip(&raw) {
        assert!((new - old).abs() <= 0.4 * (raw - old).abs() + 1e-4, "{old} {new} {raw}");
        assert_ne!(old.to_bits(), new.to_bits());
    }
}

#[test]
fn names_and_shapes_must_fit() {
    let change = |name: &str, leaf: Option<Tree>| {
        let whole = parameters(1);
        let mut leaves: BTreeMap<String, Tree> =
            whole.arrays().into_iter().map(|(name, array)| (name, Tree::Array(array.clone()))).collect();
        match leaf {
            Some(leaf) => leaves.insert(name.to_owned(), leaf),
            None => leaves.remove(name),
        };
        nested(leaves)
    };
    let zeros = |shape: &[usize]| {
        Some(Tree::Array(Array::float32(shape.to_vec(), &vec![0.0; shape.iter().product()]).unwrap()))
    };
    let half = Array::new("float16", vec![32], vec![0; 64]).unwrap();
    let nan = Array::float32(vec![3], &[0.0, f32::NAN, 0.0]).unwrap();
    let kernel = "score_model/conv_in/kernel";
    let cases = [
        (
            change(kernel, None),
            "params conv_in/kernel: found nothing, expected float32 of shape [3, 3, 15, 32]",
        ),
        (
            change(kernel, zeros(&[3, 3, 3, 32])),
            "params conv_in/kernel: found float32 of shape [3, 3, 3, 32], expected float32 of shape [3, 3, 15, 32]",
        ),
        (
            change(kernel, zeros(&[135, 32])),
            "params conv_in/kernel: found float32 of shape [135, 32], expected float32 of shape [3, 3, 15, 32]",
        ),
        (
            change("score_model/GroupNorm_0/bias", Some(Tree::Array(half))),
            "params GroupNorm_0/bias: found float16 of shape [32], expected float32 of shape [32]",
        ),
        (
            change("score_model/conv_out/bias", Some(Tree::Array(nan))),
            "params conv_out/bias: value 1: found NaN, expected a finite number",
        ),
        (
            change("score_model/down.block_1/conv1/bias", zeros(&[32])),
            "params down.block_1/conv1/bias: found float32 of shape [32], expected no parameter that the recipe's network lacks",
        ),
        (
            change("gamma/w", zeros(&[1])),
            "gamma/w: found float32 of shape [1], expected parameters of score_model alone",
        ),
        (
            branch(vec![("weights", parameters(1))]),
            "content: found [\"weights\"], expected params, or score_model",
        ),
    ];
    for (tree, expected) in cases {
        let case = Case::of("c.flax", &tree);
        let error = case.import("run", Weights::Average).unwrap_err();
        assert!(error.ends_with(&format!("c.flax: {expected}")), "{error}\n{expected}");
        assert!(!case.path("run").exists());
    }
    // The average and the moments are looked at too.
    for (place, part) in [("ema_params", "ema_params"), ("opt_state", "mu")] {
        let broken = parameters(9).get("score_model").unwrap().get("dense0").unwrap().clone();
        let broken = branch(vec![("score_model", branch(vec![("dense0", broken)]))]);
        let adam = branch(vec![("count", integer(1)), ("mu", broken.clone()), ("nu", parameters(1))]);
        let part_of = if place == "opt_state" { branch(vec![("0", adam)]) } else { broken };
        let tree = branch(vec![("params", parameters(1)), (place, part_of), ("step", integer(1))]);
        let error = Case::of("c.flax", &tree).import("run", Weights::Average).unwrap_err();
        assert!(error.contains(&format!("c.flax: {part} dense1/kernel: found nothing")), "{error}");
    }
    let negative = branch(vec![("params", parameters(1)), ("step", integer(-1))]);
    let error = Case::of("c.flax", &negative).import("run", Weights::Average).unwrap_err();
    assert!(error.ends_with("step: found no count, expected a whole number, 0 or more"), "{error}");
}

#[test]
fn every_truncation_and_every_longer_file_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    let small = branch(vec![
        ("params", branch(vec![("score_model", branch(vec![("bias", zeros_of(3))]))])),
        ("step", integer(3)),
    ]);
    let whole = folder.path().join("whole.flax");
    small.save(&whole).unwrap();
    let bytes = fs::read(&whole).unwrap();
    let path = folder.path().join("c.flax");
    let line = |bytes: &[u8]| {
        fs::write(&path, bytes).unwrap();
        Tree::load(&path).unwrap_err().to_string()
    };
    let mut corrupt: Vec<Vec<u8>> = (0..bytes.len()).map(|end| bytes[..end].to_vec()).collect();
    corrupt.push([&bytes[..], &[0]].concat());
    // A map, an array and an extension that say they are larger than any memory.
    corrupt.extend(
        [[0xdf, 0xff, 0xff, 0xff, 0xff], [0xdd, 0xff, 0xff, 0xff, 0xff], [0xc9, 0xff, 0xff, 0xff, 0xff]]
            .map(Vec::from),
    );
    corrupt.push(vec![0x81; 1 << 16]);
    corrupt.push(b"\x93NUMPY".to_vec());
    for bytes in corrupt {
        let error = line(&bytes);
        assert!(error.contains("c.flax: ") && error.contains(", expected "), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    // Whatever single byte changes: a tree or a line, never a panic.
    for at in 0..bytes.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[at] ^= flip;
            fs::write(&path, &changed).unwrap();
            if let Ok(tree) = Tree::load(&path) {
                let _ = TrainState::parse(&path, tree);
            }
        }
    }
}

fn zeros_of(values: usize) -> Tree {
    Tree::Array(Array::float32(vec![values], &vec![0.0; values]).unwrap())
}
