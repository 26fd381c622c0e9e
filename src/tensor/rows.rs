//! Numbers a row: the only way a schedule's numbers reach a tensor, and what a solver asks of each row.

use super::{Kernels, Real, reshape};
use dfdx::prelude::*;

/// A number for each row of a batch, computed on the host in `f64`.
///
/// Levels are per row today. Per-coordinate levels (multivariate schedules such as MuLAN's, arXiv
/// 2312.13236) would be another constructor of this type; nothing else would change.
#[derive(Clone, Debug, PartialEq)]
pub struct RowCoefficients(Vec<f64>);

impl RowCoefficients {
    /// One coefficient for each row, in order.
    pub fn new(coefficients: Vec<f64>) -> Self {
        Self(coefficients)
    }

    /// The coefficients.
    pub fn as_slice(&self) -> &[f64] {
        &self.0
    }

    /// Multiplies each row of `x` by its coefficient.
    ///
    /// # Shapes
    /// Any shape whose first axis is the batch.
    pub fn scale<S: Shape, E: Real, D: Kernels<E>, T: Tape<E, D> + 'static>(
        &self,
        x: Tensor<S, E, D, T>,
    ) -> Tensor<S, E, D, T> {
        D::scale_rows(x, &self.0)
    }

    /// `c x + d y` of each row, with these coefficients and `d`.
    ///
    /// # Shapes
    /// Any shape whose first axis is the batch.
    pub fn combine<S: Shape, E: Real, D: Kernels<E>>(
        &self,
        x: &Tensor<S, E, D>,
        other: (&Self, &Tensor<S, E, D>),
    ) -> Tensor<S, E, D> {
        D::combine_rows(&[(&self.0, x), (&other.0.0, other.1)], None)
    }

    /// The coefficients as a tensor.
    ///
    /// # Shapes
    /// `(batch,)`.
    pub fn tensor<E: Real, D: Kernels<E>>(&self, device: &D) -> Tensor<(usize,), E, D> {
        numbers(&self.0, device)
    }
}

fn numbers<E: Real, D: Kernels<E>>(numbers: &[f64], device: &D) -> Tensor<(usize,), E, D> {
    device.upload(&numbers.iter().map(|&c| E::of(c)).collect::<Vec<E>>(), (numbers.len(),))
}

/// See [`Kernels::scale_rows`].
pub(super) fn scale<S: Shape, E: Real, D: Kernels<E>, T: Tape<E, D> + 'static>(
    x: Tensor<S, E, D, T>,
    coefficients: &[f64],
) -> Tensor<S, E, D, T> {
    let shape = *x.shape();
    let flat = (coefficients.len(), shape.num_elements() / coefficients.len().max(1));
    let coefficients = numbers::<E, D>(coefficients, x.device()).broadcast_like::<_, Axis<1>>(&flat);
    reshape(reshape(x, flat) * coefficients, shape)
}

/// See [`Kernels::combine_rows`].
pub(super) fn combine<S: Shape, E: Real, D: Kernels<E>>(
    terms: &[(&[f64], &Tensor<S, E, D>)],
    base: Option<&Tensor<S, E, D>>,
) -> Tensor<S, E, D> {
    let scaled = |(c, x): &(&[f64], &Tensor<S, E, D>)| scale((*x).clone(), c);
    let sum = terms[1..].iter().fold(scaled(&terms[0]), |sum, term| sum + scaled(term));
    match base {
        Some(base) => sum + base.clone(),
        None => sum,
    }
}

/// See [`Kernels::distances`].
pub(super) fn distances<S: Shape, E: Real, D: Kernels<E>, T: Tape<E, D> + 'static>(
    a: Tensor<S, E, D, T>,
    b: &Tensor<S, E, D>,
) -> Tensor<(usize,), E, D, T> {
    let rows = a.shape().concrete()[0];
    let columns = a.shape().num_elements() / rows.max(1);
    reshape((a - b.clone()).square(), (rows, columns)).sum::<(usize,), Axis<1>>()
}

/// See [`Kernels::error_sums`].
pub(super) fn error_sums<E: Real, D: Kernels<E>>(
    error: &Tensor<(usize, usize), E, D>,
    before: &Tensor<(usize, usize), E, D>,
    after: &Tensor<(usize, usize), E, D>,
    absolute: f64,
    relative: f64,
) -> Vec<f64> {
    let size = before.clone().abs().maximum(after.clone().abs());
    let scale = size * E::of(relative) + E::of(absolute);
    let squares = (error.clone() / scale).square().sum::<(usize,), Axis<1>>();
    squares.as_vec().into_iter().map(Real::to64).collect()
}

/// See [`Kernels::finite_rows`].
pub(super) fn finite<E: Real, D: Kernels<E>>(x: &Tensor<(usize, usize), E, D>) -> Vec<bool> {
    // 0 x is 0 where x is finite, and NaN elsewhere.
    let zeros = (x.clone() * E::of(0.0)).sum::<(usize,), Axis<1>>();
    zeros.as_vec().into_iter().map(|zero| zero.to64() == 0.0).collect()
}

/// See [`Kernels::sinusoids`].
pub(super) fn sinusoids<E: Real, D: Kernels<E>>(
    device: &D,
    times: &[f64],
    frequencies: &[f64],
    others: &[f64],
    columns: usize,
) -> Tensor<(usize, usize), E, D> {
    let (rows, each) = (times.len(), others.len() / times.len().max(1));
    let mut features = Vec::with_capacity(rows * columns);
    for (row, time) in times.iter().enumerate() {
        let angles = frequencies.iter().map(|frequency| time * frequency);
        let waves = angles.clone().map(f64::sin).chain(angles.map(f64::cos));
        features.extend(waves.chain(others[row * each..(row + 1) * each].iter().copied()).map(E::of));
        features.resize((row + 1) * columns, E::of(0.0));
    }
    device.upload(&features, (rows, columns))
}
