use super::*;
use crate::config::{Data, Device, Digits, Mlp};
use crate::progress::StepMetrics;

fn recipe() -> Recipe {
    Recipe::new(Data::Digits(Digits::default()), Mlp::default()).resolved().unwrap()
}

/// A run that has begun.
fn begun(root: &Path) -> RunFolder {
    let (run, _) = RunFolder::create(root, &recipe()).unwrap();
    run.begin().unwrap();
    run
}

#[test]
fn recipe_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("deep/run");
    let run = begun(&root);
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
    begun(&root);
    let mut changed = recipe();
    changed.evaluation.batch = 7;
    changed.sample.count = 9;
    changed.log.every = 3;
    changed.log.keep = 1;
    changed.device = Device::Cuda(1);
    changed.stage[0].on_non_finite = crate::config::OnNonFinite::Skip;
    let run = RunFolder::resume(&root, &changed, Change::Nothing).unwrap();
    assert_eq!(RunFolder::open(&root).unwrap().recipe(), &recipe());
    run.write_recipe().unwrap();
    assert_eq!(RunFolder::open(&root).unwrap().recipe(), &changed);
    let moved = RunFolder::open(&root).unwrap().on(None).on(Some(Device::Cpu));
    assert_eq!(moved.recipe(), &Recipe { device: Device::Cpu, ..changed.clone() });
    assert_eq!(RunFolder::open(&root).unwrap().recipe(), &changed);
    changed.stage[0].learning_rate = 0.5;
    let error = RunFolder::resume(&root, &changed, Change::Nothing).unwrap_err().to_string();
    assert!(error.starts_with("stage[0].learning_rate = 0.5: expected 0.0002, as the run in "), "{error}");
    let mut changed = recipe();
    changed.stage.push(changed.stage[0].clone());
    let error = RunFolder::resume(&root, &changed, Change::Nothing).unwrap_err().to_string();
    assert!(error.starts_with("stage[1] = a table: expected nothing, as the run in "), "{error}");
    assert!(error.ends_with("(--continue gives the last stage more steps, and adds stages)"), "{error}");
}

#[test]
fn a_longer_run_has_other_steps_at_its_end_and_further_stages() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("run");
    begun(&root);
    let resume = |recipe: &Recipe| RunFolder::resume(&root, recipe, Change::Longer);
    let mut longer = recipe();
    longer.stage[0].steps += 5;
    longer.stage.push(crate::config::Stage { batch: 3, ..longer.stage[0].clone() });
    assert_eq!(resume(&longer).unwrap().recipe(), &longer);
    resume(&longer).unwrap().write_recipe().unwrap();
    // Now the second stage is the last.
    longer.stage[1].steps = 1;
    assert!(resume(&longer).is_ok());
    let allowed = "(--continue changes the steps of the last stage, adds stages after it, and nothing else)";
    let cases: [(&str, fn(&mut Recipe)); 4] = [
        ("stage[0].steps = 1: expected 1005", |recipe| recipe.stage[0].steps = 1),
        ("stage[1].batch = 4: expected 3", |recipe| recipe.stage[1].batch = 4),
        ("stage[1] = nothing: expected a table", |recipe| recipe.stage.truncate(1)),
        ("seed = 7: expected 0", |recipe| recipe.seed = 7),
    ];
    for (start, change) in cases {
        let mut changed = longer.clone();
        change(&mut changed);
        let error = resume(&changed).unwrap_err().to_string();
        assert!(error.starts_with(start) && error.ends_with(allowed), "{error}");
    }
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
    // A recipe that TOML cannot hold.
    let unwritable = Recipe { seed: u64::MAX, ..recipe() };
    assert!(RunFolder::create(&folder.path().join("new"), &unwritable).is_err());
    assert!(!folder.path().join("new").exists());
}

