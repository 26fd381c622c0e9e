use super::*;
use crate::config::{Data, Device, Digits, Mlp};
use crate::progress::StepMetrics;

fn recipe() -> Recipe {
    Recipe::new(Data::Digits(Digits::default()), Mlp::default()).resolved().unwrap()
}

#[test]
fn recipe_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("deep/run");
    let run = RunFolder::create(&root, &recipe()).unwrap();
    assert_eq!(RunFolder::open(&root).unwrap(), run);
    assert_eq!(
        RunFolder::open(&root).unwrap().recipe().gamma_range().unwrap(),
        recipe().gamma_range().unwrap()
    );
    let error = RunFolder::create(&root, &recipe()).unwrap_err().to_string();
    assert!(error.ends_with("run folder: found an earlier run, expected a new folder (--out), or --resume to continue that run"), "{error}");
}

#[test]
fn only_what_training_reads_must_agree() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("run");
    RunFolder::create(&root, &recipe()).unwrap();
    let mut changed = recipe();
    changed.evaluation.batch = 7;
    changed.sample.count = 9;
    changed.log.every = 3;
    changed.device = Device::Cuda(1);
    let run = RunFolder::resume(&root, &changed).unwrap();
    assert_eq!(RunFolder::open(&root).unwrap().recipe(), &recipe());
    run.write_recipe().unwrap();
    assert_eq!(RunFolder::open(&root).unwrap().recipe(), &changed);
    let moved = RunFolder::open(&root).unwrap().on(None).on(Some(Device::Cpu));
    assert_eq!(moved.recipe(), &Recipe { device: Device::Cpu, ..changed.clone() });
    assert_eq!(RunFolder::open(&root).unwrap().recipe(), &changed);
    changed.stage[0].learning_rate = 0.5;
    let error = RunFolder::resume(&root, &changed).unwrap_err().to_string();
    assert!(error.starts_with("stage[0].learning_rate = 0.5: expected 0.0002, as the run in "), "{error}");
    let mut changed = recipe();
    changed.stage.push(changed.stage[0].clone());
    let error = RunFolder::resume(&root, &changed).unwrap_err().to_string();
    assert!(error.starts_with("stage[1] = a table: expected nothing, as the run in "), "{error}");
}

#[test]
fn folder_that_cannot_be_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "kept").unwrap();
    let error = RunFolder::create(&file, &recipe()).unwrap_err().to_string();
    assert!(error.contains("file: cannot use as run folder: "), "{error}");
    let error = RunFolder::create(&file.join("run"), &recipe()).unwrap_err().to_string();
    assert!(error.contains("file/run: cannot "), "{error}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "kept");
    // A recipe that TOML cannot hold: the new folder is taken back.
    let unwritable = Recipe { seed: u64::MAX, ..recipe() };
    assert!(RunFolder::create(&folder.path().join("new"), &unwritable).is_err());
    assert!(!folder.path().join("new").exists());
}

fn metrics(step: u64) -> StepMetrics {
    let (loss, bits_per_dim) = (1.0 / step as f64, f64::from(2u8));
    StepMetrics {
        stage: 0,
        step,
        loss,
        bits_per_dim,
        learning_rate: 1e-3,
        gradient_norm: 0.1,
        seconds: 0.5,
        high_order: None,
    }
}

#[test]
fn metrics_continue_after_the_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics.jsonl");
    let mut log = MetricsLog::open(&path, 0).unwrap();
    for step in 1..=5 {
        log.append(&metrics(step)).unwrap();
    }
    let whole = fs::read_to_string(&path).unwrap();
    fs::write(&path, format!("{whole}{{\"stage\": 0, \"st")).unwrap();
    let mut log = MetricsLog::open(&path, 3).unwrap();
    log.append(&metrics(4)).unwrap();
    let steps: Vec<u64> = MetricsLog::read(&path).unwrap().iter().map(|m| m.step).collect();
    assert_eq!(steps, [1, 2, 3, 4]);
    assert!(whole.starts_with(&fs::read_to_string(&path).unwrap()));
}

#[test]
fn damaged_metrics_name_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics.jsonl");
    fs::write(&path, "{}\n").unwrap();
    let error = MetricsLog::open(&path, 3).unwrap_err().to_string();
    assert!(error.contains("metrics.jsonl: line 1: found "), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "{}\n");
}
