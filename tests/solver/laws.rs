//! The laws named at `OdeSolver`: order, polynomials, reversal. (`rows` is in `rows.rs`.)

use crate::problems::{adaptive_methods, distance, field, mixed, mixed_solution, slope, solve, steps};
use idode::solver::{BUILT_IN, ExplicitRk, HostState, OdeSolver, OdeState, Tableau, Tolerances};

const END: f64 = 2.0;

/// The step counts over which a method's error is above rounding and its order shows.
fn counts(table: &Tableau) -> &'static [u32] {
    if table.order < 4 { &[128, 256, 512, 1024] } else { &[32, 64, 128, 256] }
}

fn start() -> HostState {
    HostState::from_rows(&[mixed_solution(0.0)])
}

fn forward(table: &'static Tableau, n: u32) -> HostState {
    solve(&ExplicitRk::new(table), mixed(), start(), (0.0, END), &steps(n)).y
}

#[test]
fn order() {
    for table in BUILT_IN {
        let errors: Vec<(f64, f64)> = counts(table)
            .iter()
            .map(|&n| {
                let y = forward(table, n);
                (END / f64::from(n), distance(y.values(), &mixed_solution(END)))
            })
            .collect();
        let (measured, stated) = (slope(&errors), f64::from(table.order));
        println!("{}: order {measured:.3}, stated {stated}, errors {errors:?}", table.name);
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
        let sizes: Vec<(f64, f64)> = [0.08, 0.04, 0.02, 0.01]
            .iter()
            .map(|&h| {
                let step = solver.step(&mut mixed(), &[0], &[t], &[h], &y, None);
                let error = step.error.expect("embedded");
                (h, HostState::error_norm(&error, &y, &y, &absolute)[0])
            })
            .collect();
        let (measured, stated) = (slope(&sizes), f64::from(q + 1));
        println!("{}: {measured:.3}, stated {stated}", solver.tableau().name);
        assert!((measured - stated).abs() < 0.15, "{}: {measured}, {stated}", solver.tableau().name);
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
                let there = forward(table, n);
                let error = distance(there.values(), &mixed_solution(END));
                let back = solve(&ExplicitRk::new(table), mixed(), there, (END, 0.0), &steps(n)).y;
                let gap = distance(back.values(), start().values());
                assert!(gap < 10.0 * error, "{}: {gap:e} of {error:e}", table.name);
                (END / f64::from(n), gap)
            })
            .collect();
        let measured = slope(&errors);
        println!("{}: reversal {measured:.3}, gaps {errors:?}", table.name);
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
