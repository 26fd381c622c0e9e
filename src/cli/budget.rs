//! Error budgets as a table.

use super::table::{aligned, cells};
use crate::result::{Estimate, Outcome};

/// A row for each estimate that has a budget, after a line that says what it is from; nothing without any.
pub fn budget_table(outcome: &Outcome) -> String {
    let with = |estimate: &&Estimate| estimate.budget.is_some();
    let Some(first) = outcome.estimates.iter().find(with) else { return String::new() };
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.5}"));
    let header = ["error budget", "data", "dequantization", "probe", "solver", "total", "measured on"];
    let mut rows = vec![cells(&header)];
    for estimate in &outcome.estimates {
        let Some(budget) = &estimate.budget else { continue };
        let mut row = vec![estimate.name.clone()];
        for part in [budget.data, budget.dequantization, budget.probe] {
            row.push(number(part));
        }
        row.push(budget.solver.map_or_else(|| "-".to_owned(), |solver| format!("{solver:+.5}")));
        row.push(number(budget.total));
        row.push(format!("{} x {} x {}", budget.images, budget.draws, budget.probes));
        rows.push(row);
    }
    let unit = first.unit();
    format!(
        "\n{}in {unit}; measured on so many images x draws x probes, the data's part on all images; solver: the change under tolerances a tenth\n",
        aligned(&rows, &[0])
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::budget::Budget;
    use crate::likelihood::Summary;
    use crate::result::DataRecord;
    use crate::tensor::Precision;

    #[test]
    fn parts_stand_in_columns_and_what_is_not_known_is_a_dash() {
        let summary = Summary {
            bits_per_dim: 2.0,
            standard_error: f64::NAN,
            images: 1,
            failures: 0,
            evaluations_per_image: 3.0,
        };
        let budget = Budget {
            data: None,
            dequantization: Some(0.0125),
            probe: Some(0.25),
            solver: Some(10.0),
            total: None,
            images: 1,
            draws: 4,
            probes: 4,
            negative: Vec::new(),
            finer: Some(1),
        };
        let mut outcome = Outcome {
            data: DataRecord { name: "a".into(), split: "test".into(), fingerprint: serde_json::Value::Null },
            step: 1,
            seed: 0,
            precision: Precision::F32,
            training_precision: Precision::F32,
            baseline: None,
            estimates: vec![summary.estimate("vlb", 0.0)],
            stages: Vec::new(),
        };
        assert_eq!(budget_table(&outcome), "");
        outcome.estimates[0].budget = Some(budget);
        let found = budget_table(&outcome);
        let row = "vlb              -         0.01250  0.25000  +10.00000      -    1 x 4 x 4\n";
        assert!(found.contains(row), "{found}");
        assert!(found.contains("\nin bits/dim; "), "{found}");
    }
}
