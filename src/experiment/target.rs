//! A total error that was asked for.

use super::measure::Found;
use crate::budget::{Effort, Limits, Plan, plan};
use crate::config::{Divergence, Evaluation, Hutchinson};
use crate::error::Result;
use crate::model::Model;
use crate::result::{Estimate, VLB};
use crate::run::Observer;

/// Estimated variances move a little each time they are measured: so often what is missing is added.
const ROUNDS: usize = 4;

/// Measures with more images, draws and probes until the total error of every estimate is below `target`, in its unit, or says what that
/// would take; gives what was found and the number of rows it is from. `rows` are those to begin with, and those there are.
///
/// # Errors
/// Whatever stops an estimate.
pub(super) fn reach(
    target: f64,
    mut model: Model,
    (rows, limit): (usize, usize),
    measure: impl Fn(&Model, usize, &mut dyn Observer) -> Result<Found>,
    observer: &mut dyn Observer,
) -> Result<(Found, usize)> {
    let drawn = model.schema().is_none_or(|schema| !schema.grid().is_empty());
    let evaluation = model.recipe().evaluation.clone();
    let hutchinson = match evaluation.divergence.clone().unwrap_or_default() {
        Divergence::Hutchinson(hutchinson) => Some(hutchinson),
        _ => None,
    };
    let probes = hutchinson.as_ref().map_or(1, |hutchinson| hutchinson.probes as usize);
    let draws = if drawn { evaluation.draws as usize } else { 1 };
    let mut now = Effort { images: rows, draws, probes };
    let mut round = 1;
    loop {
        let found = measure(&model, now.images, &mut *observer)?;
        let (mut next, mut said) = (now, Vec::new());
        for estimate in &found.estimates {
            let Some(budget) = &estimate.budget else { continue };
            let solved = estimate.name != VLB;
            let limits =
                Limits { images: limit, drawn: solved && drawn, probed: solved && hutchinson.is_some() };
            let own = if solved { now } else { Effort { draws: 1, probes: 1, ..now } };
            let plan = plan(budget, own, limits, target);
            if let Plan::Spend(effort) = plan {
                next.images = next.images.max(effort.images);
                next.draws = next.draws.max(effort.draws);
                next.probes = next.probes.max(effort.probes);
            }
            said.extend(
                out_of_reach(estimate, plan, (target, limit))
                    .filter(|_| !matches!(plan, Plan::Spend(_)) || round == ROUNDS),
            );
        }
        if next == now || round == ROUNDS {
            said.iter().for_each(|line| observer.message(line));
            return Ok((found, now.images));
        }
        observer.message(&price(&found, target, (now, next)));
        let divergence = match &hutchinson {
            Some(hutchinson) => {
                Some(Divergence::Hutchinson(Hutchinson { probes: next.probes as u64, ..hutchinson.clone() }))
            }
            None => evaluation.divergence.clone(),
        };
        let draws = if drawn { next.draws as u64 } else { evaluation.draws };
        let evaluation = Evaluation { draws, divergence, ..model.recipe().evaluation.clone() };
        model = model.with_evaluation(evaluation);
        (now, round) = (next, round + 1);
    }
}

/// What measuring again costs.
fn price(found: &Found, target: f64, (now, next): (Effort, Effort)) -> String {
    let work = |effort: Effort| (effort.images * effort.draws * effort.probes) as f64;
    let factor = work(next) / work(now);
    let seconds = factor * found.estimates.iter().map(|estimate| estimate.seconds).sum::<f64>();
    let Effort { images, draws, probes } = next;
    format!(
        "for a total error of {target}: measures again with {images} rows, {draws} draws of each and {probes} probes, {factor:.1} times the work, about {seconds:.0} s"
    )
}

/// What a target would take that cannot be reached.
fn out_of_reach(estimate: &Estimate, plan: Plan, (target, limit): (f64, usize)) -> Option<String> {
    let (name, unit) = (&estimate.name, estimate.unit());
    match plan {
        Plan::Reached => None,
        Plan::Spend(Effort { images, draws, probes }) => Some(format!(
            "{name}: a total error of {target} {unit} is not reached; it takes about {images} rows with {draws} draws and {probes} probes"
        )),
        Plan::MoreImages { images: Some(images), least } => {
            let least = least
                .map_or_else(String::new, |least| format!(", with which it is at least {least:.4} {unit}"));
            Some(format!(
                "{name}: a total error of {target} {unit} takes about {} rows; there are {limit}{least}",
                // In powers of ten where nobody could have them.
                if images < 1_000_000_000 { images.to_string() } else { format!("{:.0e}", images as f64) }
            ))
        }
        Plan::MoreImages { images: None, .. } => {
            Some(format!("{name}: what a total error of {target} {unit} takes cannot be said of one row"))
        }
        Plan::FinerSolver => Some(format!(
            "{name}: a total error of {target} {unit} takes smaller tolerances in evaluation.stepping: the solver's part alone is {:.1e} {unit}",
            estimate.budget.as_ref().and_then(|budget| budget.solver).unwrap_or(f64::NAN).abs()
        )),
    }
}
