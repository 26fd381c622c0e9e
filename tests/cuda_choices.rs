//! A run on a CUDA device keeps what computed each operation: where that was chosen by time, another process might choose otherwise and have other
//! bits. On a device of host memory under a name of which times are taken.
#![cfg(all(feature = "cuda", feature = "cli"))]
#![allow(clippy::unwrap_used)]

use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

const RECIPE: &str = "
    data.name = 'digits'
    network = { name = 'unet', width = 32, blocks = 1, dropout = 0.1 }
    [[stage]]
    steps = STEPS
    batch = 4
    [evaluation]
    images = 1
    vlb_levels = 2
    stepping = { name = 'fixed', steps = 2 }
    dequantizers = ['uniform']
    [sample]
    count = 1
    stepping = { name = 'fixed', steps = 2 }";

/// The program in a folder of its own, on a device whose name is `a card`.
struct Program {
    folder: tempfile::TempDir,
}

impl Program {
    /// Nothing where there is no device of host memory, or no compiler for its kernels.
    fn new() -> Option<Self> {
        let compiler =
            ["cc", "gcc", "clang"].iter().any(|name| Command::new(name).arg("--version").output().is_ok());
        if std::env::var_os("IDODE_MEMORY_DRIVER").is_none() || !compiler {
            eprintln!("not run: no device of host memory, or no C compiler for its kernels");
            return None;
        }
        Some(Self { folder: tempfile::tempdir().unwrap() })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_idode"))
            .args(arguments)
            .current_dir(self.folder.path())
            .env("IDODE_MEMORY_DRIVER_NAME", "a card")
            .envs(variables.iter().copied())
            .output()
            .unwrap()
    }

    /// What the program said, in which it did not fail.
    fn done(&self, arguments: &[&str], variables: &[(&str, &str)]) -> String {
        let output = self.run(arguments, variables);
        let errors = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {errors}");
        errors
    }

    /// Trains so many steps: into a new folder, or for longer than before.
    fn train(&self, steps: u32, folder: [&str; 2], device: &str, variables: &[(&str, &str)]) -> String {
        fs::write(self.path("r.toml"), RECIPE.replace("STEPS", &steps.to_string())).unwrap();
        let [option, folder] = folder;
        self.done(&["train", "r.toml", option, folder, "--device", device], variables)
    }

    fn choices(&self, run: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(run).join("candidates.json")).unwrap()).unwrap()
    }

    /// Measures a run anew: its estimates.
    fn measured(&self, run: &str, variables: &[(&str, &str)]) -> Vec<f64> {
        let folder = self.path(run);
        for name in ["records.jsonl", "records.json", "records.csv", "result.json"] {
            let _ = fs::remove_file(folder.join(name));
        }
        self.done(&["eval", run, "--device", "cuda:0"], variables);
        let result: Value = serde_json::from_slice(&fs::read(folder.join("result.json")).unwrap()).unwrap();
        let estimates = result["estimates"].as_array().unwrap();
        estimates.iter().map(|estimate| estimate["bits_per_dim"].as_f64().unwrap()).collect()
    }

    /// Has a run this candidate for 3x3 convolutions, and own kernels for all else; and keep one more, of an operation that it does not have.
    fn change(&self, run: &str, to: &str) -> Value {
        let mut choices = self.choices(run);
        let operations = choices["operations"].as_object_mut().unwrap();
        for (operation, candidate) in &mut *operations {
            *candidate = if operation.contains("3x3") { to } else { "own" }.into();
        }
        operations.insert(OTHER.to_owned(), "portable".into());
        fs::write(self.path(run).join("candidates.json"), choices.to_string()).unwrap();
        choices
    }
}

const NAME: &str = "IDODE_MEMORY_DRIVER_NAME";
const CANDIDATE: &str = "IDODE_CUDA_CANDIDATE";
const OTHER: &str = "upsample of 3x5, 7";

#[test]
fn a_run_is_computed_on_as_it_was() {
    let Some(program) = Program::new() else { return };
    program.train(2, ["--out", "run"], "cuda:0", &[]);
    let found = program.choices("run");
    assert_eq!(found["device"], "a card");
    let keys: Vec<&String> = found["operations"].as_object().unwrap().keys().collect();
    for what in ["norm and 3x3 convolution of 8x8, 32 to 32", "AdamW and average of ", "finite rows, f64"] {
        assert!(keys.iter().any(|key| key.starts_with(what)), "{what}: {keys:?}");
    }
    // What is next to the first for some, and the first for the others, whatever their times.
    let chosen = program.change("run", "patches");
    let kept = program.measured("run", &[]);
    assert_eq!(kept, program.measured("run", &[(CANDIDATE, "patches")]));
    assert_ne!(kept, program.measured("run", &[(CANDIDATE, "own")]));
    assert_eq!(program.choices("run"), chosen, "a measurement has written the choices");
    program.train(3, ["--continue", "run"], "cuda:0", &[]);
    assert_eq!(program.choices("run"), chosen);
    // Another device has its own choices, which a run that goes on there keeps in place of these.
    program.measured("run", &[(NAME, "another card")]);
    assert_eq!(program.choices("run"), chosen);
    program.train(4, ["--continue", "run"], "cuda:0", &[(NAME, "another card")]);
    let found = program.choices("run");
    assert_eq!((&found["device"], &found["operations"][OTHER]), (&"another card".into(), &Value::Null));
    assert!(found["operations"].as_object().unwrap().len() > 10, "{found}");
}

#[test]
fn what_was_chosen_is_checked_and_the_file_too() {
    let Some(program) = Program::new() else { return };
    program.train(1, ["--out", "run"], "cuda:0", &[]);
    program.change("run", "cudnn");
    let wrong = ("IDODE_MEMORY_DRIVER_WRONG", "cudnnConvolutionForward");
    let said = program.done(&["sample", "run", "--device", "cuda:0"], &[wrong]);
    let lines = |end: &str| said.lines().filter(|line| line.contains(end)).count();
    let line = ": cudnn, which was taken before, is not to be had: the bits are others";
    assert!(lines(line) > 0 && lines(line) == lines("cudnn is left out"), "{said}");
    let file = program.path("run").join("candidates.json");
    fs::write(&file, "{\"device\": \"a card\", \"operations\": {\"swish of 3000\": \"best\"}}").unwrap();
    let output = program.run(&["sample", "run", "--device", "cuda:0"], &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    let expected = "expected a device's name, and own, cudnn, patches or portable for each of its operations";
    assert!(said.contains("candidates.json: line 1: found ") && said.contains(expected), "{said}");
    assert_eq!((said.lines().count(), output.status.success()), (1, false), "{said}");
    // The processor has one way.
    program.done(&["sample", "run", "--device", "cpu"], &[]);
    program.train(1, ["--out", "other"], "cpu", &[]);
    assert!(!program.path("other").join("candidates.json").exists());
}
