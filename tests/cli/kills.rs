//! Whole runs that are killed at random moments, in training, validation, evaluation or sampling, and go on: what they leave is what a
//! run leaves that nothing stops.

use super::idode;
use super::runs::folder_with;
use idode::progress::StepMetrics;
use idode::run::MetricsLog;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

const RECIPE: &str = "data.name = 'digits'
network = { name = 'mlp', width = 32, depth = 1 }
[[stage]]
steps = 40
batch = 16
ema = 0.9
[[stage]]
steps = 20
batch = 8
accumulation = 2
ema = 0.9
objective = { name = 'second_order', trace = 0.1 }
[log]
every = 3
checkpoint_every = 4
[validation]
every = 7
images = 30
vlb_levels = 4
ode_images = 4
ode_steps = 2
[evaluation]
images = 60
batch = 6
vlb_levels = 8
stepping = { name = 'fixed', steps = 6 }
[sample]
count = 16
stepping = { name = 'fixed', steps = 10 }
";

/// What a run leaves that says nothing of how long it took; metrics are compared without their seconds.
const FILES: [&str; 9] = [
    "checkpoints/last.safetensors",
    "checkpoints/best.safetensors",
    "levels.jsonl",
    "records.csv",
    "records.json",
    "records.jsonl",
    "result.json",
    "samples.png",
    "stages.json",
];

#[derive(PartialEq)]
struct Left {
    files: BTreeMap<&'static str, Vec<u8>>,
    metrics: Vec<StepMetrics>,
}

fn left(run: &Path) -> Left {
    let metrics = MetricsLog::read(&run.join("metrics.jsonl")).expect("metrics");
    Left {
        files: FILES.iter().map(|name| (*name, fs::read(run.join(name)).expect(name))).collect(),
        metrics: metrics.into_iter().map(|step| StepMetrics { seconds: 0.0, ..step }).collect(),
    }
}

/// Kills `count` runs before their end, each at a moment of its own, and goes on with them; gives how many it began for that.
fn kill(count: usize) -> usize {
    let whole = folder_with(RECIPE);
    let started = Instant::now();
    let output = idode(whole.path(), &["train", "r.toml", "--out", "run"]);
    let took = started.elapsed();
    assert!(output.status.success(), "{output:?}");
    let expected = left(&whole.path().join("run"));

    let mut rng = ChaCha8Rng::seed_from_u64(17);
    let (mut begun, mut killed) = (0, 0);
    while killed < count {
        let folder = folder_with(RECIPE);
        let root = folder.path();
        let mut command = Command::new(env!("CARGO_BIN_EXE_idode"));
        command
            .current_dir(root)
            .args(["train", "r.toml", "--out", "run"])
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = command.spawn().expect("the binary runs");
        // The moments are spread over the run, one in each of as many parts; some runs are faster, and have ended.
        let moment = took.mul_f64(((begun % count) as f64 + rng.r#gen::<f64>()) / count as f64);
        begun += 1;
        std::thread::sleep(moment);
        child.kill().expect("a child");
        killed += usize::from(child.wait().expect("an end").code().is_none());
        let again: &[&str] = if root.join("run/recipe.toml").exists() { &["--resume"] } else { &[] };
        let output = idode(root, &[&["train", "r.toml", "--out", "run"], again].concat());
        assert!(output.status.success(), "killed after {moment:?}: {output:?}");
        let found = left(&root.join("run"));
        for (name, bytes) in &expected.files {
            assert!(found.files[name] == *bytes, "killed after {moment:?}: other bytes in {name}");
        }
        assert!(found.metrics == expected.metrics, "killed after {moment:?}: other metrics");
    }
    begun
}

#[test]
fn killed_runs_end_with_the_bytes_of_one_that_was_not() {
    kill(4);
}

/// More of the same: `cargo test --test cli -- --ignored fifty --nocapture`.
#[test]
#[ignore = "takes minutes"]
fn killed_at_fifty_moments() {
    println!("{} runs, 50 killed at random moments: each time the same bytes in the end", kill(50));
}
