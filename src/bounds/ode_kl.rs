//! The ODE's Kullback-Leibler divergence from the data, and its terms, in one dimension.

use crate::analytic::{Gaussian, GaussianMixture, trapezoid_nodes};
use crate::error::{Error, Result};
use crate::level::{Gamma, GammaRange, Level};
use crate::schedule::NoiseSchedule;

/// A one-dimensional problem: exact data, a curve, the levels, and the prior that the ODE starts from.
///
/// The model's ODE is `dz/dgamma = p z + (sigma/2) eps_hat(z)`; its density starts as the prior at
/// `range.max()` and is carried down to `range.min()`.
#[derive(Clone, Debug)]
pub struct OdeKlProblem<'a> {
    /// The data, one-dimensional.
    pub data: &'a GaussianMixture,
    /// The schedule.
    pub schedule: &'a dyn NoiseSchedule,
    /// The levels.
    pub range: GammaRange,
    /// The law of `z` at `range.max()`, one-dimensional: usually `N(0, sigma^2)`.
    pub prior: &'a Gaussian,
}

/// How finely the density is carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// Characteristics, evenly spaced over the data's law at `range.max()`.
    pub characteristics: usize,
    /// Steps of the classical Runge-Kutta method over the levels; made even.
    pub steps: usize,
}

impl Default for Resolution {
    fn default() -> Self {
        Self { characteristics: 600, steps: 120 }
    }
}

/// The terms of the ODE's Kullback-Leibler divergence, all in nats.
///
/// With `e = eps_hat - eps*` and integrals over gamma:
/// `KL(q_min || p_min) = KL(q_max || prior) + J_ODE`, `J_ODE = J_SM + J_Diff`, and
/// `|J_ODE| <= sqrt(J_SM J_Fisher)`. `J_SM` is what first-order training minimises and bounds the
/// SDE's divergence; `J_Diff` may have either sign, so `J_SM` does not bound the ODE's.
///
/// # Reference
/// Lu et al., arXiv 2206.08265 (the statement in terms of the score and of time).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OdeKl {
    /// `KL(q_max || prior)`.
    pub prior: f64,
    /// `J_SM = 1/2 int E[e^2]`.
    pub j_sm: f64,
    /// `J_Diff = 1/2 int E[e sigma (s_hat - grad ln p^ODE)]`, `s_hat = -eps_hat / sigma`.
    pub j_diff: f64,
    /// `J_Fisher = 1/2 int E[sigma^2 (grad ln q - grad ln p^ODE)^2]`.
    pub j_fisher: f64,
    /// `KL(q_min || p_min)` from the two densities themselves, not from the identity.
    pub data: f64,
}

impl OdeKl {
    /// `J_ODE = J_SM + J_Diff`.
    pub fn j_ode(&self) -> f64 {
        self.j_sm + self.j_diff
    }

    /// `KL(q_max || prior) + J_ODE - KL(q_min || p_min)`: 0 but for the resolution, which it measures.
    pub fn identity_error(&self) -> f64 {
        self.prior + self.j_ode() - self.data
    }

    /// `sqrt(J_SM J_Fisher)`, the bound on `|J_ODE|`.
    pub fn fisher_bound(&self) -> f64 {
        (self.j_sm * self.j_fisher).sqrt()
    }
}

/// A characteristic: `z`, `ln p^ODE(z)` and its derivative `grad ln p^ODE(z)`.
type State = [f64; 3];

/// The model's noise prediction at a `z` and its first two derivatives.
type Jet = [f64; 3];

