//! The laws named at `OdeSolver`: order, polynomials, reversal. (`rows` is in `rows.rs`.)

use crate::problems::{
    adaptive_methods, distance, field, mixed, mixed_solution, power, power_at_zero, solve, steps,
};
use idode::solver::{BUILT_IN, ExplicitRk, HostState, OdeSolver, OdeState, Tableau, Tolerances};

/// A path is solved in this many legs, and its error is the largest at any leg's end: at a single
/// point the leading term may happen to cancel.
const LEGS: u32 = 4;

/// The length of a leg.
const LEG: f64 = 0.5;

/// The steps a leg over which a method's error is above rounding and its order shows.
fn counts(table: &Tableau) -> &'static [u32] {
    if table.order < 4 { &[32, 64, 128, 256] } else { &[4, 8, 16, 32] }
}

fn start() -> HostState {
    HostState::from_rows(&[mixed_solution(0.0)])
}

/// Forward in steps of `LEG / n`: the state at the end, and the largest error on the way.
fn forward(table: &'static Tableau, n: u32) -> (HostState, f64) {
    let mut worst = 0.0;
    let mut y = start();
    for leg in 0..LEGS {
        let (from, to) = (LEG * f64::from(leg), LEG * f64::from(leg + 1));
        y = solve(&ExplicitRk::new(table), mixed(), y, (from, to), &steps(n)).y;
        worst = distance(y.values(), &mixed_solution(to)).max(worst);
    }
    (y, worst)
}

#[test]
fn order() {
    for table in BUILT_IN {
        let errors: Vec<(f64, f64)> =
            counts(table).iter().map(|&n| (LEG / f64::from(n), forward(table, n).1)).collect();
        let (measured, stated) = (power_at_zero(&errors), f64::from(table.order));
        assert!((measured - stated).abs() < 0.1, "{}: order {measured}, stated {stated}", table.name);
    }
}

/// One step's error estimate falls as `h^(q + 1)`, with `q` the embedded order.
#[test]
fn order_of_the_error_estimate() {
    for solver in adaptive_methods() {
        let q = OdeSolver::<HostState>::error_order(&solver).expect("embedded");
        let t = 0.7;
        let y = HostState::from_rows(&[mixed_solution(t)]);
        let absolute = Tolerances { relative: 0.0, absolute: 1.0, log_density: 1.0 };
        let sizes: Vec<(f64, f64)> = [0.16, 0.08, 0.04, 0.02, 0.01]
            .iter()
            .map(|&h| {
                let step = solver.step(&mut mixed(), &[0], &[t], &[h], &y, None);
                let error = step.error.expect("embedded");
                (h, HostState::error_norm(&error, &y, &y, &absolute)[0])
            })
            .collect();
        let (measured, stated) = (power_at_zero(&sizes), f64::from(q + 1));
        assert!((measured - stated).abs() < 0.05, "{}: {measured}, {stated}", solver.tableau().name);
    }
}

/// `y' = (d + 1) t^d` is exact for `d` below the order, and not at the order.
#[test]
fn polynomials() {
    let (from, to) = (0.5_f64, 1.7_f64);
    for table in BUILT_IN {
        for degree in 0..=table.order {
            let power = degree as i32;
            let monomial = field(move |_, t, _, out| {
                out[0] = f64::from(power + 1) * t.powi(power);
                0.0
            });
            let start = HostState::from_rows(&[[from.powi(power + 1)]]);
            let y = solve(&ExplicitRk::new(table), monomial, start, (from, to), &steps(3)).y;
            let exact = to.powi(power + 1);
            let error = (y.values()[0] - exact).abs() / exact;
            // A dozen operations a step round.
            if degree < table.order {
                assert!(error < 1e-14, "{}: degree {degree}, error {error:e}", table.name);
            } else {
                assert!(error > 1e-7, "{}: exact at degree {degree}: {error:e}", table.name);
            }
        }
    }
}

/// There and back again: back at the start within the error of the method, which falls at its
/// order or faster.
#[test]
fn reversal() {
    for table in BUILT_IN {
        let errors: Vec<(f64, f64)> = counts(table)
            .iter()
            .map(|&n| {
                let (there, error) = forward(table, n);
                let span = (LEG * f64::from(LEGS), 0.0);
                let back = solve(&ExplicitRk::new(table), mixed(), there, span, &steps(n * LEGS)).y;
                let gap = distance(back.values(), start().values());
                // The way back errs too, and stretches errors by up to (1 + t^2/2)^2 = 9.
                assert!(gap < 18.0 * error, "{}: {gap:e} of {error:e}", table.name);
                (LEG / f64::from(n), gap)
            })
            .collect();
        let measured = power(&errors);
        assert!(measured > f64::from(table.order) - 0.1, "{}: {measured}", table.name);
    }
}

/// The stage that a method shares with the next step is the field at the step's end, bit for bit,
/// and handing it back changes nothing but the count.
#[test]
fn first_same_as_last() {
    for table in BUILT_IN {
        let solver = ExplicitRk::new(table);
        let (rows, t, h, y) = (&[0], &[0.3], &[0.1], start());
        let step = solver.step(&mut mixed(), rows, t, h, &y, None);
        assert_eq!(step.evaluations as usize, table.stages());
        assert_eq!(step.derivative.is_some(), table.first_same_as_last(), "{}", table.name);
        let field_at = |t: f64, y: &HostState| {
            let euler = ExplicitRk::new(&idode::solver::tables::EULER);
            let zero = y.zeros_like();
            let f = |_: &[usize], at: &[f64], _: &HostState| {
                idode::solver::Field::eval(&mut mixed(), &[0], at, y)
            };
            euler.step(&mut { f }, &[0], &[t], &[1.0], &zero, None).y
        };
        if let Some(derivative) = &step.derivative {
            assert_eq!(derivative, &field_at(0.3 + 0.1, &step.y), "{}", table.name);
        }
        let first = field_at(0.3, &y);
        let again = solver.step(&mut mixed(), rows, t, h, &y, Some(&first));
        assert_eq!((again.y, again.error), (step.y, step.error), "{}", table.name);
        assert_eq!(again.evaluations + 1, step.evaluations);
    }
}
