//! Runs that are stopped or killed, and go on.

use super::runs::{checkpoint, folder_with, tiny};
use super::{idode, refusal};
use idode::run::MetricsLog;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

const STOPPED: u32 = 2000;

/// Its recipe: a checkpoint now and then.
fn long(steps: u32) -> String {
    tiny(steps, "").replace("checkpoint_every = 4", "checkpoint_every = 50")
}

/// The last checkpoint of the run that nothing stops.
fn unstopped() -> &'static Vec<u8> {
    static CHECKPOINT: OnceLock<Vec<u8>> = OnceLock::new();
    CHECKPOINT.get_or_init(|| {
        let folder = folder_with(&long(STOPPED));
        assert!(idode(folder.path(), &["train", "r.toml", "--out", "run"]).status.success());
        fs::read(checkpoint(folder.path())).expect("a checkpoint")
    })
}

/// Starts a run by a command, and waits for its first steps.
fn started_by(root: &Path, command: &mut Command) -> Child {
    let child = command.current_dir(root).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = child.expect("the binary runs");
    let begun = Instant::now();
    while fs::metadata(root.join("run/metrics.jsonl")).map_or(0, |file| file.len()) == 0 {
        assert!(begun.elapsed() < Duration::from_secs(60), "no step");
        std::thread::sleep(Duration::from_millis(2));
    }
    child
}

fn started(root: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_idode"));
    started_by(root, command.args(["train", "r.toml", "--out", "run"]))
}

fn signal(child: &Child, name: &str) {
    let kill = Command::new("kill").args([&format!("-{name}"), &child.id().to_string()]).status();
    assert!(kill.expect("kill").success());
}

/// Continues a run, which must end where [`unstopped`] does.
#[track_caller]
fn continued(root: &Path) {
    let output = idode(root, &["train", "r.toml", "--out", "run", "--resume"]);
    assert!(output.status.success(), "{output:?}");
    assert!(fs::read(checkpoint(root)).expect("a checkpoint") == *unstopped(), "another checkpoint");
    let metrics = MetricsLog::read(&root.join("run/metrics.jsonl")).expect("metrics");
    let steps: Vec<u64> = metrics.iter().map(|metrics| metrics.step).collect();
    assert!(steps.windows(2).all(|pair| pair[0] < pair[1]), "{steps:?}");
    assert!((1..=u64::from(STOPPED) / 2).all(|step| steps.contains(&(2 * step))), "{steps:?}");
}

/// The run ended as one that can go on, and says how.
#[track_caller]
fn stopped(output: &Output, said: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{stderr}");
    assert!(output.stdout.is_empty());
    let lines: Vec<&str> = stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{stderr}");
    assert!(lines[0].starts_with(said), "{stderr}");
    assert!(
        lines[1].starts_with("stopped after step ")
            && lines[1]
                .ends_with(", with a checkpoint; continue with: idode train r.toml --out run --resume"),
        "{stderr}"
    );
}

#[test]
fn signals_finish_the_step_and_say_how_to_go_on() {
    for name in ["INT", "TERM", "HUP"] {
        let folder = folder_with(&long(STOPPED));
        let child = started(folder.path());
        signal(&child, name);
        let output = child.wait_with_output().expect("the binary ends");
        stopped(&output, "finishing what is begun, to be continued later; ");
        continued(folder.path());
    }
}

/// A step that takes longer than it takes to send two signals.
#[test]
fn a_second_signal_ends_at_once() {
    let folder = folder_with(
        &tiny(3, "accumulation = 1000\nobjective = 'second_order'").replace("batch = 32", "batch = 2000"),
    );
    let root = folder.path();
    let mut command = Command::new(env!("CARGO_BIN_EXE_idode"));
    let command = command.args(["train", "r.toml", "--out", "run"]).current_dir(root);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
    while !root.join("run/recipe.toml").exists() {
        std::thread::sleep(Duration::from_millis(2));
    }
    signal(&child, "TERM");
    std::thread::sleep(Duration::from_millis(50));
    signal(&child, "INT");
    let output = child.wait_with_output().expect("the binary ends");
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    assert!(output.stderr.is_empty() && output.stdout.is_empty(), "{output:?}");
    assert!(!root.join("run/checkpoints/step_000000000000.safetensors").exists(), "a step was finished");
}

