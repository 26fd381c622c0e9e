//! The ODE's Kullback-Leibler divergence in one dimension: the identity, and what does not bound it.

use idode::analytic::nalgebra::DMatrix;
use idode::analytic::{Gaussian, GaussianMixture, Model, Perturbation};
use idode::bounds::{OdeKl, OdeKlProblem, Resolution};
use idode::level::{Gamma, GammaRange, Level};
use idode::parameterization::{Data, Noise, Parameterization, Velocity};
use idode::schedule::{NoiseSchedule, StraightPath, SubVariancePreserving, VarianceExploding, VariancePreserving};

/// A model's ODE between two levels, with the prior that it starts from.
struct Problem {
    model: Model,
    schedule: Box<dyn NoiseSchedule>,
    parameterization: Box<dyn Parameterization>,
    range: GammaRange,
}

impl Problem {
    fn prior(&self) -> Gaussian {
        let sigma = self.schedule.level(self.range.max()).sigma();
        Gaussian::isotropic(1, sigma.powi(2)).expect("a prior")
    }

    fn noise(&self, level: &Level, z: &[f64]) -> Vec<[f64; 3]> {
        self.model.noise_jets(level, self.parameterization.target(level), z).expect("rows of one")
    }

    fn terms(&self, resolution: Resolution) -> OdeKl {
        let prior = self.prior();
        let problem = OdeKlProblem { data: self.model.data(), schedule: &*self.schedule, range: self.range, prior: &prior };
        problem.terms(|level, z| Ok(self.noise(level, z)), resolution).expect("terms")
    }

    /// `KL(q_min || p_min)` by other means: from evenly spaced states at the data's end, up to the prior,
    /// with the drift's divergence by central differences of the noise prediction.
    fn kl_from_the_data_side(&self) -> f64 {
        let (states, steps) = (240, 200);
        let h = self.range.width() / f64::from(steps);
        let level = |i: f64| self.schedule.level(Gamma(self.range.min().0 + i * h));
        let data = self.model.data().at(&level(0.0));
        let ends = data.law().components().iter().map(|c| (c.mean()[0], c.covariance()[(0, 0)].sqrt()));
        let (low, high) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), (mean, sd)| {
            (low.min(mean - 9.0 * sd), high.max(mean + 9.0 * sd))
        });
        let starts: Vec<f64> = (0..=states).map(|i| low + (high - low) * f64::from(i) / f64::from(states)).collect();
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
            let along = |k: &[(f64, f64)], by: f64| -> Vec<f64> { z.iter().zip(k).map(|(z, k)| z + by * h * k.0).collect() };
            let k1 = slope(i, &z);
            let k2 = slope(i + 0.5, &along(&k1, 0.5));
            let k3 = slope(i + 0.5, &along(&k2, 0.5));
            let k4 = slope(i + 1.0, &along(&k3, 1.0));
            for n in 0..z.len() {
                z[n] += h / 6.0 * (k1[n].0 + 2.0 * k2[n].0 + 2.0 * k3[n].0 + k4[n].0);
                log_det[n] += h / 6.0 * (k1[n].1 + 2.0 * k2[n].1 + 2.0 * k3[n].1 + k4[n].1);
            }
        }
        let prior = self.prior();
        let spacing = (high - low) / f64::from(states);
        let term = |n: usize| {
            let log_q = data.law().log_density(&[starts[n]]).expect("a state");
            let log_p = prior.log_density(&[z[n]]).expect("a state") + log_det[n];
            log_q.exp() * (log_q - log_p)
        };
        (0..starts.len()).map(term).sum::<f64>() * spacing
    }
}

fn mixture() -> GaussianMixture {
    GaussianMixture::scalar(&[(0.3, -1.0, 0.15), (0.5, 0.4, 0.1), (0.2, 1.4, 0.3)]).expect("a mixture")
}

fn wave(size: f64, frequency: f64, phase: f64) -> Perturbation {
    Perturbation::new(size, DMatrix::from_element(1, 1, frequency), &[phase]).expect("a perturbation")
}

fn perturbed(data: GaussianMixture, perturbation: Perturbation) -> Model {
    Model::perturbed(data, perturbation).expect("one dimension")
}

fn range(min: f64, max: f64) -> GammaRange {
    GammaRange::new(min, max).expect("a range")
}

fn problem(
    schedule: impl NoiseSchedule + 'static,
    parameterization: impl Parameterization + 'static,
    perturbation: Perturbation,
) -> Problem {
    Problem {
        model: perturbed(mixture(), perturbation),
        schedule: Box::new(schedule),
        parameterization: Box::new(parameterization),
        range: range(-4.0, 5.0),
    }
}

