//! The same recipe gives the same bits: twice, interrupted and resumed, and with any number of threads.

use idode::commands::{Destination, Trained, train};
use idode::config::Recipe;
use idode::error::Result;
use idode::progress::StepMetrics;
use idode::registry::Registry;
use idode::result::StageRecord;
use idode::run::{Observer, Phase};
use std::path::Path;

/// Two stages, so that stops fall within both and between them; every random part is at work.
const TWO_PIXEL: &str = "
    data.name = 'two_pixel'
    network = { name = 'mlp', width = 32, depth = 1 }
    [[stage]]
    steps = 4
    batch = 16
    accumulation = 2
    warmup = 2
    decay = 'cosine'
    clip = 0.5
    [[stage]]
    steps = 3
    batch = 24
    clip = { quantile = 0.6, window = 2 }
    [log]
    every = 2
    checkpoint_every = 3
    [evaluation]
    images = 3
    vlb_levels = 2
    stepping = { name = 'fixed', steps = 3 }
    [sample]
    count = 2
    stepping = { name = 'fixed', steps = 3 }";

const DIGITS: &str = "
    data.name = 'digits'
    network = { name = 'unet', width = 32, blocks = 1, dropout = 0.1 }
    [[stage]]
    steps = 3
    batch = 10
    [evaluation]
    images = 2
    vlb_levels = 2
    stepping = { name = 'fixed', steps = 2 }
    dequantizers = ['truncated_normal']
    [sample]
    count = 2
    stepping = { name = 'fixed', steps = 2 }";

/// Asks to stop after one step.
struct StopAt {
    step: u64,
    seen: u64,
}

impl Observer for StopAt {
    fn step(&mut self, step: &StepMetrics) -> Result<()> {
        self.seen = step.step;
        Ok(())
    }
    fn stop(&self) -> Option<String> {
        (self.seen == self.step).then(String::new)
    }
}

/// Asks to stop in the first phase of this name.
struct StopIn(&'static str, bool);

impl Observer for StopIn {
    fn start(&mut self, phase: &Phase<'_>) -> Result<()> {
        self.1 |= phase.name == self.0;
        Ok(())
    }
    fn stop(&self) -> Option<String> {
        self.1.then(String::new)
    }
}

/// Asks to stop once the checkpoint of a step is written: what follows it hears that.
struct StopAfter {
    step: u64,
    asked: bool,
}

impl Observer for StopAfter {
    fn checkpoint(&mut self, step: u64) -> Result<()> {
        self.asked |= step == self.step;
        Ok(())
    }
    fn stop(&self) -> Option<String> {
        self.asked.then(String::new)
    }
}

/// Everything that a run leaves and that may not differ: the checkpoint, the estimates and the samples.
#[derive(PartialEq)]
struct Traces {
    checkpoint: Vec<u8>,
    records: Vec<u8>,
    samples: Vec<u8>,
}

/// Trains a recipe with stops after some steps.
fn run(recipe: &str, stops: &[u64]) -> Traces {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("run");
    let recipe = Recipe::parse("recipe.toml", recipe).expect("a recipe");
    let mut destination = Destination::New(root.clone());
    for &step in stops {
        let mut observer = StopAt { step, seen: 0 };
        let ended = train(&recipe, &Registry::default(), &destination, &mut observer).expect("a run");
        assert_eq!(ended, Trained::Interrupted { step });
        destination = Destination::Resume(root.clone());
    }
    let mut observer = StopAt { step: u64::MAX, seen: 0 };
    let ended = train(&recipe, &Registry::default(), &destination, &mut observer).expect("a run");
    assert!(matches!(ended, Trained::Finished(_)));
    let read = |path: &str| std::fs::read(root.join(Path::new(path))).expect("a file");
    Traces {
        checkpoint: read("checkpoints/last.safetensors"),
        records: read("records.json"),
        samples: read("samples.png"),
    }
}

#[test]
fn a_second_run_writes_the_same_bytes() {
    assert!(run(TWO_PIXEL, &[]) == run(TWO_PIXEL, &[]));
    assert!(run(TWO_PIXEL, &[]) != run(&format!("seed = 1\n{TWO_PIXEL}"), &[]));
}

#[test]
fn a_run_that_was_stopped_ends_with_the_same_bytes() {
    let whole = run(TWO_PIXEL, &[]);
    for stops in [&[1][..], &[3], &[4], &[5], &[6], &[2, 4, 5]] {
        assert!(run(TWO_PIXEL, stops) == whole, "stopped after {stops:?}");
    }
}

#[test]
fn a_run_that_was_stopped_after_training_is_measured_later() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("run");
    let recipe = Recipe::parse("recipe.toml", TWO_PIXEL).expect("a recipe");
    let mut destination = Destination::New(root.clone());
    for phase in ["VLB", "ODE, uniform", "sampling"] {
        let ended = train(&recipe, &Registry::default(), &destination, &mut StopIn(phase, false));
        assert_eq!(ended.expect("a run"), Trained::Interrupted { step: 7 });
        destination = Destination::Resume(root.clone());
    }
    let ended = train(&recipe, &Registry::default(), &destination, &mut StopIn("", false));
    assert!(matches!(ended.expect("a run"), Trained::Finished(_)));
    let samples = std::fs::read(root.join("samples.png")).expect("samples");
    assert!(samples == run(TWO_PIXEL, &[]).samples);
}

#[test]
fn a_stage_that_is_being_measured_hears_the_end() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().join("run");
    let recipe = Recipe::parse("recipe.toml", TWO_PIXEL).expect("a recipe");
    let new = Destination::New(root.clone());
    let mut observer = StopAfter { step: 4, asked: false };
    let ended = train(&recipe, &Registry::default(), &new, &mut observer).expect("a run");
    assert_eq!(ended, Trained::Interrupted { step: 4 });
    let stages = || StageRecord::read(&root.join("stages.json")).expect("records").len();
    assert_eq!(stages(), 0);
    let resume = Destination::Resume(root.clone());
    let ended = train(&recipe, &Registry::default(), &resume, &mut StopIn("", false)).expect("a run");
    assert!(matches!(ended, Trained::Finished(_)));
    assert_eq!(stages(), 2);
    let samples = std::fs::read(root.join("samples.png")).expect("samples");
    assert!(samples == run(TWO_PIXEL, &[]).samples);
}

#[test]
fn a_unet_with_dropout_goes_on_with_the_same_bytes() {
    assert!(run(DIGITS, &[2]) == run(DIGITS, &[]));
}

#[test]
fn the_number_of_threads_does_not_matter() {
    for recipe in [TWO_PIXEL, DIGITS] {
        let [one, two, five] = [1, 2, 5].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
            pool.install(|| run(recipe, &[]))
        });
        assert!(one == two && two == five);
    }
}
