//! The ODE's Kullback-Leibler divergence in one dimension: the identity, and what does not bound it.

use idode::analytic::nalgebra::DMatrix;
use idode::analytic::{Gaussian, GaussianMixture, Model, Perturbation};
use idode::bounds::{OdeKl, OdeKlProblem, Resolution};
use idode::level::{Gamma, GammaRange, Level};
use idode::parameterization::{Data, Noise, Parameterization, Velocity};
use idode::schedule::{
    NoiseSchedule, StraightPath, SubVariancePreserving, VarianceExploding, VariancePreserving,
};

/// Enough for 1e-5 in every case here; `identity_error` and the last tests say so.
const RESOLUTION: Resolution = Resolution { characteristics: 400, steps: 80 };

/// A model's ODE between two levels, with the prior that it starts from.
struct Problem {
    model: Model,
    schedule: Box<dyn NoiseSchedule>,
    parameterization: Box<dyn Parameterization>,
    range: GammaRange,
    prior: Gaussian,
}

impl Problem {
    /// The prior is `N(0, sigma^2)`.
    fn new(
        data: GaussianMixture,
        schedule: impl NoiseSchedule + 'static,
        parameterization: impl Parameterization + 'static,
        [size, frequency, phase]: [f64; 3],
        (min, max): (f64, f64),
    ) -> Self {
        let error =
            Perturbation::new(size, DMatrix::from_element(1, 1, frequency), &[phase]).expect("a wave");
        let prior = Gaussian::isotropic(1, schedule.level(Gamma(max)).sigma().powi(2)).expect("a prior");
        Self {
            model: Model::perturbed(data, error).expect("one dimension"),
            schedule: Box::new(schedule),
            parameterization: Box::new(parameterization),
            range: GammaRange::new(min, max).expect("a range"),
            prior,
        }
    }

    fn noise(&self, level: &Level, z: &[f64]) -> Vec<[f64; 3]> {
        self.model.noise_jets(level, self.parameterization.target(level), z).expect("rows of one")
    }

    fn terms(&self, resolution: Resolution) -> OdeKl {
        let problem = OdeKlProblem {
            data: self.model.data(),
            schedule: &*self.schedule,
            range: self.range,
            prior: &self.prior,
        };
        problem.terms(|level, z| Ok(self.noise(level, z)), resolution).expect("terms")
    }

    /// `KL(q_min || p_min)` by other means: from evenly spaced states at the data's end, up to the prior,
    /// with the drift's divergence by central differences of the noise prediction.
    fn kl_from_the_data_side(&self) -> f64 {
        let (states, steps) = (300, 80);
        let h = self.range.width() / f64::from(steps);
        let level = |i: f64| self.schedule.level(Gamma(self.range.min().0 + i * h));
        let data = self.model.data().at(&level(0.0));
        let ends = data.law().components().iter().map(|c| (c.mean()[0], c.covariance()[(0, 0)].sqrt()));
        let (low, high) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), (mean, sd)| {
            (low.min(mean - 9.0 * sd), high.max(mean + 9.0 * sd))
        });
        let starts: Vec<f64> =
            (0..=states).map(|i| low + (high - low) * f64::from(i) / f64::from(states)).collect();
        let slope = |i: f64, z: &[f64]| -> Vec<(f64, f64)> {
            let (level, step) = (level(i), 1e-5);
            let shifted: Vec<f64> = z.iter().flat_map(|z| [z - step, *z, z + step]).collect();
            let noise = self.noise(&level, &shifted);
            let drift = |z: f64, n: &[f64; 3]| level.dlog_alpha() * z + 0.5 * level.sigma() * n[0];
            let triple = |(z, n): (&f64, &[[f64; 3]])| {
                let divergence = (drift(z + step, &n[2]) - drift(z - step, &n[0])) / (2.0 * step);
                (drift(*z, &n[1]), divergence)
            };
            z.iter().zip(noise.chunks_exact(3)).map(triple).collect()
        };
        let (mut z, mut log_det) = (starts.clone(), vec![0.0; starts.len()]);
        for step in 0..steps {
            let i = f64::from(step);
            let along = |k: &[(f64, f64)], by: f64| -> Vec<f64> {
                z.iter().zip(k).map(|(z, k)| z + by * h * k.0).collect()
            };
            let k1 = slope(i, &z);
            let k2 = slope(i + 0.5, &along(&k1, 0.5));
            let k3 = slope(i + 0.5, &along(&k2, 0.5));
            let k4 = slope(i + 1.0, &along(&k3, 1.0));
            for n in 0..z.len() {
                z[n] += h / 6.0 * (k1[n].0 + 2.0 * k2[n].0 + 2.0 * k3[n].0 + k4[n].0);
                log_det[n] += h / 6.0 * (k1[n].1 + 2.0 * k2[n].1 + 2.0 * k3[n].1 + k4[n].1);
            }
        }
        let spacing = (high - low) / f64::from(states);
        let term = |n: usize| {
            let log_q = data.law().log_density(&[starts[n]]).expect("a state");
            let log_p = self.prior.log_density(&[z[n]]).expect("a state") + log_det[n];
            log_q.exp() * (log_q - log_p)
        };
        (0..starts.len()).map(term).sum::<f64>() * spacing
    }
}

