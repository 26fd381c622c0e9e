//! The result as a table.

use crate::result::{Outcome, images};
use crate::tensor::Precision;

/// A number that one image alone, or none, does not have is a dash.
fn number(value: f64) -> String {
    if value.is_finite() { format!("{value:.4}") } else { "-".to_owned() }
}

/// One row an estimate and one for the baseline, in aligned columns; of rows that are no images in nats a row, with bits/dim beside them.
pub fn table(outcome: &Outcome) -> String {
    let in_nats = outcome.estimates.iter().any(|estimate| estimate.nats_per_row.is_some());
    let header: &[&str] = match in_nats {
        true => &["estimate", "nats/row", "std. error", "bits/dim", "rows", "evaluations/row", "seconds"],
        false => &["estimate", "bits/dim", "std. error", "images", "evaluations/image", "seconds"],
    };
    let mut rows = vec![cells(header)];
    for estimate in &outcome.estimates {
        let bits = number(estimate.bits_per_dim);
        let mut row = vec![estimate.name.clone()];
        match (estimate.nats_per_row, estimate.nats_per_row_standard_error) {
            (Some(nats), error) => {
                row.push(number(nats));
                row.push(number(error.unwrap_or(f64::NAN)));
                row.push(bits);
            }
            (None, _) => {
                row.push(bits);
                row.push(number(estimate.standard_error));
            }
        }
        row.push(images(estimate.images, estimate.failures));
        row.push(format!("{:.1}", estimate.evaluations_per_image));
        row.push(format!("{:.1}", estimate.seconds));
        rows.push(row);
    }
    if let Some(baseline) = &outcome.baseline {
        let bits = number(baseline.bits_per_dim);
        let mut row = vec![baseline.name.clone()];
        match baseline.nats_per_row {
            Some(nats) => {
                row.push(number(nats));
                row.push(String::new());
                row.push(bits);
            }
            None => row.push(bits),
        }
        row.resize(header.len(), String::new());
        rows.push(row);
    }
    let data = &outcome.data;
    let (trained, measured) =
        (words("trained", outcome.training_precision), words("measured", outcome.precision));
    let title =
        format!("{}, {} split, after step {}{trained}{measured}\n", data.name, data.split, outcome.step);
    let mut text = title + &aligned(&rows, &[0]);
    for stage in &outcome.stages {
        text.push_str(&format!("{stage}\n"));
    }
    text
}

/// What was done in another precision than `f32`.
pub(super) fn words(done: &str, precision: Precision) -> String {
    match precision {
        Precision::F32 => String::new(),
        other => format!(", {done} in {other}"),
    }
}

/// A row of these cells.
pub(super) fn cells(cells: &[&str]) -> Vec<String> {
    let mut row = Vec::with_capacity(cells.len());
    for cell in cells {
        row.push((*cell).to_owned());
    }
    row
}

/// Rows in columns of one width, as many as the first has, with a rule under it; the columns `left` stand at their left.
pub(super) fn aligned(rows: &[Vec<String>], left: &[usize]) -> String {
    let mut widths = vec![0; rows.first().map_or(0, Vec::len)];
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.chars().count().max(*width);
        }
    }
    let rule = "-".repeat(widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1));
    let mut text = String::new();
    for (index, row) in rows.iter().enumerate() {
        let mut line = Vec::with_capacity(widths.len());
        for (i, (cell, &width)) in row.iter().zip(&widths).enumerate() {
            line.push(match left.contains(&i) {
                true => format!("{cell:<width$}"),
                false => format!("{cell:>width$}"),
            });
        }
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
            nats_per_row: None,
            nats_per_row_standard_error: None,
            images: 297,
            failures: 0,
            evaluations_per_image: 98.53,
            seconds,
            budget: None,
        };
        let outcome = Outcome {
            data: DataRecord {
                name: "digits".into(),
                split: "test".into(),
                fingerprint: serde_json::Value::Null,
            },
            step: 1400,
            seed: 0,
            precision: Precision::F32,
            training_precision: Precision::F32,
            baseline: Some(Baseline::bits("independent pixels", 2.364)),
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
