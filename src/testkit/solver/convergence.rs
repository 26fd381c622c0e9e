//! How errors fall with the step.

use super::problems::{mixed, mixed_solution};
use super::regression::{power, power_of_finest};
use super::{Subject, distance};
use crate::solver::{HostState, OdeState, Stepping, Tolerances};
use crate::testkit::{Law, Verdict, Violation};

/// A path is solved in this many legs, and its error is the largest at any leg's end: at a single
/// point the leading term may happen to cancel.
const LEGS: u32 = 4;

/// The length of a leg there and back: longer for methods whose error would be rounding after a few steps.
fn leg(subject: &Subject<'_>) -> f64 {
    if subject.solver.order() > 6 { 2.0 } else { 0.5 }
}

/// The same where the order is measured: long enough that the finest visible steps show it.
fn long_leg(subject: &Subject<'_>) -> f64 {
    leg(subject).max(1.0)
}

/// Steps a leg, from coarse to fine.
const COUNTS: [u32; 15] = [2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256];

/// Errors between rounding and what is no longer small, in which the order shows.
const VISIBLE: std::ops::RangeInclusive<f64> = 3e-13..=0.1;

/// How far a measured order, and the power of an estimate, may be from the stated one.
const ALLOWED_ORDER: f64 = 0.1;
const ALLOWED: f64 = 0.25;

fn start() -> HostState {
    HostState::from_rows(&[mixed_solution(0.0)])
}

/// One resolution: the step, the state at the end, and the largest error on the way.
struct Run {
    steps: u32,
    h: f64,
    end: HostState,
    error: f64,
}

/// The finest few runs in legs of this length whose errors are visible.
fn runs(subject: &Subject<'_>, law: &Law, length: f64) -> Result<Vec<Run>, Violation> {
    let mut runs = Vec::new();
    for steps in COUNTS {
        let place = format!("{steps} steps a leg");
        let stepping = law.given(&place, Stepping::steps(steps))?;
        let (mut y, mut error) = (start(), 0.0);
        for leg in 0..LEGS {
            let (from, to) = (length * f64::from(leg), length * f64::from(leg + 1));
            y = subject.solve(law, &place, &mut mixed(), y, (from, to), &stepping)?.y;
            error = distance(y.values(), &mixed_solution(to)).max(error);
        }
        if VISIBLE.contains(&error) {
            runs.push(Run { steps, h: length / f64::from(steps), end: y, error });
        }
    }
    let few = runs.len() < 4;
    let found = format_args!("{} resolutions with an error in {VISIBLE:?}", runs.len());
    law.holds(format_args!("{LEGS} legs of {length} in 2 to 256 steps"), !few, found, "4 or more")?;
    Ok(runs.split_off(runs.len().saturating_sub(6)))
}

/// The global error falls as `h^order`, on a path that is not linear and not autonomous: between the two finest
/// resolutions whose errors are above rounding.
///
/// # Errors
/// If the order measured there is off the stated one by more than 1/10.
pub fn order(subject: &Subject<'_>) -> Verdict {
    let law = subject.law("order");
    let errors: Vec<(f64, f64)> =
        runs(subject, &law, long_leg(subject))?.iter().map(|run| (run.h, run.error)).collect();
    let finest = &errors[errors.len() - 2..];
    let place = format!("steps {:.1e} and {:.1e}, measured order", finest[0].0, finest[1].0);
    law.close(place, power_of_finest(finest), f64::from(subject.solver.order()), ALLOWED_ORDER)
}

/// One step's error estimate falls as `h^(q + 1)`, with `q` the embedded order, where there is one: between the two
/// finest steps whose estimates are above rounding.
///
/// An estimate is `C h^(q + 1) (1 + c h + ...)`; the geometric mean of a step forward and one back has no `c h`. It
/// leaves 1/4 to what follows: an estimate of order 7 is rounding before its steps are short enough for less.
///
/// # Errors
/// If there is an estimate without an order or the other way round, or the measured power is off by more than 1/4.
pub fn estimate(subject: &Subject<'_>) -> Verdict {
    let law = subject.law("estimate");
    let t = 0.7;
    let y = HostState::from_rows(&[mixed_solution(t)]);
    let absolute = Tolerances { relative: 0.0, absolute: 1.0, log_density: 1.0 };
    let size = |h: f64| {
        let step = subject.solver.step(&mut mixed(), &[0], &[t], &[h], &y, None);
        match (step.error, subject.solver.error_order()) {
            (None, None) => Ok(None),
            (None, Some(_)) => Err(law.broken(format_args!("h = {h}"), "no error estimate", "one")),
            (Some(_), None) => Err(law.broken(format_args!("h = {h}"), "an estimate", "its order")),
            (Some(error), Some(_)) => Ok(Some(HostState::error_norm(&error, &y, &y, &absolute)[0])),
        }
    };
    let mut sizes = Vec::new();
    for i in 0..=10 {
        let h = 0.4 * 0.5f64.powf(0.5 * f64::from(i));
        let (Some(forward), Some(back)) = (size(h)?, size(-h)?) else { return Ok(()) };
        if forward.min(back) > 1e-14 {
            sizes.push((h, (forward * back).sqrt()));
        }
    }
    let few = format_args!("{} steps with an estimate above 1e-14", sizes.len());
    law.holds("steps of 0.0125 to 0.4", sizes.len() >= 4, few, "4 or more")?;
    let expected = f64::from(subject.solver.error_order().unwrap_or(0) + 1);
    let place =
        format_args!("t = 0.7, steps of about {:.1e}, power of the estimate", sizes[sizes.len() - 1].0);
    law.close(place, power_of_finest(&sizes), expected, ALLOWED)
}

/// There and back again: back at the start within the error of the method, which falls at its order or faster.
///
/// # Errors
/// The first resolution at which it is not.
pub fn reversal(subject: &Subject<'_>) -> Verdict {
    let law = subject.law("reversal");
    let mut gaps = Vec::new();
    for run in runs(subject, &law, leg(subject))? {
        let place = format!("{} steps a leg, and back", run.steps);
        let stepping = law.given(&place, Stepping::steps(run.steps * LEGS))?;
        let end = leg(subject) * f64::from(LEGS);
        let (span, h, error) = ((end, 0.0), run.h, run.error);
        let back = subject.solve(&law, &place, &mut mixed(), run.end, span, &stepping)?.y;
        let gap = distance(back.values(), start().values());
        // The way back errs too, and stretches errors by up to (1 + t^2/2)^2, which is 9 at t = 2.
        let stretch = (1.0 + end * end / 2.0).powi(2);
        law.at_most(format_args!("{place}, distance to the start"), gap, 2.0 * stretch * error, 0.0)?;
        gaps.push((h, gap.max(f64::MIN_POSITIVE)));
    }
    let measured = power(&gaps);
    let limit = f64::from(subject.solver.order()) - ALLOWED;
    law.holds("there and back, measured order", measured > limit, measured, format_args!("above {limit}"))
}
