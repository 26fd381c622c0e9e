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
    let ks = || ladder.rungs.iter().map(|rung| rung.importance_samples as f64);
    let ends = [ks().fold(f64::INFINITY, f64::min), ks().fold(1.0, f64::max)];
    let mut plot = Plot::new(title, Axis::log("importance samples K"), Axis::linear("bits/dim"));
    for (i, rung) in ladder.rungs.iter().enumerate() {
        if ladder.rungs[..i].iter().any(|other| other.name == rung.name) {
            continue;
        }
        let own: Vec<_> = ladder.rungs.iter().filter(|other| other.name == rung.name).collect();
        let bars = own
            .iter()
            .map(|rung| (rung.importance_samples as f64, rung.bits_per_dim, 2.0 * rung.standard_error));
        plot = plot.bars(bars);
        plot = match rung.name.starts_with("ode") {
            true => plot
                .line(&rung.name, own.iter().map(|rung| (rung.importance_samples as f64, rung.bits_per_dim))),
            false => plot.dashed(&rung.name, ends.map(|k| (k, rung.bits_per_dim))),
        };
    }
    if let Some(exact) = ladder.exact {
        plot = plot.level("exact", exact);
    }
    plot.draw()
}
