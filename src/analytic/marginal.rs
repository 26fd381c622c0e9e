//! The mixture's diffusion at one level: the law of `z`, and what `z` says about `x` and `eps`.

use crate::analytic::{Gaussian, GaussianMixture, row};
use crate::error::Result;
use crate::level::Level;
use crate::parameterization::Affine;
use nalgebra::DVector;
use rand::Rng;

impl GaussianMixture {
    /// The law of `z = alpha x + sigma eps` at `level`.
    pub fn at(&self, level: &Level) -> Marginal {
        let components = self.components.iter().map(|c| c.at(level)).collect();
        let law = Self { weights: self.weights.clone(), components };
        Marginal { data: self.clone(), law, level: *level }
    }
}

/// The joint law of `(x, eps, z)` at one level.
#[derive(Clone, Debug, PartialEq)]
pub struct Marginal {
    pub(super) data: GaussianMixture,
    pub(super) law: GaussianMixture,
    pub(super) level: Level,
}

impl Marginal {
    /// The level.
    pub fn level(&self) -> &Level {
        &self.level
    }

    /// The law of `z`, a mixture too.
    pub fn law(&self) -> &GaussianMixture {
        &self.law
    }

    /// Draws `(z, eps)`.
    pub fn sample<R: Rng + ?Sized>(&self, rng: &mut R) -> (DVector<f64>, DVector<f64>) {
        let x = self.data.sample(rng);
        let eps = DVector::from_fn(x.len(), |_, _| rng.sample::<f64, _>(rand_distr::StandardNormal));
        (x * self.level.alpha() + &eps * self.level.sigma(), eps)
    }

    /// Everything at one `z`.
    ///
    /// # Errors
    /// Unless `z` has `d` finite entries.
    pub fn point(&self, z: &[f64]) -> Result<Point<'_>> {
        let z = row("z", z, self.law.dim())?;
        let found = self.law.responsibilities(&z);
        let score =
            found.weights.iter().zip(&found.scores).fold(DVector::zeros(z.len()), |sum, (w, s)| sum + s * *w);
        Ok(Point {
            marginal: self,
            z,
            log_density: found.log_density,
            weights: found.weights,
            scores: found.scores,
            score,
        })
    }
}

/// A state `z` at a level, with the components' probabilities given `z`.
#[derive(Clone, Debug, PartialEq)]
pub struct Point<'a> {
    pub(super) marginal: &'a Marginal,
    pub(super) z: DVector<f64>,
    log_density: f64,
    pub(super) weights: Vec<f64>,
    pub(super) scores: Vec<DVector<f64>>,
    pub(super) score: DVector<f64>,
}

impl Point<'_> {
    /// The state.
    pub fn z(&self) -> &DVector<f64> {
        &self.z
    }

    /// `ln q(z)`, in nats.
    pub fn log_density(&self) -> f64 {
        self.log_density
    }

    /// `q(z)`.
    pub fn density(&self) -> f64 {
        self.log_density.exp()
    }

    /// The score, the gradient of `ln q(z)`.
    pub fn score(&self) -> &DVector<f64> {
        &self.score
    }

    /// The components' probabilities given `z`.
    pub fn responsibilities(&self) -> &[f64] {
        &self.weights
    }

    /// The conditional law of `F = a eps + b z` given `z`: a Gaussian mixture.
    ///
    /// `eps` itself is `(1, 0)`; `x` is `(-sigma / alpha, 1 / alpha)`. Component k has the mean
    /// `(a + b sigma) E[eps | z, k] + b alpha E[x | z, k]` and the covariance
    /// `a^2 alpha^2 C (alpha^2 C + sigma^2 I)^-1`.
    pub fn posterior(&self, target: Affine) -> GaussianMixture {
        let component = |k: usize| {
            let (data, law) = self.pair(k);
            let alpha = self.marginal.level.alpha();
            Gaussian {
                mean: self.target_mean(target, k),
                variances: data
                    .variances
                    .zip_map(&law.variances, |c, s| (target.noise * alpha).powi(2) * c / s),
                axes: data.axes.clone(),
            }
        };
        GaussianMixture {
            weights: self.weights.clone(),
            components: (0..self.weights.len()).map(component).collect(),
        }
    }

    /// `E[F | z, k]`, without the cancellation of `a E[eps | z, k] + b z`.
    pub(super) fn target_mean(&self, target: Affine, k: usize) -> DVector<f64> {
        let (data, law) = self.pair(k);
        let (alpha, sigma) = (self.marginal.level.alpha(), self.marginal.level.sigma());
        let noise = &self.scores[k] * -sigma;
        let centred = law.axes.tr_mul(&(&self.z - &law.mean));
        let gain = data.variances.zip_map(&law.variances, |c, s| alpha * c / s);
        let x = &data.mean + &law.axes * gain.component_mul(&centred);
        noise * (target.noise + target.state * sigma) + x * (target.state * alpha)
    }

    /// Component k of the data and of the law of `z`.
    pub(super) fn pair(&self, k: usize) -> (&Gaussian, &Gaussian) {
        (&self.marginal.data.components[k], &self.marginal.law.components[k])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::Gamma;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    #[test]
    fn draws_are_alpha_x_plus_sigma_eps() -> Result<()> {
        let data = GaussianMixture::new([
            (0.4, Gaussian::diagonal(&[1.0, -1.0], &[0.5, 0.1])?),
            (0.6, Gaussian::isotropic(2, 1.0)?),
        ])?;
        let level = Level::new(Gamma(1.0), -0.3, -0.2);
        for seed in 0..20 {
            let x = data.sample(&mut ChaCha8Rng::seed_from_u64(seed));
            let (z, eps) = data.at(&level).sample(&mut ChaCha8Rng::seed_from_u64(seed));
            assert!((z - x * level.alpha() - eps * level.sigma()).amax() < 1e-15);
        }
        Ok(())
    }

    #[test]
    fn a_state_of_the_wrong_size_is_refused() -> Result<()> {
        let marginal =
            GaussianMixture::from(Gaussian::isotropic(2, 1.0)?).at(&Level::new(Gamma(0.0), -0.3, -0.2));
        let message = |z: &[f64]| marginal.point(z).map_or_else(|e| e.to_string(), |_| "accepted".into());
        assert_eq!(message(&[0.0]), "length of z = 1: expected 2");
        assert_eq!(message(&[0.0, f64::INFINITY]), "z[1] = inf: expected a finite number");
        Ok(())
    }
}
