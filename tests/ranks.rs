//! Runs by several ranks, here threads: they write what one writes, go on from what another number of them left, and end together.

#![allow(clippy::panic)]

#[cfg(feature = "mpi")]
#[path = "ranks/mpi.rs"]
mod mpi;

use dfdx::prelude::Cpu;
use idode::communicator::{Ranks, Threads};
use idode::config::Recipe;
use idode::error::{Error, Result};
use idode::experiment::{Destination, EvaluateOptions, Experiment, Trained};
use idode::level::GammaRange;
use idode::progress::{Silent, StepMetrics};
use idode::registry::Registry;
use idode::run::{MetricsLog, Observer, RunFolder};
use idode::time::{Adaptive, BinLosses, BinWeights};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

/// Two stages, of 4 accumulation steps each, validation, and an uneven number of images for 2, 3 and 4 ranks.
const RECIPE: &str = "data.name = 'digits'
network = { name = 'mlp', width = 32, depth = 1 }
[[stage]]
steps = 12
batch = 8
accumulation = 4
ema = 0.9
[[stage]]
steps = 8
batch = 4
accumulation = 4
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
images = 29
batch = 6
vlb_levels = 8
[sample]
count = 4
stepping = { name = 'fixed', steps = 10 }
";

/// What an evaluation writes.
const MEASURED: [&str; 4] = ["records.jsonl", "records.json", "records.csv", "result.json"];

const LIMIT: Duration = Duration::from_secs(120);

fn recipe(text: &str) -> Recipe {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("r.toml");
    fs::write(&path, text).expect("a file");
    Recipe::load(&path).expect("a recipe")
}

