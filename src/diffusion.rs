//! A schedule, a parameterization and a range of levels: everything a model's formulas need.

use crate::error::{Error, Result};
use crate::level::{Gamma, GammaRange, Level};
use crate::math::LN_2_PI;
use crate::parameterization::{Parameterization, ParameterizationExt, SecondOrder, ThirdOrder};
use crate::schedule::NoiseSchedule;
use rand::{Rng, RngCore};
use rand_distr::StandardNormal;
use std::sync::Arc;

/// A diffusion: its curve, what its network regresses, the levels it is used on, and its prior.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Diffusion<S, P> {
    schedule: S,
    parameterization: P,
    range: GammaRange,
    prior: Prior,
}

/// A diffusion whose parts were chosen by name; cheap to clone.
pub type DynDiffusion = Diffusion<Arc<dyn NoiseSchedule>, Arc<dyn Parameterization>>;

/// Every scalar a batch's row needs at its level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Coefficients {
    /// The level `gamma`.
    pub gamma: f64,
    /// The network's time input, 0 at `gamma_min` and 1 at `gamma_max`.
    pub time: f64,
    /// The signal's scale.
    pub alpha: f64,
    /// The noise's scale.
    pub sigma: f64,
    /// `a` of `F = a eps + b z`.
    pub a: f64,
    /// `b` of `F = a eps + b z`.
    pub b: f64,
    /// `c_F` of `dz/dgamma = c_F F + c_z z`.
    pub c_f: f64,
    /// `c_z` of `dz/dgamma = c_F F + c_z z`.
    pub c_z: f64,
    /// The coefficient of the noise in the regression target, `F = (a + b sigma) eps + b alpha x`.
    pub target_noise: f64,
    /// The coefficient of the data in the regression target.
    pub target_data: f64,
    /// The likelihood's weight on `|F - F^|^2`, in nats per unit of gamma.
    pub weight: f64,
    /// What `z` is multiplied with before the network sees it.
    pub input_scale: f64,
    /// The second-order target's coefficients.
    pub second_order: SecondOrder,
    /// The third-order target's coefficients.
    pub third_order: ThirdOrder,
}

impl<S: NoiseSchedule, P: Parameterization> Diffusion<S, P> {
    /// The diffusion with the default prior, `N(0, sigma_1^2 I)` at the range's upper end.
    pub fn new(schedule: S, parameterization: P, range: GammaRange) -> Self {
        let prior = Prior { std: schedule.level(range.max()).sigma() };
        Self { schedule, parameterization, range, prior }
    }

    /// The same diffusion with another prior.
    #[must_use]
    pub fn with_prior(self, prior: Prior) -> Self {
        Self { prior, ..self }
    }

    /// The schedule, the parameterization and the range; the prior is left.
    pub fn into_parts(self) -> (S, P, GammaRange) {
        (self.schedule, self.parameterization, self.range)
    }

    /// The schedule.
    pub fn schedule(&self) -> &S {
        &self.schedule
    }

    /// The parameterization.
    pub fn parameterization(&self) -> &P {
        &self.parameterization
    }

    /// The range of levels.
    pub fn range(&self) -> GammaRange {
        self.range
    }

    /// The one prior, for the VLB, the ODE's likelihood and sampling alike.
    pub fn prior(&self) -> Prior {
        self.prior
    }

    /// The schedule's point at `gamma`.
    pub fn level(&self, gamma: Gamma) -> Level {
        self.schedule.level(gamma)
    }

    /// The network's time input, `(gamma - gamma_min) / (gamma_max - gamma_min)`.
    pub fn time(&self, gamma: Gamma) -> f64 {
        self.range.fraction(gamma)
    }

    /// Every scalar at `gamma`.
    pub fn coefficients(&self, gamma: Gamma) -> Coefficients {
        let level = self.level(gamma);
        let target = self.parameterization.target(&level);
        let drift = self.parameterization.drift(&level);
        let regression = self.parameterization.regression(&level);
        Coefficients {
            gamma: gamma.0,
            time: self.time(gamma),
            alpha: level.alpha(),
            sigma: level.sigma(),
            a: target.noise,
            b: target.state,
            c_f: drift.value,
            c_z: drift.state,
            target_noise: regression.noise,
            target_data: regression.data,
            weight: self.parameterization.likelihood_weight(&level),
            input_scale: self.parameterization.input_scale(&level),
            second_order: self.parameterization.second_order(&level),
            third_order: self.parameterization.third_order(&level),
        }
    }

    /// The likelihood's weight `1/(2 a^2)` as a function of gamma, for
    /// [`Importance::for_weight`](crate::time::Importance::for_weight).
    pub fn weight_density(&self) -> impl Fn(Gamma) -> f64 + Send + Sync {
        |gamma| self.parameterization.likelihood_weight(&self.level(gamma))
    }

    /// The VLB's prior term of one row of data, `KL(N(alpha_1 x, sigma_1^2 I) || prior)` in nats.
    pub fn prior_kl(&self, x: &[f64]) -> f64 {
        let end = self.level(self.range.max());
        let variance = self.prior.std.powi(2);
        let ratio = end.sigma().powi(2) / variance;
        let signal: f64 = x.iter().map(|x| (end.alpha() * x).powi(2)).sum();
        0.5 * (signal / variance + x.len() as f64 * (ratio - 1.0 - ratio.ln()))
    }
}

