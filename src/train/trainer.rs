//! The loop's body: one optimizer step.

use super::{AdamW, AdamWSettings, GradientSet, Rate};
use crate::diffusion::Diffusion;
use crate::error::{Error, Result};
use crate::level::Gamma;
use crate::nn::{Parameters, Pass};
use crate::objective::{Matching, Objective};
use crate::parameterization::Parameterization;
use crate::schedule::NoiseSchedule;
use crate::tensor::{Kernels, Real};
use crate::time::{TimeSampler, TimeSamplerExt};
use dfdx::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// How a stage trains.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainerSettings {
    /// The seed of every draw.
    pub seed: u64,
    /// Accumulation steps of one optimizer step.
    pub accumulation: usize,
    /// The learning rate.
    pub rate: Rate,
    /// The optimizer.
    pub optimizer: AdamWSettings,
}

/// One optimizer step in numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StepReport {
    /// The mean loss over rows, in nats.
    pub loss: f64,
    /// The norm of the gradient of the loss in bits/dim, before clipping.
    pub gradient_norm: f64,
    /// The learning rate.
    pub rate: f64,
}

/// A network in training: its objective, its noise levels and its optimizer.
///
/// Every draw of step `k` comes from stream `k` of the seeded generator, so that a run that goes on from a
/// checkpoint sees what it would have seen.
#[derive(Debug)]
pub struct Trainer<N, O, S, P, T, E: Real, D: Kernels<E>> {
    /// The network.
    pub network: N,
    /// What is minimised.
    pub objective: O,
    /// The schedule, parameterization and range.
    pub diffusion: Diffusion<S, P>,
    /// How often each level is visited.
    pub times: T,
    /// The optimizer and the moving average.
    pub optimizer: AdamW<E, D>,
    /// How it trains.
    pub settings: TrainerSettings,
}

