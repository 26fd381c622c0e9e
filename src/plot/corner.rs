//! Corner plots: every column of a table by itself and against every other.

mod layout;
mod scene;
mod spread;

use super::Png;
use super::sheet::paint;
use crate::error::{Error, Result};
use layout::Layout;
use scene::Scene;
use spread::Spread;

/// The columns that are drawn.
const MOST_COLUMNS: usize = 6;

/// Draws data and samples, row-major in the same columns: a histogram of each of the first six columns, and below the
/// diagonal each pair of columns against each other.
///
/// Histograms are densities, of which the data's is grey. An axis reaches from the least to the greatest value, but at
/// most four quartile distances beyond the quartiles; the legend says what part of the values lies beyond. Of more than
/// 2,000 rows, evenly spaced ones are drawn as points.
///
/// ```
/// let columns = ["mass".to_string(), "radius".to_string()];
/// let data = [1.0, 2.0, 1.5, 2.5, 0.5, 2.2];
/// let png = idode::plot::corner(&columns, &data, &[1.1, 2.1, 0.9, 2.4])?;
/// assert!(png.bytes().starts_with(b"\x89PNG"));
/// # Ok::<(), idode::error::Error>(())
/// ```
///
/// # Errors
/// Unless there is a column, both are whole numbers of rows, and each column drawn has a finite value of the data.
pub fn corner(columns: &[String], data: &[f64], samples: &[f64]) -> Result<Png> {
    let d = columns.len();
    for (what, values) in [("data", data), ("samples", samples)] {
        if d == 0 || !values.len().is_multiple_of(d) {
            let expected = format!("a multiple of {d} columns, at least one");
            return Err(Error::value(format!("number of values of {what}"), values.len(), expected));
        }
    }
    let column = |values: &[f64], j: usize| {
        let mut column = Vec::with_capacity(values.len() / d);
        for row in values.chunks_exact(d) {
            column.push(row[j]);
        }
        column
    };
    let mut spreads = Vec::new();
    for (j, name) in columns[..d.min(MOST_COLUMNS)].iter().enumerate() {
        spreads.push(Spread::new(name, column(data, j), column(samples, j))?);
    }
    let title = match d > spreads.len() {
        true => format!("Data and samples: the first {} of {d} columns", spreads.len()),
        false => "Data and samples".to_owned(),
    };
    let layout = Layout::new(&spreads);
    let scene = Scene {
        title: &title,
        rows: [data.len() / d, samples.len() / d],
        spreads: &spreads,
        layout: &layout,
    };
    Png::encode(&paint(layout.size(), &|sheet| scene.draw(sheet))?)
}

#[cfg(test)]
mod tests;
