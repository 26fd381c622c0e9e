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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analytic::GaussianMixture;
    use crate::level::Gamma;
    use crate::parameterization::Affine;

    const NOISE: Affine = Affine { noise: 1.0, state: 0.0 };
    const Z: [f64; 2] = [0.7, -1.1];

    /// The variance-preserving curve.
    fn level(gamma: f64) -> Level {
        Level::new(Gamma(gamma), -0.5 * gamma.exp().ln_1p(), -0.5 / (1.0 + (-gamma).exp()))
    }

    fn tilted() -> Result<Gaussian> {
        Gaussian::new(&[1.0, -2.0], DMatrix::from_row_slice(2, 2, &[2.0, 0.6, 0.6, 0.5]))
    }

    #[test]
    fn carries_the_density() -> Result<()> {
        let (from, to) = (level(-3.0), level(2.0));
        let flow = tilted()?.flow(&from, &to);
        let start = tilted()?.at(&from).log_density(&Z)?;
        let end = tilted()?.at(&to).log_density(flow.apply(&Z)?.as_slice())?;
        assert!((end + flow.log_det() - start).abs() < 1e-14 * 10.0);
        assert!((flow.jacobian().determinant().ln() - flow.log_det()).abs() < 1e-14);
        Ok(())
    }

    #[test]
    fn composes_and_inverts() -> Result<()> {
        let (a, b, c) = (level(-3.0), level(0.5), level(4.0));
        let data = tilted()?;
        let twice = data.flow(&b, &c).apply(data.flow(&a, &b).apply(&Z)?.as_slice())?;
        let once = data.flow(&a, &c).apply(&Z)?;
        assert!((&twice - &once).norm() < 1e-14);
        let back = data.flow(&c, &a).apply(once.as_slice())?;
        assert!((back - DVector::from_column_slice(&Z)).norm() < 1e-14 * 100.0);
        Ok(())
    }

    /// Its velocity is the ODE's drift, and the rate of its log-determinant the drift's divergence.
    #[test]
    fn solves_the_ode() -> Result<()> {
        for gamma in [-6.0, -1.0, 0.0, 3.0] {
            let (here, h) = (level(gamma), 1e-4);
            let data = tilted()?;
            let [before, after] = [-h, h].map(|h| data.flow(&here, &level(gamma + h)));
            let velocity = (after.apply(&Z)? - before.apply(&Z)?) / (2.0 * h);
            let rate = (after.log_det() - before.log_det()) / (2.0 * h);
            let marginal = GaussianMixture::from(data).at(&here);
            let noise = marginal.point(&Z)?.target(NOISE);
            let (p, half) = (here.dlog_alpha(), 0.5 * here.sigma());
            let drift = DVector::from_column_slice(&Z) * p + &noise.value * half;
            // A central difference of step 1e-4: h^2 / 6 times a third derivative below 1.
            assert!((velocity - drift).norm() < 1e-8, "{gamma}");
            assert!((rate - (2.0 * p + half * noise.trace())).abs() < 1e-8, "{gamma}");
        }
        Ok(())
    }
}