impl<N, O, S, P, T, E, D> Trainer<N, O, S, P, T, E, D>
where
    E: Real,
    D: Kernels<E>,
    N: crate::nn::Network<E, D> + Parameters<E, D>,
    O: Objective<E, D, N>,
    S: NoiseSchedule,
    P: Parameterization,
    T: TimeSampler,
{
    /// A trainer before its first step.
    pub fn new(
        network: N,
        objective: O,
        diffusion: Diffusion<S, P>,
        times: T,
        settings: TrainerSettings,
    ) -> Self {
        let optimizer = AdamW::new(&network);
        Self { network, objective, diffusion, times, optimizer, settings }
    }

    /// Optimizer step `step` (counted from 1 within the stage) on the rows of `x`, data in `[-1, 1]` row by
    /// row; `stream` numbers the step over all stages.
    ///
    /// # Errors
    /// If the rows do not fit the network, or if the loss or a gradient is not finite: then nothing was changed.
    pub fn step(&mut self, step: u64, stream: u64, x: &[f64]) -> Result<StepReport> {
        self.conditioned_step(step, stream, x, None)
    }

    /// The same with a conditioning number for each row, which the network sees beside the time; without them it
    /// sees 0.
    ///
    /// # Errors
    /// As [`step`](Self::step), and unless there is one number a row.
    pub fn conditioned_step(
        &mut self,
        step: u64,
        stream: u64,
        x: &[f64],
        conditioning: Option<&[f64]>,
    ) -> Result<StepReport> {
        let dims = self.network.dims();
        let rows = x.len() / dims.max(1);
        let parts = self.settings.accumulation;
        if rows == 0 || rows * dims != x.len() || !rows.is_multiple_of(parts) {
            let expected = format!("a multiple of {parts} rows of {dims} numbers");
            return Err(Error::value("training batch", format!("{} numbers", x.len()), expected));
        }
        if let Some(numbers) = conditioning.filter(|numbers| numbers.len() != rows) {
            let expected = format!("one for each of {rows} rows");
            return Err(Error::value("conditioning numbers", numbers.len(), expected));
        }
        let mut rng = ChaCha8Rng::seed_from_u64(self.settings.seed);
        rng.set_stream(stream);
        let gammas = self.times.draw(rows, &mut rng);
        let mut total: Option<GradientSet<E, D>> = None;
        let mut losses = Vec::with_capacity(rows);
        let share = rows / parts;
        for part in 0..parts {
            let of = part * share..(part + 1) * share;
            let x = &x[of.start * dims..of.end * dims];
            let conditioning = conditioning.map(|numbers| &numbers[of.clone()]);
            let (own, gradients) = self.part(x, conditioning, &gammas[of], rows, &mut rng)?;
            losses.extend(own);
            match &mut total {
                Some(total) => total.add(gradients),
                None => total = Some(gradients),
            }
            if losses.iter().any(|loss| !loss.is_finite()) {
                return Err(self.not_finite(stream, "loss", &gammas, &losses));
            }
        }
        let Some(gradients) = total else {
            return Err(Error::value("accumulation", 0, "at least 1"));
        };
        let norm = match gradients.norm() {
            Ok(norm) => norm,
            Err(name) => {
                return Err(self.not_finite(stream, &format!("gradient of {name}"), &gammas, &losses));
            }
        };
        let rate = self.settings.rate.at(step);
        self.optimizer.update(&mut self.network, &gradients, norm, rate, &self.settings.optimizer);
        // The density that each level was drawn from: an observation may change it.
        let pdf: Vec<f64> = gammas.iter().map(|&gamma| self.times.pdf(gamma)).collect();
        for ((&gamma, loss), pdf) in gammas.iter().zip(&losses).zip(pdf) {
            self.times.observe(gamma, loss * pdf);
        }
        let loss = losses.iter().sum::<f64>() / rows as f64;
        Ok(StepReport { loss, gradient_norm: norm, rate })
    }

    /// The losses of one accumulation step and the gradients of their share of the mean in bits/dim.
    fn part(
        &self,
        x: &[f64],
        conditioning: Option<&[f64]>,
        gammas: &[Gamma],
        rows: usize,
        rng: &mut ChaCha8Rng,
    ) -> Result<(Vec<f64>, GradientSet<E, D>)> {
        let shape = self.network.batch(gammas.len());
        let device = self.network.device();
        let eps: Vec<E> = x.iter().map(|_| E::of(rng.sample::<f64, _>(StandardNormal))).collect();
        let x: Vec<E> = x.iter().map(|&x| E::of(x)).collect();
        let pdf: Vec<f64> = gammas.iter().map(|&gamma| self.times.pdf(gamma)).collect();
        let (x, eps) = (device.upload(&x, shape), device.upload(&eps, shape));
        let problem = Matching::new(&self.diffusion, x, eps, gammas, &pdf)?;
        let times = problem.times();
        let mut pass = Pass::train(&times, rng).with_conditioning(conditioning);
        let losses = self.objective.losses(&self.network, &problem, &mut pass)?;
        let values = losses.as_vec().into_iter().map(Real::to64).collect();
        let bits = 1.0 / (rows as f64 * self.network.dims() as f64 * std::f64::consts::LN_2);
        let gradients = (losses.sum::<(), _>() * E::of(bits)).backward();
        Ok((values, GradientSet::of(&self.network, gradients)))
    }

    /// Names the step, what is not finite, and the level of the row with the largest loss.
    fn not_finite(&self, step: u64, what: &str, gammas: &[Gamma], losses: &[f64]) -> Error {
        let size = |loss: f64| if loss.is_finite() { loss } else { f64::INFINITY };
        let worst = gammas.iter().zip(losses).max_by(|a, b| size(*a.1).total_cmp(&size(*b.1)));
        Error::NonFinite { step, what: what.to_owned(), gamma: worst.map_or(f64::NAN, |(gamma, _)| gamma.0) }
    }
}
