//! The error budget of a run's estimates: what is measured again, and what is said of it.

use crate::budget::{Again, Budget, Design, Estimated, measure};
use crate::config::Evaluation;
use crate::error::Result;
use crate::likelihood::Replicate;
use crate::model::Model;
use crate::progress::Progress;
use crate::result::Estimate;
use crate::run::{Observer, Phase, Watched};

/// What an estimate's uncertainty can come from, beside its data.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    /// How many draws a value is the mean of; none where nothing is drawn of a row.
    pub(super) draws: Option<u64>,
    /// Whether it comes from a solver.
    pub(super) solved: bool,
}

/// The budget of `values`, in bits/dim; `again` gives them for the first so many rows, measured with another model's settings, unseen.
///
/// # Errors
/// Whatever stops a measurement.
pub(super) fn of(
    name: &str,
    kind: Kind,
    values: &[f64],
    model: &Model,
    again: &dyn Fn(&Model, usize, &mut dyn Progress) -> Result<Vec<f64>>,
    observer: &mut dyn Observer,
) -> Result<Budget> {
    let evaluation = &model.recipe().evaluation;
    let probed = kind.solved && !model.divergence()?.is_exact();
    let design = Design::default().of(kind.draws.is_some(), probed);
    let total = (design.draws * design.probes + usize::from(kind.solved)) as u64;
    let phase = format!("{name}, error budget");
    observer.start(&Phase { name: &phase, unit: "measurements", done: 0, total })?;
    let single = model.clone().with_evaluation(Evaluation { draws: 1, ..evaluation.clone() });
    let estimated = Estimated { values, draws: kind.draws.unwrap_or(1) as usize, solved: kind.solved };
    let mut done = 0;
    let budget = measure(estimated, design, |what, rows| {
        let model = match what {
            Again::Replicate { draw, probe } => single.clone().with_replicate(Replicate { draw, probe }),
            Again::Finer(times) => {
                let stepping = evaluation.stepping.finer(times);
                model.clone().with_evaluation(Evaluation { stepping, ..evaluation.clone() })
            }
        };
        let values = again(&model, rows, &mut Watched::unseen(&mut *observer))?;
        done = total.min(done + 1);
        Watched::new(&mut *observer).advance_or_end(done, None)?;
        Ok(values)
    })?;
    observer.end()?;
    Ok(budget)
}

/// What the user should read of an estimate's budget, a line each.
pub(super) fn said(estimate: &Estimate, evaluation: &Evaluation) -> Vec<String> {
    let Some(budget) = &estimate.budget else { return Vec::new() };
    let (name, unit) = (&estimate.name, estimate.unit());
    let mut lines = Vec::new();
    if let Some(solver) = budget.solver.filter(|_| budget.is_of_the_solver()) {
        let use_it = match budget.finer {
            Some(times) => format!("use evaluation.stepping with {}", evaluation.stepping.finer(times)),
            None => {
                let finest = evaluation.stepping.finer(3);
                format!("it is still changing by more than they are at {finest}")
            }
        };
        let random = budget.random();
        lines.push(format!(
            "{name}: the solver's part, {solver:+.4} {unit}, is above all other parts of the error together, {random:.4}: {use_it}"
        ));
    }
    if budget.solver.is_none() {
        lines.push(format!(
            "{name}: no solve ended under tolerances ten times smaller: the solver's part is not known"
        ));
    }
    if !budget.negative.is_empty() {
        let parts = budget.negative.join(" and ");
        lines.push(format!("{name}: the variance of {parts} was estimated below 0 and is taken as 0"));
    }
    lines
}
