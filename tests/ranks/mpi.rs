//! The same by processes that `mpirun` starts, over loopback; killed, stopped, and unlike each other.

use super::{MEASURED, RECIPE, left, same};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::fs;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Of which nothing is heard for so long, is gone.
const LIMIT: &str = "3s";

/// `idode ARGUMENTS` by `size` processes in a folder. A rank that dies does not end the others: they are to notice.
fn mpirun(folder: &Path, size: usize, arguments: &[&str]) -> Command {
    let mut command = Command::new("mpirun");
    command
        .current_dir(folder)
        .args(["--allow-run-as-root", "--oversubscribe", "--enable-recovery", "-n", &size.to_string()])
        .arg(env!("CARGO_BIN_EXE_idode"))
        .args(arguments)
        .args(["--rank-limit", LIMIT])
        .stdin(Stdio::null());
    command
}

fn done(output: &Output) {
    assert!(output.status.success(), "{output:?}");
}

fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("r.toml"), RECIPE).expect("a file");
    folder
}

#[test]
fn processes_write_the_bytes_of_one() {
    let folder = folder();
    let root = folder.path();
    for size in [1, 2, 4] {
        let out = format!("by {size}");
        let output = mpirun(root, size, &["train", "r.toml", "--out", &out]).output().expect("mpirun");
        done(&output);
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(said.matches("independent pixels").count(), 1, "one table: {said}");
    }
    same(&root.join("by 2"), &root.join("by 1"));
    same(&root.join("by 4"), &root.join("by 1"));

    // Measured anew, with fewer rows than before for each.
    let before = left(&root.join("by 1"));
    for name in MEASURED {
        fs::remove_file(root.join("by 1").join(name)).expect("a file");
    }
    done(&mpirun(root, 4, &["eval", "by 1"]).output().expect("mpirun"));
    assert!(left(&root.join("by 1")) == before);

    // Stopped at once by two, one and two, then to the end by four.
    for (name, sizes) in [("long alone", [1, 1, 1, 1]), ("long", [2, 1, 2, 4])] {
        for (at, size) in sizes.into_iter().enumerate() {
            let resume: &[&str] = if at > 0 { &["--resume"] } else { &[] };
            let stop: &[&str] = if at < 3 { &["--max-time", "1ms"] } else { &[] };
            let arguments = [&["train", "r.toml", "--out", name], resume, stop].concat();
            let output = mpirun(root, size, &arguments).output().expect("mpirun");
            done(&output);
            let said = String::from_utf8_lossy(&output.stderr);
            let stopped = format!("stopped after step {}", at + 1);
            assert_eq!(said.matches(&stopped).count(), usize::from(at < 3), "{said}");
        }
    }
    same(&root.join("long"), &root.join("long alone"));
}

#[test]
fn a_rank_with_another_recipe_is_named_by_all() {
    let folder = folder();
    let script = "if [ $OMPI_COMM_WORLD_RANK = 1 ]; then r=other; else r=r; fi; exec \"$0\" train $r.toml --out run --rank-limit 3s";
    fs::write(folder.path().join("other.toml"), RECIPE.replace("ema = 0.9", "ema = 0.8")).expect("a file");
    let output = Command::new("mpirun")
        .current_dir(folder.path())
        .args(["--allow-run-as-root", "--oversubscribe", "--enable-recovery", "-n", "2", "sh", "-c", script])
        .arg(env!("CARGO_BIN_EXE_idode"))
        .output()
        .expect("mpirun");
    let said = String::from_utf8_lossy(&output.stderr);
    let line = "error: rank 1, step 0: recipe: found ema = 0.8, expected ema = 0.9, as rank 0 has";
    assert_eq!(said.matches(line).count(), 2, "{said}");
    assert!(!folder.path().join("run").exists());
}

