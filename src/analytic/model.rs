//! A "network" that is known exactly: `F1 = F* - delta`.

use crate::analytic::{GaussianMixture, Jet, Perturbation, row};
use crate::error::{Error, Result};
use crate::level::Level;
use crate::parameterization::Affine;
use nalgebra::DVector;

/// The exact regression of a mixture's target, less a perturbation.
///
/// Its first-order error `F* - F1` is the perturbation, at every level, so that every side of an
/// error bound can be computed.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    data: GaussianMixture,
    perturbation: Perturbation,
}

impl Model {
    /// The model without error.
    pub fn exact(data: GaussianMixture) -> Self {
        let perturbation = Perturbation::none(data.dim());
        Self { data, perturbation }
    }

    /// The model whose error is `perturbation`.
    ///
    /// # Errors
    /// Unless both are of one dimension.
    pub fn perturbed(data: GaussianMixture, perturbation: Perturbation) -> Result<Self> {
        if perturbation.dim() != data.dim() {
            return Err(Error::value(
                "dimension of the perturbation",
                perturbation.dim(),
                data.dim().to_string(),
            ));
        }
        Ok(Self { data, perturbation })
    }

    /// The data.
    pub fn data(&self) -> &GaussianMixture {
        &self.data
    }

    /// The first-order error `F* - F1`.
    pub fn perturbation(&self) -> &Perturbation {
        &self.perturbation
    }

    /// `F1` at each row of `z` (all at one level), with its derivatives.
    ///
    /// # Errors
    /// Unless `z` is a whole number of rows of `d` finite entries.
    pub fn jets(&self, level: &Level, target: Affine, z: &[f64]) -> Result<Vec<Jet>> {
        let marginal = self.data.at(level);
        let rows = self.rows(z)?;
        let mut jets = Vec::with_capacity(rows.len());
        for z in rows {
            jets.push(marginal.point(z)?.target(target) - self.perturbation.at(z)?);
        }
        Ok(jets)
    }

    /// `F1` at `z`, and its derivative along `v`.
    ///
    /// # Errors
    /// Unless both have `d` finite entries.
    pub fn jvp(
        &self,
        level: &Level,
        target: Affine,
        z: &[f64],
        v: &[f64],
    ) -> Result<(DVector<f64>, DVector<f64>)> {
        let jet = self.data.at(level).point(z)?.target(target) - self.perturbation.at(z)?;
        let tangent = &jet.jacobian * row("v", v, self.data.dim())?;
        Ok((jet.value, tangent))
    }

    /// `d^2 F1[v, w]` at `z`, the second derivative along two directions.
    ///
    /// # Errors
    /// Unless all three have `d` finite entries.
    pub fn second(
        &self,
        level: &Level,
        target: Affine,
        z: &[f64],
        v: &[f64],
        w: &[f64],
    ) -> Result<DVector<f64>> {
        let exact = self.data.at(level).point(z)?.target_second(target, v, w)?;
        Ok(exact - self.perturbation.second(z, v, w)?)
    }

    /// The noise prediction `(F1 - b z) / a` of a one-dimensional model and its first two derivatives
    /// in `z`, for each `z`.
    ///
    /// # Errors
    /// Unless the model is one-dimensional and every `z` is finite.
    pub fn noise_jets(&self, level: &Level, target: Affine, z: &[f64]) -> Result<Vec<[f64; 3]>> {
        if self.data.dim() != 1 {
            return Err(Error::value("dimension of the model", self.data.dim(), "1"));
        }
        let Affine { noise: a, state: b } = target;
        let jet = |(jet, &z): (Jet, &f64)| {
            [(jet.value[0] - b * z) / a, (jet.trace() - b) / a, jet.trace_gradient[0] / a]
        };
        Ok(self.jets(level, target, z)?.into_iter().zip(z).map(jet).collect())
    }

    fn rows<'z>(&self, z: &'z [f64]) -> Result<std::slice::ChunksExact<'z, f64>> {
        let dim = self.data.dim();
        if !z.len().is_multiple_of(dim) {
            return Err(Error::value("length of z", z.len(), format!("a multiple of {dim}")));
        }
        Ok(z.chunks_exact(dim))
    }
}
