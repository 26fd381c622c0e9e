//! Recipes of several stages: first order, then second order from its checkpoint, in one run.

use super::{SMALL_MEASUREMENT, idode, recipe_refusal};
use idode::progress::StepMetrics;
use idode::result::StageRecord;
use idode::run::MetricsLog;
use std::fs;
use std::path::Path;

const RECIPE: &str = "data = 'digits'
network = { name = 'unet', width = 32, blocks = 1 }
log = { every = 1, checkpoint_every = 2 }
[[stage]]
steps = 3
batch = 8
[[stage]]
objective = 'second_order'
steps = 3
batch = 8
[[stage]]
objective = { name = 'third_order', jacobian = 0.1, estimator = 'projected' }
steps = 1
batch = 2
";

fn trained(root: &Path) -> (Vec<StepMetrics>, Vec<StageRecord>) {
    fs::write(root.join("r.toml"), format!("{RECIPE}{SMALL_MEASUREMENT}")).expect("a file");
    let output = idode(root, &["train", "r.toml", "--out", "run"]);
    let (said, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{error}");
    let stages = StageRecord::read(&root.join("run/stages.json")).expect("records");
    for stage in &stages {
        assert!(said.contains(&stage.to_string()) && error.contains(&stage.to_string()), "{said}{error}");
    }
    (MetricsLog::read(&root.join("run/metrics.jsonl")).expect("metrics"), stages)
}

#[test]
fn fine_tuning_follows_in_the_same_run() {
    let folder = tempfile::tempdir().expect("a folder");
    let (metrics, stages) = trained(folder.path());
    assert_eq!(
        metrics.iter().map(|m| (m.step, m.stage)).collect::<Vec<_>>(),
        [(1, 0), (2, 0), (3, 0), (4, 1), (5, 1), (6, 1), (7, 2)]
    );
    for step in &metrics {
        let Some(high) = &step.high_order else {
            assert_eq!(step.stage, 0);
            continue;
        };
        let names: Vec<(u8, &str)> = high.terms.iter().map(|t| (t.order, t.name.as_str())).collect();
        let weights = match step.stage {
            1 => {
                assert_eq!(names, [(2, "trace")]);
                vec![0.1]
            }
            _ => {
                assert_eq!(names, [(3, "trace_gradient"), (2, "jacobian"), (2, "trace")]);
                vec![0.1; 3]
            }
        };
        // What is minimised is the weighted sum of what is reported.
        let sum = high.first_order + high.terms.iter().zip(weights).map(|(t, w)| w * t.loss).sum::<f64>();
        assert!((step.loss - sum).abs() <= 1e-4 * sum.abs().max(step.loss.abs()), "{step:?}");
        assert!(high.terms.iter().filter(|t| t.order == 2).all(|t| t.excess.is_some()), "{step:?}");
    }
    let found: Vec<_> = stages.iter().map(|s| (s.stage, s.objective.as_str(), s.step, s.images)).collect();
    assert_eq!(found, [(0, "first_order", 3, 3), (1, "second_order", 6, 3), (2, "third_order", 7, 3)]);
    assert!(stages.iter().all(|s| s.bits_per_dim.is_finite() && s.evaluations_per_image > 0.0));
    let result = fs::read_to_string(folder.path().join("run/result.json")).expect("a result");
    assert!(result.contains("\"stages\""), "{result}");
}

#[test]
fn what_an_objective_does_not_take_is_named() {
    let recipe = |objective: &str| {
        format!("data.name = 'digits'\nnetwork.name = 'unet'\n[[stage]]\nobjective = {objective}\n")
    };
    let line = recipe_refusal(&recipe("{ name = 'second_order', estimator = 'three_probes' }"));
    assert!(
        line.contains("stage[0].objective.estimator") && line.contains("one of two_probes, projected"),
        "{line}"
    );
    let line = recipe_refusal(&recipe("{ name = 'second_order', trace = -1 }"));
    assert!(line.contains("stage[0].objective.trace: found -1"), "{line}");
    let line = recipe_refusal(&recipe("{ name = 'second_order', trce = 1 }"));
    assert!(line.contains("stage[0].objective.trce") && line.contains("\"trace\""), "{line}");
}
