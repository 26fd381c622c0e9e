//! Rows that fail: why, how far they came, and that the others finish; requests that are refused.

use crate::problems::{by, decay, field, solve, steps, tolerance};
use idode::solver::controller::ProportionalIntegral;
use idode::solver::{
    Adaptive, ExplicitRk, Failure, Field, HostState, RowStatus, Solution, Stepping, Tolerances, integrate,
    tables,
};

/// Four rows of `y' = -y`, but the third's field is this one.
fn with_one(bad: impl Fn(f64, f64) -> f64) -> impl Field<HostState> {
    field(move |row, t, y, out| {
        out[0] = if row == 2 { bad(t, y[0]) } else { -y[0] };
        0.0
    })
}

fn start() -> HostState {
    HostState::from_rows(&[[1.0]; 4])
}

/// The third row's report and state, once the others have finished with the right answer, which is
/// what they reach without it, bit for bit.
fn third(solution: &Solution<HostState>, stepping: &Stepping) -> (Failure, f64, f64, [u32; 3]) {
    let good = solve(&ExplicitRk::new(&tables::DORMAND_PRINCE), decay(1.0), start(), (0.0, 2.0), stepping);
    for i in [0, 1, 3] {
        assert_eq!(solution.rows[i], good.rows[i]);
        assert_eq!(solution.y.values()[i], good.y.values()[i]);
        assert_eq!((solution.rows[i].status, solution.rows[i].t), (RowStatus::Finished, 2.0));
        assert!((good.y.values()[i] - (-2.0_f64).exp()).abs() < 1e-4);
    }
    assert!(good.finished() && !solution.finished());
    assert_eq!(solution.failures().count(), 1);
    let (index, failure, row) = solution.failures().next().expect("one");
    assert_eq!(index, 2);
    (failure, row.t, solution.y.values()[2], [row.evaluations, row.accepted, row.rejected])
}

fn run(bad: impl Fn(f64, f64) -> f64, stepping: &Stepping) -> (Failure, f64, f64, [u32; 3]) {
    let solver = ExplicitRk::new(&tables::DORMAND_PRINCE);
    third(&solve(&solver, with_one(bad), start(), (0.0, 2.0), stepping), stepping)
}

fn adaptive() -> Stepping {
    by(ProportionalIntegral::STANDARD, 1e-6)
}

#[test]
fn a_field_that_is_nan_from_the_start() {
    assert_eq!(run(|_, _| f64::NAN, &adaptive()), (Failure::NonFinite, 0.0, 1.0, [1, 0, 0]));
    assert_eq!(run(|_, _| f64::NAN, &steps(50)), (Failure::NonFinite, 0.0, 1.0, [7, 0, 0]));
}

/// Nine attempts, each a tenth of the one before, and no more.
#[test]
fn a_field_that_is_nan_right_after_the_start() {
    let bad = |t: f64, y: f64| if t > 0.0 { f64::NAN } else { -y };
    assert_eq!(run(bad, &adaptive()), (Failure::NonFinite, 0.0, 1.0, [2 + 6 * 9, 0, 9]));
}

/// A first step below the resolution of t is raised to it: the row grows its steps from there.
#[test]
fn a_first_step_that_would_not_move() {
    let stepping = Stepping::Adaptive(Adaptive { first_step: Some(1e-300), ..settings(1e-6) });
    let solver = ExplicitRk::new(&tables::DORMAND_PRINCE);
    let solution = solve(&solver, decay(1.0), start(), (1.0, 2.0), &stepping);
    // At most a factor 5 a step, from 2e-15 to about 0.1: 20 steps.
    let row = solution.rows[0];
    assert!(row.status == RowStatus::Finished && (20..40).contains(&row.accepted), "{row:?}");
}

/// The row comes as close to the edge as shorter steps take it, with a good state.
#[test]
fn a_field_that_is_nan_beyond_an_edge() {
    let bad = |t: f64, y: f64| if t > 0.5 { f64::NAN } else { -y };
    let (failure, t, y, cost) = run(bad, &adaptive());
    assert_eq!(failure, Failure::NonFinite);
    assert!(0.5 - t < 1e-6 && t <= 0.5, "{t}");
    assert!((y - (-t).exp()).abs() < 1e-6, "{y}");
    assert!(cost[2] > 8, "{cost:?}");

    let (failure, t, y, cost) = run(bad, &steps(50));
    assert_eq!((failure, cost[1]), (Failure::NonFinite, 12));
    assert!((t - 0.48).abs() < 1e-15 && (y - (-t).exp()).abs() < 1e-9);
}

