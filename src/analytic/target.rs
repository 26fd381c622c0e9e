//! The exact regression: `F* = E[F | z]` and its derivatives, by the product rule.
//!
//! With `r_k` the components' probabilities given `z` and `F_k = E[F | z, k]`, which is affine in
//! `z` with the symmetric slope `D_k`: `F* = sum r_k F_k`, and `d r_k / dz = r_k u_k` where
//! `u_k = (score of component k) - (score)`. The conditional moments of F do not enter, so that
//! the laws that tie them to these derivatives can be tested.

use crate::analytic::{Jet, Point, dot, row};
use crate::error::Result;
use crate::parameterization::Affine;
use nalgebra::{DMatrix, DVector};

/// One component's part of the sums.
struct Term {
    weight: f64,
    /// `F_k - F*`.
    offset: DVector<f64>,
    /// `u_k`, the score's offset.
    score: DVector<f64>,
    /// `D_k = dF_k/dz`.
    slope: DMatrix<f64>,
    /// `A_k = -(alpha^2 C_k + sigma^2 I)^-1`, the component's log-density's Hessian.
    hessian: DMatrix<f64>,
}

impl Point<'_> {
    /// `F* = E[F | z]`, its Jacobian and the gradient of the Jacobian's trace.
    pub fn target(&self, target: Affine) -> Jet {
        let (value, terms) = self.terms(target);
        let dim = value.len();
        let mut jacobian = DMatrix::zeros(dim, dim);
        let mut trace_gradient = DVector::zeros(dim);
        for Term { weight, offset, score, slope, hessian } in &terms {
            jacobian += (slope + offset * score.transpose()) * *weight;
            let along = score * (slope.trace() + dot(offset, score)) + slope * score + hessian * offset;
            trace_gradient += along * *weight;
        }
        Jet { value, jacobian, trace_gradient }
    }

    /// `d^2 F*[v, w] = sum_jk (d^2 F* / dz_j dz_k) v_j w_k`, the second derivative along two
    /// directions.
    ///
    /// # Errors
    /// Unless both directions have `d` finite entries.
    pub fn target_second(&self, target: Affine, v: &[f64], w: &[f64]) -> Result<DVector<f64>> {
        let dim = self.z.len();
        let (v, w) = (row("v", v, dim)?, row("w", w, dim)?);
        let mut second = DVector::zeros(dim);
        for Term { weight, offset, score, slope, hessian } in &self.terms(target).1 {
            let (along_v, along_w) = (dot(score, &v), dot(score, &w));
            let curvature = along_v * along_w + dot(&v, &(hessian * &w));
            second += (slope * (&v * along_w + &w * along_v) + offset * curvature) * *weight;
        }
        Ok(second)
    }

    /// `F*` and the components' terms.
    fn terms(&self, target: Affine) -> (DVector<f64>, Vec<Term>) {
        let level = &self.marginal.level;
        let (alpha, sigma) = (level.alpha(), level.sigma());
        let on_noise = (target.noise + target.state * sigma) * sigma;
        let on_data = target.state * alpha * alpha;
        let means: Vec<_> = (0..self.weights.len()).map(|k| self.target_mean(target, k)).collect();
        let value =
            self.weights.iter().zip(&means).fold(DVector::zeros(self.z.len()), |sum, (w, m)| sum + m * *w);
        let term = |(k, mean): (usize, DVector<f64>)| {
            let (_, law) = self.pair(k);
            Term {
                weight: self.weights[k],
                offset: mean - &value,
                score: &self.scores[k] - &self.score,
                slope: self.slope(k, on_noise, on_data),
                hessian: law.spectral(|s| -1.0 / s),
            }
        };
        let terms = means.into_iter().enumerate().map(term).collect();
        (value, terms)
    }

    /// `D_k`, whose eigenvalues are `(on_noise + on_data c) / s`.
    fn slope(&self, k: usize, on_noise: f64, on_data: f64) -> DMatrix<f64> {
        let (data, law) = self.pair(k);
        let eigenvalues = data.variances.zip_map(&law.variances, |c, s| (on_noise + on_data * c) / s);
        data.with_eigenvalues(&eigenvalues)
    }
}
