//! Event files as TensorBoard's own reader reads them, where this machine's Python has it; `IDODE_PYTHON` is that Python: `python3`.

use idode::commands;
use idode::config::Recipe;
use idode::experiment::Destination;
use idode::prelude::*;
use idode::registry::Registry;
use idode::result::Outcome;
use idode::run::{LevelLosses, MetricsLog, StepLog};
use std::path::Path;
use std::process::Command;

const RECIPE: &str = "
    data.name = 'digits'
    network = { name = 'mlp', width = 32, depth = 1 }
    [[stage]]
    steps = 6
    batch = 64
    [log]
    every = 2
    checkpoint_every = 3
    tensorboard = true
    [validation]
    every = 5
    images = 4
    vlb_levels = 2
    ode_images = 2
    ode_steps = 1
    [evaluation]
    images = 2
    vlb_levels = 2
    stepping = { name = 'fixed', steps = 1 }
    dequantizers = ['uniform']
    [sample]
    count = 2
    stepping = { name = 'fixed', steps = 1 }";

/// What the reader has found, as JSON.
const READ: &str = "
import json, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
found = EventAccumulator(sys.argv[1], size_guidance={'scalars': 0, 'images': 0, 'histograms': 0, 'tensors': 0})
found.Reload()
tags = found.Tags()
image = found.Images('samples')[0]
histograms = found.Histograms('train/loss_over_gamma')
print(json.dumps({
    'scalars': {tag: [[e.step, e.value] for e in found.Scalars(tag)] for tag in tags['scalars']},
    'image': [image.step, image.width, image.height, image.encoded_image_string[:4].hex()],
    'histograms': [[e.step, e.histogram_value.sum, list(e.histogram_value.bucket)] for e in histograms],
}))";

/// Stops after a step.
struct StopAt(u64, bool);

impl Observer for StopAt {
    fn step(&mut self, step: &idode::progress::StepMetrics) -> Result<()> {
        self.1 = step.step == self.0;
        Ok(())
    }
    fn stop(&self) -> Option<String> {
        self.1.then(|| "enough".to_owned())
    }
}

fn run(folder: &Path) {
    let recipe = Recipe::parse("r.toml", RECIPE).expect("a recipe");
    let train = |observer: &mut dyn Observer| {
        commands::train(&recipe, &Registry::default(), &Destination::at(folder), observer).expect("a run")
    };
    train(&mut StopAt(4, false));
    // What a session writes that is ended in the middle is trained, and written, again.
    train(&mut Silent);
}

#[test]
fn tensorboards_own_reader_reads_what_a_run_writes() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("run");
    run(&root);
    let lines = StepLog::<LevelLosses>::read(&root.join("levels.jsonl")).expect("levels");
    let stretches: Vec<(u64, u64)> = lines.iter().map(|line| (line.first, line.step)).collect();
    assert_eq!(stretches, [(1, 3), (4, 4), (5, 5), (6, 6)]);
    let rows = lines.iter().map(|line| line.bins.iter().map(|bin| bin.count).sum::<f64>());
    assert_eq!(rows.collect::<Vec<_>>(), [192.0, 64.0, 64.0, 64.0]);

    let python = std::env::var("IDODE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has = Command::new(&python).args(["-c", "import tensorboard"]).output();
    if !has.is_ok_and(|output| output.status.success()) {
        eprintln!("not run: {python} has no tensorboard to read the events with");
        return;
    }
    let output = Command::new(&python).args(["-c", READ]).arg(root.join("events")).output().expect("Python");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let metrics = MetricsLog::read(&root.join("metrics.jsonl")).expect("metrics");
    let logged = [2, 4, 5, 6];
    for (name, value) in [
        ("loss", (|step| step.loss) as fn(&idode::progress::StepMetrics) -> f64),
        ("bits_per_dim", |step| step.bits_per_dim),
        ("gradient_norm", |step| step.gradient_norm),
        ("learning_rate", |step| step.learning_rate),
    ] {
        let steps = metrics.iter().filter(|step| logged.contains(&step.step));
        let expected: Vec<_> =
            steps.map(|step| serde_json::json!([step.step, f64::from(value(step) as f32)])).collect();
        assert_eq!(found["scalars"][format!("train/{name}")], serde_json::Value::from(expected), "{name}");
    }
    let outcome = Outcome::read(&root.join("result.json")).expect("a result");
    for estimate in &outcome.estimates {
        let expected = serde_json::json!([[outcome.step, f64::from(estimate.bits_per_dim as f32)]]);
        assert_eq!(found["scalars"][format!("result/{}", estimate.name)], expected);
    }
    assert_eq!(found["scalars"]["validation/vlb"].as_array().map(Vec::len), Some(2), "{found}");
    let png = image::open(root.join("samples.png")).expect("a picture");
    assert_eq!(found["image"], serde_json::json!([outcome.step, png.width(), png.height(), "89504e47"]));
    let histograms = found["histograms"].as_array().expect("a list");
    assert_eq!(histograms.len(), lines.len());
    for (histogram, line) in histograms.iter().zip(&lines) {
        let weights: Vec<f64> = line.bins.iter().map(|bin| line.width() * bin.mean()).collect();
        assert_eq!(histogram[0], line.step);
        assert_eq!(histogram[2], serde_json::Value::from(weights));
    }
}
