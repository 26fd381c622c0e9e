//! Tables by recipe: nats a row in the user's units, conditions, samples, and what is refused.

use super::{idode, refusal};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

const END: &str = "[network]
name = 'mlp'
width = 16
depth = 1
[[stage]]
steps = 20
batch = 32
[evaluation]
images = 30
vlb_levels = 4
[sample]
count = 5
";

/// 120 rows of `columns` columns, the first times `factor`.
fn csv(columns: &[&str], factor: f64) -> String {
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let mut text = columns.join(",") + "\n";
    for _ in 0..120 {
        let y: f64 = rng.sample(StandardNormal);
        let mut number = |j: usize| {
            let x = y + 0.5 * rng.sample::<f64, _>(StandardNormal) + j as f64;
            // Numbers that a decimal point moves exactly.
            let x = (x * 1e6).round() / 1e6;
            if j == 0 { x * factor } else { x }
        };
        let cells: Vec<String> = (0..columns.len()).map(|j| number(j).to_string()).collect();
        let _ = writeln!(text, "{}", cells.join(","));
    }
    text
}

fn trained(folder: &Path, data: &str) -> Value {
    fs::write(folder.join("r.toml"), format!("[data]\nname = 'table'\n{data}\n{END}")).expect("a file");
    let output = idode(folder, &["train", "r.toml", "--out", "run"]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{data}: {}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("nats/row") && said.contains("bits/dim"), "{said}");
    result(folder)
}

fn result(folder: &Path) -> Value {
    let text = fs::read_to_string(folder.join("run/result.json")).expect("a result");
    serde_json::from_str(&text).expect("JSON")
}

fn nats(result: &Value) -> Vec<f64> {
    let estimates = result["estimates"].as_array().expect("estimates");
    estimates.iter().map(|estimate| estimate["nats_per_row"].as_f64().expect("nats")).collect()
}

#[test]
fn five_columns_train_and_a_unit_moves_the_answer_by_its_logarithm() {
    let columns = ["a", "b", "c", "d", "e"];
    let of = |factor: f64| {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("t.csv"), csv(&columns, factor)).expect("a file");
        let result = trained(folder.path(), "path = 't.csv'");
        assert_eq!(result["data"]["name"], "table");
        let estimate = &result["estimates"][1];
        assert_eq!(estimate["name"], "ode");
        assert!(estimate["nats_per_row_standard_error"].as_f64().is_some_and(|error| error > 0.0));
        let bits = estimate["bits_per_dim"].as_f64().expect("bits");
        let nats = estimate["nats_per_row"].as_f64().expect("nats");
        assert!((nats / (5.0 * 2f64.ln()) - bits).abs() < 1e-12 * bits.abs(), "{estimate}");
        let samples = fs::read_to_string(folder.path().join("run/samples.csv")).expect("samples");
        assert_eq!(samples.lines().next(), Some("a,b,c,d,e"));
        assert_eq!(samples.lines().count(), 6);
        assert!(fs::read(folder.path().join("run/samples.png")).expect("a PNG").starts_with(b"\x89PNG"));
        (self::nats(&result), result["baseline"]["nats_per_row"].as_f64().expect("a baseline"))
    };
    let ((metres, plain), (millimetres, scaled)) = (of(1.0), of(1000.0));
    let moved = 1000f64.ln();
    for (m, mm) in metres.iter().chain([&plain]).zip(millimetres.iter().chain([&scaled])) {
        assert!((mm - m - moved).abs() < 1e-9, "{m} {mm}");
    }
}

