//! What is measured while a run trains: on which rows, which checkpoint is kept, when training ends, and that none of it depends on where a
//! run was interrupted.

use idode::commands;
use idode::config::{Data, Recipe};
use idode::data::{Rows, Split};
use idode::error::Result;
use idode::experiment::{Destination, Trained};
use idode::model::Model;
use idode::prelude::*;
use idode::progress::StepMetrics;
use idode::registry::Registry;
use idode::result::Outcome;
use idode::run::MetricsLog;
use std::cell::Cell;
use std::fs;
use std::path::Path;

fn recipe(steps: u64, rate: f64, patience: &str) -> Recipe {
    let text = format!(
        "data.name = 'digits'
        network = {{ name = 'mlp', width = 32, depth = 1 }}
        [[stage]]
        steps = {steps}
        batch = 16
        learning_rate = {rate}
        [log]
        every = 3
        checkpoint_every = 5
        [validation]
        every = 4
        images = 10
        vlb_levels = 2
        ode_images = 2
        ode_steps = 1
        {patience}
        [evaluation]
        images = 2
        vlb_levels = 2
        stepping = {{ name = 'fixed', steps = 1 }}
        dequantizers = ['uniform']
        [sample]
        count = 1
        stepping = {{ name = 'fixed', steps = 1 }}"
    );
    Recipe::parse("r.toml", &text).expect("a recipe")
}

/// Asks to stop when it is asked for the so-manieth time, whatever the run does then; says what it hears.
#[derive(Default)]
struct Stops {
    left: Cell<Option<u64>>,
    said: Vec<String>,
}

impl Stops {
    fn after(questions: u64) -> Self {
        Self { left: Cell::new(Some(questions)), ..Self::default() }
    }
}

impl Observer for Stops {
    fn message(&mut self, text: &str) {
        self.said.push(text.to_owned());
    }
    fn stop(&self) -> Option<String> {
        let left = self.left.get()?.saturating_sub(1);
        self.left.set(Some(left));
        (left == 0).then(|| "enough".to_owned())
    }
}

fn train(recipe: &Recipe, destination: Destination, observer: &mut Stops) -> Result<Trained> {
    commands::train(recipe, &Registry::default(), &destination, observer)
}

fn metrics(run: &Path) -> Vec<StepMetrics> {
    let all = MetricsLog::read(&run.join("metrics.jsonl")).expect("metrics");
    all.into_iter().map(|step| StepMetrics { seconds: 0.0, ..step }).collect()
}

fn steps(run: &Path) -> Vec<(u64, bool)> {
    metrics(run).iter().map(|step| (step.step, step.validation.is_some())).collect()
}

#[test]
fn a_run_that_is_stopped_anywhere_ends_as_one_that_is_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let whole = folder.path().join("whole");
    let recipe = recipe(10, 1e-3, "");
    let mut heard = Stops::default();
    assert!(matches!(train(&recipe, Destination::at(&whole), &mut heard), Ok(Trained::Finished(_))));
    let expected = [(3, false), (4, true), (5, false), (6, false), (8, true), (9, false), (10, true)];
    assert_eq!(steps(&whole), expected);
    let said: Vec<_> = heard.said.iter().filter(|line| line.contains(": validation VLB ")).collect();
    assert_eq!(said.len(), 3, "{said:?}");
    assert!(said[0].starts_with("step 4: ") && said[0].ends_with("; the best so far"), "{said:?}");

    let read = |run: &Path, file: &str| fs::read(run.join(file)).expect("a file");
    let files =
        ["checkpoints/last.safetensors", "checkpoints/best.safetensors", "records.json", "samples.png"];
    let mut inside = 0;
    for questions in 1.. {
        let run = folder.path().join(format!("stopped{questions}"));
        let ended = train(&recipe, Destination::at(&run), &mut Stops::after(questions)).expect("a run");
        let Trained::Interrupted { step } = ended else { break };
        // A measurement that was interrupted is not in the metrics yet, and is made when the run goes on.
        let last = metrics(&run).last().map_or(0, |last| last.step);
        inside += u32::from(last < step);
        assert!(matches!(
            train(&recipe, Destination::at(&run), &mut Stops::default()),
            Ok(Trained::Finished(_))
        ));
        assert_eq!(metrics(&run).iter().filter(|step| step.validation.is_some()).count(), 3, "{questions}");
        let validations = |run: &Path| metrics(run).into_iter().filter(|step| step.validation.is_some());
        assert!(validations(&run).eq(validations(&whole)), "{questions}");
        for file in files {
            assert!(read(&run, file) == read(&whole, file), "{questions}: {file}");
        }
    }
    assert!(inside > 2, "{inside} of the stops were in a measurement");
}

