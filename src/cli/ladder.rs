//! A ladder of bounds as a table.

use super::table::{aligned, cells, words};
use crate::ladder::Ladder;

/// A row for each rung, the exact value where it is known, and what does not hold.
pub fn ladder_table(ladder: &Ladder) -> String {
    let header = ["bound", "K", "bits/dim", "std. error", "images", "too good by probes"];
    let mut rows = vec![cells(&header)];
    let number = |value: f64| if value.is_finite() { format!("{value:.4}") } else { "-".to_owned() };
    for rung in &ladder.rungs {
        rows.push(vec![
            rung.name.clone(),
            rung.importance_samples.to_string(),
            number(rung.bits_per_dim),
            number(rung.standard_error),
            rung.images.to_string(),
            rung.probe_bias.map_or_else(String::new, |bias| format!("at most {bias:.4}")),
        ]);
    }
    if let Some(exact) = ladder.exact {
        let mut row = vec!["exact".to_owned(), String::new(), number(exact)];
        row.resize(header.len(), String::new());
        rows.push(row);
    }
    let data = &ladder.data;
    let mut text = format!(
        "{}, {} split, after step {}{}\n",
        data.name,
        data.split,
        ladder.step,
        words("measured", ladder.precision)
    );
    text.push_str(&aligned(&rows, &[0]));
    match &ladder.violations[..] {
        [] => text.push_str("every ordering that must hold does\n"),
        lines => {
            for line in lines {
                text.push_str(&format!("violated: {line}\n"));
            }
        }
    }
    text
}
