//! The driver: every row from one time to another, each at its own pace.

use super::batch::{Batch, Row};
use super::controller::Attempt;
use super::initial_step::initial_steps;
use super::solution::{Failure, Solution};
use super::stepping::{Adaptive, Stepping, Times};
use super::turns::{AtOnce, Turns};
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
    let seats = start.rows();
    let mut turns = AtOnce::new(field, start);
    integrate_in_turns(solver, &mut turns, seats, from, to, stepping)?;
    let AtOnce { end, reports, .. } = turns;
    let mut rows = Vec::with_capacity(seats);
    for report in reports {
        rows.push(report.unwrap_or_else(|| Row::at(from).report()));
    }
    Ok(Solution { y: end, rows })
}

/// Solves `dy/dt = f(t, y)` for every row that `turns` has, at most `seats` of them at once: a row that is done gives its seat to the next
/// that waits. Each goes bit for bit as it would alone.
///
/// Seats are given away by eighths of the batch, so that all sizes that the field sees are few. Under fixed steps, which end together,
/// the next rows come when all have left.
///
/// # Errors
/// As [`integrate`], and those of `turns`.
pub fn integrate_in_turns<Y: OdeState>(
    solver: &dyn OdeSolver<Y>,
    turns: &mut dyn Turns<Y>,
    seats: usize,
    from: f64,
    to: f64,
    stepping: &Stepping,
) -> Result<()> {
    if !from.is_finite() || !to.is_finite() {
        return Err(Error::value("interval", format!("{from} to {to}"), "two finite times"));
    }
    if turns.waiting() > 0 && seats == 0 {
        return Err(Error::value("seats", seats, "at least 1"));
    }
    match stepping {
        Stepping::Fixed(_) if from == to || turns.waiting() == 0 => unmoved(turns, seats, from),
        Stepping::Fixed(grid) => {
            let times = grid.between(from, to)?;
            while let Some(batch) = Batch::seated(turns, seats, from)? {
                fixed(solver, turns, batch, times.clone())?;
            }
            Ok(())
        }
        Stepping::Adaptive(settings) => {
            settings.validate()?;
            let error_order = solver.error_order().ok_or_else(|| {
                Error::value("stepping", "adaptive", "fixed steps: this solver has no error estimate")
            })?;
            match from == to {
                true => unmoved(turns, seats, from),
                false => Walk { solver, settings, error_order, from, to }.run(turns, seats),
            }
        }
    }
}

/// Lets every row leave where it begins.
fn unmoved<Y: OdeState>(turns: &mut dyn Turns<Y>, seats: usize, from: f64) -> Result<()> {
    while let Some(batch) = Batch::seated(turns, seats, from)? {
        batch.release(turns, &(0..batch.slots.len()).collect::<Vec<_>>())?;
    }
    Ok(())
}

/// One step of the rows in work.
fn step<Y: OdeState>(
    solver: &dyn OdeSolver<Y>,
    field: &mut dyn Field<Y>,
    batch: &mut Batch<Y>,
    h: &[f64],
) -> Step<Y> {
    let (mut some, mut all) = (false, true);
    for row in batch.in_work().filter(|row| row.active()) {
        (some, all) = (some || row.known, all && row.known);
    }
    if some && !all {
        // Rows that came later know more, and cost what they would alone.
        batch.first = Some(field.eval(&batch.slots, &batch.times(), &batch.y));
        for row in batch.rows.iter_mut().filter(|row| row.active() && !row.known) {
            row.evaluations += 1;
        }
        batch.rows.iter_mut().for_each(|row| row.known = true);
    }
    let first = batch.first.as_ref().filter(|_| some);
    let step = solver.step(field, &batch.slots, &batch.times(), h, &batch.y, first);
    batch.count(step.evaluations);
    step
}

