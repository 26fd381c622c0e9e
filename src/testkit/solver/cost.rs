//! Errors at the end, and what they cost.

use super::Subject;
use super::problems::{GaussianFlow, decay, logistic, mixed, mixed_solution, oscillator};
use crate::solver::{Field, HostState, OdeState, Stepping, Tolerances};
use crate::testkit::{Law, Verdict, Violation};

/// A problem with a known answer.
struct Problem {
    name: &'static str,
    field: Box<dyn Field<HostState>>,
    start: HostState,
    span: (f64, f64),
    /// Every number at the end; the log-density's too, where the start has one.
    exact: Vec<f64>,
}

fn problems() -> crate::error::Result<[Problem; 5]> {
    let rows = HostState::from_rows::<1>;
    let e = (-3.0_f64).exp();
    let flow = GaussianFlow { mean: 0.7, deviation: 0.3 };
    let gaussian = |name, span: (f64, f64)| -> crate::error::Result<Problem> {
        let ends = [0.5, -1.5].map(|z| flow.solution(z, span.0, span.1));
        Ok(Problem {
            name,
            field: Box::new(flow.field()),
            start: rows(&[[0.5], [-1.5]]).with_log_density(vec![0.0; 2])?,
            span,
            exact: ends.iter().map(|end| end.0).chain(ends.iter().map(|end| end.1)).collect(),
        })
    };
    Ok([
        Problem {
            name: "decay",
            field: Box::new(decay(3.0)),
            start: rows(&[[2.0], [-50.0]]),
            span: (0.0, 1.0),
            exact: vec![2.0 * e, -50.0 * e],
        },
        Problem {
            name: "logistic growth",
            field: Box::new(logistic()),
            start: rows(&[[0.1]]),
            span: (0.0, 5.0),
            exact: vec![1.0 / (1.0 + 9.0 * (-5.0_f64).exp())],
        },
        Problem {
            name: "oscillator, backwards",
            field: Box::new(oscillator()),
            start: HostState::from_rows(&[[1.0, 0.0]]),
            span: (0.0, -1.0),
            exact: vec![1.0_f64.cos(), 1.0_f64.sin()],
        },
        gaussian("Gaussian flow to noise", (-13.3, 5.0))?,
        gaussian("Gaussian flow to data", (5.0, -13.3))?,
    ])
}

/// The tolerances of the adaptive solves.
const TOLERANCES: [f64; 2] = [1e-4, 1e-6];

/// How many tolerances the error at the end may be: a controller bounds its estimate of a step's error,
/// not the sum over a solve.
const MULTIPLE: f64 = 10.0;

/// Steps of a solver that cannot adapt, and the error it may then have, relative to `1 + |y|`.
const STEPS: u32 = 2000;
const FIXED: f64 = 2e-2;

/// The steps of a solve, and the error that it may have.
fn settings(subject: &Subject<'_>, law: &Law) -> Result<Vec<(Stepping, f64, String)>, Violation> {
    if subject.solver.error_order().is_none() {
        let stepping = law.given("steps", Stepping::steps(STEPS))?;
        return Ok(vec![(stepping, FIXED, format!("{STEPS} steps"))]);
    }
    let adaptive = |size: f64| {
        let tolerances = Tolerances { relative: size, absolute: size, log_density: size };
        (Stepping::adaptive(tolerances), MULTIPLE * size, format!("tolerance {size:e}"))
    };
    Ok(TOLERANCES.map(adaptive).into())
}

/// The error at the end of problems with known answers is within ten tolerances, or, on a fixed grid of 2,000 steps,
/// within 2e-2; relative to `1 + |y|`.
///
/// # Errors
/// The first problem where it is not.
pub fn tolerance(subject: &Subject<'_>) -> Verdict {
    let law = subject.law("tolerance");
    for (stepping, allowed, how) in settings(subject, &law)? {
        for problem in law.given("problems", problems())? {
            let Problem { name, mut field, start, span, exact } = problem;
            let place = format!("{name}, {how}");
            let y = subject.solve(&law, &place, &mut *field, start, span, &stepping)?.y;
            let found = y.values().iter().chain(y.log_density().unwrap_or_default());
            for (found, exact) in found.zip(&exact) {
                law.close(&place, *found, *exact, allowed * (1.0 + exact.abs()))?;
            }
        }
    }
    Ok(())
}

/// A step says how often it evaluated the field, and the evaluations of the problems of [`tolerance`] (the first row's,
/// at each tolerance in turn) are the pinned ones, where any are.
///
/// # Errors
/// The first count that is another.
pub fn evaluations(subject: &Subject<'_>) -> Verdict {
    let law = subject.law("evaluations");
    let y = HostState::from_rows(&[mixed_solution(0.3)]);
    let mut calls = 0;
    let mut counted = |rows: &[usize], t: &[f64], y: &HostState| {
        calls += 1;
        mixed().eval(rows, t, y)
    };
    let step = subject.solver.step(&mut counted, &[0], &[0.3], &[0.1], &y, None);
    law.holds("one step, evaluations stated", step.evaluations == calls, step.evaluations, calls)?;
    law.holds("one step, rows", step.y.rows() == 1, step.y.rows(), 1)?;

    let mut found = Vec::new();
    for (stepping, _, how) in settings(subject, &law)? {
        for problem in law.given("problems", problems())? {
            let Problem { name, mut field, start, span, .. } = problem;
            let place = format!("{name}, {how}");
            let solution = subject.solve(&law, &place, &mut *field, start, span, &stepping)?;
            found.push(solution.rows[0].evaluations);
        }
    }
    let pinned = subject.pinned.is_empty() || subject.pinned == found;
    law.holds(
        "all problems, evaluations",
        pinned,
        format_args!("{found:?}"),
        format_args!("{:?}", subject.pinned),
    )
}