/// What each of `size` ranks says of the work that it has an experiment for.
fn by_ranks<T: Send>(
    size: usize,
    limit: Duration,
    recipe: impl Fn(usize) -> Recipe + Sync,
    work: impl Fn(&Ranks, Experiment) -> Result<T> + Sync,
) -> Vec<Result<T>> {
    std::thread::scope(|scope| {
        let threads: Vec<_> = Threads::new(size)
            .into_iter()
            .enumerate()
            .map(|(rank, link)| {
                let (recipe, work) = (&recipe, &work);
                scope.spawn(move || {
                    let ranks = Ranks::new(link, limit);
                    let named = Experiment::named(&Cpu::default(), &recipe(rank), &Registry::default())?;
                    work(&ranks, named.ranks(ranks.clone()))
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect()
    })
}

/// Asks for the end from a step on.
struct StopAfter(Option<u64>, bool);

impl Observer for StopAfter {
    fn step(&mut self, step: &StepMetrics) -> Result<()> {
        self.1 |= self.0 == Some(step.step);
        Ok(())
    }
    fn stop(&self) -> Option<String> {
        self.1.then(|| "enough".to_owned())
    }
}

/// Trains by `size` ranks, of which the last one alone asks for the end after a step.
fn train(size: usize, destination: &Destination, stop: Option<u64>) {
    let found = by_ranks(
        size,
        LIMIT,
        |_| recipe(RECIPE),
        |ranks, run| {
            let stop = stop.filter(|_| ranks.rank() + 1 == ranks.size());
            run.train(destination, &mut StopAfter(stop, false))
        },
    );
    for found in found {
        match (found.expect("trained"), stop) {
            (Trained::Finished(_), None) => {}
            (Trained::Interrupted { step }, Some(asked)) => assert_eq!(step, asked),
            (other, _) => panic!("{other:?}"),
        }
    }
}

/// Every file of a folder but for its lock and the times in its metrics.
fn left(run: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for folder in [run.to_owned(), run.join("checkpoints")] {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
            if path.is_file() && ![".lock", ".records.jsonl.lock"].contains(&&*name) {
                let content = if name == "metrics.jsonl" {
                    let metrics = MetricsLog::read(&path).expect("metrics").into_iter();
                    format!(
                        "{:?}",
                        metrics.map(|step| StepMetrics { seconds: 0.0, ..step }).collect::<Vec<_>>()
                    )
                    .into_bytes()
                } else {
                    fs::read(&path).expect("a file")
                };
                files.insert(name, content);
            }
        }
    }
    // It shows times.
    files.remove("curve.png");
    files
}

#[track_caller]
fn same(found: &Path, expected: &Path) {
    let (found, expected) = (left(found), left(expected));
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
    for (name, bytes) in &expected {
        assert!(found[name] == *bytes, "other bytes in {name}");
    }
}

#[test]
fn no_number_of_ranks_changes_a_byte() {
    let folder = tempfile::tempdir().expect("a folder");
    let of = |name: &str| folder.path().join(name);
    for size in [1, 2, 4] {
        train(size, &Destination::New(of(&size.to_string())), None);
    }
    same(&of("2"), &of("1"));
    same(&of("4"), &of("1"));

    // Stopped in a stage, where a stage has ended, where validation is due; then by another number of ranks.
    for (stop, then) in [(5, 1), (12, 4), (14, 4)] {
        let [alone, together] = [[1, 1], [2, then]].map(|[size, then]| {
            let path = of(&format!("stopped at {stop} by {size}"));
            train(size, &Destination::New(path.clone()), Some(stop));
            train(then, &Destination::Resume(path.clone()), None);
            path
        });
        same(&together, &alone);
        let last = "checkpoints/last.safetensors";
        assert!(
            fs::read(together.join(last)).expect("a file") == fs::read(of("1").join(last)).expect("a file")
        );
    }

    // Measured anew, by three.
    let path = of("1");
    let before = left(&path);
    for name in MEASURED {
        fs::remove_file(path.join(name)).expect("a file");
    }
    let found = by_ranks(
        3,
        LIMIT,
        |_| recipe(RECIPE),
        |_, run| run.evaluate_with(&run.folder(&path)?, EvaluateOptions::default(), &mut Silent),
    );
    let bits = found.into_iter().map(|found| {
        found.expect("measured").estimates.iter().map(|estimate| estimate.bits_per_dim).collect::<Vec<_>>()
    });
    let bits: Vec<Vec<f64>> = bits.collect();
    assert!(bits.iter().all(|own| *own == bits[0]));
    assert!(left(&path) == before);
}

/// As often as the mean loss of a bin asks.
#[derive(Clone, Debug)]
struct MeanLoss;

impl BinWeights for MeanLoss {
    fn weights(&self, bins: &[BinLosses]) -> Vec<f64> {
        bins.iter().map(|bin| if bin.count > 0.0 { bin.mean() } else { 1.0 }).collect()
    }
}

/// Levels that are drawn by what was learned, over the end of a stage and of a run.
#[test]
fn a_sampler_that_learns_sees_all_losses() {
    let folder = tempfile::tempdir().expect("a folder");
    let range = GammaRange::for_levels(17);
    let by = |size: usize, name: &str, stop: Option<u64>, resume: bool| {
        let path = folder.path().join(name);
        let destination =
            if resume { Destination::Resume(path.clone()) } else { Destination::New(path.clone()) };
        let found = by_ranks(
            size,
            LIMIT,
            |_| recipe(RECIPE),
            |_, run| {
                run.times(Adaptive::new(MeanLoss, range)).train(&destination, &mut StopAfter(stop, false))
            },
        );
        found.into_iter().for_each(|found| drop(found.expect("trained")));
        path
    };
    let last = |run: &Path| fs::read(run.join("checkpoints/last.safetensors")).expect("a checkpoint");
    let alone = last(&by(1, "1", None, false));
    for size in [2, 4] {
        assert!(last(&by(size, &size.to_string(), None, false)) == alone, "{size} ranks");
    }
    by(2, "stopped", Some(5), false);
    assert!(last(&by(4, "stopped", None, true)) == alone);
}

/// An evaluation that three ranks began and were stopped in, by one and by two; and ranks without a row.
#[test]
fn records_of_ranks_go_on_with_another_number_of_them() {
    /// Asks for the end after so many rows.
    struct StopAt(u64);
    impl Observer for StopAt {
        fn advance(&mut self, done: u64, _: Option<f64>) {
            self.0 = self.0.saturating_sub(done);
        }
        fn stop(&self) -> Option<String> {
            (self.0 == 0).then(|| "enough".to_owned())
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run");
    train(1, &Destination::New(path.clone()), None);
    let expected = left(&path);
    let evaluate = |size: usize, stop: u64| {
        by_ranks(
            size,
            LIMIT,
            |_| recipe(RECIPE),
            |ranks, run| {
                let stop = if ranks.rank() == 1 { stop } else { u64::MAX };
                let folder = run.folder(&path)?;
                run.evaluate_with(&folder, EvaluateOptions::default(), &mut StopAt(stop)).map(drop)
            },
        )
    };
    for size in [1, 2] {
        for name in MEASURED {
            fs::remove_file(path.join(name)).expect("a file");
        }
        assert!(evaluate(3, 15).iter().all(|found| matches!(found, Err(Error::Interrupted))));
        assert!(left(&path).keys().any(|name| name.starts_with("shard.rank.")));
        evaluate(size, u64::MAX).into_iter().for_each(|found| found.expect("measured"));
        assert!(left(&path) == expected, "{size}");
    }
    for name in MEASURED {
        fs::remove_file(path.join(name)).expect("a file");
    }
    let text = RECIPE.replace("images = 29", "images = 2");
    let few = || -> Vec<Result<()>> {
        by_ranks(
            3,
            LIMIT,
            |_| recipe(&text),
            |_, run| run.evaluate(&RunFolder::open(&path)?, &mut Silent).map(drop),
        )
    };
    few().into_iter().for_each(|found| found.expect("measured"));
    assert!(left(&path).keys().all(|name| !name.starts_with("shard.")));
}

#[test]
fn ranks_that_differ_end_with_one_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let lines = |of: &dyn Fn(usize) -> Recipe, name: &str| {
        let destination = Destination::New(folder.path().join(name));
        // Threads take what they need of it along.
        let recipes: Vec<Recipe> = (0..3).map(of).collect();
        let found =
            by_ranks(3, LIMIT, |rank| recipes[rank].clone(), |_, run| run.train(&destination, &mut Silent));
        assert!(!destination.path().exists(), "nothing was written");
        let lines = found.into_iter().map(|found| found.expect_err("refused").to_string());
        lines.collect::<Vec<_>>()
    };
    let text = RECIPE.replace("accumulation = 4", "accumulation = 3");
    let recipe_of = |rank: usize| match rank {
        1 => recipe(&text.replace("steps = 12", "steps = 13")),
        _ => recipe(&text),
    };
    let line = "rank 1, step 0: recipe: found steps = 13, expected steps = 12, as rank 0 has";
    assert_eq!(lines(&recipe_of, "recipe"), [line; 3]);

    let of = |_: usize| recipe(RECIPE);
    let found = lines(&of, "parts");
    let expected = "stage[0].accumulation: found 4, expected 3 ranks times a power of two: 3, 6, 12, ...";
    assert!(found.iter().all(|line| line.ends_with(expected)), "{found:?}");
}

/// Rows of a table with a condition; two ranks share five samples unevenly.
#[test]
fn tables_are_measured_and_sampled_by_ranks() {
    let folder = tempfile::tempdir().expect("a folder");
    let csv = folder.path().join("t.csv");
    let rows = (0..90).map(|i| format!("{},{},{}\n", i * 37 % 90, i * i % 17, i % 3));
    fs::write(&csv, "a,b,y\n".to_owned() + &rows.collect::<String>()).expect("a file");
    let data = format!("data = {{ name = 'table', path = '{}', condition = ['y'] }}", csv.display());
    let text = RECIPE.replace("data.name = 'digits'", &data).replace("count = 4", "count = 3");
    for size in [1, 2, 4] {
        let destination = Destination::New(folder.path().join(size.to_string()));
        let found = by_ranks(size, LIMIT, |_| recipe(&text), |_, run| run.train(&destination, &mut Silent));
        found.into_iter().for_each(|found| drop(found.expect("trained")));
    }
    assert!(folder.path().join("1/samples.csv").exists());
    same(&folder.path().join("2"), &folder.path().join("1"));
    same(&folder.path().join("4"), &folder.path().join("1"));
}

/// What ends rank 0, which alone writes, ends all: they say what it says, and the last checkpoint stands.
#[test]
fn what_ends_the_first_rank_ends_all() {
    /// Fails after a step, as a disk that is full does.
    struct Full(u64);
    impl Observer for Full {
        fn step(&mut self, step: &StepMetrics) -> Result<()> {
            match step.step == self.0 {
                true => Err(Error::value("disk", "full", "space")),
                false => Ok(()),
            }
        }
    }
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run");
    let found = by_ranks(
        3,
        LIMIT,
        |_| recipe(&RECIPE.replace("accumulation = 4", "accumulation = 3")),
        |ranks, run| {
            let at = if ranks.is_first() { 6 } else { u64::MAX };
            run.train(&Destination::New(path.clone()), &mut Full(at)).map(drop)
        },
    );
    let lines: Vec<String> = found.into_iter().map(|found| found.expect_err("ended").to_string()).collect();
    let told = "rank 0, step 6: disk = full: expected space";
    assert_eq!(lines, ["disk = full: expected space", told, told]);
    let last = RunFolder::open(&path).and_then(|run| run.last_checkpoint());
    assert!(last.is_ok());
}

/// A rank that is gone, here one that never came, ends the others within the limit, and the last checkpoint stands.
#[test]
fn a_rank_that_is_gone_ends_the_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("run");
    train(1, &Destination::New(path.clone()), Some(5));
    let before = left(&path);
    let limit = Duration::from_secs(1);
    let found = by_ranks(
        2,
        limit,
        |_| recipe(RECIPE),
        |ranks, run| {
            if ranks.rank() == 1 {
                return Ok(());
            }
            run.train(&Destination::Resume(path.clone()), &mut Silent).map(drop)
        },
    );
    match &found[0] {
        Err(Error::Rank { rank: 1, found, .. }) => assert_eq!(found, "nothing was heard of it for 1.0 s"),
        other => panic!("{other:?}"),
    }
    assert!(left(&path) == before);
    let run = RunFolder::open(&path).expect("a run");
    assert!(run.last_checkpoint().is_ok());
}