/// The processes that a process started and that still run.
fn children(of: u32) -> Vec<u32> {
    let path = format!("/proc/{of}/task/{of}/children");
    let text = fs::read_to_string(path).unwrap_or_default();
    text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

fn wait_for(path: &Path) {
    let begun = Instant::now();
    while !path.exists() {
        assert!(begun.elapsed() < Duration::from_secs(120), "{}: not there", path.display());
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Sends a signal to one of four ranks, in each of `count` runs at a moment of its own: the others end within the limit, each with one line
/// that names it, and the run goes on to the bytes of one that nothing stopped.
fn disturb(signal: &str, count: usize) {
    let whole = folder();
    let mut run = mpirun(whole.path(), 4, &["train", "r.toml", "--out", "run"]);
    let mut run = run.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("mpirun");
    wait_for(&whole.path().join("run"));
    let started = Instant::now();
    assert!(run.wait().expect("an end").success());
    let took = started.elapsed();
    let mut rng = ChaCha8Rng::seed_from_u64(18);
    let (mut begun, mut disturbed) = (0, 0);
    while disturbed < count {
        let folder = folder();
        let mut run = mpirun(folder.path(), 4, &["train", "r.toml", "--out", "run"])
            .stdout(Stdio::null())
            .stderr(fs::File::create(folder.path().join("said")).expect("a file"))
            .spawn()
            .expect("mpirun");
        // Before the ranks have met, it is mpirun that ends them all.
        wait_for(&folder.path().join("run"));
        let moment = took.mul_f64(((begun % count) as f64 + rng.r#gen::<f64>()) / count as f64);
        begun += 1;
        std::thread::sleep(moment);
        let ranks = children(run.id());
        let meets = ranks.len() == 4;
        if meets {
            let one = ranks[rng.gen_range(0..4)];
            let _ = Command::new("kill").args([&format!("-{signal}"), &one.to_string()]).status();
        }
        let at = Instant::now();
        // The one that was stopped is the only one left, and ends no more.
        while run.try_wait().expect("a child").is_none() {
            let left = children(run.id());
            if signal == "STOP" && meets && left.len() == 1 {
                let _ = Command::new("kill").args(["-KILL", &left[0].to_string()]).status();
            }
            assert!(at.elapsed() < Duration::from_secs(60), "{moment:?}: {left:?} still run");
            std::thread::sleep(Duration::from_millis(20));
        }
        let said = fs::read_to_string(folder.path().join("said")).expect("a file");
        let lines: Vec<&str> = said.lines().filter(|line| line.contains("error: rank ")).collect();
        if !lines.is_empty() {
            disturbed += 1;
            // Each of the others, and they name the same; two that notice by themselves may be a step apart.
            assert_eq!(lines.len(), 3, "{said}");
            let named: Vec<_> = lines.iter().filter_map(|line| line.split_once(", step ")).collect();
            assert!(named.len() == 3 && named.iter().all(|(rank, _)| *rank == named[0].0), "{said}");
        }
        let again: &[&str] = if folder.path().join("run/recipe.toml").exists() { &["--resume"] } else { &[] };
        let arguments = [&["train", "r.toml", "--out", "run"], again].concat();
        done(&mpirun(folder.path(), 2, &arguments).output().expect("mpirun"));
        same(&folder.path().join("run"), &whole.path().join("run"));
        assert!(begun < 10 * count, "runs end before they are disturbed: {said}");
    }
    println!(
        "SIG{signal}: {begun} runs of 4 ranks, {disturbed} whose ranks noticed that one was gone: the same bytes in the end"
    );
}

#[test]
fn a_rank_that_is_killed_or_stopped_ends_the_others() {
    disturb("KILL", 1);
    disturb("STOP", 1);
}

/// More of the same: `cargo test --features mpi --test ranks -- --ignored ten --nocapture`.
#[test]
#[ignore = "takes minutes"]
fn disturbed_at_ten_moments_each() {
    disturb("KILL", 10);
    disturb("STOP", 10);
}