fn mixture() -> GaussianMixture {
    GaussianMixture::scalar(&[(0.3, -1.0, 0.15), (0.5, 0.4, 0.1), (0.2, 1.4, 0.3)]).expect("a mixture")
}

/// The mixture between the levels -4 and 5, with the error `size sin(frequency z + phase)`.
fn problem(
    schedule: impl NoiseSchedule + 'static,
    parameterization: impl Parameterization + 'static,
    [size, frequency, phase]: [f64; 3],
) -> Problem {
    Problem::new(mixture(), schedule, parameterization, [size, frequency, phase], (-4.0, 5.0))
}

fn identity_holds(problem: &Problem) {
    let terms = problem.terms(RESOLUTION);
    let direct = problem.kl_from_the_data_side();
    assert!(terms.data > 1e-3, "a case that shows nothing: {terms:?}");
    assert!((terms.prior + terms.j_ode() - direct).abs() < 1e-4, "{terms:?}, directly {direct}");
    assert!((terms.data - direct).abs() < 1e-4, "{terms:?}, directly {direct}");
    assert!(terms.identity_error().abs() < 1e-5, "{terms:?}");
    assert!(terms.j_ode().abs() <= terms.fisher_bound(), "{terms:?}");
}

#[test]
fn kl_identity_variance_preserving() {
    identity_holds(&problem(VariancePreserving, Velocity, [0.2, 2.0, 0.3]));
}

#[test]
fn kl_identity_straight_path() {
    identity_holds(&problem(StraightPath, Velocity, [0.2, 1.5, 1.0]));
}

#[test]
fn kl_identity_variance_exploding() {
    identity_holds(&problem(VarianceExploding, Noise, [0.15, 0.5, 0.5]));
}

#[test]
fn kl_identity_sub_vp() {
    identity_holds(&problem(SubVariancePreserving, Data, [0.05, 2.0, 2.0]));
}

/// Under the variance-preserving schedule standard normal data stay standard normal, and a constant error e
/// of the noise only shifts the model's density, by `int (sigma/2) e dgamma = e asinh(e^(gamma/2))` between the
/// ends. So the ODE's divergence is `shift^2 / 2`, and `J_SM = e^2 width / 2`: below it where the levels reach
/// far into the noise, above it where they do not.
#[test]
fn j_sm_of_a_constant_error_lies_on_either_side() {
    for ((min, max), below) in [((-8.0, 12.0), true), ((-8.0, 0.0), false)] {
        let normal = Gaussian::isotropic(1, 1.0).expect("a Gaussian");
        let error = 0.1;
        let constant = [error, 0.0, std::f64::consts::FRAC_PI_2];
        let mut problem =
            Problem::new(normal.clone().into(), VariancePreserving, Noise, constant, (min, max));
        problem.prior = normal;
        let terms = problem.terms(RESOLUTION);
        let angle = |gamma: f64| (gamma / 2.0).exp().asinh();
        let divergence = 0.5 * (error * (angle(max) - angle(min))).powi(2);
        let j_sm = 0.5 * error.powi(2) * (max - min);
        // Simpson and Runge-Kutta with 80 steps over 20 units of gamma: h^4 = 4e-3, times fifth derivatives
        // of sigma below 1/30, over 180, times the divergence.
        assert!((terms.data - divergence).abs() < 1e-6, "{terms:?}, expected {divergence}");
        assert!((terms.j_ode() - divergence).abs() < 1e-6, "{terms:?}, expected {divergence}");
        assert!((terms.j_sm - j_sm).abs() < 1e-12, "{terms:?}, expected {j_sm}");
        // The model's density at gamma is N(shift so far, 1): its score is off by that shift.
        let fisher = |gamma: f64| (error * (angle(max) - angle(gamma))).powi(2) / (1.0 + (-gamma).exp());
        let j_fisher = 0.5 * idode::math::integrate(min, max, 20, fisher);
        assert!((terms.j_fisher - j_fisher).abs() < 1e-6, "{terms:?}, expected {j_fisher}");
        assert_eq!(j_sm < divergence, below);
        assert!((j_sm / divergence).ln().abs() > 2f64.ln(), "on its side by a factor of two: {terms:?}");
    }
}

