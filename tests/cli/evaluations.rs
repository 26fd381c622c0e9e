//! Evaluations that are killed, stopped, dealt to several processes, and of other images: their bytes are those of a whole one.

use super::runs::folder_with;
use super::{idode, refusal};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use tempfile::TempDir;

const RECIPE: &str = "data.name = 'two_pixel'
network = { name = 'mlp', width = 32, depth = 1 }
[[stage]]
steps = 1
batch = 2
[evaluation]
images = 120
batch = 8
vlb_levels = 4
draws = 2
importance_samples = 2
divergence = 'hutchinson'
dequantizers = ['uniform', 'truncated_normal']
[sample]
count = 1
stepping = { name = 'fixed', steps = 3 }
";

/// What an evaluation writes, but for its lock.
const FILES: [&str; 4] = ["result.json", "records.json", "records.csv", "records.jsonl"];

type Bytes = BTreeMap<&'static str, Vec<u8>>;

fn written(root: &Path) -> Bytes {
    FILES.iter().map(|name| (*name, fs::read(root.join("run").join(name)).expect(name))).collect()
}

/// A trained run, and what its evaluation wrote undisturbed; made once.
fn measured() -> &'static (TempDir, Bytes) {
    static MEASURED: OnceLock<(TempDir, Bytes)> = OnceLock::new();
    MEASURED.get_or_init(|| {
        let folder = folder_with(RECIPE);
        let output = idode(folder.path(), &["train", "r.toml", "--out", "run"]);
        assert!(output.status.success(), "{output:?}");
        let bytes = written(folder.path());
        (folder, bytes)
    })
}

/// A copy of the run without its evaluation.
fn unmeasured() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    fs::create_dir_all(root.join("run/checkpoints")).expect("a folder");
    for name in ["run/recipe.toml", "run/checkpoints/last.safetensors"] {
        fs::copy(measured().0.path().join(name), root.join(name)).expect("a file");
    }
    folder
}

#[track_caller]
fn assert_whole(root: &Path) {
    let found = written(root);
    for name in FILES {
        assert!(found[name] == measured().1[name], "{name}");
    }
}

#[track_caller]
fn succeeds(root: &Path, arguments: &[&str]) -> String {
    let output = idode(root, arguments);
    let stderr = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    stderr
}

/// Starts an evaluation, and waits until a part of its records is there; none if it has ended before.
fn started_until(root: &Path, part: f64) -> Option<Child> {
    let log = root.join("run/records.jsonl");
    let expected = (measured().1["records.jsonl"].len() as f64 * part) as u64;
    let mut command = Command::new(env!("CARGO_BIN_EXE_idode"));
    let command = command.args(["eval", "run"]).current_dir(root);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    let begun = Instant::now();
    while fs::metadata(&log).map_or(0, |file| file.len()) < expected {
        assert!(begun.elapsed() < Duration::from_secs(120), "no records");
        if child.try_wait().expect("a child").is_some() {
            return None;
        }
        std::thread::sleep(Duration::from_micros(300));
    }
    Some(child)
}

/// Numbers in `[0, 1)`, the same in every run of the test.
fn moments(count: usize) -> impl Iterator<Item = f64> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    (0..count).map(move |_| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1u64 << 53) as f64
    })
}

/// Kills evaluations, each at its moment, and goes on with them; gives how many were killed.
fn killed(count: usize) -> usize {
    let mut killed = 0;
    for moment in moments(count) {
        let folder = unmeasured();
        if let Some(mut child) = started_until(folder.path(), moment) {
            child.kill().expect("a child");
            killed += usize::from(child.wait().expect("an end").code().is_none());
        }
        succeeds(folder.path(), &["eval", "run"]);
        assert_whole(folder.path());
    }
    killed
}

#[test]
fn killed_evaluations_end_with_the_bytes_of_one_that_was_not() {
    assert!(killed(5) > 0);
}

/// As many as the documentation speaks of: `cargo test --test cli -- --ignored twenty`.
#[test]
#[ignore = "takes a minute"]
fn killed_at_twenty_moments() {
    println!("killed at {} of 20 random moments, each time the same bytes in the end", killed(20));
}

#[test]
fn one_evaluation_may_be_killed_and_stopped_again_and_again() {
    let folder = unmeasured();
    let root = folder.path();
    let mut child = started_until(root, 0.2).expect("an evaluation at work");
    child.kill().expect("a child");
    child.wait().expect("an end");
    // A line that was cut short.
    let log = root.join("run/records.jsonl");
    let mut bytes = fs::read(&log).expect("records");
    bytes.extend(b"{\"estimate\":\"vlb\",\"ind");
    fs::write(&log, bytes).expect("a file");

    let child = started_until(root, 0.6).expect("an evaluation at work");
    let kill = Command::new("kill").args(["-TERM", &child.id().to_string()]).status();
    assert!(kill.expect("kill").success());
    let Output { status, stderr, stdout } = child.wait_with_output().expect("an end");
    let stderr = String::from_utf8(stderr).expect("UTF-8");
    assert_eq!((status.code(), stdout.is_empty()), (Some(130), true), "{stderr}");
    let lines: Vec<&str> = stderr.lines().collect();
    assert!(lines[0].starts_with("run/records.jsonl: goes on after "), "{stderr}");
    assert!(lines[1].starts_with("finishing what is begun, "), "{stderr}");
    assert_eq!(lines[2..], ["stopped; what was found is kept: the same command goes on"]);

    assert!(succeeds(root, &["eval", "run"]).starts_with("run/records.jsonl: goes on after "));
    assert_whole(root);
}

