//! The driver: every row from one time to another, each at its own pace.

use super::batch::{Batch, Row};
use super::controller::Attempt;
use super::initial_step::initial_steps;
use super::solution::{Failure, Solution};
use super::stepping::{Adaptive, Stepping};
use super::{Field, OdeSolver, OdeState, Step};
use crate::error::{Error, Result};

/// How often in a row a step that is not finite is tried again, ten times shorter, before the row
/// fails.
const NON_FINITE_RETRIES: u32 = 8;

/// Solves `dy/dt = f(t, y)` for every row from `from` to `to`, which may be the smaller.
///
/// A row that fails keeps its last good state and its reason; the others go on. Rows that are done
/// leave the batch whenever it can halve.
///
/// # Errors
/// When the times are not finite, the stepping is not valid, or adaptive steps are asked of a
/// method without an error estimate. A row's failure is no error: see [`Solution::rows`].
pub fn integrate<Y: OdeState>(
    solver: &dyn OdeSolver<Y>,
    field: &mut dyn Field<Y>,
    start: Y,
    from: f64,
    to: f64,
    stepping: &Stepping,
) -> Result<Solution<Y>> {
    if !from.is_finite() || !to.is_finite() {
        return Err(Error::value("interval", format!("{from} to {to}"), "two finite times"));
    }
    let mut batch = Batch::new(start, from);
    let nothing_to_do = from == to || batch.rows.is_empty();
    match stepping {
        Stepping::Fixed(_) if nothing_to_do => {}
        Stepping::Fixed(grid) => fixed(solver, field, &mut batch, &grid.between(from, to)?),
        Stepping::Adaptive(settings) => {
            settings.validate()?;
            let error_order = solver.error_order().ok_or_else(|| {
                Error::value("stepping", "adaptive", "fixed steps: this solver has no error estimate")
            })?;
            if !nothing_to_do {
                Walk { solver, settings, error_order, from, to }.run(field, &mut batch);
            }
        }
    }
    Ok(batch.into_solution())
}

/// One step of the rows in work.
fn step<Y: OdeState>(
    solver: &dyn OdeSolver<Y>,
    field: &mut dyn Field<Y>,
    batch: &mut Batch<Y>,
    h: &[f64],
) -> Step<Y> {
    let step = solver.step(field, &batch.slots, &batch.times(), h, &batch.y, batch.first.as_ref());
    batch.count(step.evaluations);
    step
}

/// Steps every row over the same times.
fn fixed<Y: OdeState>(
    solver: &dyn OdeSolver<Y>,
    field: &mut dyn Field<Y>,
    batch: &mut Batch<Y>,
    times: &[f64],
) {
    for (i, pair) in times.windows(2).enumerate() {
        let h: Vec<f64> =
            batch.in_work().map(|row| if row.active() { pair[1] - pair[0] } else { 0.0 }).collect();
        let step = step(solver, field, batch, &h);
        let mut accepted = step.y.finite();
        for (&slot, accepted) in batch.slots.iter().zip(&mut accepted) {
            let row = &mut batch.rows[slot];
            *accepted &= row.active();
            if *accepted {
                row.t = pair[1];
                row.accepted += 1;
                if i + 2 == times.len() {
                    row.finish();
                }
            } else if row.active() {
                row.fail(Failure::NonFinite);
            }
        }
        batch.settle(step, &accepted);
        if !batch.compact() {
            return;
        }
    }
}

/// What a row's next step depends on, beside its state.
#[derive(Clone, Copy, Debug)]
struct Pace {
    /// The length to try next.
    h: f64,
    /// The error of the last accepted step.
    previous: Option<f64>,
    /// Whether the last attempt was rejected.
    retry: bool,
    /// How many attempts in a row were not finite.
    non_finite: u32,
}

/// An adaptive solve.
#[derive(Clone, Copy)]
struct Walk<'a, Y> {
    solver: &'a dyn OdeSolver<Y>,
    settings: &'a Adaptive,
    error_order: u32,
    from: f64,
    to: f64,
}