/// The same on the mixture: an error of the data prediction that does not vary is mild, one of the velocity
/// that varies in z has a Jacobian, and the ODE's divergence feels it.
#[test]
fn j_sm_on_the_mixture_lies_on_either_side() {
    let smooth =
        problem(VariancePreserving, Data, [0.03, 0.0, std::f64::consts::FRAC_PI_2]).terms(RESOLUTION);
    assert!(smooth.data - smooth.prior < 0.5 * smooth.j_sm, "{smooth:?}");
    let rough = problem(VariancePreserving, Velocity, [0.2, 2.0, 0.3]).terms(RESOLUTION);
    assert!(rough.data - rough.prior > 2.0 * rough.j_sm, "{rough:?}");
}

/// The terms at another resolution: what the tests above look at has converged.
#[test]
fn terms_have_converged() {
    let problem = problem(VariancePreserving, Velocity, [0.2, 2.0, 0.3]);
    let (here, finer) =
        (problem.terms(RESOLUTION), problem.terms(Resolution { characteristics: 700, steps: 110 }));
    let change = |f: fn(&OdeKl) -> f64| (f(&here) - f(&finer)).abs();
    for change in [change(|t| t.j_sm), change(|t| t.j_diff), change(|t| t.j_fisher), change(|t| t.data)] {
        assert!(change < 2e-6, "{here:?} {finer:?}");
    }
}

/// The exact model has the data's density: every term is 0 but what the prior costs.
#[test]
fn exact_model_has_no_terms() {
    let mut problem = problem(StraightPath, Velocity, [0.0, 0.0, 0.0]);
    let cost = problem.terms(RESOLUTION);
    assert!(cost.j_sm < 1e-20 && (cost.data - cost.prior).abs() < 1e-8 && cost.prior > 1e-6, "{cost:?}");
    // With one component its law at the last level is a Gaussian: the right prior.
    problem.model = Model::exact(GaussianMixture::scalar(&[(1.0, 0.5, 0.3)]).expect("a Gaussian"));
    problem.prior = problem.model.data().components()[0].at(&problem.schedule.level(problem.range.max()));
    let nothing = problem.terms(RESOLUTION);
    assert!(nothing.data.abs() < 1e-8 && nothing.j_fisher < 1e-12, "{nothing:?}");
}

#[test]
fn only_one_dimension_is_accepted() {
    let mut problem = problem(StraightPath, Velocity, [0.0, 0.0, 0.0]);
    problem.prior = Gaussian::isotropic(2, 1.0).expect("a prior");
    let of = |resolution| {
        let data = problem.model.data();
        let problem =
            OdeKlProblem { data, schedule: &*problem.schedule, range: problem.range, prior: &problem.prior };
        problem
            .terms(|_, z| Ok(vec![[0.0; 3]; z.len()]), resolution)
            .map_or_else(|e| e.to_string(), |_| "accepted".into())
    };
    assert_eq!(of(RESOLUTION), "dimension of the prior = 2: expected 1");
    let nothing = Resolution { characteristics: 1, steps: 80 };
    assert_eq!(of(nothing), "resolution = 1 x 80: expected at least 2 x 2");
}
