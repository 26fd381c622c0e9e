//! The result as a table.

use crate::result::Outcome;

const HEADER: [&str; 6] = ["estimate", "bits/dim", "std. error", "images", "evaluations/image", "seconds"];

/// One row an estimate and one for the baseline, in aligned columns.
pub fn table(outcome: &Outcome) -> String {
    let mut rows = vec![HEADER.map(str::to_owned)];
    for estimate in &outcome.estimates {
        rows.push([
            estimate.name.clone(),
            format!("{:.4}", estimate.bits_per_dim),
            format!("{:.4}", estimate.standard_error),
            estimate.images.to_string(),
            format!("{:.1}", estimate.evaluations_per_image),
            format!("{:.1}", estimate.seconds),
        ]);
    }
    if let Some(baseline) = &outcome.baseline {
        let [name, value] = [baseline.name.clone(), format!("{:.4}", baseline.bits_per_dim)];
        rows.push([name, value, String::new(), String::new(), String::new(), String::new()]);
    }
    let data = &outcome.data;
    let title = format!("{}, {} split, after step {}\n", data.name, data.split, outcome.step);
    let mut text = title + &aligned(&rows, &[0]);
    for stage in &outcome.stages {
        text.push_str(&format!("{stage}\n"));
    }
    text
}

/// Rows in columns of one width, with a rule under the first row; the columns `left` stand at their left.
pub(super) fn aligned<const N: usize>(rows: &[[String; N]], left: &[usize]) -> String {
    let widths: Vec<usize> =
        (0..N).map(|i| rows.iter().map(|row| row[i].chars().count()).max().unwrap_or(0)).collect();
    let rule = "-".repeat(widths.iter().sum::<usize>() + 2 * (N - 1));
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let cell = |(i, (cell, width)): (usize, (&String, &usize))| match left.contains(&i) {
            true => format!("{cell:<width$}"),
            false => format!("{cell:>width$}"),
        };
        let line: Vec<String> = row.iter().zip(&widths).enumerate().map(cell).collect();
        text.push_str(line.join("  ").trim_end());
        text.push('\n');
        if index == 0 {
            text.push_str(&rule);
            text.push('\n');
        }
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
    }
}
