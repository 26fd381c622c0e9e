//! Every step of every command that changes the disk fails once, and once more as if the process had been killed there:
//! what is left is whole, the error is one line, and the same command done again ends as if nothing had happened.
#![cfg(feature = "testkit")]
#![allow(clippy::panic)]

use idode::commands::{self, Destination, SampleOptions, Weights};
use idode::config::Recipe;
use idode::error::Result;
use idode::files::fault_injection::{Then, counted, failing};
use idode::progress::Silent;
use idode::registry::Registry;
use idode::result::{Outcome, StageRecord};
use idode::run::{MetricsLog, RunFolder};
use idode::train::Checkpoint;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

const RECIPE: &str = "
    data = { name = 'npy', train = 'DIR/rows.npy', test = 'DIR/rows.npy' }
    network = { name = 'mlp', width = 32, depth = 1 }
    [[stage]]
    steps = 2
    batch = 3
    [[stage]]
    steps = 2
    batch = 2
    [log]
    every = 1
    checkpoint_every = 1
    keep = 2
    [evaluation]
    images = 2
    stage_images = 2
    vlb_levels = 2
    divergence = 'exact'
    stepping = { name = 'fixed', steps = 2 }
    dequantizers = ['uniform']
    [sample]
    count = 1
    stepping = { name = 'fixed', steps = 2 }";

/// A folder with eight rows of two numbers.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let header = "{'descr': '|u1', 'fortran_order': False, 'shape': (8, 1, 2), }";
        let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
        bytes.extend(format!("{header:<117}\n").bytes());
        bytes.extend((0..16u8).map(|i| i * 15));
        fs::write(folder.path().join("rows.npy"), bytes).expect("a file");
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn recipe(&self) -> Recipe {
        let text = RECIPE.replace("DIR", &self.0.path().display().to_string());
        Recipe::parse("r.toml", &text).expect("a recipe")
    }

    fn train(&self, resume: bool) -> Result<()> {
        let root = self.path("run");
        let to = if resume { Destination::Resume(root) } else { Destination::New(root) };
        commands::train(&self.recipe(), &Registry::default(), &to, &mut Silent).map(drop)
    }

    fn run(&self) -> Result<RunFolder> {
        RunFolder::open(&self.path("run"))
    }

    /// Puts a run into the folder `run`, in place of what is there.
    fn put(&self, files: &Tree) {
        let _ = fs::remove_dir_all(self.path("run"));
        for (name, bytes) in files {
            let path = self.path("run").join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, bytes).expect("a file");
        }
    }
}

/// The content of every file of a folder by its path within, but for the lock's.
type Tree = BTreeMap<PathBuf, Vec<u8>>;

fn tree(root: &Path) -> Tree {
    let (mut found, mut folders) = (Tree::new(), vec![root.to_owned()]);
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).into_iter().flatten().map(|entry| entry.expect("an entry").path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_none_or(|extension| extension != "lock") && !path.ends_with(".lock")
            {
                let name = path.strip_prefix(root).expect("below").to_owned();
                found.insert(name, fs::read(path).expect("a file"));
            }
        }
    }
    found
}

/// The same without what differs from run to run: times.
fn timeless(mut tree: Tree) -> Tree {
    for (name, bytes) in &mut tree {
        if name.ends_with("metrics.jsonl") {
            let text = String::from_utf8(bytes.clone()).expect("UTF-8");
            let parts = text.split("\"seconds\":").enumerate();
            let without = |(index, part): (usize, &str)| match index {
                0 => part.to_owned(),
                _ => part.trim_start_matches(|c: char| c.is_ascii_digit() || " .e-".contains(c)).to_owned(),
            };
            *bytes = parts.map(without).collect::<String>().into_bytes();
        }
    }
    tree
}

/// No file of a run is half of one.
fn whole(root: &Path) {
    let path = |name: &str| Some(root.join(name)).filter(|path| path.exists());
    path("recipe.toml").map(|path| Recipe::load(path).expect("a recipe"));
    path("metrics.jsonl").map(|path| MetricsLog::read(&path).expect("metrics"));
    path("result.json").map(|path| Outcome::read(&path).expect("a result"));
    if let Some(path) = path("records.jsonl") {
        let text = fs::read_to_string(path).expect("records");
        assert!(text.starts_with("{\"version\":"), "{text}");
    }
    path("stages.json").map(|path| StageRecord::read(&path).expect("stages"));
    for (name, bytes) in tree(&root.join("checkpoints")) {
        let temporary = name.extension().is_some_and(|extension| extension == "tmp");
        assert!(temporary || Checkpoint::parse(&name, &bytes).is_ok(), "{}", name.display());
    }
    // A run that is one has a checkpoint.
    assert!(path("recipe.toml").is_none() || RunFolder::open(root).expect("a run").last_checkpoint().is_ok());
}