#[test]
fn what_is_measured_and_sampled_is_the_best_and_patience_ends_training() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = folder.path().join("run");
    // Weights that do not move: no measurement is better than the first.
    let patient = recipe(40, 1e-30, "patience = 2");
    let mut heard = Stops::default();
    let Ok(Trained::Finished(outcome)) = train(&patient, Destination::at(&run), &mut heard) else {
        panic!("a result")
    };
    assert_eq!(outcome.step, 4);
    assert_eq!(steps(&run).last(), Some(&(12, true)));
    let found = metrics(&run).pop().and_then(|step| step.validation).expect("a measurement");
    assert!(
        found.best_step == 4 && found.vlb.is_finite() && found.ode.is_some_and(f64::is_finite),
        "{found:?}"
    );
    let last = "ends at step 12: the last 2 measurements were no better";
    assert!(heard.said.iter().any(|line| line == last), "{:?}", heard.said);
    assert_eq!(Model::load(&run).expect("a model").step(), 4);

    // To go on with it changes nothing.
    let checkpoint = run.join("checkpoints/last.safetensors");
    let before = fs::read(&checkpoint).expect("a checkpoint");
    assert!(train(&patient, Destination::Resume(run.clone()), &mut Stops::default()).is_ok());
    assert!(fs::read(&checkpoint).expect("a checkpoint") == before);
    // To train for longer is to be patient once more.
    let longer = recipe(50, 1e-30, "patience = 2");
    assert!(train(&longer, Destination::Continue(run.clone()), &mut Stops::default()).is_ok());
    assert_eq!(steps(&run).last(), Some(&(20, true)));

    // A best that is gone is not silently another one.
    fs::remove_file(run.join("checkpoints/best.safetensors")).expect("a file");
    let line = Model::load(&run).expect_err("none").to_string();
    let expected = "checkpoint: found nothing, expected the checkpoint of step 4, the best by validation, which was removed";
    assert!(line.ends_with(&format!("best.safetensors: {expected}")), "{line}");
}

/// The result is of the test split, and the rows that choose are of the other one.
#[test]
fn validation_rows_are_of_the_training_split_and_not_trained_on() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = folder.path().join("run");
    assert!(train(&recipe(1, 1e-3, ""), Destination::at(&run), &mut Stops::default()).is_ok());
    let outcome = Outcome::read(&run.join("result.json")).expect("a result");
    assert_eq!((outcome.data.split.as_str(), &outcome.data.fingerprint["images"]), ("test", &297.into()));
    let bytes = fs::read(run.join("checkpoints/last.safetensors")).expect("a checkpoint");
    let path = Path::new("last");
    let checkpoint = idode::train::Checkpoint::parse(path, &bytes).expect("a checkpoint");
    let trained = checkpoint.state().data.as_ref().expect("a fingerprint");
    assert_eq!(trained["images"], 1490);

    // The same rows whatever the run's seed, so that runs can be compared.
    let rows = Rows::images(digits::load(Split::Train).expect("digits"));
    let (kept, _) = rows.hold_back(10, 0).expect("rows");
    assert_eq!(&kept.fingerprint().expect("a fingerprint"), trained);

    let mut greedy = recipe(1, 1e-3, "");
    greedy.validation.as_mut().expect("a section").images = 1500;
    let new = Destination::at(folder.path().join("new"));
    let line = train(&greedy, new, &mut Stops::default()).expect_err("too many").to_string();
    assert!(
        line.starts_with(
            "r.toml: line 12, validation.images: found 1500, expected 1 to 1498: of 1500 training rows"
        ),
        "{line}"
    );
    assert!(!folder.path().join("new").exists());
}

/// Scaled by what is trained on, in nats of the user's units.
#[test]
fn rows_of_a_table_are_measured_in_their_units() {
    let folder = tempfile::tempdir().expect("a folder");
    let numbers: String = (0..60).map(|i| format!("{},{}\n", f64::from(i * 37 % 60), i % 7)).collect();
    fs::write(folder.path().join("t.csv"), format!("a,b\n{numbers}")).expect("a file");
    let text = format!(
        "data = {{ name = 'table', path = '{}' }}\nnetwork = {{ name = 'mlp', width = 32, depth = 1 }}\n\
         [[stage]]\nsteps = 2\nbatch = 4\n[validation]\nimages = 8\nvlb_levels = 2\node_images = 3\node_steps = 1\n\
         [evaluation]\nvlb_levels = 2\nstepping = {{ name = 'fixed', steps = 1 }}\n\
         [sample]\ncount = 2\nstepping = {{ name = 'fixed', steps = 1 }}",
        folder.path().join("t.csv").display()
    );
    let recipe = Recipe::parse("t.toml", &text).expect("a recipe");
    let run = folder.path().join("run");
    assert!(train(&recipe, Destination::at(&run), &mut Stops::default()).is_ok());
    let found = metrics(&run).pop().and_then(|step| step.validation).expect("a measurement");
    assert!(found.vlb.is_finite() && found.ode.is_some_and(f64::is_finite), "{found:?}");
    let Data::Table(table) = recipe.data else { panic!("a table") };
    let spec = table.spec().expect("a spec");
    let model = Model::load(&run).expect("a model");
    let splits = spec.load_holding_back(Some((8, 0))).expect("rows");
    assert_eq!(model.schema(), Some(&splits.schema));
    assert_ne!(model.schema(), Some(&spec.load().expect("rows").schema));
}
