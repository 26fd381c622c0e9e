//! `network.checkpoint`: a run whose blocks are computed again in the backward pass has the same numbers.

use super::{SMALL_MEASUREMENT, idode};
use idode::progress::StepMetrics;
use idode::run::MetricsLog;
use std::fs;
use std::path::Path;

const RECIPE: &str = "data = 'digits'
network = { name = 'unet', width = 32, blocks = 1, dropout = 0.2, checkpoint = CHECKPOINT }
log = { every = 1 }
[[stage]]
steps = 3
batch = 8
[[stage]]
objective = 'second_order'
steps = 2
batch = 4
";

fn metrics(root: &Path, checkpoint: &str) -> Vec<StepMetrics> {
    let recipe = format!("{checkpoint}.toml");
    let text = format!("{RECIPE}{SMALL_MEASUREMENT}").replace("CHECKPOINT", checkpoint);
    fs::write(root.join(&recipe), text).expect("a file");
    let output = idode(root, &["train", &recipe, "--out", checkpoint]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metrics = MetricsLog::read(&root.join(checkpoint).join("metrics.jsonl")).expect("metrics");
    metrics.into_iter().map(|step| StepMetrics { seconds: 0.0, ..step }).collect()
}

#[test]
fn checkpointed_blocks_train_to_the_same_bits() {
    let folder = tempfile::tempdir().expect("a folder");
    let [kept, again] = ["false", "true"].map(|checkpoint| metrics(folder.path(), checkpoint));
    assert_eq!(kept.len(), 5);
    assert_eq!(kept, again);
}