/// What is started to outlive its terminal does.
#[test]
#[cfg(target_os = "linux")]
fn a_hangup_that_is_ignored_stays_ignored() {
    let folder = folder_with(&long(STOPPED));
    let mut command = Command::new("sh");
    let script = "trap '' HUP; exec \"$0\" train r.toml --out run";
    let child = started_by(folder.path(), command.args(["-c", script, env!("CARGO_BIN_EXE_idode")]));
    signal(&child, "HUP");
    let output = child.wait_with_output().expect("the binary ends");
    // On a loaded machine it says how far it is, and nothing else.
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.lines().all(|line| line.starts_with("training ")), "{output:?}");
    assert!(fs::read(checkpoint(folder.path())).expect("a checkpoint") == *unstopped());
}

#[test]
fn a_run_whose_time_is_over_stops_and_goes_on() {
    let folder = folder_with(&long(1_000_000));
    let root = folder.path();
    let mut last = 0;
    for more in [&[][..], &["--resume"]] {
        let arguments = [&["train", "r.toml", "--out", "run", "--max-time", "1s"], more].concat();
        stopped(&idode(root, &arguments), "the time is over: finishing what is begun, to be continued later");
        let metrics = MetricsLog::read(&root.join("run/metrics.jsonl")).expect("metrics");
        let step = metrics.last().map_or(0, |metrics| metrics.step);
        assert!(step > last, "{step}");
        last = step;
    }
}

#[test]
fn a_killed_run_goes_on() {
    let folder = folder_with(&long(STOPPED));
    let mut child = started(folder.path());
    child.kill().expect("a running child");
    assert_eq!(child.wait().expect("the binary ends").code(), None);
    continued(folder.path());
}

#[test]
fn a_folder_has_one_writer() {
    let folder = folder_with(&long(1_000_000));
    let root = folder.path();
    let child = started(root);
    let resume = ["train", "r.toml", "--out", "run", "--resume"];
    for arguments in [&resume[..], &["sample", "run"]] {
        let output = idode(root, arguments);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        let expected = format!(
            "error: run: run folder: found process {} at work in it, expected one that no other process writes in\n",
            child.id()
        );
        assert_eq!((output.status.code(), stderr), (Some(2), expected), "{arguments:?}");
    }
    // What is measured is the last checkpoint, which is in its place as a whole.
    let output = idode(root, &["eval", "run"]);
    assert!(output.status.success() && root.join("run/result.json").exists(), "{output:?}");
    signal(&child, "TERM");
    stopped(&child.wait_with_output().expect("the binary ends"), "finishing what is begun");
    // The file of the lock stays; its process is gone.
    assert!(root.join("run/.lock").exists());
    assert!(idode(root, &["eval", "run"]).status.success());
}

/// Two new runs at once for one folder: one has it.
#[test]
fn two_runs_do_not_share_a_new_folder() {
    for _ in 0..5 {
        let folder = folder_with(&tiny(40, ""));
        let children = [0, 1].map(|_| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_idode"));
            let command = command.args(["train", "r.toml", "--out", "run"]).current_dir(folder.path());
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs")
        });
        let outputs = children.map(|child| child.wait_with_output().expect("the binary ends"));
        let mut codes = outputs.each_ref().map(|output| output.status.code());
        codes.sort_unstable();
        assert_eq!(codes, [Some(0), Some(2)], "{outputs:?}");
        let lines = MetricsLog::read(&folder.path().join("run/metrics.jsonl")).expect("metrics").len();
        assert_eq!(lines, 20);
        let line = refusal(folder.path(), &["train", "r.toml", "--out", "run"]);
        assert!(line.contains("found an earlier run"), "{line}");
    }
}