/// Steps every row over the same times.
fn fixed<Y: OdeState>(
    solver: &dyn OdeSolver<Y>,
    turns: &mut dyn Turns<Y>,
    mut batch: Batch<Y>,
    times: Times<'_>,
) -> Result<()> {
    let mut pairs = times.clone().zip(times.skip(1)).peekable();
    while let Some((from, to)) = pairs.next() {
        let mut h = Vec::with_capacity(batch.slots.len());
        for row in batch.in_work() {
            h.push(if row.active() { to - from } else { 0.0 });
        }
        let step = step(solver, &mut *turns, &mut batch, &h);
        let mut accepted = step.y.finite();
        for (&slot, accepted) in batch.slots.iter().zip(&mut accepted) {
            let row = &mut batch.rows[slot];
            *accepted &= row.active();
            if *accepted {
                row.t = to;
                row.accepted += 1;
                if pairs.peek().is_none() {
                    row.finish();
                }
            } else if row.active() {
                row.fail(Failure::NonFinite);
            }
        }
        batch.settle(step, &accepted);
        if !batch.compact(turns)? {
            break;
        }
    }
    batch.release(turns, &(0..batch.slots.len()).collect::<Vec<_>>())
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

/// Seats are given away by this part of the batch.
const GROUPS: usize = 8;

/// How many of `free` seats are given away now, where rows wait: as many as make a group, or, of the last rows, a part of a group that is one of
/// few sizes; none while more must be free.
fn group(seats: usize, free: usize, waiting: usize) -> usize {
    let mut size = seats.div_ceil(GROUPS);
    if free < size.min(waiting) {
        return 0;
    }
    while size > waiting {
        size = size.div_ceil(2).min(size - 1);
    }
    size
}

impl<Y: OdeState> Walk<'_, Y> {
    fn run(&self, turns: &mut dyn Turns<Y>, seats: usize) -> Result<()> {
        let Some(mut batch) = Batch::seated(turns, seats, self.from)? else { return Ok(()) };
        let all = batch.slots.clone();
        let (first, mut paces) = self.begin(&mut *turns, &mut batch.rows, &all, &batch.y);
        batch.first = Some(first);
        loop {
            self.refill(turns, &mut batch, &mut paces)?;
            if turns.waiting() == 0 && !batch.compact(turns)? {
                return batch.release(turns, &(0..batch.slots.len()).collect::<Vec<_>>());
            }
            let (mut ends, mut h) = (Vec::with_capacity(all.len()), Vec::with_capacity(all.len()));
            for &i in &batch.slots {
                let end = self.end(&batch.rows[i], &mut paces[i]);
                ends.push(end);
                h.push(end - batch.rows[i].t);
            }
            let step = step(self.solver, &mut *turns, &mut batch, &h);
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

    /// Gives the seats of rows that are done to rows that wait.
    fn refill(&self, turns: &mut dyn Turns<Y>, batch: &mut Batch<Y>, paces: &mut [Pace]) -> Result<()> {
        loop {
            let idle = batch.idle();
            let count = match turns.waiting() {
                0 => 0,
                waiting => group(batch.slots.len(), idle.len(), waiting),
            };
            if count == 0 {
                return Ok(());
            }
            let slots = &idle[..count];
            batch.release(turns, slots)?;
            let mut seats = Vec::with_capacity(count);
            for &slot in slots {
                seats.push(batch.slots[slot]);
            }
            let y = turns.seat(&seats)?;
            for &seat in &seats {
                batch.rows[seat] = Row::at(self.from);
            }
            let (first, new) = self.begin(&mut *turns, &mut batch.rows, &seats, &y);
            for (&seat, pace) in seats.iter().zip(&new) {
                paces[seat] = *pace;
            }
            batch.y.scatter(slots, &y);
            batch.first.get_or_insert_with(|| batch.y.clone()).scatter(slots, &first);
        }
    }

    /// Evaluates the field at the start of the rows in these seats, and chooses their first steps.
    fn begin(&self, field: &mut dyn Field<Y>, rows: &mut [Row], seats: &[usize], y: &Y) -> (Y, Vec<Pace>) {
        let first = field.eval(seats, &vec![self.from; seats.len()], y);
        for ((&seat, y), first) in seats.iter().zip(&y.finite()).zip(&first.finite()) {
            let row = &mut rows[seat];
            row.evaluations += 1;
            row.known = true;
            if !(*y && *first) {
                row.fail(Failure::NonFinite);
            }
        }
        let any = seats.iter().any(|&seat| rows[seat].active());
        let lengths = match self.settings.first_step {
            None if any => {
                let (span, at) = ((self.from, self.to), (y, &first));
                let tolerances = &self.settings.tolerances;
                let lengths = initial_steps(field, seats, span, at, self.error_order, tolerances);
                seats.iter().for_each(|&seat| rows[seat].evaluations += u32::from(rows[seat].active()));
                lengths
            }
            given => vec![given.unwrap_or(0.0); seats.len()],
        };
        let mut paces = Vec::with_capacity(lengths.len());
        for h in lengths {
            paces.push(Pace { h, previous: None, retry: false, non_finite: 0 });
        }
        (first, paces)
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

#[cfg(test)]
mod tests {
    use super::{group, integrate};
    use crate::solver::controller::{Attempt, Controller};
    use crate::solver::{
        Adaptive, ExplicitRk, Failure, Field, HostState, OdeSolver, OdeState, RowReport, RowStatus, Step,
        Stepping, tables,
    };
    use std::sync::Arc;

    fn one(y: f64) -> HostState {
        HostState::from_rows(&[[y]])
    }

    /// A method whose steps of more than `limit` end at `y` with this error; the others are good.
    #[derive(Debug)]
    struct Bad {
        limit: f64,
        y: f64,
        error: f64,
    }

    impl OdeSolver<HostState> for Bad {
        fn order(&self) -> u32 {
            1
        }
        fn error_order(&self) -> Option<u32> {
            Some(1)
        }
        fn step(
            &self,
            _: &mut dyn Field<HostState>,
            _: &[usize],
            _: &[f64],
            h: &[f64],
            _: &HostState,
            _: Option<&HostState>,
        ) -> Step<HostState> {
            let (y, error) = if h[0] > self.limit { (self.y, self.error) } else { (1.0, 0.0) };
            Step { y: one(y), error: Some(one(error)), derivative: None, evaluations: 1 }
        }
    }

    /// Every step is half as long as the one before.
    #[derive(Debug)]
    struct Halves;

    impl Controller for Halves {
        fn factor(&self, _: &Attempt) -> f64 {
            0.5
        }
    }

    /// A row from 0 to 1 in steps that begin with 0.2 and halve.
    fn row(solver: &Bad, min_step: f64) -> RowReport {
        let mut still = |_: &[usize], _: &[f64], y: &HostState| y.zeros_like();
        let (controller, first_step) = (Arc::new(Halves), Some(0.2));
        let settings = Adaptive { controller, first_step, min_step, ..Adaptive::default() };
        let stepping = Stepping::Adaptive(settings);
        integrate(solver, &mut still, one(1.0), 0.0, 1.0, &stepping).expect("a valid request").rows[0]
    }

    #[test]
    fn no_step_is_good_whose_state_or_error_is_not_finite() {
        for (y, error) in [(f64::INFINITY, 0.0), (1.0, f64::INFINITY), (1.0, f64::NAN)] {
            let found = row(&Bad { limit: 0.0, y, error }, 0.0);
            let failed = RowStatus::Failed(Failure::NonFinite);
            assert_eq!((found.status, found.accepted, found.rejected), (failed, 0, 9), "{y} {error}");
        }
    }

    #[test]
    fn a_step_may_be_as_short_as_the_shortest() {
        let found = row(&Bad { limit: 0.15, y: 1.0, error: 1.0 }, 0.1);
        assert_eq!((found.status, found.rejected), (RowStatus::Finished, 1));
    }

    /// Ten units in the last place of `t` towards the end: below 1 they are half as large.
    #[test]
    fn the_shortest_step_is_that_of_its_direction() {
        let stepping = Stepping::Adaptive(Adaptive { first_step: Some(1e-300), ..Adaptive::default() });
        for (to, shortest) in [(2.0, 10.0 * f64::EPSILON), (0.0, -5.0 * f64::EPSILON)] {
            let mut times = Vec::new();
            let mut still = |_: &[usize], t: &[f64], y: &HostState| {
                times.push(t[0]);
                y.zeros_like()
            };
            let solver = ExplicitRk::new(&tables::HEUN);
            integrate(&solver, &mut still, one(1.0), 1.0, to, &stepping).expect("a valid request");
            assert_eq!(times[..2], [1.0, 1.0 + shortest]);
        }
    }

    #[test]
    fn rows_that_cannot_begin_are_evaluated_once() {
        let mut calls = 0;
        let mut bad = |_: &[usize], _: &[f64], y: &HostState| {
            calls += 1;
            y.map_rows(|_, _, out| {
                out[0] = f64::NAN;
                0.0
            })
        };
        let (solver, start) = (ExplicitRk::new(&tables::HEUN), HostState::from_rows(&[[1.0]; 3]));
        let found =
            integrate(&solver, &mut bad, start, 0.0, 1.0, &Stepping::default()).expect("a valid request");
        assert_eq!((found.failures().count(), found.rows[0].evaluations), (3, 1));
        assert_eq!(calls, 1);
    }

    #[test]
    fn seats_are_given_away_by_few_sizes() {
        assert_eq!([(64, 7, 100), (64, 8, 100), (64, 30, 100)].map(|(s, f, w)| group(s, f, w)), [0, 8, 8]);
        assert_eq!(
            [(64, 4, 5), (64, 5, 5), (64, 64, 3), (64, 9, 1)].map(|(s, f, w)| group(s, f, w)),
            [0, 4, 2, 1]
        );
        assert_eq!(
            [(1, 0, 9), (1, 1, 9), (3, 1, 1), (9, 1, 2), (9, 2, 2)].map(|(s, f, w)| group(s, f, w)),
            [0, 1, 1, 0, 2]
        );
    }
}