impl OdeKlProblem<'_> {
    /// The terms for the model `eps_hat`, which gives the noise prediction and its first two derivatives
    /// in `z`, for all the `z` of one level at once.
    ///
    /// Along a characteristic `d ln p/dgamma = -f'` and `d (grad ln p)/dgamma = -f'' - f' grad ln p`, with
    /// `f` the drift; expectations under q are sums over the characteristics, whose spacing the density
    /// `p^ODE` itself tells.
    ///
    /// # Errors
    /// Unless data and prior are one-dimensional and the resolution is at least 2 by 2; and those of
    /// the model.
    pub fn terms<M>(&self, eps_hat: M, resolution: Resolution) -> Result<OdeKl>
    where
        M: Fn(&Level, &[f64]) -> Result<Vec<[f64; 3]>>,
    {
        let Resolution { characteristics, steps } = resolution;
        if characteristics < 2 || steps < 2 {
            return Err(Error::value("resolution", format!("{characteristics} x {steps}"), "at least 2 x 2"));
        }
        if self.prior.dim() != 1 {
            return Err(Error::value("dimension of the prior", self.prior.dim(), "1"));
        }
        let (low, high) = self.data.at(&self.level(0.0)).law().reach()?;
        let (mut states, mut masses) = (Vec::new(), Vec::new());
        for (z, width) in trapezoid_nodes(low, high, characteristics) {
            let log = self.prior.log_density(&[z])?;
            let score = -(z - self.prior.mean()[0]) / self.prior.covariance()[(0, 0)];
            states.push([z, log, score]);
            // The spacing dz times p is constant along a characteristic: its logarithm.
            masses.push(width.ln() + log);
        }

        let steps = steps + steps % 2;
        let width = 1.0 / steps as f64;
        let simpson = |i: usize| match i {
            _ if i == 0 || i == steps => 1.0,
            _ if i % 2 == 1 => 4.0,
            _ => 2.0,
        };
        let mut total = Moments::default();
        let mut prior = 0.0;
        for i in 0..=steps {
            let u = i as f64 * width;
            let level = self.level(u);
            let jets = eps_hat(&level, &positions(&states))?;
            let here = self.moments(&level, &states, &masses, &jets)?;
            total.add(simpson(i), &here);
            total.kl = here.kl;
            if i == 0 {
                prior = here.kl;
            }
            if i < steps {
                self.step(&eps_hat, u, width, &mut states, &jets)?;
            }
        }
        // Half, from the definition, times Simpson's third of a step.
        let scale = 0.5 * self.range.width() * width / 3.0;
        Ok(OdeKl {
            prior,
            j_sm: scale * total.sm,
            j_diff: scale * total.diff,
            j_fisher: scale * total.fisher,
            data: total.kl,
        })
    }

    /// The level at fraction `u` of the way down from the prior.
    fn level(&self, u: f64) -> Level {
        self.schedule.level(Gamma(self.range.max().0 - u * self.range.width()))
    }

    /// One step of the classical fourth-order Runge-Kutta method, down from fraction `u` by `width`;
    /// `jets` are the model's at the start.
    fn step<M>(&self, eps_hat: &M, u: f64, width: f64, states: &mut [State], jets: &[Jet]) -> Result<()>
    where
        M: Fn(&Level, &[f64]) -> Result<Vec<Jet>>,
    {
        let h = -width * self.range.width();
        let start = states.to_vec();
        let mut slopes = slopes(&self.level(u), &start, jets);
        add(states, h / 6.0, &slopes);
        for (node, weight) in [(0.5, 1.0 / 3.0), (0.5, 1.0 / 3.0), (1.0, 1.0 / 6.0)] {
            let mut stage = start.clone();
            add(&mut stage, node * h, &slopes);
            let level = self.level(u + node * width);
            slopes = self::slopes(&level, &stage, &eps_hat(&level, &positions(&stage))?);
            add(states, weight * h, &slopes);
        }
        Ok(())
    }

    /// The integrands at one level, and `KL(q || p^ODE)` there.
    fn moments(&self, level: &Level, states: &[State], masses: &[f64], jets: &[Jet]) -> Result<Moments> {
        let sigma = level.sigma();
        let marginal = self.data.at(level);
        let mut sums = Moments::default();
        for ((&[z, log_p, score_p], [eps_hat, ..]), mass) in states.iter().zip(jets).zip(masses) {
            let point = marginal.point(&[z])?;
            let error = eps_hat + sigma * point.score()[0];
            let gap = sigma * (point.score()[0] - score_p);
            let log_ratio = point.log_density() - log_p;
            let here =
                Moments { sm: error * error, diff: error * (gap - error), fisher: gap * gap, kl: log_ratio };
            sums.add((mass + log_ratio).exp(), &here);
        }
        Ok(sums)
    }
}

/// Where the characteristics are.
fn positions(states: &[State]) -> Vec<f64> {
    states.iter().map(|state| state[0]).collect()
}

/// `d state / dgamma`.
fn slopes(level: &Level, states: &[State], jets: &[Jet]) -> Vec<State> {
    let (p, half_sigma) = (level.dlog_alpha(), 0.5 * level.sigma());
    let slope = |(&[z, _, score], &[e, e1, e2]): (&State, &Jet)| {
        let divergence = p + half_sigma * e1;
        [p * z + half_sigma * e, -divergence, -half_sigma * e2 - divergence * score]
    };
    states.iter().zip(jets).map(slope).collect()
}

/// `states += factor slopes`.
fn add(states: &mut [State], factor: f64, slopes: &[State]) {
    for (y, k) in states.iter_mut().flatten().zip(slopes.iter().flatten()) {
        *y += factor * k;
    }
}

/// Expectations under q at one level.
#[derive(Clone, Copy, Debug, Default)]
struct Moments {
    sm: f64,
    diff: f64,
    fisher: f64,
    kl: f64,
}

impl Moments {
    fn add(&mut self, weight: f64, other: &Self) {
        self.sm += weight * other.sm;
        self.diff += weight * other.diff;
        self.fisher += weight * other.fisher;
        self.kl += weight * other.kl;
    }
}
