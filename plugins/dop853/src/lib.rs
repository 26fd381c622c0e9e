//! Dormand and Prince's method of order 8 with error estimates of orders 5 and 3 (DOP853): 12 evaluations a step.
//!
//! One step is a Runge-Kutta step with the table [`TABLE`]. Its error combines two estimates, so that it falls as
//! `h^8` where the estimates alone fall as `h^6` and `h^4`: with `e5` and `e3` the differences to embedded solutions of
//! orders 5 and 3,
//!
//! `e = e5 |e5| / sqrt(|e5|^2 + |e3|^2 / 100)`, row by row,
//!
//! where `|.|` is the error norm under [`Dop853::scale`]. The factor depends on the ratios of its tolerances alone, not
//! on their size: at the default they are the recipes' (relative 1 : absolute 1 : log-density 100).
//!
//! # Reference
//! Hairer, Norsett and Wanner, Solving Ordinary Differential Equations I (2nd ed. 1993), sections II.5 and II.10; the
//! method is Dormand and Prince's (1989), the coefficients are those of the book's program DOP853.

mod table;

pub use table::{TABLE, THIRD_ORDER_ERROR};

use idode::registry::{Entry, NoSettings, Registry};
use idode::solver::{ExplicitRk, Field, OdeSolver, OdeState, Step, Tolerances};

/// Dormand-Prince 8(5,3).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dop853 {
    /// The tolerances whose ratios weigh the numbers of a row against each other where `|e5|` and `|e3|` are compared.
    pub scale: Tolerances,
}

impl Default for Dop853 {
    fn default() -> Self {
        Self { scale: Tolerances { relative: 1.0, absolute: 1.0, log_density: 100.0 } }
    }
}

/// A field that keeps what it has been asked: the stages of a step.
struct Kept<'a, Y>(&'a mut dyn Field<Y>, Vec<Y>);

impl<Y: Clone> Field<Y> for Kept<'_, Y> {
    fn eval(&mut self, rows: &[usize], t: &[f64], y: &Y) -> Y {
        self.1.push(self.0.eval(rows, t, y));
        self.1[self.1.len() - 1].clone()
    }
}

impl<Y: OdeState> OdeSolver<Y> for Dop853 {
    fn order(&self) -> u32 {
        TABLE.order
    }

    fn error_order(&self) -> Option<u32> {
        Some(7)
    }

    fn step(
        &self,
        field: &mut dyn Field<Y>,
        rows: &[usize],
        t: &[f64],
        h: &[f64],
        y: &Y,
        first: Option<&Y>,
    ) -> Step<Y> {
        let mut stages = Kept(field, first.into_iter().cloned().collect());
        let step = ExplicitRk::new(&TABLE).step(&mut stages, rows, t, h, y, first);
        let weights = THIRD_ORDER_ERROR.map(|e| h.iter().map(|h| h * e).collect::<Vec<f64>>());
        let terms: Vec<_> = weights.iter().map(Vec::as_slice).zip(&stages.1).collect();
        let zero = y.zeros_like();
        let error = step.error.map(|e5| {
            let norms = |e: &Y| Y::error_norm(e, y, &step.y, &self.scale);
            let both = norms(&e5).into_iter().zip(norms(&zero.add_scaled(&terms)));
            let ratio = |(e5, e3): (f64, f64)| if e5 == 0.0 { 0.0 } else { e5 / e5.hypot(0.1 * e3) };
            zero.add_scaled(&[(&both.map(ratio).collect::<Vec<f64>>(), &e5)])
        });
        Step { error, ..step }
    }
}

/// Adds the name `dop853`.
pub fn register<Y: OdeState>(registry: &mut Registry<Y>) {
    let entry = Entry { formula: TABLE.formula, reference: TABLE.reference };
    registry.add_solver(TABLE.name, entry, |_: NoSettings, _| Ok(Dop853::default()));
}

#[cfg(test)]
mod tests;
