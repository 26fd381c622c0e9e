//! A smooth error of known size, to make a "network" that is wrong in a known way.

use crate::analytic::{Jet, row};
use crate::error::{Error, Result};
use nalgebra::{DMatrix, DVector};
use rand::Rng;
use rand_distr::StandardNormal;
use std::f64::consts::TAU;

/// The field `delta_i(z) = size sin(w_i . z + phase_i)`, with all its derivatives.
#[derive(Clone, Debug, PartialEq)]
pub struct Perturbation {
    size: f64,
    frequencies: DMatrix<f64>,
    phases: DVector<f64>,
}

impl Perturbation {
    /// The perturbation whose frequency vectors `w_i` are the rows of `frequencies`.
    ///
    /// # Errors
    /// Unless there are as many rows and columns as phases, at least one, and all of it is finite.
    pub fn new(size: f64, frequencies: DMatrix<f64>, phases: &[f64]) -> Result<Self> {
        let dim = phases.len();
        let phases = row("phases", phases, dim)?;
        if dim == 0 || frequencies.shape() != (dim, dim) {
            let (rows, columns) = frequencies.shape();
            return Err(Error::value(
                "frequencies",
                format!("{rows} x {columns}"),
                format!("{dim} x {dim}, not empty"),
            ));
        }
        if !size.is_finite() || !frequencies.iter().all(|f| f.is_finite()) {
            return Err(Error::value("size or a frequency", "one that is not finite", "finite numbers"));
        }
        Ok(Self { size, frequencies, phases })
    }

    /// Random directions `w_i` of length `frequency`, and random phases.
    ///
    /// # Errors
    /// As [`Perturbation::new`].
    pub fn random<R: Rng + ?Sized>(dim: usize, size: f64, frequency: f64, rng: &mut R) -> Result<Self> {
        let mut frequencies = DMatrix::from_fn(dim, dim, |_, _| rng.sample::<f64, _>(StandardNormal));
        for mut direction in frequencies.row_iter_mut() {
            let length = direction.norm();
            direction *= frequency / length;
        }
        let phases: Vec<f64> = (0..dim).map(|_| TAU * rng.r#gen::<f64>()).collect();
        Self::new(size, frequencies, &phases)
    }

    /// No perturbation: zero everywhere.
    pub fn none(dim: usize) -> Self {
        Self { size: 0.0, frequencies: DMatrix::zeros(dim, dim), phases: DVector::zeros(dim) }
    }

    /// The number of dimensions.
    pub fn dim(&self) -> usize {
        self.phases.len()
    }

    /// The largest value of a coordinate.
    pub fn size(&self) -> f64 {
        self.size
    }

    /// The frequency vectors `w_i` as rows.
    pub fn frequencies(&self) -> &DMatrix<f64> {
        &self.frequencies
    }

    /// The phases.
    pub fn phases(&self) -> &DVector<f64> {
        &self.phases
    }

    /// The perturbation at `z`, with its derivatives.
    ///
    /// # Errors
    /// Unless `z` has `d` finite entries.
    pub fn at(&self, z: &[f64]) -> Result<Jet> {
        let angles = self.angles(z)?;
        let value = angles.map(|angle| self.size * angle.sin());
        let slopes = angles.map(|angle| self.size * angle.cos());
        let own = self.frequencies.diagonal();
        Ok(Jet {
            jacobian: DMatrix::from_diagonal(&slopes) * &self.frequencies,
            trace_gradient: -self.frequencies.tr_mul(&own.component_mul(&value)),
            value,
        })
    }

    /// `d^2 delta[v, w]`, the second derivative along two directions.
    ///
    /// # Errors
    /// Unless all three have `d` finite entries.
    pub fn second(&self, z: &[f64], v: &[f64], w: &[f64]) -> Result<DVector<f64>> {
        let along_v = &self.frequencies * row("v", v, self.dim())?;
        let along_w = &self.frequencies * row("w", w, self.dim())?;
        let value = self.angles(z)?.map(|angle| -self.size * angle.sin());
        Ok(value.component_mul(&along_v).component_mul(&along_w))
    }

    fn angles(&self, z: &[f64]) -> Result<DVector<f64>> {
        Ok(&self.frequencies * row("z", z, self.dim())? + &self.phases)
    }
}
