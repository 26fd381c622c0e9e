//! A vector field at a point, with the derivatives that high-order matching is about.

use nalgebra::{DMatrix, DVector};
use std::ops::Sub;

/// The value of a field `F(z)` at a point, its Jacobian `J` and the gradient of `tr J`.
#[derive(Clone, Debug, PartialEq)]
pub struct Jet {
    /// `F`.
    pub value: DVector<f64>,
    /// `J`, `J_ij = dF_i / dz_j`.
    pub jacobian: DMatrix<f64>,
    /// The gradient of `tr J`.
    pub trace_gradient: DVector<f64>,
}

impl Jet {
    /// `tr J`, the divergence of the field.
    pub fn trace(&self) -> f64 {
        self.jacobian.trace()
    }
}

impl Sub for Jet {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self {
            value: self.value - other.value,
            jacobian: self.jacobian - other.jacobian,
            trace_gradient: self.trace_gradient - other.trace_gradient,
        }
    }
}
