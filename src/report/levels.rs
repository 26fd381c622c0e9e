//! The losses over noise levels, and what the time sampler's density was worth.

use super::html::Html;
use super::source::Source;
use crate::error::Result;
use crate::plot::{Axis, Plot};
use crate::run::{LevelLosses, StepLog};

pub(super) fn section(source: &Source<'_>) -> Result<Html> {
    let path = source.run.levels();
    let lines: Vec<LevelLosses> = if path.exists() { StepLog::read(&path)? } else { Vec::new() };
    let Some(found) = last(&lines) else {
        return Ok(Html::missing(
            "not recorded: levels.jsonl is written at the first checkpoint after a step",
        ));
    };
    let points = |value: &dyn Fn(usize) -> f64| -> Vec<(f64, f64)> {
        let mut points = Vec::with_capacity(found.bins.len());
        for bin in 0..found.bins.len() {
            points.push((found.middle(bin), value(bin)));
        }
        points
    };
    let mean = points(&|bin| found.bins[bin].mean());
    // The standard deviation of a row's loss at a level.
    let spread = points(&|bin| {
        let losses = found.bins[bin];
        (losses.mean_square() - losses.mean().powi(2)).max(0.0).sqrt()
    });
    let losses = Plot::new(
        "Training losses over noise levels",
        Axis::linear("gamma (rising noise)"),
        Axis::linear("nats per dimension and unit of gamma"),
    )
    .line("mean loss", mean)
    .line("standard deviation of a row's loss", spread);
    let uniform = 1.0 / (found.gamma_max - found.gamma_min);
    let density = Plot::new(
        "How often each level was visited",
        Axis::linear("gamma (rising noise)"),
        Axis::linear("density of the levels drawn"),
    )
    .line("as drawn", points(&|bin| found.density(bin)));
    let density = match found.diagnostics() {
        // Least variance: in proportion to the root mean square of the loss.
        Some(_) => {
            let total: f64 =
                found.bins.iter().map(|bin| bin.mean_square().sqrt()).sum::<f64>() * found.width();
            density.dashed("of least variance", points(&|bin| found.bins[bin].mean_square().sqrt() / total))
        }
        None => density,
    };
    let said = match found.diagnostics() {
        Some(worth) => &format!(
            "Steps {} to {}. The variance of a row's weighted loss under the levels drawn is {:.3} of that under uniform \
             levels; the best density there is would have {:.3}.",
            found.first, found.step, worth.variance_ratio, worth.best_variance_ratio
        ),
        None => &format!(
            "Steps {} to {}. Some bins have no row, so the variance is not known.",
            found.first, found.step
        ),
    };
    Ok(Html::all(&[
        Html::line(said),
        Html::drawn(
            losses.draw(),
            "training losses over noise levels",
            "The mean loss of training rows in bins of noise levels, and how much rows of one bin differ.",
        ),
        Html::drawn(
            density.level("uniform", uniform).draw(),
            "density of the levels drawn",
            "The density that training drew its levels from.",
        ),
        Html::line(
            "The variance of gradients over levels is not recorded: a step has one gradient, of all its rows together.",
        ),
    ]))
}

/// The last half of the last stage: what was learned first says little of it.
fn last(lines: &[LevelLosses]) -> Option<LevelLosses> {
    let stage = lines.last()?.stage;
    let mut of_stage = Vec::new();
    for line in lines {
        if line.stage == stage {
            of_stage.push(line);
        }
    }
    let (first, later) = of_stage[of_stage.len() / 2..].split_first()?;
    let mut all = LevelLosses::clone(first);
    for line in later {
        all = all.and(line);
    }
    Some(all)
}