/// The prior `N(0, std^2 I)` at the most noise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prior {
    std: f64,
}

impl Prior {
    /// The prior with this standard deviation.
    ///
    /// # Errors
    /// Unless it is positive and finite.
    pub fn new(std: f64) -> Result<Self> {
        if !(std > 0.0 && std.is_finite()) {
            return Err(Error::value("prior standard deviation", std, "a positive number"));
        }
        Ok(Self { std })
    }

    /// The standard deviation.
    pub fn std(&self) -> f64 {
        self.std
    }

    /// `log N(z; 0, std^2 I)` in nats.
    pub fn log_density(&self, z: &[f64]) -> f64 {
        self.log_density_of_norm(z.iter().map(|z| z * z).sum(), z.len())
    }

    /// [`log_density`](Self::log_density) from `|z|^2` and the number of dimensions.
    pub fn log_density_of_norm(&self, squared_norm: f64, dims: usize) -> f64 {
        -0.5 * (squared_norm / self.std.powi(2) + dims as f64 * (LN_2_PI + 2.0 * self.std.ln()))
    }

    /// One draw of `dims` dimensions.
    pub fn sample(&self, dims: usize, rng: &mut dyn RngCore) -> Vec<f64> {
        (0..dims).map(|_| self.std * rng.sample::<f64, _>(StandardNormal)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::integrate;
    use crate::parameterization::{Noise, Velocity};
    use crate::schedule::{StraightPath, VariancePreserving};
    use crate::time::Importance;
    use rand::SeedableRng;

    fn straight() -> Diffusion<StraightPath, Velocity> {
        Diffusion::new(StraightPath, Velocity, GammaRange::for_levels(256))
    }

    #[test]
    fn prior_kl_is_the_integral() {
        for prior in [straight().prior(), Prior::new(0.7).expect("positive")] {
            let diffusion = straight().with_prior(prior);
            let end = diffusion.level(diffusion.range().max());
            let x = [0.9, -0.3];
            let exact: f64 = x
                .iter()
                .map(|x| {
                    let (mean, std) = (end.alpha() * x, end.sigma());
                    integrate(mean - 12.0 * std, mean + 12.0 * std, 60, |z| {
                        let q = Prior { std }.log_density(&[z - mean]);
                        q.exp() * (q - prior.log_density(&[z]))
                    })
                })
                .sum();
            assert!((diffusion.prior_kl(&x) - exact).abs() < 1e-12, "{exact}");
        }
    }

    #[test]
    fn one_prior_instead_of_two() {
        // SP at gamma_1 = 5 with E[x^2] = 1/4, bits per dimension: 0.00122 against N(0, sigma_1^2),
        // 0.00956 against N(0, 1).
        let bits = |prior| straight().with_prior(prior).prior_kl(&[0.5]) / 2f64.ln();
        assert_eq!(format!("{:.5}", bits(straight().prior())), "0.00122");
        assert_eq!(format!("{:.5}", bits(Prior::new(1.0).expect("positive"))), "0.00956");
    }

    #[test]
    fn chosen_by_name_or_by_type_is_the_same() {
        let typed = straight();
        let named: DynDiffusion =
            Diffusion::new(Arc::new(StraightPath), Arc::new(Velocity), GammaRange::for_levels(256));
        for gamma in [-13.3, -4.0, 5.0] {
            let c = typed.coefficients(Gamma(gamma));
            assert_eq!(c, named.coefficients(Gamma(gamma)));
            assert_eq!(c.time, typed.time(Gamma(gamma)));
        }
        assert_eq!(typed.time(typed.range().min()), 0.0);
        assert_eq!(typed.time(typed.range().max()), 1.0);
        let importance = Importance::for_weight(named.range(), named.weight_density()).expect("positive");
        assert_eq!(importance.inverse(), "straight path");
    }

    #[test]
    fn importance_recognises_each_velocity_and_nothing_else() {
        let range = GammaRange::new(-20.0, 10.0).expect("a range");
        let vp = Diffusion::new(VariancePreserving, Velocity, range);
        let inverse = |w: Result<Importance>| w.expect("positive").inverse();
        assert_eq!(inverse(Importance::for_weight(range, vp.weight_density())), "variance preserving");
        let sp = Diffusion::new(StraightPath, Velocity, range);
        assert_eq!(inverse(Importance::for_weight(range, sp.weight_density())), "straight path");
        let noise = Diffusion::new(VariancePreserving, Noise, range);
        assert_eq!(inverse(Importance::for_weight(range, noise.weight_density())), "tabulated");
    }

    #[test]
    fn bad_prior_is_refused() {
        for std in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Prior::new(std).is_err());
        }
    }

    #[test]
    fn value_stability() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(5);
        let found = straight().prior().sample(3, &mut rng);
        let expected = [-0.9935221361164734, 0.20260513212608663, 1.0218250412886725];
        for (f, e) in found.iter().zip(expected) {
            assert!((f - e).abs() <= 1e-14 * e.abs(), "{found:?}");
        }
    }
}
