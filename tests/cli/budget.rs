//! Error budgets, targets and the ladder of bounds from the command line.

use super::{idode, refusal};
use serde_json::Value;
use std::fs;
use std::path::Path;

const RECIPE: &str = "[data]
name = 'two_pixel'
[network]
name = 'mlp'
width = 32
depth = 1
[[stage]]
steps = 1
batch = 2
[evaluation]
images = 6
vlb_levels = 2
divergence = { name = 'hutchinson', probe = 'gaussian' }
dequantizers = ['uniform']
stepping = { name = 'fixed', steps = 8 }
budget = true
[sample]
count = 1
stepping = { name = 'fixed', steps = 3 }
";

/// Standard output and standard error of a command that succeeds.
fn said(root: &Path, arguments: &[&str]) -> [String; 2] {
    let output = idode(root, arguments);
    let texts = [output.stdout, output.stderr].map(|text| String::from_utf8(text).expect("UTF-8"));
    assert_eq!(output.status.code(), Some(0), "{texts:?}");
    texts
}

fn json(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("a file")).expect("JSON")
}

#[test]
fn an_estimate_has_its_budget_a_target_and_a_ladder() {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path();
    fs::write(root.join("r.toml"), RECIPE).expect("a file");
    let [table, _] = said(root, &["train", "r.toml", "--out", "run"]);
    assert!(table.contains("\nerror budget ") && table.contains("  6 x 4 x 4\n"), "{table}");
    let result = json(&root.join("run/result.json"));
    let estimates = result["estimates"].as_array().expect("estimates");
    assert_eq!(estimates.len(), 2);
    for estimate in estimates {
        let budget = &estimate["budget"];
        let part = |name: &str| budget[name].as_f64().unwrap_or_else(|| panic!("{name} of {estimate}"));
        let parts = ["data", "dequantization", "probe", "solver"].map(part);
        let total = parts.iter().map(|part| part * part).sum::<f64>().sqrt();
        assert!((part("total") - total).abs() < 1e-12 * total, "{estimate}");
        let is_vlb = estimate["name"] == "vlb";
        assert_eq!((part("probe") == 0.0, part("solver") == 0.0), (is_vlb, is_vlb), "{estimate}");
        assert_eq!(budget["images"], 6);
    }
    // A target that is reached, and one that no images reach.
    let [_, messages] = said(root, &["eval", "run", "--target", "1000"]);
    assert!(!messages.contains("a total error of"), "{messages}");
    let [_, messages] = said(root, &["eval", "run", "--target", "1e-9"]);
    assert!(messages.contains("vlb: a total error of 0.000000001 bits/dim takes about "), "{messages}");
    assert!(
        messages.contains("ode_uniform: a total error of 0.000000001 bits/dim takes smaller"),
        "{messages}"
    );
    let line = refusal(root, &["eval", "run", "--target", "0"]);
    assert!(line.contains("\"0\": expected a number above 0"), "{line}");

    let [table, _] = said(root, &["ladder", "run"]);
    assert!(table.contains("\nexact "), "{table}");
    let ladder = json(&root.join("run/ladder.json"));
    let rungs = ladder["rungs"].as_array().expect("rungs").iter();
    let rungs: Vec<_> =
        rungs.map(|rung| (rung["name"].clone(), rung["importance_samples"].clone())).collect();
    let ode = [1, 2, 5, 20].map(|k| ("ode_uniform".into(), k.into()));
    assert_eq!(rungs[..2], [("vlb".into(), 1.into()), ("immse".into(), 1.into())]);
    assert_eq!(rungs[2..], ode);
    assert!(root.join("run/ladder.png").is_file());

    // One image, whose data's part is not known, and steps too large for it.
    let path = root.join("run/recipe.toml");
    let text = fs::read_to_string(&path).expect("a recipe");
    fs::write(&path, text.replace("images = 6\n", "images = 1\n").replace("steps = 8", "steps = 1"))
        .expect("a file");
    let [_, messages] = said(root, &["eval", "run", "--budget"]);
    assert!(messages.contains("is above all other parts of the error together"), "{messages}");
    let budget = &json(&root.join("run/result.json"))["estimates"][1]["budget"];
    assert!(
        budget["data"].is_null() && budget["total"].is_null() && budget["solver"].is_number(),
        "{budget}"
    );

    fs::write(root.join("r.toml"), RECIPE.replace("budget = true", "ladder = [5, 2]")).expect("a file");
    let line = refusal(root, &["train", "r.toml", "--out", "other"]);
    assert!(line.contains("evaluation.ladder[1]: found 2, expected numbers that rise"), "{line}");
}
