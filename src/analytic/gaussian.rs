//! A Gaussian with a full covariance, kept in the covariance's eigenbasis.

use crate::analytic::{dot, row};
use crate::error::{Error, Result};
use crate::level::Level;
use nalgebra::{DMatrix, DVector};
use rand::Rng;
use rand_distr::StandardNormal;
use std::f64::consts::{E, TAU};

/// How far from symmetric a covariance may be, relative to its largest entry.
const ASYMMETRY: f64 = 1e-12;

/// The Gaussian `N(mean, covariance)` in any dimension.
///
/// The covariance is factored once, `C = Q diag(lambda) Q'`: at every level it is
/// `alpha^2 C + sigma^2 I = Q diag(alpha^2 lambda + sigma^2) Q'`, so nothing is ever factored again.
#[derive(Clone, Debug, PartialEq)]
pub struct Gaussian {
    pub(super) mean: DVector<f64>,
    pub(super) variances: DVector<f64>,
    pub(super) axes: DMatrix<f64>,
}

impl Gaussian {
    /// `N(mean, covariance)`.
    ///
    /// # Errors
    /// Unless the mean has at least one entry, the covariance is square of the same size,
    /// symmetric and positive definite, and all of it is finite.
    pub fn new(mean: &[f64], covariance: DMatrix<f64>) -> Result<Self> {
        let dim = mean.len();
        if dim == 0 {
            return Err(Error::value("length of mean", 0, "at least 1"));
        }
        let mean = row("mean", mean, dim)?;
        if covariance.shape() != (dim, dim) {
            let (rows, columns) = covariance.shape();
            return Err(Error::value("covariance", format!("{rows} x {columns}"), format!("{dim} x {dim}")));
        }
        let largest = covariance.amax();
        let asymmetry = (&covariance - covariance.transpose()).amax();
        if !covariance.iter().all(|c| c.is_finite()) || asymmetry > ASYMMETRY * largest {
            return Err(Error::value(
                "covariance",
                format!("one with |C - C'| up to {asymmetry:e}"),
                "a symmetric matrix of finite numbers",
            ));
        }
        let eigen = covariance.symmetric_eigen();
        let least = eigen.eigenvalues.min();
        if least <= dim as f64 * f64::EPSILON * largest {
            return Err(Error::value(
                "covariance",
                format!("one with the eigenvalue {least:e}"),
                "a positive definite matrix",
            ));
        }
        Ok(Self { mean, variances: eigen.eigenvalues, axes: eigen.eigenvectors })
    }

    /// `N(mean, diag(variances))`.
    ///
    /// # Errors
    /// As [`Gaussian::new`].
    pub fn diagonal(mean: &[f64], variances: &[f64]) -> Result<Self> {
        Self::new(mean, DMatrix::from_diagonal(&DVector::from_column_slice(variances)))
    }

    /// `N(0, variance I)` in `dim` dimensions.
    ///
    /// # Errors
    /// Unless `dim >= 1` and the variance is positive and finite.
    pub fn isotropic(dim: usize, variance: f64) -> Result<Self> {
        Self::diagonal(&vec![0.0; dim], &vec![variance; dim])
    }

    /// The number of dimensions `d`.
    pub fn dim(&self) -> usize {
        self.mean.len()
    }

    /// The mean.
    pub fn mean(&self) -> &DVector<f64> {
        &self.mean
    }

    /// The covariance.
    pub fn covariance(&self) -> DMatrix<f64> {
        self.spectral(|v| v)
    }

    /// The law of `z = alpha x + sigma eps`: `N(alpha mean, alpha^2 C + sigma^2 I)`.
    pub fn at(&self, level: &Level) -> Self {
        let (alpha, sigma) = (level.alpha(), level.sigma());
        Self {
            mean: &self.mean * alpha,
            variances: self.variances.map(|v| alpha * alpha * v + sigma * sigma),
            axes: self.axes.clone(),
        }
    }

    /// `ln N(x; mean, C)`, in nats.
    ///
    /// # Errors
    /// Unless `x` has `d` finite entries.
    pub fn log_density(&self, x: &[f64]) -> Result<f64> {
        Ok(self.log_density_and_score(&row("x", x, self.dim())?).0)
    }

