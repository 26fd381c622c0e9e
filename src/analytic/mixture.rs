//! Mixtures of Gaussians with full covariances.

use crate::analytic::{Gaussian, row};
use crate::error::{Error, Result};
use nalgebra::DVector;
use rand::Rng;

/// How far from 1 the weights may sum.
const WEIGHT_SUM: f64 = 1e-9;

/// The mixture `sum_k w_k N(m_k, C_k)` in any dimension.
#[derive(Clone, Debug, PartialEq)]
pub struct GaussianMixture {
    pub(super) weights: Vec<f64>,
    pub(super) components: Vec<Gaussian>,
}

impl GaussianMixture {
    /// The mixture of `components`, each with its weight.
    ///
    /// # Errors
    /// Unless there is a component, all are of one dimension, and the weights are positive and sum
    /// to 1 (to 1e-9; the remainder is divided out).
    pub fn new(components: impl IntoIterator<Item = (f64, Gaussian)>) -> Result<Self> {
        let (weights, components) = components.into_iter().unzip();
        Self::of(weights, components)
    }

    fn of(mut weights: Vec<f64>, components: Vec<Gaussian>) -> Result<Self> {
        let Some(dim) = components.first().map(Gaussian::dim) else {
            return Err(Error::value("number of components", 0, "at least 1"));
        };
        if let Some((k, other)) = components.iter().enumerate().find(|(_, c)| c.dim() != dim) {
            return Err(Error::value(format!("dimension of component {k}"), other.dim(), dim.to_string()));
        }
        if let Some(k) = weights.iter().position(|&w| !(w > 0.0 && w.is_finite())) {
            return Err(Error::value(format!("weight {k}"), weights[k], "a positive number"));
        }
        let sum: f64 = weights.iter().sum();
        if (sum - 1.0).abs() > WEIGHT_SUM {
            return Err(Error::value("sum of the weights", sum, "1"));
        }
        weights.iter_mut().for_each(|w| *w /= sum);
        Ok(Self { weights, components })
    }

    /// The one-dimensional mixture of `(weight, mean, variance)`.
    ///
    /// # Errors
    /// As [`GaussianMixture::new`] and [`Gaussian::new`].
    pub fn scalar(components: &[(f64, f64, f64)]) -> Result<Self> {
        let (mut weights, mut parts) = (Vec::new(), Vec::new());
        for &(weight, mean, variance) in components {
            weights.push(weight);
            parts.push(Gaussian::diagonal(&[mean], &[variance])?);
        }
        Self::of(weights, parts)
    }

    /// The number of dimensions `d`.
    pub fn dim(&self) -> usize {
        self.components[0].dim()
    }

    /// The weights, which sum to 1.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// The components.
    pub fn components(&self) -> &[Gaussian] {
        &self.components
    }

    /// `ln p(x)`, in nats.
    ///
    /// # Errors
    /// Unless `x` has `d` finite entries.
    pub fn log_density(&self, x: &[f64]) -> Result<f64> {
        Ok(self.responsibilities(&row("x", x, self.dim())?).log_density)
    }

    /// A draw.
    pub fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> DVector<f64> {
        self.sample_with_component(rng).1
    }

    /// A draw, and the component that it comes from.
    pub(super) fn sample_with_component<R: Rng + ?Sized>(&self, rng: &mut R) -> (usize, DVector<f64>) {
        let mut left: f64 = rng.r#gen();
        let chosen = self.weights.iter().position(|w| {
            left -= w;
            left < 0.0
        });
        let chosen = chosen.unwrap_or(self.components.len() - 1);
        (chosen, self.components[chosen].sample(rng))
    }

    /// What Bayes' rule says about which component `x` comes from.
    pub(super) fn responsibilities(&self, x: &DVector<f64>) -> Responsibilities {
        let (mut joint, mut scores) = (Vec::new(), Vec::new());
        for (component, w) in self.components.iter().zip(&self.weights) {
            let (log, score) = component.log_density_and_score(x);
            joint.push(log + w.ln());
            scores.push(score);
        }
        let largest = joint.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = joint.iter().map(|log| (log - largest).exp()).sum();
        let weights = joint.iter().map(|log| (log - largest).exp() / sum).collect();
        Responsibilities { log_density: largest + sum.ln(), weights, scores }
    }
}

impl From<Gaussian> for GaussianMixture {
    fn from(component: Gaussian) -> Self {
        Self { weights: vec![1.0], components: vec![component] }
    }
}

/// `ln p(x)`, the components' probabilities given `x`, and their scores at `x`.
pub(super) struct Responsibilities {
    pub(super) log_density: f64,
    pub(super) weights: Vec<f64>,
    pub(super) scores: Vec<DVector<f64>>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn log_density_far_from_every_component_does_not_underflow() -> Result<()> {
        let mixture = GaussianMixture::scalar(&[(0.5, -1.0, 1.0), (0.5, 1.0, 1.0)])?;
        let expected = 0.5f64.ln() - 0.5 * (99.0f64.powi(2) + std::f64::consts::TAU.ln());
        assert!((mixture.log_density(&[100.0])? / expected - 1.0).abs() < 1e-15);
        Ok(())
    }

    #[test]
    fn what_is_no_mixture_is_refused() -> Result<()> {
        let message = |m: Result<GaussianMixture>| m.map_or_else(|e| e.to_string(), |_| "accepted".into());
        assert_eq!(message(GaussianMixture::new([])), "number of components = 0: expected at least 1");
        assert_eq!(
            message(GaussianMixture::scalar(&[(0.5, 0.0, 1.0), (0.4, 0.0, 1.0)])),
            "sum of the weights = 0.9: expected 1"
        );
        assert_eq!(
            message(GaussianMixture::scalar(&[(1.5, 0.0, 1.0), (-0.5, 0.0, 1.0)])),
            "weight 1 = -0.5: expected a positive number"
        );
        let mixed = [(0.5, Gaussian::isotropic(1, 1.0)?), (0.5, Gaussian::isotropic(2, 1.0)?)];
        assert_eq!(message(GaussianMixture::new(mixed)), "dimension of component 1 = 2: expected 1");
        let one = GaussianMixture::scalar(&[(1.0, 0.0, 1.0)])?;
        let error = one.log_density(&[0.0, 0.0]).map_or_else(|e| e.to_string(), |_| "accepted".into());
        assert_eq!(error, "length of x = 2: expected 1");
        Ok(())
    }

    #[test]
    fn draws_have_the_mixtures_moments() -> Result<()> {
        let mixture = GaussianMixture::scalar(&[(0.3, -2.0, 0.25), (0.7, 1.0, 1.0)])?;
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let n = 40_000;
        let draws: Vec<f64> = (0..n).map(|_| mixture.sample(&mut rng)[0]).collect();
        let mean = draws.iter().sum::<f64>() / f64::from(n);
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / f64::from(n);
        // Five standard errors: sd 1.635 of x, and at most 4 of (x - mean)^2, over sqrt(40000).
        assert!((mean - 0.1).abs() < 5.0 * 1.635 / 200.0, "{mean}");
        assert!((variance - mixture.covariance()[(0, 0)]).abs() < 5.0 * 4.0 / 200.0, "{variance}");
        Ok(())
    }
}
