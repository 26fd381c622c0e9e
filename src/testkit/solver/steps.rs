//! What a single step must keep.

use super::Subject;
use super::problems::{field, mixed, mixed_solution, van_der_pol};
use crate::solver::{Adaptive, Field, HostState, OdeState, Stepping, Tolerances};
use crate::testkit::{Law, Verdict};

/// Exact on `dy/dt = (d + 1) t^d` for every degree `d` below the order.
///
/// # Errors
/// The first degree with an error above rounding.
pub fn polynomials(subject: &Subject<'_>) -> Verdict {
    let law = subject.law("polynomials");
    let (from, to) = (0.5_f64, 1.7_f64);
    for degree in 0..subject.solver.order() {
        let power = degree as i32;
        let mut monomial = field(move |_, t, _, out| {
            out[0] = f64::from(power + 1) * t.powi(power);
            0.0
        });
        let place = format!("dy/dt = {} t^{degree}", degree + 1);
        let stepping = law.given(&place, Stepping::steps(3))?;
        let start = HostState::from_rows(&[[from.powi(power + 1)]]);
        let y = subject.solve(&law, &place, &mut monomial, start, (from, to), &stepping)?.y;
        let exact = to.powi(power + 1);
        // A dozen operations a step round.
        law.close(format_args!("{place}, y at {to}"), y.values()[0], exact, 1e-13 * exact)?;
    }
    Ok(())
}

/// How stiff each row is: an easy one, hard ones, and two alike.
const MU: [f64; 7] = [0.0, 8.0, 1.0, 3.0, 8.0, 12.0, 0.1];

fn starts() -> crate::error::Result<HostState> {
    let rows: Vec<[f64; 2]> = (0..MU.len()).map(|i| [2.0 - 0.1 * i as f64, 0.05 * i as f64]).collect();
    HostState::from_rows(&rows).with_log_density(vec![0.0; MU.len()])
}

/// A row's result, and its cost, do not depend on its batch: bit for bit those of the row alone, and in any order.
///
/// # Errors
/// The first row that is another in company.
pub fn rows(subject: &Subject<'_>) -> Verdict {
    let law = subject.law("rows");
    let mut steppings = vec![law.given("steps", Stepping::steps(200))?];
    if subject.solver.error_order().is_some() {
        let tolerances = Tolerances { relative: 1e-4, absolute: 1e-4, log_density: 1e-4 };
        steppings.push(Stepping::Adaptive(Adaptive { tolerances, ..Adaptive::default() }));
    }
    let starts = law.given("starts", starts())?;
    let backwards: Vec<usize> = (0..MU.len()).rev().collect();
    for stepping in &steppings {
        let solve = |mu: &dyn Fn(usize) -> f64, start: HostState| {
            subject.solve(&law, "rows of Van der Pol", &mut van_der_pol(mu), start, (0.0, 2.0), stepping)
        };
        let together = solve(&|i| MU[i], starts.clone())?;
        let mirrored = solve(&|i| MU[MU.len() - 1 - i], starts.select(&backwards))?;
        for (i, mu) in MU.into_iter().enumerate() {
            let alone = solve(&|_| mu, starts.select(&[i]))?;
            let shown = |y: &HostState, row: usize| format!("{:?}", y.select(&[row]).values());
            let own = together.y.select(&[i]);
            let place = format!("row {i} alone");
            law.holds(&place, alone.y == own, shown(&alone.y, 0), shown(&together.y, i))?;
            let (found, expected) = (alone.rows[0].evaluations, together.rows[i].evaluations);
            law.holds(format_args!("{place}, evaluations"), found == expected, found, expected)?;
            let mirror = MU.len() - 1 - i;
            let same = mirrored.y.select(&[mirror]) == own;
            let place = format!("row {i} in reversed order");
            law.holds(place, same, shown(&mirrored.y, mirror), shown(&together.y, i))?;
        }
    }
    Ok(())
}

/// `first`, handed in, changes nothing but the count; and the derivative that a step hands out is the field at its end.
///
/// # Errors
/// The first of it that fails.
pub fn first(subject: &Subject<'_>) -> Verdict {
    let law = subject.law("first");
    let (rows, t, h) = (&[0], &[0.3], &[0.1]);
    let y = HostState::from_rows(&[mixed_solution(0.3)]);
    let step = subject.solver.step(&mut mixed(), rows, t, h, &y, None);
    if let Some(derivative) = &step.derivative {
        let expected = mixed().eval(rows, &[0.3 + 0.1], &step.y);
        close(&law, "derivative at the step's end", derivative, &expected)?;
    }
    let known = mixed().eval(rows, t, &y);
    let again = subject.solver.step(&mut mixed(), rows, t, h, &y, Some(&known));
    close(&law, "state with the first derivative handed in", &again.y, &step.y)?;
    let saved = again.evaluations + 1 == step.evaluations;
    law.holds(
        "evaluations saved",
        saved,
        again.evaluations,
        format_args!("one less than {}", step.evaluations),
    )
}

/// Upheld if two states are the same up to rounding.
fn close(law: &Law, place: &str, found: &HostState, expected: &HostState) -> Verdict {
    for (i, (found, expected)) in found.values().iter().zip(expected.values()).enumerate() {
        law.close(format_args!("{place} [{i}]"), *found, *expected, 1e-13 * (1.0 + expected.abs()))?;
    }
    Ok(())
}