    /// The entropy `1/2 ln det(2 pi e C)`, in nats.
    pub fn entropy(&self) -> f64 {
        0.5 * self.variances.map(|v| (TAU * E * v).ln()).sum()
    }

    /// A draw, `mean + C^(1/2) n` with `n` standard normal.
    pub fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> DVector<f64> {
        let normal = DVector::from_fn(self.dim(), |_, _| rng.sample::<f64, _>(StandardNormal));
        &self.mean + self.spectral(f64::sqrt) * normal
    }

    /// `Q diag(f(lambda)) Q'`.
    pub(super) fn spectral(&self, f: impl Fn(f64) -> f64) -> DMatrix<f64> {
        self.with_eigenvalues(&self.variances.map(f))
    }

    /// `Q diag(eigenvalues) Q'`.
    pub(super) fn with_eigenvalues(&self, eigenvalues: &DVector<f64>) -> DMatrix<f64> {
        &self.axes * DMatrix::from_diagonal(eigenvalues) * self.axes.transpose()
    }

    /// `ln N(x; mean, C)` and its gradient `-C^-1 (x - mean)`.
    pub(super) fn log_density_and_score(&self, x: &DVector<f64>) -> (f64, DVector<f64>) {
        let centred = self.axes.tr_mul(&(x - &self.mean));
        let whitened = centred.component_div(&self.variances);
        let log_det = self.variances.map(|v| (TAU * v).ln()).sum();
        (-0.5 * (dot(&centred, &whitened) + log_det), -(&self.axes * whitened))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    fn tilted() -> Result<Gaussian> {
        Gaussian::new(&[1.0, -2.0], DMatrix::from_row_slice(2, 2, &[2.0, 0.6, 0.6, 0.5]))
    }

    #[test]
    fn log_density_is_the_textbook_formula() -> Result<()> {
        // det = 0.64, C^-1 (1, 1) = (0.5 - 0.6, 2 - 0.6) / 0.64.
        let expected = -0.5 * ((-0.1 + 1.4) / 0.64 + (TAU * TAU * 0.64f64).ln());
        assert!((tilted()?.log_density(&[2.0, -1.0])? - expected).abs() < 1e-14);
        let entropy = 0.5 * ((TAU * E).powi(2) * 0.64).ln();
        assert!((tilted()?.entropy() - entropy).abs() < 1e-14);
        Ok(())
    }

    #[test]
    fn covariance_survives_the_factorization() -> Result<()> {
        let error = tilted()?.covariance() - DMatrix::from_row_slice(2, 2, &[2.0, 0.6, 0.6, 0.5]);
        assert!(error.amax() < 1e-15 * 8.0);
        Ok(())
    }

    #[test]
    fn what_is_no_gaussian_is_refused() {
        let message = |mean: &[f64], covariance: &[f64]| {
            let dim = (covariance.len() as f64).sqrt() as usize;
            Gaussian::new(mean, DMatrix::from_row_slice(dim, dim, covariance))
                .map_or_else(|e| e.to_string(), |_| "accepted".into())
        };
        assert_eq!(message(&[], &[]), "length of mean = 0: expected at least 1");
        assert_eq!(message(&[0.0], &[1.0, 0.0, 0.0, 1.0]), "covariance = 2 x 2: expected 1 x 1");
        assert_eq!(message(&[f64::NAN], &[1.0]), "mean[0] = NaN: expected a finite number");
        assert!(message(&[0.0], &[f64::INFINITY]).ends_with("a symmetric matrix of finite numbers"));
        assert!(message(&[0.0; 2], &[1.0, 0.5, 0.4, 1.0]).ends_with("a symmetric matrix of finite numbers"));
        assert!(message(&[0.0; 2], &[1.0, 2.0, 2.0, 1.0]).ends_with("a positive definite matrix"));
        assert!(message(&[0.0; 2], &[1.0, 1.0, 1.0, 1.0]).ends_with("a positive definite matrix"));
    }

    #[test]
    fn value_stability() -> Result<()> {
        let draw = tilted()?.sample(&mut ChaCha8Rng::seed_from_u64(7));
        let expected = DVector::from_column_slice(&[-0.4821349028409341, -3.1179476174303096]);
        assert!((&draw - expected).amax() < 1e-14, "{:?}", draw.as_slice());
        Ok(())
    }
}