impl<Y: OdeState> Walk<'_, Y> {
    fn run(&self, field: &mut dyn Field<Y>, batch: &mut Batch<Y>) {
        let mut paces = self.begin(field, batch);
        while batch.compact() {
            let ends: Vec<f64> =
                batch.slots.iter().map(|&i| self.end(&batch.rows[i], &mut paces[i])).collect();
            let h: Vec<f64> = batch.in_work().zip(&ends).map(|(row, end)| end - row.t).collect();
            let step = step(self.solver, field, batch, &h);
            let norms = match &step.error {
                Some(error) => Y::error_norm(error, &batch.y, &step.y, &self.settings.tolerances),
                None => vec![f64::NAN; h.len()],
            };
            let mut accepted = step.y.finite();
            for (slot, accepted) in accepted.iter_mut().enumerate() {
                let i = batch.slots[slot];
                let error = Some(norms[slot]).filter(|norm| *accepted && norm.is_finite());
                *accepted = batch.rows[i].active()
                    && self.judge(&mut batch.rows[i], &mut paces[i], ends[slot], error);
            }
            batch.settle(step, &accepted);
        }
    }

    /// Evaluates the field at the start and chooses the first steps.
    fn begin(&self, field: &mut dyn Field<Y>, batch: &mut Batch<Y>) -> Vec<Pace> {
        let first = field.eval(&batch.slots, &batch.times(), &batch.y);
        batch.count(1);
        let good = batch.y.finite().into_iter().zip(first.finite()).map(|(y, f)| y && f);
        for (row, good) in batch.rows.iter_mut().zip(good) {
            if !good {
                row.fail(Failure::NonFinite);
            }
        }
        batch.first = Some(first);
        let h = self.settings.first_step.unwrap_or(0.0);
        let mut paces = vec![Pace { h, previous: None, retry: false, non_finite: 0 }; batch.rows.len()];
        if let (true, None, Some(f0)) = (batch.compact(), self.settings.first_step, &batch.first) {
            let (span, at) = ((self.from, self.to), (&batch.y, f0));
            let tolerances = &self.settings.tolerances;
            let lengths = initial_steps(field, &batch.slots, span, at, self.error_order, tolerances);
            batch.slots.iter().zip(lengths).for_each(|(&i, h)| paces[i].h = h);
            batch.count(1);
        }
        paces
    }

    /// Where the next step of a row ends: never beyond the end of the solve.
    fn end(&self, row: &Row, pace: &mut Pace) -> f64 {
        if !row.active() {
            return row.t;
        }
        if !pace.retry {
            pace.h = pace.h.max(self.min_step(row.t));
        }
        let direction = (self.to - self.from).signum();
        let end = row.t + direction * pace.h;
        if (end - self.to) * direction > 0.0 { self.to } else { end }
    }

    /// The shortest step from `t`.
    fn min_step(&self, t: f64) -> f64 {
        let next = if self.to > self.from { t.next_up() } else { t.next_down() };
        self.settings.min_step.max(10.0 * (next - t).abs())
    }

    /// Accepts or rejects the step of an active row, whose error is `None` where it or the state
    /// is not finite.
    fn judge(&self, row: &mut Row, pace: &mut Pace, end: f64, error: Option<f64>) -> bool {
        let taken = (end - row.t).abs();
        let factor = error.map_or(0.1, |error| {
            let (previous, retry) = (pace.previous, pace.retry);
            let attempt = Attempt { error, previous, retry, error_order: self.error_order };
            self.settings.controller.factor(&attempt)
        });
        pace.h = taken * factor;
        pace.non_finite = if error.is_some() { 0 } else { pace.non_finite + 1 };
        let accepted = error.filter(|error| *error <= 1.0);
        pace.retry = accepted.is_none();
        if accepted.is_some() {
            pace.previous = accepted;
            row.accepted += 1;
            row.t = end;
        } else {
            row.rejected += 1;
        }

        if row.t == self.to {
            row.finish();
        } else if pace.non_finite > NON_FINITE_RETRIES {
            row.fail(Failure::NonFinite);
        } else if pace.retry && (pace.h.is_nan() || pace.h < self.min_step(row.t)) {
            let reason = if error.is_some() { Failure::StepTooSmall } else { Failure::NonFinite };
            row.fail(reason);
        } else if row.accepted + row.rejected >= self.settings.max_steps {
            row.fail(Failure::StepLimit);
        }
        accepted.is_some()
    }
}
