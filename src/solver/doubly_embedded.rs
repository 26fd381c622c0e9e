//! Runge-Kutta methods whose error combines the estimates of two embedded solutions.

use super::explicit_rk::combine;
use super::{Embedded, ExplicitRk, Field, OdeSolver, OdeState, Step, Tableau, Tolerances};
use crate::error::Result;

/// An explicit Runge-Kutta method with two embedded solutions: data and one formula.
///
/// With `e` the error estimate of the table and `e'` that of the other embedded solution, the error of a row is
///
/// `e f(|e|, |e'|)`, `|.|` the error norm under `scale`,
///
/// so that it can fall faster with the step than either does alone. `f` should not change when both norms are
/// multiplied by one number: then the error depends on the ratios of the scale's tolerances alone, not on their size. The
/// error of a row whose `e` is 0 is 0; one that is no number stays so.
///
/// ```
/// use idode::solver::{DoublyEmbedded, Embedded, HostState, OdeSolver, tables};
///
/// /// The order 5 of Dormand and Prince, whose error is the smaller of two.
/// static SMALLER: DoublyEmbedded = DoublyEmbedded {
///     tableau: &tables::DORMAND_PRINCE,
///     other: Embedded { order: 1, error: &[-1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0] },
///     factor: |error, other| other.min(error) / error,
///     error_order: 4,
///     scale: DoublyEmbedded::RECIPES,
/// };
/// assert_eq!(OdeSolver::<HostState>::order(&SMALLER), 5);
/// ```
///
/// # Reference
/// Hairer, Norsett and Wanner, Solving Ordinary Differential Equations I (2nd ed. 1993), section II.10.
#[derive(Clone, Copy, Debug)]
pub struct DoublyEmbedded {
    /// The method, with the embedded solution that gives `e`.
    pub tableau: &'static Tableau,
    /// The other embedded solution, which gives `e'`: its order, and the solution's weights less its own.
    pub other: Embedded,
    /// `f(|e|, |e'|)`.
    pub factor: fn(f64, f64) -> f64,
    /// The error falls as `h^(error_order + 1)`.
    pub error_order: u32,
    /// The tolerances whose ratios weigh the numbers of a row against each other in the norms.
    pub scale: Tolerances,
}

impl DoublyEmbedded {
    /// The ratios of the recipes' default tolerances: relative 1, absolute 1, log-density 100.
    pub const RECIPES: Tolerances = Tolerances { relative: 1.0, absolute: 1.0, log_density: 100.0 };

    /// [`Tableau::check`] of the method with each of its embedded solutions.
    ///
    /// # Errors
    /// Names the method, the condition and its residual.
    pub fn check(&self, tolerance: f64) -> Result<()> {
        self.tableau.check(tolerance)?;
        Tableau { embedded: Some(self.other), ..*self.tableau }.check(tolerance)
    }
}

impl<Y: OdeState> OdeSolver<Y> for DoublyEmbedded {
    fn order(&self) -> u32 {
        self.tableau.order
    }

    fn error_order(&self) -> Option<u32> {
        self.tableau.embedded.map(|_| self.error_order)
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
        let (step, stages) = ExplicitRk::new(self.tableau).step_with_stages(field, rows, t, h, y, first);
        let zero = y.zeros_like();
        let error = step.error.map(|error| {
            let other = combine(&zero, h, self.other.error, &stages);
            let norms = |error: &Y| Y::error_norm(error, y, &step.y, &self.scale);
            let factor =
                |(error, other): (f64, f64)| if error == 0.0 { 0.0 } else { (self.factor)(error, other) };
            let factors: Vec<f64> = norms(&error).into_iter().zip(norms(&other)).map(factor).collect();
            zero.add_scaled(&[(&factors, &error)])
        });
        Step { error, ..step }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::solver::{HostState, tables};

    /// The error of order 4 of Dormand and Prince, made larger by one of order 1.
    const BOTH: DoublyEmbedded = DoublyEmbedded {
        tableau: &tables::DORMAND_PRINCE,
        other: Embedded { order: 1, error: &[-1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0] },
        factor: |error, other| (error + 2.0 * other) / error,
        error_order: 1,
        scale: DoublyEmbedded::RECIPES,
    };

    /// `y' = [y, t^2, nothing, no number][row]` from 1.
    fn step(solver: &DoublyEmbedded, h: f64, first: bool) -> Step<HostState> {
        let mut field = |rows: &[usize], t: &[f64], y: &HostState| {
            y.map_rows(|i, y, out| {
                out[0] = [y[0], t[i] * t[i], 0.0, f64::NAN][rows[i]];
                0.0
            })
        };
        let y = HostState::from_rows(&[[1.0]; 4]);
        let k = field(&[0, 1, 2, 3], &[0.3; 4], &y);
        solver.step(&mut field, &[0, 1, 2, 3], &[0.3; 4], &[h; 4], &y, first.then_some(&k))
    }

    #[test]
    fn one_error_of_two_row_by_row() {
        let other = Tableau { embedded: Some(BOTH.other), ..tables::DORMAND_PRINCE };
        let other: &'static Tableau = Box::leak(Box::new(other));
        let alone = |tableau| DoublyEmbedded { tableau, factor: |_, _| 1.0, ..BOTH };
        for h in [0.4, -0.4] {
            let [both, e, second] =
                [BOTH, alone(BOTH.tableau), alone(other)].map(|solver| step(&solver, h, false));
            let values = |step: &Step<HostState>| step.error.as_ref().expect("an error").values().to_vec();
            let (both_errors, e, second) = (values(&both), values(&e), values(&second));
            for row in 0..2 {
                // Of equal scales: a row's norms are sizes over one scale.
                let expected = e[row] * (e[row].abs() + 2.0 * second[row].abs()) / e[row].abs();
                let close = (both_errors[row] - expected).abs() <= 1e-12 * expected.abs().max(1e-16);
                assert!(close || e[row].abs() < 1e-15, "{row}: {both_errors:?} {expected}");
            }
            assert!(both_errors[0] != 0.0 && both_errors[2] == 0.0 && both_errors[3].is_nan());
            assert_eq!((both.evaluations, both.derivative.is_some()), (7, true));
            let handed = step(&BOTH, h, true);
            assert_eq!((handed.evaluations, &handed.y.values()[..3]), (6, &both.y.values()[..3]));
        }
    }

    #[test]
    fn its_orders_are_those_it_was_given() {
        let solver: Box<dyn OdeSolver<HostState>> = Box::new(BOTH);
        assert_eq!((solver.order(), solver.error_order()), (5, Some(1)));
    }

    #[test]
    fn a_method_without_an_embedded_solution_has_no_error() {
        let none = DoublyEmbedded { tableau: &tables::RK4, ..BOTH };
        assert_eq!(OdeSolver::<HostState>::error_order(&none), None);
        assert!(step(&none, 0.1, false).error.is_none());
    }

    #[test]
    fn both_embedded_solutions_are_checked() {
        assert!(BOTH.check(1e-14).is_ok());
        let wrong = DoublyEmbedded { other: Embedded { order: 2, ..BOTH.other }, ..BOTH };
        let line = wrong.check(1e-14).expect_err("no order 2").to_string();
        assert!(line.contains("embedded solution, order condition"), "{line}");
    }
}