#[test]
fn what_an_ended_process_left_is_a_new_folder() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("run");
    assert!(!RunFolder::is_unbegun(&root));
    let write = |names: &[&str]| {
        fs::create_dir_all(root.join("checkpoints")).unwrap();
        names.iter().for_each(|name| fs::write(root.join(name), name).unwrap());
    };
    // Ended while the recipe was written, and while the first checkpoint was.
    write(&[".lock", "recipe.toml.unbegun", "recipe.toml.unbegun.12.tmp", "recipe.toml.12.tmp"]);
    write(&["checkpoints/last.safetensors", "checkpoints/last.safetensors.12.tmp"]);
    assert!(RunFolder::is_unbegun(&root));
    let (run, lock) = RunFolder::create(&root, &recipe()).unwrap();
    for left in ["recipe.toml.unbegun.12.tmp", "recipe.toml.12.tmp", "checkpoints/last.safetensors.12.tmp"] {
        assert!(!root.join(left).exists(), "{left}");
    }
    let error = RunFolder::create(&root, &recipe()).unwrap_err().to_string();
    assert!(error.contains(&format!("found process {} at work in it", std::process::id())), "{error}");
    drop(lock);
    run.begin().unwrap();
    assert_eq!(RunFolder::open(&root).unwrap(), run);

    // A run that has lost its recipe, and somebody's file, are not nothing.
    fs::remove_file(root.join("recipe.toml")).unwrap();
    assert!(RunFolder::vacant(&root).unwrap_err().to_string().contains("found other files"));
    fs::remove_dir_all(root.join("checkpoints")).unwrap();
    assert!(RunFolder::is_unbegun(&root));
    for other in ["notes.2024.tmp", "result.json", "a.png"] {
        write(&[other]);
        assert!(!RunFolder::is_unbegun(&root), "{other}");
        fs::remove_file(root.join(other)).unwrap();
    }
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
        skipped: 0,
        validation: None,
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
fn kept_lines_stay_byte_for_byte() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics.jsonl");
    // Spaces, an unknown key and digits that no number has: what another program or an earlier version wrote.
    let line = |step: u32| {
        format!(
            "{{\"step\": {step}, \"stage\":0,\"loss\":0.10000000000000000555111512312578270,\"bits_per_dim\":3.4000000000000004,\
             \"learning_rate\":1e-3,\"gradient_norm\":null,\"seconds\":0.1,\"more\":[1]}}\n"
        )
    };
    let whole: String = (1..=4).map(line).collect();
    for (step, kept) in [(4, 4), (3, 3), (2, 2)] {
        fs::write(&path, &whole).unwrap();
        let log = MetricsLog::open(&path, step).unwrap();
        assert_eq!(log.last().map(|last| last.step), Some(step));
        assert_eq!(fs::read_to_string(&path).unwrap(), (1..=kept).map(line).collect::<String>());
    }
    // After the checkpoint's line, whatever a power cut left.
    fs::write(&path, [whole.as_bytes(), b"\0\0\0\n\xff"].concat()).unwrap();
    assert!(MetricsLog::open(&path, 3).is_ok());
    assert_eq!(fs::read_to_string(&path).unwrap(), (1..=3).map(line).collect::<String>());
    // A number comes back as it was.
    let mut log = MetricsLog::open(&path, 3).unwrap();
    let odd = StepMetrics { loss: 0.19999999999999998, bits_per_dim: f64::NAN, skipped: 2, ..metrics(4) };
    log.append(&odd).unwrap();
    let read = MetricsLog::read(&path).unwrap().pop().unwrap();
    assert_eq!((read.loss.to_bits(), read.skipped), (odd.loss.to_bits(), 2));
    assert!(read.bits_per_dim.is_nan());
}

#[test]
fn corrupt_metrics_name_the_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics.jsonl");
    fs::write(&path, "{}\n").unwrap();
    let error = MetricsLog::open(&path, 3).unwrap_err().to_string();
    assert!(error.contains("metrics.jsonl: line 1: found "), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "{}\n");
}

/// What a checkpoint must not be ahead of is on the disk before it: so many steps touch the disk.
#[test]
fn logs_are_on_the_disk_before_a_checkpoint() {
    use crate::files::fault_injection::counted;
    use crate::level::GammaRange;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics.jsonl");
    let (log, steps) = counted(|| MetricsLog::open(&path, 0).unwrap());
    assert_eq!(steps, 2, "the file is made, and its entry in the folder is synced");
    let mut writer = MetricsWriter::new(log, 5);
    assert_eq!(counted(|| writer.step(&metrics(1)).unwrap()).1, 0, "no line is due");
    assert_eq!(counted(|| writer.checkpoint(1).unwrap()).1, 2, "the line, and its sync");
    assert_eq!(counted(|| writer.checkpoint(1).unwrap()).1, 1, "the sync");

    let range = GammaRange::for_levels(17);
    let path = folder.path().join("levels.jsonl");
    let mut levels = LevelWriter::open(&path, 0, range).unwrap();
    let rows = [(range.min().0, 1.0)];
    levels.losses(&RowLosses { stage: 0, step: 1, rows: &rows }).unwrap();
    assert_eq!(counted(|| levels.checkpoint(1).unwrap()).1, 2, "the line, and its sync");

    let [from, to] = ["a", "b"].map(|name| folder.path().join(name));
    fs::write(&from, "").unwrap();
    assert_eq!(counted(|| files::rename(&from, &to).unwrap()).1, 2, "the new name, and the folder's sync");
}
