//! One batch of regression problems: states, targets and weights.

use crate::diffusion::{Coefficients, Diffusion};
use crate::error::{Error, Result};
use crate::level::Gamma;
use crate::parameterization::Parameterization;
use crate::schedule::NoiseSchedule;
use crate::tensor::{Kernels, Real, RowCoefficients, reshape};
use dfdx::prelude::*;

/// The loss of each row in nats, taped.
///
/// # Shapes
/// `(batch,)`.
pub type RowLosses<E, D> = Tensor<(usize,), E, D, OwnedTape<E, D>>;

/// Rows `z = alpha x + sigma eps`, each at its own level, with the target `F = a eps + b z`.
#[derive(Clone, Debug)]
pub struct Matching<S: Shape, E: Real, D: Kernels<E>> {
    /// Each row's scalars.
    pub rows: Vec<Coefficients>,
    /// The density that each row's gamma was drawn from, per unit of gamma.
    pub pdf: Vec<f64>,
    /// The noised data.
    pub z: Tensor<S, E, D>,
    /// The regression target.
    pub target: Tensor<S, E, D>,
}

impl<S: Shape, E: Real, D: Kernels<E>> Matching<S, E, D> {
    /// The problem of data `x` and noise `eps` at the levels `gammas`, drawn with density `pdf`.
    ///
    /// The target is computed as `(a + b sigma) eps + b alpha x`, where nothing cancels at high noise.
    ///
    /// # Errors
    /// Unless there is one gamma and one density a row.
    pub fn new<C: NoiseSchedule, P: Parameterization>(
        diffusion: &Diffusion<C, P>,
        x: Tensor<S, E, D>,
        eps: Tensor<S, E, D>,
        gammas: &[Gamma],
        pdf: &[f64],
    ) -> Result<Self> {
        let batch = x.shape().concrete()[0];
        for (name, found) in
            [("levels", gammas.len()), ("densities", pdf.len()), ("noise rows", eps.shape().concrete()[0])]
        {
            if found != batch {
                return Err(Error::value(name, found, format!("one for each of {batch} rows")));
            }
        }
        let rows: Vec<Coefficients> = gammas.iter().map(|&gamma| diffusion.coefficients(gamma)).collect();
        let combine = |of_x: fn(&Coefficients) -> f64, of_eps: fn(&Coefficients) -> f64| {
            let of = |f: fn(&Coefficients) -> f64| RowCoefficients::new(rows.iter().map(f).collect());
            of(of_x).combine(&x, (&of(of_eps), &eps))
        };
        Ok(Self {
            z: combine(|c| c.alpha, |c| c.sigma),
            target: combine(|c| c.target_data, |c| c.target_noise),
            pdf: pdf.to_vec(),
            rows,
        })
    }

    /// The network's times.
    pub fn times(&self) -> Vec<f64> {
        self.rows.iter().map(|row| row.time).collect()
    }

    /// The network's input, `c_in z`.
    pub fn input(&self) -> Tensor<S, E, D> {
        self.scaled_input(&self.z)
    }

    /// `c_in v`, for a state or a direction.
    pub(super) fn scaled_input(&self, v: &Tensor<S, E, D>) -> Tensor<S, E, D> {
        if self.rows.iter().all(|row| row.input_scale == 1.0) {
            return v.clone();
        }
        RowCoefficients::new(self.rows.iter().map(|row| row.input_scale).collect()).scale(v.clone())
    }

    /// Per row, the likelihood's weight over the density of the row's gamma: `1 / (2 a^2 pdf)`.
    pub fn weights(&self) -> RowCoefficients {
        RowCoefficients::new(self.rows.iter().zip(&self.pdf).map(|(row, pdf)| row.weight / pdf).collect())
    }
}

/// Sums every axis but the first.
pub(super) fn sum_rows<S: Shape, E: Real, D: Kernels<E>, T: Tape<E, D> + 'static>(
    x: Tensor<S, E, D, T>,
) -> Tensor<(usize,), E, D, T> {
    let rows = x.shape().concrete()[0];
    let columns = x.shape().num_elements() / rows.max(1);
    reshape(x, (rows, columns)).sum::<(usize,), Axis<1>>()
}
