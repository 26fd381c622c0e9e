//! Explicit Runge-Kutta methods: one stepper for every table.

use super::tableau::Tableau;
use super::{Field, OdeSolver, OdeState, Step};

/// The explicit Runge-Kutta method with this tableau.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExplicitRk {
    tableau: &'static Tableau,
}

impl ExplicitRk {
    /// The method with this tableau.
    pub const fn new(tableau: &'static Tableau) -> Self {
        Self { tableau }
    }

    /// The method's coefficients, name and reference.
    pub const fn tableau(&self) -> &'static Tableau {
        self.tableau
    }
}

/// `base + h sum_j weights_j k_j` per row; zero weights cost nothing.
pub(super) fn combine<Y: OdeState>(base: &Y, h: &[f64], weights: &[f64], k: &[Y]) -> Y {
    let mut used: Vec<(Vec<f64>, &Y)> = Vec::with_capacity(k.len());
    for (weight, k) in weights.iter().zip(k) {
        if *weight != 0.0 {
            used.push((h.iter().map(|h| h * weight).collect(), k));
        }
    }
    let terms: Vec<(&[f64], &Y)> = used.iter().map(|(c, k)| (c.as_slice(), *k)).collect();
    base.add_scaled(&terms)
}

impl ExplicitRk {
    /// One step, and the stages `k_i` that it is made of: for an error, an interpolation or a solution of one's own.
    pub fn step_with_stages<Y: OdeState>(
        &self,
        field: &mut dyn Field<Y>,
        rows: &[usize],
        t: &[f64],
        h: &[f64],
        y: &Y,
        first: Option<&Y>,
    ) -> (Step<Y>, Vec<Y>) {
        let Tableau { a, b, c, embedded, .. } = *self.tableau;
        let reuse_last = self.tableau.first_same_as_last();
        let mut k: Vec<Y> = Vec::with_capacity(a.len());
        k.extend(first.cloned());
        let mut evaluations = 0;
        let mut end = None;
        for (i, (a, c)) in a.iter().zip(c).enumerate().skip(k.len()) {
            let at: Vec<f64> = t.iter().zip(h).map(|(t, h)| t + c * h).collect();
            let stage = if i == 0 {
                field.eval(rows, &at, y)
            } else {
                let state = combine(y, h, a, &k);
                let stage = field.eval(rows, &at, &state);
                end = Some(state);
                stage
            };
            evaluations += 1;
            k.push(stage);
        }
        // The last stage's state is the solution where the last stage is at the end of the step.
        let y1 = end.filter(|_| reuse_last).unwrap_or_else(|| combine(y, h, b, &k));
        let error = embedded.map(|embedded| combine(&y.zeros_like(), h, embedded.error, &k));
        let derivative = k.last().filter(|_| reuse_last).cloned();
        (Step { y: y1, error, derivative, evaluations }, k)
    }
}

impl<Y: OdeState> OdeSolver<Y> for ExplicitRk {
    fn order(&self) -> u32 {
        self.tableau.order
    }

    fn error_order(&self) -> Option<u32> {
        self.tableau.embedded.map(|embedded| embedded.order)
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
        self.step_with_stages(field, rows, t, h, y, first).0
    }
}