/// A command: what is there before it, how it is done, and how it is done again after it failed.
struct Case<'a> {
    name: &'a str,
    before: &'a dyn Fn(),
    command: &'a dyn Fn() -> Result<()>,
    again: &'a dyn Fn() -> Result<()>,
    /// What it leaves.
    left: &'a dyn Fn() -> Tree,
    /// What holds in between.
    between: &'a dyn Fn(),
}

impl Case<'_> {
    /// Fails every step; gives their number.
    fn check(&self) -> u64 {
        (self.before)();
        let (done, steps) = counted(self.command);
        done.expect(self.name);
        let expected = timeless((self.left)());
        for then in [Then::GoesOn, Then::Dies] {
            for at in 1..=steps {
                (self.before)();
                let place = format!("{}, step {at} of {steps}, {then:?}", self.name);
                if let Err(error) = failing(at, then, self.command) {
                    let line = error.to_string();
                    assert!(!line.contains('\n') && line.contains("the disk fails"), "{place}: {line}");
                }
                (self.between)();
                counted(self.again).0.unwrap_or_else(|error| panic!("{place}: {error}"));
                let found = timeless((self.left)());
                assert!(found.keys().eq(expected.keys()), "{place}: {:?}", found.keys());
                let differs = found.iter().find(|(name, bytes)| expected[*name] != **bytes);
                assert!(differs.is_none(), "{place}: {}", differs.expect("a file").0.display());
            }
        }
        steps
    }
}

#[test]
fn whatever_write_fails_nothing_is_lost() {
    let place = Place::new();
    let run = place.path("run");
    let empty = || place.put(&Tree::new());
    let nothing = || ();
    let in_run = || whole(&run);
    let left = || tree(&run);

    let train = || place.train(false);
    // A run that had not begun, one that had, or one that was finished but for the last answer.
    let resumed = || place.train(place.run().is_ok());
    let mut counts = vec![];
    let mut check = |case: Case<'_>| {
        let steps = case.check();
        counts.push(format!("{} {steps}", case.name));
    };
    check(Case {
        name: "train",
        before: &empty,
        command: &train,
        again: &resumed,
        left: &left,
        between: &in_run,
    });

    // From the checkpoint in the middle of the second stage, with half a line in the log.
    empty();
    place.train(false).expect("a run");
    let finished = left();
    let mut stopped = finished.clone();
    let name = |text: &str| PathBuf::from(text);
    let earlier = stopped.remove(&name("checkpoints/step_000000000003.safetensors")).expect("a checkpoint");
    stopped.insert(name("checkpoints/last.safetensors"), earlier);
    stopped.get_mut(&name("metrics.jsonl")).expect("metrics").extend(b"{\"stage\"");
    ["result.json", "records.json", "samples.png"].iter().for_each(|text| drop(stopped.remove(&name(text))));
    let before = || place.put(&stopped);
    let resume = || place.train(true);
    check(Case {
        name: "resume",
        before: &before,
        command: &resume,
        again: &resume,
        left: &left,
        between: &in_run,
    });

    let before = || place.put(&finished);
    let eval = || commands::evaluate(&place.run()?, &Registry::default(), &mut Silent).map(drop);
    check(Case {
        name: "eval",
        before: &before,
        command: &eval,
        again: &eval,
        left: &left,
        between: &in_run,
    });
    let sample = || {
        commands::sample(&place.run()?, &Registry::default(), &SampleOptions::default(), &mut Silent)
            .map(drop)
    };
    check(Case {
        name: "sample",
        before: &before,
        command: &sample,
        again: &sample,
        left: &left,
        between: &in_run,
    });

    let file = place.path("p.flax");
    let before = || {
        place.put(&finished);
        let _ = fs::remove_file(&file);
    };
    let export = || commands::export(&place.run()?, &Registry::default(), &file);
    // An export whose last answer alone was lost is there.
    let again = || if file.exists() { Ok(()) } else { export() };
    // What is there besides the run.
    let outside = || {
        let mut found = tree(place.0.path());
        found.retain(|name, _| !name.starts_with("run"));
        found
    };
    check(Case {
        name: "export",
        before: &before,
        command: &export,
        again: &again,
        left: &outside,
        between: &nothing,
    });

    before();
    export().expect("a file");
    let out = place.path("imported");
    let before = || drop(fs::remove_dir_all(&out));
    let import =
        || commands::import(&file, &place.recipe(), &Registry::default(), &out, Weights::Average).map(drop);
    let again = || if out.exists() { Ok(()) } else { import() };
    // All of it or nothing: what is there can be measured.
    let between = || {
        whole(&out);
        assert!(!out.exists() || idode::model::Model::load(&out).is_ok());
    };
    check(Case {
        name: "import",
        before: &before,
        command: &import,
        again: &again,
        left: &outside,
        between: &between,
    });
    println!("steps that were made to fail, twice each: {}", counts.join(", "));
}
