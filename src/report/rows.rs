//! The rows that the model finds most and least likely.

use super::html::Html;
use super::source::{Source, grid};
use crate::data::Rows;
use crate::error::Result;
use crate::files::read_json;
use crate::order::ordered;
use crate::plot::{Axis, Plot};
use crate::result::VLB;
use serde_json::Value;

/// So many of each.
const EACH: usize = 16;

/// The values of one estimate, by the indices of their rows.
struct Values {
    name: String,
    unit: &'static str,
    /// By rising value: the best first.
    rising: Vec<(usize, f64)>,
}

/// Those of the ODE's first bound, or of the VLB.
fn values(text: &Value) -> Option<Values> {
    let estimates = text.as_object()?;
    let ode = estimates.iter().find(|(name, _)| *name != VLB);
    let (name, found) = ode.or_else(|| estimates.iter().next())?;
    let list = found.as_array().or_else(|| found.get("records")?.as_array())?;
    let in_nats = list.iter().any(|record| record.get("nats_per_row").is_some());
    let (key, unit) = if in_nats { ("nats_per_row", "nats/row") } else { ("bits_per_dim", "bits/dim") };
    let one = |record: &Value| Some((record.get("index")?.as_u64()? as usize, record.get(key)?.as_f64()?));
    let mut rows = Vec::with_capacity(list.len());
    for record in list {
        if let Some(row) = one(record) {
            rows.push(row);
        }
    }
    let mut rising = Vec::with_capacity(rows.len());
    for i in ordered(rows.len(), &|i, j| rows[i].1.total_cmp(&rows[j].1)) {
        rising.push(rows[i]);
    }
    Some(Values { name: name.clone(), unit, rising })
}

pub(super) fn best_and_worst(source: &Source<'_>) -> Result<Html> {
    let path = source.run.records();
    if !path.exists() {
        return Ok(Html::missing("not measured yet: idode eval writes records.json"));
    }
    let text: Value = read_json(&path, "records")?;
    let Some(Values { name, unit, rising }) = values(&text).filter(|values| !values.rising.is_empty()) else {
        return Ok(Html::missing("no row has a value"));
    };
    let each = EACH.min(rising.len() / 2).max(1);
    let best = &rising[..each];
    let mut worst = rising[rising.len() - each..].to_vec();
    worst.reverse();
    let range = |rows: &[(usize, f64)]| {
        let (first, last) = (rows[0].1, rows[rows.len() - 1].1);
        format!("from {first:.3} to {last:.3} {unit}")
    };
    let count = rising.len() as f64;
    let mut quantiles = Vec::with_capacity(rising.len());
    for (i, row) in rising.iter().enumerate() {
        quantiles.push((100.0 * (i as f64 + 0.5) / count, row.1));
    }
    let spread = Plot::new(
        format!("{name} of every row, sorted"),
        Axis::linear("per cent of the rows"),
        Axis::linear(unit),
    )
    .line("", quantiles)
    .draw();
    let spread = Html::drawn(spread, "every row's value", "Every held-out row's value, sorted.");
    let shown = match &source.held_out {
        Ok(Rows::Images(images)) => {
            let of = |rows: &[(usize, f64)], shows: &str| {
                let mut inside = true;
                let mut indices = Vec::with_capacity(rows.len());
                for row in rows {
                    inside &= row.0 < images.source().images();
                    indices.push(row.0);
                }
                match inside {
                    true => Html::drawn(
                        grid(images, &indices),
                        shows,
                        &format!("The {} {shows} by {name}: {}.", rows.len(), range(rows)),
                    ),
                    false => Html::missing(&format!("{shows}: records of rows that the data does not have")),
                }
            };
            Html::of_class("div", "pair", Html::all(&[of(best, "best images"), of(&worst, "worst images")]))
        }
        Ok(Rows::Table(table)) => {
            let columns = table.rows.columns();
            let mut header = vec!["row", unit];
            for column in columns {
                header.push(column);
            }
            let of = |title: &str, rows: &[(usize, f64)]| {
                let mut lines = Vec::with_capacity(rows.len());
                for &(index, value) in rows {
                    let place = index * columns.len()..(index + 1) * columns.len();
                    let Some(row) = table.rows.values().get(place) else { continue };
                    let mut line = vec![index.to_string(), format!("{value:.3}")];
                    for number in row {
                        line.push(format!("{number:.5}"));
                    }
                    lines.push(line);
                }
                Html::all(&[Html::line(title), Html::table(&header, &lines)])
            };
            Html::all(&[of("Most likely rows", best), of("Least likely rows", &worst)])
        }
        Err(error) => Html::missing(&format!("the rows cannot be shown: {error}")),
    };
    Ok(Html::all(&[shown, spread]))
}
