//! The plot of a ladder of bounds.

use super::{Axis, Plot, Png};
use crate::error::Result;
use crate::ladder::Ladder;

/// Every rung over its `K`, with bars of two standard errors to either side; a bound that has no `K` is a dashed line.
///
/// # Errors
/// If no rung has a value.
pub fn ladder(ladder: &Ladder) -> Result<Png> {
    let title = format!("{}, {} split: bounds", ladder.data.name, ladder.data.split);
    let (mut low, mut high) = (f64::INFINITY, 1.0);
    for rung in &ladder.rungs {
        let k = rung.importance_samples as f64;
        (low, high) = (f64::min(low, k), f64::max(high, k));
    }
    let mut plot = Plot::new(title, Axis::log("importance samples K"), Axis::linear("bits/dim"));
    for (i, rung) in ladder.rungs.iter().enumerate() {
        if ladder.rungs[..i].iter().any(|other| other.name == rung.name) {
            continue;
        }
        let (mut points, mut bars) = (Vec::new(), Vec::new());
        for other in &ladder.rungs {
            if other.name == rung.name {
                let (k, mean) = (other.importance_samples as f64, other.bits_per_dim);
                points.push((k, mean));
                bars.push((k, mean, 2.0 * other.standard_error));
            }
        }
        plot = plot.bars(bars);
        plot = match rung.name.starts_with("ode") {
            true => plot.line(&rung.name, points),
            false => plot.dashed(&rung.name, vec![(low, rung.bits_per_dim), (high, rung.bits_per_dim)]),
        };
    }
    if let Some(exact) = ladder.exact {
        plot = plot.level("exact", exact);
    }
    plot.draw()
}
