//! A batch of plain `f64` vectors: for analytic fields, tests and small problems.

use super::{OdeState, Tolerances};
use crate::error::{Error, Result};

/// A batch of states on the host, with one log-density a row where they carry one.
///
/// # Shapes
/// `rows x dims`, row-major; the log-density `rows`.
#[derive(Clone, Debug, PartialEq)]
pub struct HostState {
    dims: usize,
    values: Vec<f64>,
    log_density: Option<Vec<f64>>,
}

impl HostState {
    /// A batch of rows of `dims` numbers each, without a log-density.
    ///
    /// # Errors
    /// Unless `dims` is at least 1 and divides the number of values.
    pub fn new(dims: usize, values: Vec<f64>) -> Result<Self> {
        if dims == 0 || !values.len().is_multiple_of(dims) {
            let expected = "rows of equal, positive length";
            return Err(Error::value(
                "state",
                format!("{} values in rows of {dims}", values.len()),
                expected,
            ));
        }
        Ok(Self { dims, values, log_density: None })
    }

    /// The batch with these rows.
    pub fn from_rows<const D: usize>(rows: &[[f64; D]]) -> Self {
        const { assert!(D > 0) };
        Self { dims: D, values: rows.concat(), log_density: None }
    }

    /// The same states with a log-density each, in nats.
    ///
    /// # Errors
    /// Unless there is one a row.
    pub fn with_log_density(self, log_density: Vec<f64>) -> Result<Self> {
        let rows = self.values.len() / self.dims;
        if log_density.len() != rows {
            return Err(Error::value(
                "log-density",
                format!("{} values", log_density.len()),
                rows.to_string(),
            ));
        }
        Ok(Self { log_density: Some(log_density), ..self })
    }

    /// The number of dimensions of a row.
    pub fn dims(&self) -> usize {
        self.dims
    }

    /// Every number of the states, row by row.
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The numbers of each row.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.values.chunks_exact(self.dims)
    }

    /// The rows' log-densities in nats, where they carry them.
    pub fn log_density(&self) -> Option<&[f64]> {
        self.log_density.as_deref()
    }

    /// A batch of the same shape, row by row: `f(i, row, out)` writes row `i` of the new states
    /// and returns its log-density, which is dropped where `self` has none. A field in one line.
    pub fn map_rows(&self, mut f: impl FnMut(usize, &[f64], &mut [f64]) -> f64) -> Self {
        let mut values = vec![0.0; self.values.len()];
        let log_density = values.chunks_exact_mut(self.dims).zip(self.iter()).enumerate();
        let log_density = log_density.map(|(i, (out, row))| f(i, row, out)).collect();
        Self { dims: self.dims, values, log_density: self.log_density.as_ref().map(|_| log_density) }
    }

    /// The numbers of row `i`.
    fn row(&self, i: usize) -> &[f64] {
        &self.values[i * self.dims..(i + 1) * self.dims]
    }
}

/// Adds `c x` to `sum`.
fn accumulate(sum: &mut [f64], c: f64, x: &[f64]) {
    sum.iter_mut().zip(x).for_each(|(sum, x)| *sum += c * x);
}

impl OdeState for HostState {
    fn rows(&self) -> usize {
        self.values.len() / self.dims
    }

    fn add_scaled(&self, terms: &[(&[f64], &Self)]) -> Self {
        // The terms are summed before the state is added: they are small beside it.
        let mut values = vec![0.0; self.values.len()];
        for (c, k) in terms {
            debug_assert_eq!((self.dims, self.values.len()), (k.dims, k.values.len()));
            for ((sum, c), k) in values.chunks_exact_mut(self.dims).zip(*c).zip(k.iter()) {
                accumulate(sum, *c, k);
            }
        }
        accumulate(&mut values, 1.0, &self.values);
        let log_density = self.log_density.as_ref().map(|own| {
            let mut sum = vec![0.0; own.len()];
            for (c, k) in terms {
                let rates = k.log_density.as_deref().unwrap_or_default();
                sum.iter_mut().zip(*c).zip(rates).for_each(|((sum, c), rate)| *sum += c * rate);
            }
            accumulate(&mut sum, 1.0, own);
            sum
        });
        Self { dims: self.dims, values, log_density }
    }

    fn select(&self, rows: &[usize]) -> Self {
        let mut values = Vec::with_capacity(rows.len() * self.dims);
        for &i in rows {
            values.extend_from_slice(self.row(i));
        }
        let log_density = self.log_density.as_ref().map(|all| rows.iter().map(|&i| all[i]).collect());
        Self { dims: self.dims, values, log_density }
    }

    fn scatter(&mut self, rows: &[usize], from: &Self) {
        for (&i, row) in rows.iter().zip(from.iter()) {
            self.values[i * self.dims..(i + 1) * self.dims].copy_from_slice(row);
        }
        if let (Some(to), Some(from)) = (&mut self.log_density, &from.log_density) {
            rows.iter().zip(from).for_each(|(&i, x)| to[i] = *x);
        }
    }

    fn error_norm(error: &Self, before: &Self, after: &Self, tolerances: &Tolerances) -> Vec<f64> {
        (0..error.rows())
            .map(|i| {
                let numbers = error.row(i).iter().zip(before.row(i)).zip(after.row(i));
                let density = error.log_density.as_ref().map(|errors| errors[i]);
                tolerances.row_norm(numbers.map(|((e, b), a)| (*e, *b, *a)), density)
            })
            .collect()
    }

    fn finite(&self) -> Vec<bool> {
        let density = |i: usize| self.log_density.as_ref().is_none_or(|all| all[i].is_finite());
        self.iter().enumerate().map(|(i, row)| row.iter().all(|x| x.is_finite()) && density(i)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> HostState {
        let state = HostState::from_rows(&[[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
        state.with_log_density(vec![-1.0, -2.0, -3.0]).expect("one a row")
    }

    #[test]
    fn each_row_has_its_own_coefficients() {
        let y = state();
        let sum = y.add_scaled(&[(&[1.0, 0.0, -1.0], &y), (&[0.0, 2.0, 0.0], &y)]);
        assert_eq!(sum.values(), [2.0, 4.0, 9.0, 12.0, 0.0, 0.0]);
        assert_eq!(sum.log_density(), Some([-2.0, -6.0, 0.0].as_slice()));
    }

    #[test]
    fn zeros_have_the_shape() {
        let zero = state().zeros_like();
        assert_eq!(zero.values(), [0.0; 6]);
        assert_eq!(zero.log_density(), Some([0.0; 3].as_slice()));
    }

    #[test]
    fn scatter_undoes_select() {
        let mut y = state();
        let picked = y.select(&[2, 0]);
        assert_eq!(picked.values(), [5.0, 6.0, 1.0, 2.0]);
        assert_eq!(picked.log_density(), Some([-3.0, -1.0].as_slice()));
        y.scatter(&[0, 2], &picked);
        assert_eq!(y, state().select(&[2, 1, 0]));
    }

    #[test]
    fn finiteness_counts_the_log_density() {
        let y = HostState::from_rows(&[[1.0], [f64::NAN], [0.0]]);
        assert_eq!(y.finite(), [true, false, true]);
        let y = y.with_log_density(vec![f64::INFINITY, 0.0, 0.0]).expect("one a row");
        assert_eq!(y.finite(), [false, false, true]);
    }

    #[test]
    fn wrong_shapes_are_refused() {
        assert!(HostState::new(0, vec![]).is_err());
        assert!(HostState::new(2, vec![1.0; 3]).is_err());
        assert!(HostState::from_rows(&[[1.0]; 2]).with_log_density(vec![0.0]).is_err());
    }
}
