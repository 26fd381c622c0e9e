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
        Self { characteristics: 400, steps: 240 }
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

    /// `sqrt(J_SM J_Fisher)`, the bound on `|J_ODE|`.
    pub fn fisher_bound(&self) -> f64 {
        (self.j_sm * self.j_fisher).sqrt()
    }
}

/// A characteristic: `z`, `ln p^ODE(z)` and its derivative `grad ln p^ODE(z)`.
type State = [f64; 3];

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
        let mut total = self.moments(&eps_hat, &self.level(0.0), &states, &masses)?;
        let prior = total.kl;
        for i in 1..=steps {
            self.step(&eps_hat, (i - 1) as f64 * width, width, &mut states)?;
            let here = self.moments(&eps_hat, &self.level(i as f64 * width), &states, &masses)?;
            total.sm += simpson(i) * here.sm;
            total.diff += simpson(i) * here.diff;
            total.fisher += simpson(i) * here.fisher;
            total.kl = here.kl;
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

    /// One step of the classical fourth-order Runge-Kutta method, down from fraction `u` by `width`.
    fn step<M>(&self, eps_hat: &M, u: f64, width: f64, states: &mut [State]) -> Result<()>
    where
        M: Fn(&Level, &[f64]) -> Result<Vec<[f64; 3]>>,
    {
        let h = -width * self.range.width();
        let start = states.to_vec();
        let mut slopes: Vec<State> = vec![[0.0; 3]; start.len()];
        for (node, weight) in [(0.0, 1.0 / 6.0), (0.5, 1.0 / 3.0), (0.5, 1.0 / 3.0), (1.0, 1.0 / 6.0)] {
            let stage: Vec<State> = start
                .iter()
                .zip(&slopes)
                .map(|(y, k)| std::array::from_fn(|j| y[j] + node * h * k[j]))
                .collect();
            slopes = self.slopes(eps_hat, &self.level(u + node * width), &stage)?;
            for (y, k) in states.iter_mut().zip(&slopes) {
                for (y, k) in y.iter_mut().zip(k) {
                    *y += weight * h * k;
                }
            }
        }
        Ok(())
    }

    /// `d state / dgamma`.
    fn slopes<M>(&self, eps_hat: &M, level: &Level, states: &[State]) -> Result<Vec<State>>
    where
        M: Fn(&Level, &[f64]) -> Result<Vec<[f64; 3]>>,
    {
        let (p, half_sigma) = (level.dlog_alpha(), 0.5 * level.sigma());
        let jets = eps_hat(level, &states.iter().map(|s| s[0]).collect::<Vec<_>>())?;
        let slope = |(&[z, _, score], &[e, e1, e2]): (&State, &[f64; 3])| {
            let divergence = p + half_sigma * e1;
            [p * z + half_sigma * e, -divergence, -half_sigma * e2 - divergence * score]
        };
        Ok(states.iter().zip(&jets).map(slope).collect())
    }

    /// The integrands at one level, and `KL(q || p^ODE)` there.
    fn moments<M>(&self, eps_hat: &M, level: &Level, states: &[State], masses: &[f64]) -> Result<Moments>
    where
        M: Fn(&Level, &[f64]) -> Result<Vec<[f64; 3]>>,
    {
        let sigma = level.sigma();
        let marginal = self.data.at(level);
        let jets = eps_hat(level, &states.iter().map(|s| s[0]).collect::<Vec<_>>())?;
        let mut sums = Moments::default();
        for ((&[z, log_p, score_p], [e, ..]), mass) in states.iter().zip(&jets).zip(masses) {
            let point = marginal.point(&[z])?;
            let weight = (mass + point.log_density() - log_p).exp();
            let error = e + sigma * point.score()[0];
            let gap = sigma * (point.score()[0] - score_p);
            sums.sm += weight * error * error;
            sums.diff += weight * error * (gap - error);
            sums.fisher += weight * gap * gap;
            sums.kl += weight * (point.log_density() - log_p);
        }
        Ok(sums)
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