#[test]
fn records_of_other_settings_are_not_mixed_in() {
    let folder = unmeasured();
    let root = folder.path();
    let mut child = started_until(root, 0.4).expect("an evaluation at work");
    child.kill().expect("a child");
    child.wait().expect("an end");
    let recipe = root.join("run/recipe.toml");
    let text = fs::read_to_string(&recipe).expect("a recipe");
    fs::write(&recipe, text.replace("vlb_levels = 4", "vlb_levels = 3")).expect("a file");
    let said = "run/records.jsonl: records of another evaluation.vlb_levels: begun anew\n";
    assert!(succeeds(root, &["eval", "run"]).starts_with(said));
    // How many rows, and of which batches, changes no record.
    fs::remove_file(root.join("run/records.jsonl")).expect("a file");
    let mut child = started_until(root, 0.1).expect("an evaluation at work");
    child.kill().expect("a child");
    child.wait().expect("an end");
    let text = fs::read_to_string(&recipe).expect("a recipe");
    let fewer = text.replace("images = 120", "images = 10").replace("batch = 8", "batch = 5");
    fs::write(&recipe, fewer).expect("a file");
    assert!(succeeds(root, &["eval", "run"]).starts_with("run/records.jsonl: goes on after "));
}

#[test]
fn shards_merge_to_the_bytes_of_a_whole() {
    let folder = unmeasured();
    let root = folder.path();
    for shard in ["3/3", "1/3", "2/3"] {
        let output = idode(root, &["eval", "run", "--shard", shard]);
        let expected = format!("run/shard.{}.jsonl\n", shard.replace('/', "-of-"));
        assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{output:?}");
        assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    }
    assert!(!root.join("run/result.json").exists());
    // Without the last record of one.
    let part = root.join("run/shard.2-of-3.jsonl");
    let whole = fs::read(&part).expect("a shard");
    fs::write(&part, &whole[..whole.len() - 10]).expect("a file");
    let line = refusal(root, &["merge", "run"]);
    let expected = "run/shard.2-of-3.jsonl: ode_truncated_normal: found no record of row ";
    assert!(line.starts_with(expected) && line.ends_with("goes on"), "{line}");
    succeeds(root, &["eval", "run", "--shard", "2/3"]);
    assert_eq!(fs::read(&part).expect("a shard").len(), whole.len());

    let line = refusal(root, &["merge", "run", "run/shard.1-of-3.jsonl", "run/shard.3-of-3.jsonl"]);
    assert!(line.contains("found 2 of them, without 2/3, expected every part of the whole"), "{line}");
    succeeds(root, &["merge", "run"]);
    assert_whole(root);
    fs::remove_file(root.join("run/result.json")).expect("a file");
    let parts = [1, 2, 3].map(|part| format!("run/shard.{part}-of-3.jsonl"));
    succeeds(root, &["merge", "run", &parts[2], &parts[0], &parts[1]]);
    assert_whole(root);
    let line = refusal(root, &["eval", "run", "--shard", "4/3"]);
    assert!(line.contains("shard = 4/3: expected a part from 1 on, such as 2/3"), "{line}");
}

/// An array of images of `height x width` grey levels.
fn npy(path: &Path, images: usize, (height, width): (usize, usize)) {
    let header =
        format!("{{'descr': '|u1', 'fortran_order': False, 'shape': ({images}, {height}, {width}), }}");
    let mut bytes = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    bytes.extend(format!("{header:<117}\n").bytes());
    bytes.extend((0..images * height * width).map(|i| (i * 37 % 256) as u8));
    fs::write(path, bytes).expect("a file");
}

#[test]
fn other_images_are_measured_beside_the_runs_own() {
    let folder = unmeasured();
    let root = folder.path();
    for (name, bytes) in &measured().1 {
        fs::write(root.join("run").join(name), bytes).expect("a file");
    }
    npy(&root.join("strange.npy"), 5, (1, 2));
    let output = idode(root, &["eval", "strange.npy", "--run", "run"]);
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{output:?}");
    assert!(stdout.starts_with("strange, test split, after step 1\n"), "{stdout}");
    assert!(stdout.ends_with("\nrun/result.strange.json\nrun/records.strange.csv\n"), "{stdout}");
    assert_whole(root);
    let read = |name: &str| fs::read_to_string(root.join("run").join(name)).expect("a file");
    let result: serde_json::Value = serde_json::from_str(&read("result.strange.json")).expect("JSON");
    assert_eq!((&result["data"]["fingerprint"]["images"], result["baseline"].is_null()), (&5.into(), true));
    let table = read("records.strange.csv");
    let lines: Vec<Vec<&str>> = table.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(lines[0].join(","), "estimate,index,value,standard_error,evaluations,status");
    assert_eq!(lines.len(), 1 + 3 * 5);
    let records: serde_json::Value = serde_json::from_str(&read("records.strange.json")).expect("JSON");
    let own = &records["ode_uniform"]["records"][3];
    let line = lines.iter().find(|line| line[..2] == ["ode_uniform", "3"]).expect("its line");
    let number = |text: &str| text.parse::<f64>().expect("a number");
    assert_eq!(Some(number(line[2])), own["bits_per_dim"].as_f64());
    assert_eq!(Some(number(line[3])), own["standard_error"].as_f64());
    assert_eq!((line[4], line[5]), (own["evaluations"].to_string().as_str(), "finished"));
    assert_eq!(lines[1][3], "", "the VLB of an image has no draws of its own");

    npy(&root.join("wide.npy"), 5, (2, 2));
    let line = refusal(root, &["eval", "wide.npy", "--run", "run"]);
    assert!(line.starts_with("wide.npy: shape of the images: found 2x2x1, expected 1x2x1"), "{line}");
    let line = refusal(root, &["eval", "none.npy", "--run", "run"]);
    assert_eq!(line, "none.npy: images: found nothing, expected a file or a folder");
}
