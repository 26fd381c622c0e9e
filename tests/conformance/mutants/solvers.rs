//! Broken solvers.

use super::{Mutant, mutants};
use idode::solver::{ExplicitRk, Field, HostState, OdeSolver, OdeState, Step, Tableau, tables};
use idode::testkit::Verdict;
use idode::testkit::solver::Subject;
use std::fmt;

type Solver = Box<dyn OdeSolver<HostState>>;

/// Costs: not pinned, and no solver's.
const NONE: &[u32] = &[];
const WRONG: &[u32] = &[7];

/// A step's arguments.
struct Arguments<'a> {
    rows: &'a [usize],
    t: &'a [f64],
    h: &'a [f64],
    y: &'a HostState,
    first: Option<&'a HostState>,
}

/// A method, but for what its functions do.
struct Broken {
    inner: ExplicitRk,
    order: u32,
    error_order: Option<u32>,
    step: fn(&ExplicitRk, &mut dyn Field<HostState>, &Arguments<'_>) -> Step<HostState>,
}

impl fmt::Debug for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Broken")
    }
}

impl OdeSolver<HostState> for Broken {
    fn order(&self) -> u32 {
        self.order
    }
    fn error_order(&self) -> Option<u32> {
        self.error_order
    }
    fn step(
        &self,
        field: &mut dyn Field<HostState>,
        rows: &[usize],
        t: &[f64],
        h: &[f64],
        y: &HostState,
        first: Option<&HostState>,
    ) -> Step<HostState> {
        (self.step)(&self.inner, field, &Arguments { rows, t, h, y, first })
    }
}

fn plain(rk: &ExplicitRk, field: &mut dyn Field<HostState>, at: &Arguments<'_>) -> Step<HostState> {
    rk.step(field, at.rows, at.t, at.h, at.y, at.first)
}

fn sound(table: &'static Tableau) -> Broken {
    Broken {
        inner: ExplicitRk::new(table),
        order: table.order,
        error_order: table.embedded.map(|embedded| embedded.order),
        step: plain,
    }
}

fn stepping(
    table: &'static Tableau,
    step: fn(&ExplicitRk, &mut dyn Field<HostState>, &Arguments<'_>) -> Step<HostState>,
) -> Solver {
    Box::new(Broken { step, ..sound(table) })
}

/// Runge-Kutta 4 with a weight in the wrong place, and with stages at the wrong times.
static MISPRINTED: Tableau = Tableau { b: &[1.0 / 6.0, 1.0 / 6.0, 1.0 / 3.0, 1.0 / 3.0], ..tables::RK4 };
static UNTIMED: Tableau = Tableau { c: &[0.0, 0.0, 0.0, 0.0], ..tables::RK4 };

fn scaled(state: &HostState, factor: f64) -> HostState {
    state.map_rows(|_, row, out| {
        out.iter_mut().zip(row).for_each(|(out, x)| *out = factor * x);
        0.0
    })
}

fn verdict(subject: &(Solver, &[u32]), law: &dyn Fn(&Subject<'_>) -> Verdict) -> Verdict {
    law(&Subject { solver: &*subject.0, pinned: subject.1 })
}

#[test]
fn the_unbroken_one_passes() -> Verdict {
    verdict(&(Box::new(sound(&tables::DORMAND_PRINCE)), NONE), &idode::testkit::solver::all)
}

pub(super) fn mutants() -> Vec<Mutant> {
    mutants! { solver, verdict;
        order: "a misprinted weight" => (stepping(&MISPRINTED, plain), NONE);
        order: "overstated" => (Box::new(Broken { order: 3, ..sound(&tables::HEUN) }) as Solver, NONE);
        estimate: "the whole step as its error" => (stepping(&tables::HEUN, |rk, field, at| {
            let step = plain(rk, field, at);
            Step { error: Some(step.y.add_scaled(&[(&vec![-1.0; at.y.rows()], at.y)])), ..step }
        }), NONE);
        estimate: "an order without an estimate" => (
            Box::new(Broken { error_order: Some(3), ..sound(&tables::RK4) }) as Solver,
            NONE
        );
        polynomials: "stages at the wrong times" => (stepping(&UNTIMED, plain), NONE);
        reversal: "steps lose their sign" => (stepping(&tables::RK4, |rk, field, at| {
            let h: Vec<f64> = at.h.iter().map(|h| h.abs()).collect();
            rk.step(field, at.rows, at.t, &h, at.y, at.first)
        }), NONE);
        rows: "a whiff of the batch's mean" => (stepping(&tables::RK4, |rk, field, at| {
            let step = plain(rk, field, at);
            let mean = step.y.values().iter().sum::<f64>() / step.y.values().len() as f64;
            let y = step.y.map_rows(|_, row, out| {
                out.iter_mut().zip(row).for_each(|(out, x)| *out = x + 1e-12 * mean);
                0.0
            });
            Step { y, ..step }
        }), NONE);
        first: "the derivative of the start" => (stepping(&tables::DORMAND_PRINCE, |rk, field, at| {
            let derivative = Some(field.eval(at.rows, at.t, at.y));
            Step { derivative, ..plain(rk, field, at) }
        }), NONE);
        first: "ignored, and evaluated again" => (stepping(&tables::RK4, |rk, field, at| {
            rk.step(field, at.rows, at.t, at.h, at.y, None)
        }), NONE);
        tolerance: "an estimate a thousand times too small" => (stepping(&tables::TSITOURAS, |rk, field, at| {
            let step = plain(rk, field, at);
            Step { error: step.error.as_ref().map(|error| scaled(error, 1e-3)), ..step }
        }), NONE);
        evaluations: "one is not counted" => (stepping(&tables::RK4, |rk, field, at| {
            let step = plain(rk, field, at);
            Step { evaluations: step.evaluations - 1, ..step }
        }), NONE);
        evaluations: "another cost than pinned" => (stepping(&tables::RK4, plain), WRONG);
    }
}