/// A step that leaves the domain once is tried again, shorter; the row finishes.
#[test]
fn a_step_out_of_the_domain_is_tried_again() {
    // y' = -sqrt(y), y = (1 - t/2)^2, which long steps push below 0.
    let mut root = field(|_, _, y, out| {
        out[0] = -y[0].sqrt();
        0.0
    });
    let stepping = Stepping::Adaptive(Adaptive { first_step: Some(1.9), ..Adaptive::default() });
    let start = HostState::from_rows(&[[1.0]]);
    let solver = ExplicitRk::new(&tables::DORMAND_PRINCE);
    let solution = integrate(&solver, &mut root, start, 0.0, 1.9, &stepping).expect("valid");
    assert!(solution.finished(), "{:?}", solution.rows);
    assert!((solution.y.values()[0] - 0.0025).abs() < 1e-5);
    assert!(solution.rows[0].rejected > 0);
}

/// `y' = y^2` from 1 is infinite at 1.
#[test]
fn a_solution_that_blows_up() {
    let (failure, t, y, _) = run(|_, y| y * y, &adaptive());
    assert_eq!(failure, Failure::StepTooSmall);
    assert!((t - 1.0).abs() < 1e-5 && y > 1e8, "{t}, {y:e}");

    let (failure, t, y, _) = run(|_, y| y * y, &steps(50));
    assert_eq!(failure, Failure::NonFinite);
    assert!(y.is_finite() && t > 1.0);
}

#[test]
fn a_row_that_needs_too_many_steps() {
    let limited = Stepping::Adaptive(Adaptive { max_steps: 40, ..settings(1e-6) });
    let (failure, t, y, cost) = run(|t, _| 100.0 * (100.0 * t).cos(), &limited);
    assert_eq!((failure, cost[1] + cost[2]), (Failure::StepLimit, 40));
    assert_eq!(cost[0], 2 + 6 * 40);
    assert!(t > 0.0 && t < 2.0 && (y - 1.0 - (100.0 * t).sin()).abs() < 1e-3, "{t}, {y}");
}

#[test]
fn a_row_whose_steps_would_be_too_small() {
    let limited = Stepping::Adaptive(Adaptive { min_step: 0.02, ..settings(1e-6) });
    let (failure, t, y, _) = run(|t, y| if t < 1.0 { -y } else { -1e3 * y }, &limited);
    assert_eq!(failure, Failure::StepTooSmall);
    assert!(t > 0.9 && t < 1.1 && y.is_finite(), "{t}");
}

fn settings(size: f64) -> Adaptive {
    Adaptive { tolerances: tolerance(size), ..Adaptive::default() }
}

#[test]
fn a_start_that_is_not_finite() {
    let solver = ExplicitRk::new(&tables::TSITOURAS);
    let start = HostState::from_rows(&[[1.0], [f64::INFINITY]]);
    for stepping in [adaptive(), steps(5)] {
        let solution = solve(&solver, decay(1.0), start.clone(), (0.0, 1.0), &stepping);
        assert_eq!(solution.rows[0].status, RowStatus::Finished);
        assert_eq!(solution.rows[1].status, RowStatus::Failed(Failure::NonFinite));
    }
}

#[test]
fn reasons_are_words() {
    let words = [Failure::NonFinite, Failure::StepLimit, Failure::StepTooSmall].map(|f| f.to_string());
    assert_eq!(words, ["the state is not finite", "the step limit is reached", "the step is too small"]);
    let status = RowStatus::Failed(Failure::StepLimit);
    assert_eq!(status.to_string(), "failed: the step limit is reached");
}

#[test]
fn requests_that_cannot_be_met() {
    let refused = |solver: ExplicitRk, to: f64, stepping: Stepping| {
        let solution = integrate(&solver, &mut decay(1.0), start(), 0.0, to, &stepping);
        solution.expect_err("refused").to_string()
    };
    let rk4 = ExplicitRk::new(&tables::RK4);
    assert_eq!(
        refused(rk4, 1.0, Stepping::default()),
        "stepping = adaptive: expected fixed steps: this solver has no error estimate"
    );
    assert_eq!(refused(rk4, f64::NAN, steps(3)), "interval = 0 to NaN: expected two finite times");
    let short = Stepping::times(vec![0.0, 0.5]).expect("rising");
    assert!(refused(rk4, 1.0, short).starts_with("grid = 0 to 0.5:"));
    let tsitouras = ExplicitRk::new(&tables::TSITOURAS);
    let loose = Tolerances { absolute: 0.0, ..Tolerances::default() };
    assert!(refused(tsitouras, 1.0, Stepping::adaptive(loose)).starts_with("absolute tolerance = 0:"));
    let none = Stepping::Adaptive(Adaptive { max_steps: 0, ..Adaptive::default() });
    assert!(refused(tsitouras, 1.0, none).starts_with("max_steps = 0:"));
}
