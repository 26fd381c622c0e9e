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
        if !size.is_finite() {
            return Err(Error::value("size", size, "a finite number"));
        }
        if let Some(found) = frequencies.iter().find(|number| !number.is_finite()) {
            return Err(Error::value("frequency", *found, "a finite number"));
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

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn value_stability() -> Result<()> {
        let random = Perturbation::random(2, 0.1, 3.0, &mut ChaCha8Rng::seed_from_u64(5))?;
        for direction in random.frequencies().row_iter() {
            assert!((direction.norm() - 3.0).abs() < 1e-14);
        }
        let found = random.at(&[0.3, -0.2])?.value;
        assert!(
            (&found - DVector::from_column_slice(&[0.09986803934266118, 0.09930298518042378])).amax() < 1e-15,
            "{:?}",
            found.as_slice()
        );
        Ok(())
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let message = |size, rows, columns, phases: &[f64]| {
            Perturbation::new(size, DMatrix::zeros(rows, columns), phases)
                .map_or_else(|e| e.to_string(), |_| "accepted".into())
        };
        assert_eq!(message(1.0, 2, 3, &[0.0, 0.0]), "frequencies = 2 x 3: expected 2 x 2, not empty");
        assert_eq!(message(f64::NAN, 1, 1, &[0.0]), "size = NaN: expected a finite number");
        assert_eq!(message(1.0, 1, 1, &[f64::NAN]), "phases[0] = NaN: expected a finite number");
        assert!(message(1.0, 0, 0, &[]).starts_with("frequencies"));
    }
}