fn identity_holds(problem: &Problem) {
    let terms = problem.terms(Resolution::default());
    let direct = problem.kl_from_the_data_side();
    eprintln!("{terms:?} direct {direct}");
    assert!(terms.data > 1e-3, "a case that shows nothing: {terms:?}");
    assert!((terms.prior + terms.j_ode() - direct).abs() < 1e-4, "{terms:?}, directly {direct}");
    assert!((terms.data - direct).abs() < 1e-4, "{terms:?}, directly {direct}");
    assert!(terms.j_ode().abs() <= terms.fisher_bound(), "{terms:?}");
}

#[test]
fn kl_identity_variance_preserving() {
    identity_holds(&problem(VariancePreserving, Velocity, wave(0.2, 2.0, 0.3)));
}

#[test]
fn kl_identity_straight_path() {
    identity_holds(&problem(StraightPath, Velocity, wave(0.2, 1.5, 1.0)));
}

#[test]
fn kl_identity_variance_exploding() {
    identity_holds(&problem(VarianceExploding, Noise, wave(0.15, 1.0, 0.5)));
}

#[test]
fn kl_identity_sub_vp() {
    identity_holds(&problem(SubVariancePreserving, Data, wave(0.05, 2.0, 2.0)));
}

/// Standard normal data under the variance-preserving schedule stay standard normal; a constant error e of
/// the noise shifts the model's density, by `int (sigma/2) e dgamma = e asinh(e^(gamma/2))` between the ends,
/// to `N(shift, 1)`: the divergence is `shift^2 / 2`, and `J_SM = e^2 width / 2`.
#[test]
fn constant_error_has_the_closed_form() {
    let (error, ends) = (0.1, range(-8.0, 12.0));
    let model = perturbed(Gaussian::isotropic(1, 1.0).expect("a Gaussian").into(), wave(error, 0.0, std::f64::consts::FRAC_PI_2));
    let problem = Problem { model, schedule: Box::new(VariancePreserving), parameterization: Box::new(Noise), range: ends };
    let terms = problem.terms(Resolution::default());
    let angle = |gamma: Gamma| (gamma.0 / 2.0).exp().asinh();
    let shift = error * (angle(ends.max()) - angle(ends.min()));
    // The prior has the standard deviation sigma at gamma = 12, 3e-6 less than 1.
    assert!((terms.data - 0.5 * shift.powi(2)).abs() < 1e-6, "{terms:?}");
    assert!((terms.j_ode() - 0.5 * shift.powi(2)).abs() < 1e-6, "{terms:?}");
    assert!((terms.j_sm - 0.5 * error.powi(2) * ends.width()).abs() < 1e-9, "{terms:?}");
}

/// An error that keeps its sign adds up along the ODE: its divergence is above `J_SM`.
#[test]
fn j_sm_may_be_below_the_odes_divergence() {
    let model = perturbed(Gaussian::isotropic(1, 1.0).expect("a Gaussian").into(), wave(0.1, 0.0, std::f64::consts::FRAC_PI_2));
    let problem =
        Problem { model, schedule: Box::new(VariancePreserving), parameterization: Box::new(Noise), range: range(-8.0, 12.0) };
    let terms = problem.terms(Resolution::default());
    eprintln!("{terms:?}");
    assert!(terms.data - terms.prior > 2.0 * terms.j_sm, "{terms:?}");
}

/// An error whose sign changes averages out along the ODE: its divergence is below `J_SM`.
#[test]
fn j_sm_may_be_above_the_odes_divergence() {
    let terms = problem(VariancePreserving, Velocity, wave(0.2, 2.0, 0.3)).terms(Resolution::default());
    eprintln!("{terms:?}");
    assert!(terms.data - terms.prior < 0.5 * terms.j_sm, "{terms:?}");
}

/// Half the resolution changes nothing that the tests above look at.
#[test]
fn terms_have_converged() {
    let problem = problem(VariancePreserving, Velocity, wave(0.2, 2.0, 0.3));
    let fine = problem.terms(Resolution::default());
    let coarse = problem.terms(Resolution { characteristics: 200, steps: 120 });
    for (a, b) in [(fine.j_sm, coarse.j_sm), (fine.j_diff, coarse.j_diff), (fine.j_fisher, coarse.j_fisher), (fine.data, coarse.data)] {
        assert!((a - b).abs() < 1e-6, "{fine:?} {coarse:?}");
    }
}
