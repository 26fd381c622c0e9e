//! The probability-flow ODE of Gaussian data, solved in closed form.

use crate::analytic::{Gaussian, row};
use crate::error::Result;
use crate::level::Level;
use nalgebra::{DMatrix, DVector};

/// The exact map of the ODE from one level to another, for Gaussian data.
///
/// In the covariance's eigenbasis each coordinate scales around the marginal's mean:
/// `z_to = alpha_to m + (s_to / s_from) (z_from - alpha_from m)`, `s^2 = alpha^2 lambda + sigma^2`.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowMap {
    from: DVector<f64>,
    to: DVector<f64>,
    scale: DMatrix<f64>,
    log_det: f64,
}

impl Gaussian {
    /// The flow of `dz/dgamma = p z + (sigma/2) E[eps | z]` from one level to another, either way,
    /// for data that follow this Gaussian.
    pub fn flow(&self, from: &Level, to: &Level) -> FlowMap {
        let (start, end) = (self.at(from), self.at(to));
        let squares = end.variances.component_div(&start.variances);
        let scale = self.with_eigenvalues(&squares.map(f64::sqrt));
        FlowMap { from: start.mean, to: end.mean, scale, log_det: 0.5 * squares.map(f64::ln).sum() }
    }
}

impl FlowMap {
    /// Where the ODE takes `z`.
    ///
    /// # Errors
    /// Unless `z` has `d` finite entries.
    pub fn apply(&self, z: &[f64]) -> Result<DVector<f64>> {
        Ok(&self.to + &self.scale * (row("z", z, self.from.len())? - &self.from))
    }

    /// The map's Jacobian, the same everywhere.
    pub fn jacobian(&self) -> &DMatrix<f64> {
        &self.scale
    }

    /// `ln |det|` of the Jacobian, which is the integral of the drift's divergence.
    pub fn log_det(&self) -> f64 {
        self.log_det
    }
}
