//! Data sets that a recipe names: read by their names, with their shape in the run's recipe, or refused before
//! anything is written.
#![allow(clippy::unwrap_used, clippy::panic)]

use idode::commands::{self, Destination, SampleOptions, Trained};
use idode::config::{Data, Recipe};
use idode::data::{ImageShape, RowShape};
use idode::model::Model;
use idode::progress::Silent;
use idode::registry::Registry;
use idode::result::Outcome;
use idode::run::RunFolder;
use std::fs;
use std::path::Path;

fn npy(shape: &str, data: &[u8]) -> Vec<u8> {
    let mut text = format!("{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}");
    while !(10 + text.len() + 1).is_multiple_of(64) {
        text.push(' ');
    }
    text.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.extend(data);
    bytes
}

fn npz(arrays: &[(&str, Vec<u8>)]) -> Vec<u8> {
    use std::io::Write;
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in arrays {
        writer.start_file(format!("{name}.npy"), zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

fn idx(images: u8, data: &[u8]) -> Vec<u8> {
    [&[0, 0, 8, 3, 0, 0, 0, images, 0, 0, 0, 8, 0, 0, 0, 8], data].concat()
}

fn png(side: u32, data: &[u8]) -> Vec<u8> {
    use image::ImageEncoder;
    let mut bytes = Vec::new();
    let encoder = image::codecs::png::PngEncoder::new(&mut bytes);
    encoder.write_image(data, side, side, image::ExtendedColorType::L8).unwrap();
    bytes
}

/// Levels that differ from image to image.
fn levels(images: usize, values: usize) -> Vec<u8> {
    (0..images * values).map(|i| (i * 37 + i / values * 11) as u8).collect()
}

/// A recipe of two steps for the data that `data` describes, paths below `folder`.
fn recipe(folder: &Path, data: &str) -> Recipe {
    let data = data.replace("DIR", folder.to_str().unwrap());
    let text = format!(
        "[network]\nname = 'unet'\nwidth = 32\nblocks = 1\n[[stage]]\nsteps = 2\nbatch = 2\n\
         [evaluation]\nimages = 1\nvlb_levels = 2\ndequantizers = []\nstepping = {{ name = 'fixed', steps = 2 }}\n\
         [sample]\ncount = 1\nstepping = {{ name = 'fixed', steps = 2 }}\n[data]\n{data}\n"
    );
    Recipe::parse("r.toml", &text).unwrap()
}

fn train(recipe: &Recipe, run: &Path) -> Result<Outcome, String> {
    let destination = Destination::New(run.to_owned());
    match commands::train(recipe, &Registry::default(), &destination, &mut Silent) {
        Ok(Trained::Finished(outcome)) => Ok(outcome),
        Ok(Trained::Interrupted { .. }) => panic!("interrupted"),
        Err(error) => Err(error.to_string()),
    }
}

fn write_all(folder: &Path) {
    fs::write(folder.join("train.npy"), npy("(4, 8, 8, 1)", &levels(4, 64))).unwrap();
    fs::write(folder.join("test.npy"), npy("(2, 8, 8)", &levels(2, 64))).unwrap();
    let both = [
        ("x_train", npy("(4, 8, 8)", &levels(4, 64))),
        ("x_test", npy("(2, 8, 8)", &levels(2, 64))),
        ("y_train", npy("(4,)", &[0; 4])),
    ];
    fs::write(folder.join("both.npz"), npz(&both)).unwrap();
    fs::write(folder.join("train.idx"), idx(4, &levels(4, 64))).unwrap();
    fs::write(folder.join("test.idx"), idx(2, &levels(2, 64))).unwrap();
    for (split, images) in [("train", 4), ("test", 2)] {
        fs::create_dir(folder.join(split)).unwrap();
        for i in 0..images {
            let file = folder.join(split).join(format!("{i}.png"));
            fs::write(file, png(8, &levels(4, 64)[i * 64..(i + 1) * 64])).unwrap();
            let large = folder.join(format!("large_{split}"));
            fs::create_dir_all(&large).unwrap();
            fs::write(large.join(format!("{i}.png")), png(11, &levels(1, 121))).unwrap();
        }
    }
}

#[test]
fn every_name_trains_measures_and_samples_and_then_needs_no_data() {
    let folder = tempfile::tempdir().unwrap();
    write_all(folder.path());
    let cases = [
        "name = 'npy'\ntrain = 'DIR/train.npy'\ntest = 'DIR/test.npy'",
        "name = 'npz'\ntrain = 'DIR/both.npz'\ntest = 'DIR/both.npz'\ntrain_key = 'x_train'\ntest_key = 'x_test'",
        "name = 'idx'\ntrain = 'DIR/train.idx'\ntest = 'DIR/test.idx'",
        "name = 'folder'\ntrain = 'DIR/train'\ntest = 'DIR/test'\nshape = [8, 8, 1]",
        "name = 'folder'\ntrain = 'DIR/large_train'\ntest = 'DIR/large_test'\nshape = [8, 8, 1]\nrandom_crops = true",
        "name = 'npy'\ntrain = 'DIR/train.npy'\ntest = 'DIR/test.npy'\nlevels = 32\nstored_levels = 256\n\
         [data.augmentation]\nflip = true\nquarter_turns = true",
        "name = 'idx'\ntrain = 'DIR/train.idx'\ntest = 'DIR/test.idx'\nlevels = 32\nstored_levels = 256",
    ];
    let mut prints = Vec::new();
    for (i, data) in cases.iter().enumerate() {
        let recipe = recipe(folder.path(), data);
        let run = folder.path().join(format!("run{i}"));
        let outcome = train(&recipe, &run).unwrap_or_else(|error| panic!("{data}: {error}"));
        assert_eq!(outcome.data.name, recipe.data.name());
        prints.push(outcome.data.fingerprint);
    }
    // The same images by four names, then a crop, then fewer levels by two names.
    assert!(prints[..4].iter().all(|print| *print == prints[0]), "{prints:?}");
    assert_eq!(prints[0]["images"], 2);
    assert_ne!(prints[4], prints[0]);
    assert_eq!(prints[5]["levels"], 32);
    assert_eq!(prints[6], prints[5]);
    for name in ["train.npy", "test.npy", "both.npz", "train.idx", "test.idx"] {
        fs::remove_file(folder.path().join(name)).unwrap();
    }
    for i in 0..cases.len() {
        let run = folder.path().join(format!("run{i}"));
        let model = Model::load(&run).unwrap();
        assert_eq!(model.shape().image(), ImageShape::new(8, 8, 1));
        commands::sample(
            &RunFolder::open(&run).unwrap(),
            &Registry::default(),
            &SampleOptions { count: Some(2), ..SampleOptions::default() },
            &mut Silent,
        )
        .unwrap();
    }
}

#[test]
fn data_that_cannot_be_used_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write_all(root);
    fs::write(root.join("short.npy"), npy("(4, 8, 8, 1)", &levels(3, 64))).unwrap();
    fs::write(root.join("wide.npy"), npy("(2, 8, 7)", &levels(2, 56))).unwrap();
    fs::write(root.join("flat.npy"), npy("(4, 64)", &levels(4, 64))).unwrap();
    fs::write(root.join("thin.npy"), npy("(2, 70000, 1)", &[])).unwrap();
    fs::write(root.join("y.npy"), npy("(4,)", &[0, 1, 4, 1])).unwrap();
    for class in ["a", "b"] {
        fs::create_dir_all(root.join("classes").join(class)).unwrap();
        fs::write(root.join("classes").join(class).join("0.png"), png(8, &levels(1, 64))).unwrap();
    }
    let cases = [
        ("name = 'npy'\ntrain = 'DIR/none.npy'\ntest = 'DIR/test.npy'", "none.npy: cannot read: "),
        ("name = 'npy'\ntrain = 'DIR/train.npy'\ntest = 'DIR/none.npy'", "none.npy: cannot read: "),
        ("name = 'npy'\ntrain = 'DIR/short.npy'\ntest = 'DIR/test.npy'", "short.npy: "),
        ("name = 'npy'\ntrain = 'DIR/train.npy'\ntest = 'DIR/short.npy'", "short.npy: "),
        (
            "name = 'npy'\ntrain = 'DIR/train.npy'\ntest = 'DIR/wide.npy'",
            "wide.npy: shape of the test images: found 8x7x1, expected 8x8x1, as data.shape says or the training images have",
        ),
        (
            "name = 'npy'\ntrain = 'DIR/wide.npy'\ntest = 'DIR/wide.npy'\n[data.augmentation]\nquarter_turns = true",
            "wide.npy: shape of its images: found 8x7x1, expected square images, as data.augmentation.quarter_turns is true",
        ),
        (
            "name = 'npz'\ntrain = 'DIR/both.npz'\ntest = 'DIR/both.npz'\ntrain_key = 'x'",
            "both.npz: arrays: found x_train, x_test, y_train, expected one called x",
        ),
        (
            "name = 'npz'\ntrain = 'DIR/both.npz'\ntest = 'DIR/both.npz'",
            "found x_train, x_test, y_train, expected one array",
        ),
        (
            "name = 'idx'\ntrain = 'DIR/train.npy'\ntest = 'DIR/test.idx'",
            "train.npy: magic number: found an array of NumPy (.npy), expected ",
        ),
        // The file is to blame, and no line of the recipe.
        (
            "name = 'npy'\ntrain = 'DIR/flat.npy'\ntest = 'DIR/test.npy'",
            "flat.npy: flat.npy: shape: found [4, 64], expected ",
        ),
        (
            "name = 'npy'\ntrain = 'DIR/thin.npy'\ntest = 'DIR/thin.npy'",
            "thin.npy: thin.npy: shape: found [2, 70000, 1], expected ",
        ),
        (
            "name = 'npy'\ntrain = 'DIR/train.npy'\ntest = 'DIR/test.npy'\ntrain_labels = 'DIR/y.npy'\ntest_labels = 'DIR/y.npy'",
            "test.npy: labels of the test split: found 4, expected 2, one per image",
        ),
        (
            "name = 'npy'\ntrain = 'DIR/train.npy'\ntest = 'DIR/test.npy'\ntrain_labels = 'DIR/y.npy'\ntest_labels = 'DIR/y.npy'\nclasses = 3",
            "y.npy: label of image 2 = 4: expected 0 to 2, as there are 3 classes",
        ),
        (
            "name = 'folder'\ntrain = 'DIR/classes'\ntest = 'DIR/test'\nshape = [8, 8, 1]\nclasses = 'folders'",
            "test: 0.png: class: found no sub-folder, expected one of the 2 classes",
        ),
        ("name = 'cifar10'\npath = 'DIR/none.tar.gz'", "none.tar.gz: cannot read: "),
        (
            "name = 'imagenet32'\nrelease = 'new'\ntrain = 'DIR/train'\ntest = 'DIR/test'",
            "train: parts: found no train_data_batch_1, expected 10 of them",
        ),
        (
            "name = 'folder'\ntrain = 'DIR/train'\ntest = 'DIR/test'\nshape = [8, 8, 3]\nlevels = 65536",
            "train: 0.png: levels: found 256, expected at least 65536",
        ),
    ];
    for (data, expected) in cases {
        let run = root.join("run");
        let error = train(&recipe(root, data), &run).unwrap_err();
        assert!(error.contains(expected), "{data}: {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
        assert!(!run.exists(), "{data}");
    }
}

#[test]
fn keys_of_data_are_checked_without_the_data() {
    let cases = [
        ("name = 'npy'\ntrain = 'a'", "data.test: found nothing, expected this key"),
        (
            "name = 'npy'\ntrain = 'a'\ntest = 'b'\nlevels = 1",
            "line 4, data.levels: found 1, expected 2 to 65536",
        ),
        ("name = 'cifar10'\npath = 'a'\nlevels = 257", "line 3, data.levels: found 257, expected 2 to 256"),
        (
            "name = 'cifar10'\npath = 'a'\nlevels = 70000",
            "line 3, data.levels: found 70000, expected 2 to 256",
        ),
        (
            "name = 'npy'\ntrain = 'a'\ntest = 'b'\nlevels = 17\nstored_levels = 16",
            "line 4, data.levels: found 17, expected at most 16, the stored_levels",
        ),
        (
            "name = 'idx'\ntrain = 'a'\ntest = 'b'\nstored_levels = 65537",
            "line 4, data.stored_levels: found 65537, expected 2 to 65536",
        ),
        // Keys that a kind of data does not have.
        (
            "name = 'idx'\ntrain = 'a'\ntest = 'b'\ntrain_key = 'x'",
            "line 4, data.train_key: found an unknown key, expected ",
        ),
        (
            "name = 'npy'\ntrain = 'a'\ntest = 'b'\ntest_key = 'x'",
            "line 4, data.test_key: found an unknown key, expected ",
        ),
        (
            "name = 'folder'\ntrain = 'a'\ntest = 'b'\nshape = [8, 8, 1]\nstored_levels = 256",
            "line 5, data.stored_levels: found an unknown key, expected ",
        ),
        (
            "name = 'npz'\ntrain = 'a'\ntest = 'b'\ntrain_labels = 'y'",
            "data.test_labels: found nothing, expected this key, as there is train_labels",
        ),
        (
            "name = 'idx'\ntrain = 'a'\ntest = 'b'\nclasses = 10",
            "line 4, data.classes: found 10, expected no such key, as there are no labels",
        ),
        (
            "name = 'npy'\ntrain = 'a'\ntest = 'b'\ntrain_labels = 'c'\ntest_labels = 'd'\nclasses = 0",
            "line 6, data.classes: found 0, expected 1 to 65536",
        ),
        (
            "name = 'folder'\ntrain = 'a'\ntest = 'b'\nshape = [8, 8, 1]\nclasses = ['x', 'y', 'x']",
            "line 5, data.classes[2]: found \"x\" again, expected each name once",
        ),
        (
            "name = 'folder'\ntrain = 'a'\ntest = 'b'\nshape = [8, 8, 1]\nclasses = 'sub'",
            "line 5, data.classes: found string \"sub\", expected \"folders\" or an array of names",
        ),
        ("name = 'cifar10'", "data.path: found nothing"),
        (
            "name = 'imagenet32'\nrelease = 'newer'\ntrain = 'a'\ntest = 'b'",
            "line 2, data.release: found the unknown name \"newer\", expected \"new\"",
        ),
        (
            "name = 'folder'\ntrain = 'a'\ntest = 'b'\nshape = [8, 8]",
            "line 4, data.shape: found an array of 2",
        ),
        (
            "name = 'folder'\ntrain = 'a'\ntest = 'b'\nshape = [8, 8, 2]",
            "line 4, data.shape[2]: found 2, expected 1 or 3 channels",
        ),
        (
            "name = 'folder'\ntrain = 'a'\ntest = 'b'\nshape = [8, 4, 1]\n[data.augmentation]\nquarter_turns = true",
            "line 6, data.augmentation.quarter_turns: found true for images of 8x4x1, expected square images",
        ),
        (
            "name = 'folder'\ntrain = 'a'\ntest = 'b'\nshape = [8, 8, 1]\naugmentation = { permute_channels = true }",
            "data.augmentation.permute_channels: found true for images of 8x8x1, expected images of more than one channel",
        ),
        (
            "name = 'cifar10'\npath = 'a'\naugmentation = { flips = true }",
            "line 3, data.augmentation.flips: found an unknown key, expected \"flip\"",
        ),
        ("name = 'digits'\npath = 'a'", "line 2, data.path: found an unknown key, expected one of condition"),
    ];
    for (data, expected) in cases {
        let text = format!("data.{}\nnetwork = 'mlp'", data.replace('\n', "\ndata."));
        let text = text.replace("data.[data.augmentation]\ndata.", "data.augmentation.");
        let error = Recipe::parse("r.toml", &text).unwrap_err().to_string();
        let augmented = data.contains("[data.augmentation]");
        let expected = if augmented { expected.replace("line 6", "line 5") } else { expected.to_owned() };
        assert!(error.starts_with("r.toml: ") && error.contains(&expected), "{data}: {error}");
    }
}

#[test]
fn labels_are_read_and_classes_written_out() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write_all(root);
    fs::write(root.join("y.npy"), npy("(4,)", &[0, 1, 4, 1])).unwrap();
    fs::write(root.join("y_test.npy"), npy("(2, 1)", &[2, 0])).unwrap();
    fs::write(root.join("y.idx"), [&[0, 0, 8, 1, 0, 0, 0, 4][..], &[3, 0, 2, 1]].concat()).unwrap();
    fs::write(root.join("y_test.idx"), [&[0, 0, 8, 1, 0, 0, 0, 2][..], &[3, 3]].concat()).unwrap();
    let named = [
        ("x_train", npy("(4, 8, 8)", &levels(4, 64))),
        ("y_train", npy("(4,)", &[6, 1, 4, 1])),
        ("x_test", npy("(2, 8, 8)", &levels(2, 64))),
        ("y_test", npy("(2,)", &[5, 5])),
    ];
    fs::write(root.join("named.npz"), npz(&named)).unwrap();
    for class in ["a", "b"] {
        fs::create_dir_all(root.join("classes").join(class)).unwrap();
        fs::write(root.join("classes").join(class).join("0.png"), png(8, &levels(1, 64))).unwrap();
    }
    let keys = "train_key = 'x_train'\ntest_key = 'x_test'\ntrain_labels = 'y_train'\ntest_labels = 'y_test'";
    let npz = format!("name = 'npz'\ntrain = 'DIR/named.npz'\ntest = 'DIR/named.npz'\n{keys}");
    let cases = [
        (
            "name = 'npy'\ntrain = 'DIR/train.npy'\ntest = 'DIR/test.npy'\ntrain_labels = 'DIR/y.npy'\ntest_labels = 'DIR/y_test.npy'",
            5,
        ),
        (
            "name = 'idx'\ntrain = 'DIR/train.idx'\ntest = 'DIR/test.idx'\ntrain_labels = 'DIR/y.idx'\ntest_labels = 'DIR/y_test.idx'",
            4,
        ),
        (&npz, 7),
        (
            "name = 'folder'\ntrain = 'DIR/classes'\ntest = 'DIR/classes'\nshape = [8, 8, 1]\nclasses = 'folders'",
            2,
        ),
    ];
    for (i, (data, classes)) in cases.into_iter().enumerate() {
        let recipe = recipe(root, data);
        assert_eq!(recipe.data.classes(), None);
        let run = root.join(format!("run{i}"));
        train(&recipe, &run).unwrap_or_else(|error| panic!("{data}: {error}"));
        let resolved = RunFolder::open(&run).unwrap();
        assert_eq!(resolved.recipe().data.classes(), Some(classes), "{data}");
    }
    for (name, classes) in [("digits", Some(10)), ("two_pixel", None)] {
        let text = format!("data.name = '{name}'\nnetwork = 'mlp'");
        assert_eq!(Recipe::parse("r.toml", &text).unwrap().data.classes(), classes);
    }
}

#[test]
fn a_result_on_other_images_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write_all(root);
    let recipe = recipe(root, "name = 'npy'\ntrain = 'DIR/train.npy'\ntest = 'DIR/test.npy'");
    let run = root.join("run");
    train(&recipe, &run).unwrap();
    let (before, run) = (fs::read(run.join("result.json")).unwrap(), RunFolder::open(&run).unwrap());
    fs::write(root.join("test.npy"), npy("(3, 8, 8)", &levels(3, 64))).unwrap();
    let evaluate = || commands::evaluate(&run, &Registry::default(), &mut Silent);
    let error = evaluate().unwrap_err().to_string();
    let line =
        "result.json: data.fingerprint: found data set images = 3: expected 2, the same data, expected";
    assert!(error.contains(line), "{error}");
    assert_eq!(fs::read(run.result()).unwrap(), before);
    fs::remove_file(run.result()).unwrap();
    assert_eq!(evaluate().unwrap().data.fingerprint["images"], 3);
}

#[test]
fn a_dry_run_reads_no_data() {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::default();
    let known = "name = 'idx'\ntrain = 'DIR/none'\ntest = 'DIR/none'\nshape = [8, 8, 1]";
    let found = commands::dry_run(&recipe(folder.path(), known), &registry).unwrap();
    // Time embedding, conv_in, three blocks of one input and two of two, attention, the last norm, conv_out.
    let (w, e) = (32, 128);
    let norms = |c: u64| 2 * c;
    let block = |c: u64| norms(c) + 9 * c * w + w + e * w + norms(w) + 9 * w * w + w;
    let skip = 2 * w * w + w;
    let attention = norms(w) + 4 * (w * w + w);
    let dense = (w + 1) * e + e + e * e + e;
    let parameters =
        dense + 9 * 5 * w + w + 3 * block(w) + 2 * (block(2 * w) + skip) + attention + norms(w) + 9 * w + 1;
    assert_eq!(found.parameters, parameters);
    assert_eq!(found.state_bytes(), 20 * parameters);
    assert_eq!((found.stages.len(), found.stages[0].batch), (1, 2));
    assert_eq!(found.stages[0].operations, 2 * 3 * found.operations.total());
    assert!(found.rate > 1e8 && found.seconds(&found.stages[0]) > 0.0);
    // What the network and the stage need, what five settings ask for at least, and what there is.
    assert_eq!(found.to_string().lines().count(), 12, "{found}");
    let unknown = "name = 'idx'\ntrain = 'DIR/none'\ntest = 'DIR/none'";
    let error = commands::dry_run(&recipe(folder.path(), unknown), &registry).unwrap_err().to_string();
    assert!(
        error.contains("data.shape: found nothing, expected the shape [height, width, channels]"),
        "{error}"
    );
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn the_papers_recipes_are_whole() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes");
    for (name, schedule, width, images) in [
        ("cifar10_vp", "vp", 128, 128),
        ("cifar10_sp", "sp", 128, 128),
        ("cifar10_vp_augmented", "vp", 256, 1024),
        ("imagenet32_new_vp", "vp", 256, 128),
        ("imagenet32_old_vp", "vp", 256, 512),
    ] {
        let recipe = Recipe::load(folder.join(format!("{name}.toml"))).unwrap();
        let registry = Registry::<idode::registry::FlowState>::default();
        registry.check(&recipe).unwrap();
        assert_eq!(recipe.schedule.name, schedule);
        let shape = recipe.data.shape().unwrap();
        assert_eq!(shape, ImageShape::new(32, 32, 3));
        let network = registry.network(&recipe, RowShape::Image(shape)).unwrap();
        assert_eq!(recipe.network.name, "unet");
        assert_eq!(network.settings()["width"].as_integer(), Some(width));
        assert_eq!(network.settings()["blocks"].as_integer(), Some(32));
        assert_eq!(recipe.stage[0].batch * recipe.stage[0].accumulation, images);
        let is_augmented = recipe.data.augmentation() != idode::data::Augmentation::default();
        assert_eq!(is_augmented, name.ends_with("augmented"));
        assert_eq!(recipe.evaluation.importance_samples, if is_augmented { 20 } else { 1 });
        assert!(matches!(recipe.data, Data::Cifar10(_) | Data::Imagenet32(_)));
    }
}

#[test]
fn conditioning_numbers_reach_the_network() {
    use idode::diffusion::Diffusion;
    use idode::nn::{MlpConfig, StaticMlp};
    use idode::time::{Stratified, Uniform};
    use idode::train::{AdamWConfig, Rate, RateDecay, Trainer, TrainerConfig};
    use rand::SeedableRng;
    let losses = |conditioning: Option<&[f64]>| -> Result<Vec<f64>, String> {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
        let device = dfdx::prelude::Cpu::default();
        let network = StaticMlp::<2, 32, f32, _>::new(&MlpConfig::default(), &device, &mut rng).unwrap();
        let range = idode::level::GammaRange::for_levels(256);
        let diffusion =
            Diffusion::new(idode::schedule::VariancePreserving, idode::parameterization::Velocity, range);
        let rate = Rate { peak: 1e-2, warmup: 0, decay: RateDecay::Constant, steps: 5 };
        let optimizer =
            AdamWConfig { beta1: 0.9, beta2: 0.99, epsilon: 1e-8, weight_decay: 0.0, ema: 0.9, clip: None };
        let settings = TrainerConfig { seed: 3, accumulation: 2, rate, optimizer };
        let times = Stratified(Uniform::new(range));
        let mut trainer = Trainer::new(network, idode::objective::FirstOrder, diffusion, times, settings);
        let step = |step| {
            let x: Vec<f64> = (0..8).map(|i| f64::from(i) / 8.0).collect();
            trainer.conditioned_step(step, step, &x, conditioning)
        };
        (1..=5).map(step).map(|report| Ok(report.map_err(|error| error.to_string())?.loss)).collect()
    };
    let none = losses(None).unwrap();
    assert_eq!(losses(Some(&[0.0; 4])).unwrap(), none);
    let last = losses(Some(&[0.0, 0.0, 0.0, 1.0])).unwrap();
    assert_eq!(last[0], none[0]);
    assert_ne!(last[4], none[4]);
    let error = losses(Some(&[0.0; 3])).unwrap_err();
    assert_eq!(error, "conditioning numbers = 3: expected 1 for each of 4 rows");
}
