//! Columns whose values lie on a grid, as a pixel's do.

use crate::error::{Error, Result};
use rand::Rng;
use serde::{Deserialize, Serialize};

/// How far from the grid a value may lie, in steps: more than what rounding to 32 bits does to thousands of steps, and
/// too little to be a value of another grid.
const TOLERANCE: f64 = 1e-3;

/// A modelled column whose values are `origin + k step` for whole numbers `k`.
///
/// A model of densities gives such a column a probability: with `U` uniform on `[0, 1)` and the row's other values
/// held fixed, `P(k) = step E[p(x + step (U - 1/2))]`, so by Jensen's inequality
///
/// `ln P(k) >= E[ln p(x + step (U - 1/2))] + ln step`, in nats a row.
///
/// # Reference
/// Theis, van den Oord and Bethge, "A note on the evaluation of generative models" (arXiv 1511.01844), section 3.1:
/// the log-likelihood of values with uniform noise bounds that of the values alone from below.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GridColumn {
    /// The column's index among the modelled ones.
    pub column: usize,
    /// The distance between neighbours, in the column's unit; above 0.
    pub step: f64,
    /// A point of the grid, in the column's unit: 0 where that is one.
    pub origin: f64,
}

impl GridColumn {
    /// The grid of `step` that `values` lie on, or the index of the first that does not lie on the grid of the first.
    ///
    /// # Errors
    /// Unless the step is finite and above 0.
    pub(super) fn of(column: usize, step: f64, values: &[f64]) -> Result<Self> {
        if !(step.is_finite() && step > 0.0) {
            return Err(Error::value(
                format!("grid step of column {column}"),
                step,
                "a finite number above 0",
            ));
        }
        let zero = Self { column, step, origin: 0.0 };
        let origin = match zero.first_off(values) {
            None => 0.0,
            Some(_) => values.first().copied().unwrap_or(0.0),
        };
        Ok(Self { origin, ..zero })
    }

    /// The index of the first value that does not lie on the grid.
    pub(super) fn first_off(&self, values: &[f64]) -> Option<usize> {
        values.iter().position(|x| {
            let k = (x - self.origin) / self.step;
            (k - k.round()).abs() > TOLERANCE
        })
    }

    /// The point of the grid nearest to `x`.
    pub fn nearest(&self, x: f64) -> f64 {
        let k = ((x - self.origin) / self.step).round();
        let per_unit = (1.0 / self.step).round();
        // Tenths are quotients: 3 / 10 is the number that "0.3" means, 3 * 0.1 is not.
        let whole = (per_unit * self.step - 1.0).abs() < 4.0 * f64::EPSILON;
        self.origin + if whole { k / per_unit } else { k * self.step }
    }

    /// Spreads the row's value uniformly over its cell: adds `step (U - 1/2)`.
    pub fn dequantize<R: Rng + ?Sized>(&self, row: &mut [f64], rng: &mut R) {
        row[self.column] += self.step * (rng.r#gen::<f64>() - 0.5);
    }

    /// `ln step`, in nats a row: what the bound on `ln P` adds to `E[ln p]`.
    pub fn log_step(&self) -> f64 {
        self.step.ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn values_on_and_off() {
        let grid = |step, values: &[f64]| GridColumn::of(0, step, values).unwrap();
        let off = |step, values: &[f64]| grid(step, values).first_off(values);
        assert_eq!(off(0.1, &[0.1, 0.3, -7.2, 1e4]), None);
        assert_eq!(off(0.1, &[0.1, 0.3, 0.35]), Some(2));
        assert_eq!(grid(1.0, &[3.0, -2.0]).origin, 0.0);
        assert_eq!(grid(1.0, &[0.5, 2.5]).origin, 0.5);
        // Tenths as 32 bits hold them.
        let single: Vec<f64> = (0..5000).map(|k| f64::from(k as f32 * 0.1)).collect();
        assert_eq!(off(0.1, &single), None);
        assert!(GridColumn::of(0, 0.0, &[1.0]).is_err());
    }

    #[test]
    fn nearest_is_the_number_as_written() {
        let grid = |step, origin| GridColumn { column: 0, step, origin };
        assert_eq!(grid(0.1, 0.0).nearest(0.32), 0.3);
        assert_eq!(grid(0.1, 0.0).nearest(-0.69), -0.7);
        assert_eq!(grid(1.0, 0.5).nearest(3.1), 3.5);
        assert_eq!(grid(3.0, 0.0).nearest(7.4), 6.0);
    }

    #[test]
    fn noise_fills_the_cell() {
        let grid = GridColumn { column: 1, step: 2.0, origin: 0.0 };
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let draws: Vec<f64> = (0..4000)
            .map(|_| {
                let mut row = [7.0, 10.0];
                grid.dequantize(&mut row, &mut rng);
                assert_eq!(row[0], 7.0);
                row[1] - 10.0
            })
            .collect();
        assert!(draws.iter().all(|u| (-1.0..1.0).contains(u)));
        let mean = draws.iter().sum::<f64>() / 4000.0;
        let square = draws.iter().map(|u| u * u).sum::<f64>() / 4000.0;
        // Five standard errors: sd 0.577 of u, 0.298 of u^2.
        assert!(mean.abs() < 5.0 * 0.577 / 4000f64.sqrt(), "{mean}");
        assert!((square - 1.0 / 3.0).abs() < 5.0 * 0.298 / 4000f64.sqrt(), "{square}");
    }

    /// The bound on a density that is known: a normal of which each cell's probability is a difference of its
    /// distribution.
    #[test]
    fn the_bound_holds_and_is_tight_for_small_steps() {
        let log_p = |x: f64| -0.5 * (x * x + std::f64::consts::TAU.ln());
        let gap = |step: f64, k: f64| {
            let grid = GridColumn { column: 0, step, origin: 0.0 };
            let cell = crate::math::normal_cdf((k + 0.5) * step) - crate::math::normal_cdf((k - 0.5) * step);
            let mut rng = ChaCha8Rng::seed_from_u64(5);
            let draws = 4000;
            let mean = (0..draws).map(|_| {
                let mut row = [k * step];
                grid.dequantize(&mut row, &mut rng);
                log_p(row[0])
            });
            cell.ln() - (mean.sum::<f64>() / f64::from(draws) + grid.log_step())
        };
        // Jensen's gap is near half the variance of ln p over the cell, (k step)^2 step^2 / 24.
        for (step, k) in [(0.5, 2.0), (1.0, 1.0), (2.0, 0.0)] {
            assert!(gap(step, k) > 0.0, "{step} {k}: {}", gap(step, k));
        }
        assert!(gap(0.01, 100.0).abs() < 1e-3, "{}", gap(0.01, 100.0));
    }
}
