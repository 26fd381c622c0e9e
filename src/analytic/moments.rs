//! Central moments of a mixture, up to the third.

use crate::analytic::GaussianMixture;
use nalgebra::{DMatrix, DVector};

impl GaussianMixture {
    /// The mean.
    pub fn mean(&self) -> DVector<f64> {
        self.average(DVector::zeros(self.dim()), |_, component| component.mean.clone())
    }

    /// The covariance `E[c c']`, with `c` the deviation from the mean.
    pub fn covariance(&self) -> DMatrix<f64> {
        self.average(DMatrix::zeros(self.dim(), self.dim()), |offset, component| {
            component.covariance() + offset * offset.transpose()
        })
    }

    /// The third central moment `E[c_i c_j c_k]`; `None` unless all three are below `d`.
    pub fn third_moment(&self, i: usize, j: usize, k: usize) -> Option<f64> {
        (i.max(j).max(k) < self.dim()).then(|| {
            self.average(0.0, |o, component| {
                let v = component.covariance();
                o[i] * o[j] * o[k] + o[i] * v[(j, k)] + o[j] * v[(i, k)] + o[k] * v[(i, j)]
            })
        })
    }

    /// `E[|c|^2 c]`, the third central moment contracted over two indices.
    pub fn third_moment_trace(&self) -> DVector<f64> {
        self.average(DVector::zeros(self.dim()), |offset, component| {
            let v = component.covariance();
            offset * (offset.norm_squared() + v.trace()) + &v * offset * 2.0
        })
    }

    /// `sum_k w_k f(m_k - mean, component k)`.
    fn average<T>(&self, zero: T, f: impl Fn(&DVector<f64>, &crate::analytic::Gaussian) -> T) -> T
    where
        T: std::ops::Add<Output = T> + std::ops::Mul<f64, Output = T>,
    {
        let mut mean = DVector::zeros(self.dim());
        for (w, c) in self.weights.iter().zip(&self.components) {
            mean += &c.mean * *w;
        }
        self.weights
            .iter()
            .zip(&self.components)
            .fold(zero, |sum, (w, c)| sum + f(&(&c.mean - &mean), c) * *w)
    }
}