#[test]
fn conditions_are_given_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("t.csv"), csv(&["a", "b", "y"], 1.0)).expect("a file");
    trained(folder.path(), "path = 't.csv'\ncondition = ['y']");
    let samples = || fs::read_to_string(folder.path().join("run/samples.csv")).expect("samples");
    // Without a condition those of held-out rows.
    assert!(samples().starts_with("a,b,y\n"), "{}", samples());
    let output = idode(folder.path(), &["sample", "run", "--count", "3", "--condition", "y=1.5"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rows: Vec<String> = samples().lines().skip(1).map(str::to_owned).collect();
    assert!(rows.len() == 3 && rows.iter().all(|row| row.ends_with(",1.5")), "{rows:?}");
    let output = idode(folder.path(), &["sample", "run", "--condition", "y=-2", "--format", "npy"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(fs::read(folder.path().join("run/samples.npy")).expect("a file").starts_with(b"\x93NUMPY"));
    for (given, line) in [
        ("x=1", "condition = \"x\": expected one of y"),
        ("y=much", "\"y=much\": expected NAME=VALUE with a finite number, such as y=1.5"),
    ] {
        let found = refusal(folder.path(), &["sample", "run", "--condition", given]);
        assert!(found.contains(line), "{found}");
    }
    // The same run measured again: the same numbers.
    let before = nats(&result(folder.path()));
    let output = idode(folder.path(), &["eval", "run"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(nats(&result(folder.path())), before);
    // Other rows do not take their place.
    fs::write(folder.path().join("t.csv"), csv(&["a", "b", "y"], 2.0)).expect("a file");
    let found = refusal(folder.path(), &["eval", "run"]);
    assert!(found.contains("run/result.json: data.fingerprint"), "{found}");
}

#[test]
fn a_column_on_a_grid_is_spread_over_its_cells() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let mut text = "n,x\n".to_owned();
    for _ in 0..150 {
        let n = rng.gen_range(0..6);
        let _ = writeln!(text, "{n},{}", f64::from(n) + rng.sample::<f64, _>(StandardNormal));
    }
    fs::write(folder.path().join("t.csv"), text).expect("a file");
    trained(folder.path(), "path = 't.csv'\ngrid = { n = 1 }");
    let samples = fs::read_to_string(folder.path().join("run/samples.csv")).expect("samples");
    let whole = |row: &str| row.split(',').next().is_some_and(|n| n.parse::<i64>().is_ok());
    assert!(samples.lines().skip(1).all(whole), "{samples}");
    // Without the grid it is named: a density there has no bound.
    let recipe = format!("[data]\nname = 'table'\npath = 't.csv'\n{END}");
    fs::write(folder.path().join("r.toml"), recipe).expect("a file");
    let output = idode(folder.path(), &["train", "r.toml", "--out", "without"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        output.status.success() && said.contains("\"n\"") && said.contains("grid = { n = 1.0 }"),
        "{said}"
    );
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("t.csv"), "n,x\n1,0.5\n1,0.25\n2.5,1\n3,4\n").expect("a file");
    let recipe = format!("[data]\nname = 'table'\npath = 't.csv'\ngrid = {{ n = 1 }}\n{END}");
    fs::write(folder.path().join("r.toml"), recipe).expect("a file");
    let found = refusal(folder.path(), &["train", "r.toml", "--out", "run"]);
    assert!(found.contains("t.csv: ") && found.contains("2.5"), "{found}");
}

#[test]
fn what_a_table_does_not_take_is_refused_by_name() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("t.csv"), "a,b\n1,2\n3,4\n5,\n7,8\n").expect("a file");
    let run = |recipe: &str| {
        fs::write(folder.path().join("r.toml"), recipe).expect("a file");
        refusal(folder.path(), &["train", "r.toml", "--out", "run"])
    };
    let data = "[data]\nname = 'table'\npath = 't.csv'\n";
    let missing = run(&format!("{data}{END}"));
    assert!(
        missing.contains("t.csv: ") && missing.contains("line 4") && missing.contains("\"b\""),
        "{missing}"
    );
    fs::write(folder.path().join("t.csv"), csv(&["a", "b"], 1.0)).expect("a file");
    let unet = run(&format!("{data}[network]\nname = 'unet'\n"));
    assert!(unet.contains("line 5, network.name: found \"unet\" for 2 numbers"), "{unet}");
    let noise = format!("{data}[network]\nname = 'mlp'\n[evaluation]\ndequantizers = ['uniform']\n");
    let noise = run(&noise);
    assert!(noise.contains("evaluation.dequantizers[0]: found \"uniform\""), "{noise}");
    let column = run(&format!("{data}columns = ['a', 'c']\n{END}"));
    assert!(column.contains("column \"c\""), "{column}");
}
