//! The table's order conditions, and the error that combines two.

use super::*;
use idode::solver::{
    Adaptive, ExplicitRk, HostState, OdeSolver, Step, Stepping, Tableau, Tolerances, integrate, tables,
};

/// A sum of products of coefficients that are up to 43 in size rounds by so much.
const ROUNDING: f64 = 2e-14;

fn checks(table: Tableau, tolerance: f64) -> Result<(), String> {
    table.check(tolerance).map_err(|error| error.to_string())
}

#[test]
fn order_conditions_hold_up_to_8_and_5_and_3_and_no_further() {
    let embedded = |order, error| Tableau { embedded: Some(Embedded { order, error }), ..TABLE };
    let Some(Embedded { order: 5, error: fifth }) = TABLE.embedded else { panic!("{:?}", TABLE.embedded) };
    assert_eq!(checks(TABLE, ROUNDING), Ok(()));
    assert_eq!(checks(embedded(3, &THIRD_ORDER_ERROR), ROUNDING), Ok(()));
    assert!(DOP853.check(ROUNDING).is_ok() && DOP853.check(1e-16).is_err());
    let wrong = DoublyEmbedded { other: Embedded { order: 4, error: &THIRD_ORDER_ERROR }, ..DOP853 };
    assert!(wrong.check(1e-9).is_err());
    for higher in [Tableau { order: 9, ..TABLE }, embedded(6, fifth), embedded(4, &THIRD_ORDER_ERROR)] {
        assert!(checks(higher, 1e-9).is_err(), "{:?}", (higher.order, higher.embedded));
    }
}

/// `y0' = y0 cos t`, `y1' = -t y1^2`: `e^(sin t)` and `1 / (1 + t^2 / 2)` from (1, 1) at 0.
fn mixed(_: &[usize], t: &[f64], y: &HostState) -> HostState {
    y.map_rows(|i, y, out| {
        out.copy_from_slice(&[y[0] * t[i].cos(), -t[i] * y[1] * y[1]]);
        0.0
    })
}

fn exact(t: f64) -> [f64; 2] {
    [t.sin().exp(), 1.0 / (1.0 + t * t / 2.0)]
}

/// The step of length `h` from 0.7 and the norm of its error.
fn step(solver: &dyn OdeSolver<HostState>, h: f64) -> (Step<HostState>, f64) {
    let y = HostState::from_rows(&[exact(0.7)]);
    let step = solver.step(&mut mixed, &[0], &[0.7], &[h], &y, None);
    let error = step.error.as_ref().expect("an error");
    let norm = HostState::error_norm(error, &y, &step.y, &Tolerances::default())[0];
    (step, norm)
}

/// The combined error is `e5^2 / sqrt(e5^2 + e3^2 / 100)` in the norm, and falls as `h^8`.
#[test]
fn the_error_combines_two_and_falls_as_the_eighth_power() {
    static THIRD: Tableau =
        Tableau { embedded: Some(Embedded { order: 3, error: &THIRD_ORDER_ERROR }), ..TABLE };
    let estimate = |h| step(&DOP853, h).1;
    for h in [0.4, -0.2] {
        let [e5, e3] = [&TABLE, &THIRD].map(|table| step(&ExplicitRk::new(table), h).1);
        let expected = e5 * e5 / e5.hypot(0.1 * e3);
        assert!((estimate(h) / expected - 1.0).abs() < 1e-10, "h {h}: {} {expected}", estimate(h));
    }
    let power = (estimate(0.16) / estimate(0.08)).log2();
    assert!((power - 8.0).abs() < 0.4, "{power}");
    assert_eq!(OdeSolver::<HostState>::error_order(&DOP853), Some(7));
}

/// State and error norm of the same step as SciPy 1.17.1's `DOP853` has them.
#[test]
fn value_stability() {
    let (step, norm) = step(&DOP853, 0.4);
    assert_eq!((step.evaluations, step.derivative), (12, None));
    for (found, expected) in step.y.values().iter().zip([2.43807150545686, 0.6230529613146673]) {
        assert!((found - expected).abs() < 4e-15, "{found} {expected}");
    }
    assert!((norm / 0.00010311203554880076 - 1.0).abs() < 1e-6, "{norm}");
}

#[test]
fn a_field_that_is_zero_or_no_number_has_such_an_error() {
    let y = HostState::from_rows(&[[1.0], [1.0]]);
    let mut field = |_: &[usize], _: &[f64], y: &HostState| {
        y.map_rows(|i, _, out| {
            out[0] = [0.0, f64::NAN][i];
            0.0
        })
    };
    let step = DOP853.step(&mut field, &[0, 1], &[0.0; 2], &[0.1; 2], &y, None);
    let error = step.error.expect("an error");
    assert_eq!(error.values()[0], 0.0);
    assert!(error.values()[1].is_nan());
}

/// At tight tolerances eighth order costs a fraction of fifth.
#[test]
fn costs_and_errors_of_an_adaptive_solve() {
    let size = 1e-10;
    let tolerances = Tolerances { relative: size, absolute: size, log_density: size };
    let solve = |solver: &dyn OdeSolver<HostState>| {
        let stepping = Stepping::Adaptive(Adaptive { tolerances, ..Adaptive::default() });
        let start = HostState::from_rows(&[exact(0.0)]);
        let solution = integrate(solver, &mut mixed, start, 0.0, 6.0, &stepping).expect("a valid request");
        let error = solution.y.values().iter().zip(exact(6.0)).map(|(y, exact)| (y - exact).abs());
        (solution.rows[0].evaluations, solution.rows[0].rejected, error.fold(0.0, f64::max))
    };
    let (own, other) = (solve(&DOP853), solve(&ExplicitRk::new(&tables::DORMAND_PRINCE)));
    assert!(own.2 < 1e-9 && other.2 < 1e-9, "{own:?} {other:?}");
    assert_eq!((own.0, own.1, other.0), (349, 3, 674), "{own:?} {other:?}");
}
