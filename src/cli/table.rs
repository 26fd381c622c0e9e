//! The result as a table.

use crate::result::{Outcome, images};

const HEADER: [&str; 6] = ["estimate", "bits/dim", "std. error", "images", "evaluations/image", "seconds"];

/// A number that one image alone, or none, does not have is a dash.
fn number(value: f64) -> String {
    if value.is_finite() { format!("{value:.4}") } else { "-".to_owned() }
}

/// One row an estimate and one for the baseline, in aligned columns.
pub fn table(outcome: &Outcome) -> String {
    let mut rows = vec![HEADER.map(str::to_owned)];
    for estimate in &outcome.estimates {
        rows.push([
            estimate.name.clone(),
            number(estimate.bits_per_dim),
            number(estimate.standard_error),
            images(estimate.images, estimate.failures),
            format!("{:.1}", estimate.evaluations_per_image),
            format!("{:.1}", estimate.seconds),
        ]);
    }
    if let Some(baseline) = &outcome.baseline {
        let [name, value] = [baseline.name.clone(), number(baseline.bits_per_dim)];
        rows.push([name, value, String::new(), String::new(), String::new(), String::new()]);
    }
    let widths: Vec<usize> =
        (0..HEADER.len()).map(|i| rows.iter().map(|row| row[i].chars().count()).max().unwrap_or(0)).collect();
    let rule = "-".repeat(widths.iter().sum::<usize>() + 2 * (HEADER.len() - 1));
    let data = &outcome.data;
    let mut text = format!("{}, {} split, after step {}\n", data.name, data.split, outcome.step);
    for (index, row) in rows.iter().enumerate() {
        let mut line = format!("{:<1$}", row[0], widths[0]);
        for (cell, width) in row.iter().zip(&widths).skip(1) {
            line.push_str(&format!("  {cell:>width$}"));
        }
        text.push_str(line.trim_end());
        text.push('\n');
        if index == 0 {
            text.push_str(&rule);
            text.push('\n');
        }
    }
    for stage in &outcome.stages {
        text.push_str(&format!("{stage}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::{Baseline, DataRecord, Estimate};

    #[test]
    fn columns_line_up() {
        let estimate = |name: &str, bits_per_dim: f64, seconds: f64| Estimate {
            name: name.into(),
            bits_per_dim,
            standard_error: 0.01234,
            images: 297,
            failures: 0,
            evaluations_per_image: 98.53,
            seconds,
        };
        let outcome = Outcome {
            data: DataRecord {
                name: "digits".into(),
                split: "test".into(),
                fingerprint: serde_json::Value::Null,
            },
            step: 1400,
            seed: 0,
            baseline: Some(Baseline { name: "independent pixels".into(), bits_per_dim: 2.364 }),
            estimates: vec![estimate("vlb", 1.98768, 3.04), estimate("ode_truncated_normal", 1.9, 12.0)],
            stages: Vec::new(),
        };
        let expected = "\
digits, test split, after step 1400
estimate              bits/dim  std. error  images  evaluations/image  seconds
------------------------------------------------------------------------------
vlb                     1.9877      0.0123     297               98.5      3.0
ode_truncated_normal    1.9000      0.0123     297               98.5     12.0
independent pixels      2.3640
";
        assert_eq!(table(&outcome), expected);
        let failed =
            Estimate { images: 1, failures: 2, standard_error: f64::NAN, ..estimate("vlb", 2.0, 3.0) };
        let table = table(&Outcome { estimates: vec![failed], ..outcome });
        assert!(
            table
                .contains("\nvlb                   2.0000           -  1 of 3               98.5      3.0\n"),
            "{table}"
        );
    }
}
