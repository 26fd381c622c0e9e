//! The memory that a recipe's numbers ask for, before anything is made of them.
//!
//! Each [`Need`] is a lower bound: what is refused here could not have been done, and what is not may still be too much. Bytes of numbers that
//! the host holds at one time; of a training step, a quarter of what its layers would keep for the backward pass if none were fused.
//!
//! | key | what it counts |
//! |---|---|
//! | `network` | parameters, gradients, two moments and the moving average, 4 bytes each |
//! | `stage[i].batch` | the values that the backward pass of one accumulation step needs |
//! | `stage[i].accumulation` | the rows of one optimizer step |
//! | `evaluation.vlb_levels` | one row at all of its levels |
//! | `evaluation.draws`, `.importance_samples` | the draws of one row |
//! | `evaluation.divergence` | the directions of the rows that are solved together |
//! | `sample.count` | the samples |

mod available;

pub(crate) use available::available;

use crate::config::{self, Divergence, Evaluation, Recipe};
use crate::error::Result;
use crate::registry::NetworkPlan;
use std::fmt;

/// What a number of a recipe asks for, at least.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Need {
    /// Its key.
    pub key: String,
    /// What the key has.
    pub found: String,
    /// What it is for: "a training step", ...
    pub what: &'static str,
    /// Bytes, at least.
    pub bytes: u128,
}

impl Need {
    fn new(key: impl Into<String>, found: impl ToString, what: &'static str, bytes: u128) -> Self {
        Self { key: key.into(), found: found.to_string(), what, bytes }
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of memory at least for {}", Bytes(self.bytes), self.what)
    }
}

/// A number of bytes in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bytes(pub u128);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
        let mut size = self.0 as f64 / 1024.0;
        let mut unit = 0;
        while size >= 1024.0 && unit + 1 < UNITS.len() {
            (size, unit) = (size / 1024.0, unit + 1);
        }
        write!(f, "{size:.1} {}", UNITS[unit])
    }
}

/// The memory of a network's training state, which is known before the network is built; nothing of one that does not say.
pub(crate) fn of_network(plan: &NetworkPlan) -> Need {
    let parameters = u128::from(plan.least_parameters());
    let settings = plan.settings().iter().map(|(key, value)| format!("{key} = {value}"));
    Need::new(
        "network",
        settings.collect::<Vec<_>>().join(", "),
        "its parameters in training",
        5 * 4 * parameters,
    )
}

/// What a row of numbers is accompanied by: its visit, level, density and losses.
const ROW: u128 = 64;

/// What each number of a recipe asks for on rows of `dims` numbers, with a network that keeps `activations` numbers of a row.
pub(crate) fn of_recipe(recipe: &Recipe, dims: usize, activations: u64) -> Vec<Need> {
    let mut needs = Vec::new();
    for (index, stage) in recipe.stage.iter().enumerate() {
        let key = |name: &str| format!("stage[{index}].{name}");
        let (batch, accumulation) = (u128::from(stage.batch), u128::from(stage.accumulation));
        let row = 8 * dims as u128;
        let kept = u128::from(taped(&stage.objective)) * u128::from(activations);
        needs.push(Need::new(key("batch"), batch, "a training step", batch * (kept + row)));
        let rows = batch.saturating_mul(accumulation);
        needs.push(Need::new(key("accumulation"), accumulation, "the rows of a step", rows * (row + ROW)));
    }
    if let Some(validation) = &recipe.validation {
        needs.push(of_levels("validation.vlb_levels", validation.vlb_levels, dims));
    }
    needs.extend(of_evaluation(&recipe.evaluation, dims));
    needs.push(of_samples(recipe.sample.count, dims));
    needs
}

/// What the numbers of an evaluation ask for on rows of `dims` numbers.
pub(crate) fn of_evaluation(evaluation: &Evaluation, dims: usize) -> Vec<Need> {
    /// What a solved draw leaves: its density, its price and the report of its solve.
    const DRAW: u128 = 48;
    let mut needs = vec![of_levels("evaluation.vlb_levels", evaluation.vlb_levels, dims)];
    let (draws, samples) = (u128::from(evaluation.draws), u128::from(evaluation.importance_samples));
    let each = draws.saturating_mul(samples);
    let (key, found) = match draws > samples {
        true => ("evaluation.draws", draws),
        false => ("evaluation.importance_samples", samples),
    };
    needs.push(Need::new(key, found, "the draws of a row", each.saturating_mul(DRAW)));
    // The ladder's own K, from which one row's draws are solved too.
    if let Some(most) = evaluation.ladder.iter().max() {
        let bytes = draws.saturating_mul((*most).into()).saturating_mul(DRAW);
        needs.push(Need::new("evaluation.ladder", most, "the draws of a row", bytes));
    }
    let directions = match &evaluation.divergence {
        Some(Divergence::Hutchinson(own)) => Some(("evaluation.divergence.probes", own.probes)),
        Some(Divergence::HutchPlusPlus(own)) => Some(("evaluation.divergence.products", own.products)),
        _ => None,
    };
    if let Some((key, count)) = directions {
        // One row is solved at least.
        needs.push(Need::new(key, count, "the directions of a row", u128::from(count) * 8 * dims as u128));
    }
    needs
}

/// What the levels of a row of `dims` numbers ask for.
fn of_levels(key: &str, levels: u64, dims: usize) -> Need {
    let bytes = u128::from(levels) * (16 * dims as u128 + ROW);
    Need::new(key, levels, "a row at all of its levels", bytes)
}

/// What so many samples of rows of `dims` numbers ask for.
pub(crate) fn of_samples(count: u64, dims: usize) -> Need {
    Need::new("sample.count", count, "the samples", u128::from(count) * 8 * dims as u128)
}

/// Refuses the first need that is above what is available, where that is known.
///
/// # Errors
/// Names the key, the need and what is available.
pub(crate) fn check(recipe: &Recipe, needs: &[Need], available: Option<u64>) -> Result<()> {
    let Some(available) = available.map(u128::from) else { return Ok(()) };
    match needs.iter().find(|need| need.bytes > available) {
        None => Ok(()),
        Some(need) => {
            let expected = format!("less: {need}, and {} are available", Bytes(available));
            Err(recipe.source.error(&need.key, &need.found, expected))
        }
    }
}

/// The pass through the network that goes backward, in forward passes.
pub(crate) fn taped(objective: &config::Objective) -> u64 {
    let terms = objective.weights();
    let second = u64::from(terms.trace > 0.0) + u64::from(terms.jacobian > 0.0);
    match (terms.trace_gradient > 0.0, second) {
        (false, 0) => 1,
        (gradient, second) => 4 * u64::from(gradient) + 2 * second,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_said_in_the_largest_unit() {
        let said = [512, 1 << 20, 3 << 39, u128::from(u64::MAX)].map(|bytes| Bytes(bytes).to_string());
        assert_eq!(said, ["0.5 KiB", "1.0 MiB", "1.5 TiB", "16.0 EiB"]);
    }
}
