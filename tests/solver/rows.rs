//! Rows: each at its own pace, none the wiser about the others; and the error each ends with.

use crate::problems::{
    GaussianFlow, adaptive_methods, brusselator, by, decay, distance, logistic, oscillator, solve, steps,
    tolerance, van_der_pol,
};
use idode::solver::controller::{Integral, ProportionalIntegral};
use idode::solver::{
    BUILT_IN, ExplicitRk, Field, HostState, OdeState, RowReport, RowStatus, Stepping, integrate, tables,
};
use std::collections::BTreeSet;

/// How stiff each of eleven rows is: an easy one, hard ones, and two alike.
const MU: [f64; 11] = [0.0, 8.0, 1.0, 3.0, 0.5, 8.0, 12.0, 2.0, 0.1, 5.0, 0.0];

fn starts() -> HostState {
    let rows: Vec<[f64; 2]> = (0..MU.len()).map(|i| [2.0 - 0.1 * i as f64, 0.05 * i as f64]).collect();
    HostState::from_rows(&rows).with_log_density(vec![0.0; MU.len()]).expect("one a row")
}

/// Van der Pol with a log-density that gathers the divergence.
fn with_divergence(mu: impl Fn(usize) -> f64) -> impl Field<HostState> {
    crate::problems::field(move |row, _, y, out| {
        let mu = mu(row);
        out.copy_from_slice(&[y[1], mu * (1.0 - y[0] * y[0]) * y[1] - y[0]]);
        mu * (1.0 - y[0] * y[0])
    })
}

/// The law `rows`: bit for bit the answer, and the cost, of every row alone, and in any order.
#[test]
fn rows() {
    let span = (0.0, 4.0);
    for table in BUILT_IN {
        let solver = ExplicitRk::new(table);
        let mut steppings = vec![steps(200)];
        if table.embedded.is_some() {
            steppings.push(by(ProportionalIntegral::STANDARD, 1e-4));
            steppings.push(by(Integral::SCIPY, 1e-4));
        }
        for stepping in &steppings {
            let together = solve(&solver, with_divergence(|i| MU[i]), starts(), span, stepping);
            assert!(together.finished());
            let backwards: Vec<usize> = (0..MU.len()).rev().collect();
            let mirrored = with_divergence(|i| MU[MU.len() - 1 - i]);
            let mirrored = solve(&solver, mirrored, starts().select(&backwards), span, stepping);
            assert_eq!(mirrored.y.select(&backwards), together.y, "{}", table.name);
            for i in 0..MU.len() {
                let alone = solve(&solver, with_divergence(|_| MU[i]), starts().select(&[i]), span, stepping);
                assert_eq!(alone.y, together.y.select(&[i]), "{}, row {i}", table.name);
                assert_eq!(alone.rows[0], together.rows[i], "{}, row {i}", table.name);
                assert_eq!(mirrored.rows[MU.len() - 1 - i], together.rows[i], "{}, row {i}", table.name);
            }
            let costs: BTreeSet<u32> = together.rows.iter().map(|row| row.evaluations).collect();
            assert!(matches!(stepping, Stepping::Fixed(_)) || costs.len() > 5, "rows differ: {costs:?}");
        }
    }
}

/// Batches halve, and nothing else: few sizes, and rows that are done soon cost nothing.
#[test]
fn batch_sizes_are_few() {
    let mut sizes = Vec::new();
    let mut inner = with_divergence(|i| MU[i]);
    let mut watched = |rows: &[usize], t: &[f64], y: &HostState| {
        assert_eq!((rows.len(), t.len()), (y.rows(), y.rows()));
        sizes.push(rows.len());
        inner.eval(rows, t, y)
    };
    let solver = ExplicitRk::new(&tables::TSITOURAS);
    let stepping = by(ProportionalIntegral::STANDARD, 1e-6);
    let solution = integrate(&solver, &mut watched, starts(), 0.0, 4.0, &stepping).expect("a valid request");
    assert!(sizes.windows(2).all(|pair| pair[0] >= pair[1]));
    let distinct: BTreeSet<usize> = sizes.iter().copied().collect();
    assert!(
        distinct.len() > 2 && distinct.iter().all(|size| [11, 6, 3, 2, 1].contains(size)),
        "{distinct:?}"
    );
    // Rows in work are at most twice the active ones and one more, and none is counted twice.
    let own: u32 = solution.rows.iter().map(|row| row.evaluations).sum();
    let paid: usize = sizes.iter().sum();
    assert!(own as usize <= paid && paid <= 2 * own as usize + sizes.len(), "{own} of {paid}");
    let longest = solution.rows.iter().map(|row| row.evaluations).max();
    assert_eq!(longest, Some(sizes.len() as u32));
}

/// Errors at the end, as multiples of `absolute + relative |y|`.
fn worst_ratio(y: &HostState, exact: &[f64], tolerance: f64) -> f64 {
    let ratios = y.values().iter().zip(exact).map(|(y, e)| (y - e).abs() / (tolerance * (1.0 + e.abs())));
    ratios.fold(0.0, f64::max)
}

#[test]
fn the_error_stays_below_the_tolerance() {
    for solver in adaptive_methods().filter(|solver| solver.tableau().order > 2) {
        for size in [1e-4, 1e-6, 1e-8] {
            let stepping = Stepping::adaptive(tolerance(size));
            let name = solver.tableau().name;
            let run = |field: Box<dyn FnMut(&[usize], &[f64], &HostState) -> HostState>,
                       start: &[[f64; 1]],
                       to: f64,
                       exact: &[f64]| {
                let solution = solve(&solver, field, HostState::from_rows(start), (0.0, to), &stepping);
                worst_ratio(&solution.y, exact, size)
            };
            let _ = run;
            let y =
                solve(&solver, decay(3.0), HostState::from_rows(&[[2.0], [-50.0]]), (0.0, 1.0), &stepping).y;
            let e = (-3.0_f64).exp();
            let d = worst_ratio(&y, &[2.0 * e, -50.0 * e], size);
            let y =
                solve(&solver, oscillator(), HostState::from_rows(&[[1.0, 0.0]]), (0.0, 1.0), &stepping).y;
            let o = worst_ratio(&y, &[1.0_f64.cos(), -(1.0_f64.sin())], size);
            let y = solve(&solver, logistic(), HostState::from_rows(&[[0.1]]), (0.0, 5.0), &stepping).y;
            let l = worst_ratio(&y, &[0.1 * 5.0_f64.exp() / (0.9 + 0.1 * 5.0_f64.exp())], size);
            println!("{name} {size:e}: decay {d:.3} oscillator {o:.3} logistic {l:.3}");
            let flow = GaussianFlow { mean: 0.7, deviation: 0.3 };
            for (from, to) in [(-13.3, 5.0), (5.0, -13.3)] {
                let start =
                    HostState::from_rows(&[[0.5], [-1.5]]).with_log_density(vec![0.0; 2]).expect("two");
                let y = solve(&solver, flow.field(), start, (from, to), &stepping).y;
                let exact = [flow.solution(0.5, from, to), flow.solution(-1.5, from, to)];
                let g = worst_ratio(&y, &exact.map(|(z, _)| z), size);
                let ld = distance(y.log_density().unwrap(), &exact.map(|(_, l)| l)) / size;
                println!("   flow {from} {g:.3} {ld:.3}");
            }
        }
    }
    let _ = (brusselator(), RowStatus::Finished, van_der_pol(|_| 1.0));
    let _: Option<RowReport> = None;
}
