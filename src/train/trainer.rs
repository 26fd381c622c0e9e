//! The loop's body: one optimizer step.

use super::step_losses::StepLosses;
use super::{AdamW, AdamWConfig, GradientSet, GradientSum, QuantileClip, Rate};
use crate::communicator::{Ranks, Tree};
use crate::diffusion::Diffusion;
use crate::error::{Error, NonFinite, Result};
use crate::level::Gamma;
use crate::nn::{Parameters, Pass};
use crate::objective::{Losses, Matching, Objective, Passes, Term};
use crate::parameterization::Parameterization;
use crate::schedule::NoiseSchedule;
use crate::tensor::{Kernels, Precision, Real, Refused};
use crate::time::{TimeSampler, TimeSamplerExt};
use dfdx::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use std::sync::Arc;

/// The generator's streams from here on draw probes; those below draw everything else.
const PROBES: u64 = 1 << 63;

/// How a stage trains.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TrainerConfig {
    /// The seed of every draw.
    pub seed: u64,
    /// Accumulation steps of one optimizer step.
    pub accumulation: usize,
    /// The learning rate.
    pub rate: Rate,
    /// The optimizer.
    pub optimizer: AdamWConfig,
}

/// One optimizer step in numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct StepReport {
    /// The mean over rows of the loss that is minimised, in nats.
    pub loss: f64,
    /// The mean first-order loss over rows, in nats, whether it is minimised or not.
    pub first_order: f64,
    /// The high-order terms of the objective.
    pub terms: Vec<TermReport>,
    /// The norm of the gradient of the loss in bits/dim, before clipping.
    pub gradient_norm: f64,
    /// The learning rate.
    pub rate: f64,
    /// The level of each row, and its loss in nats per unit of gamma: what the time sampler is told.
    pub rows: Vec<(f64, f64)>,
}

/// A high-order term of an objective over one optimizer step.
#[derive(Clone, Debug, PartialEq)]
pub struct TermReport {
    /// The order that it matches: 2 or 3.
    pub order: u8,
    /// Its name.
    pub name: String,
    /// The mean loss over rows, in nats.
    pub loss: f64,
    /// An estimate of the part of its excess that is common to all states of a level, in nats: see
    /// [`Term::common_excess`].
    pub excess: Option<f64>,
}

impl TermReport {
    /// The report of a term over all rows of the step, whose levels are `gammas`.
    fn of(term: &Term, gammas: &[f64]) -> Self {
        Self {
            order: term.order,
            name: term.name.to_owned(),
            loss: term.loss(),
            excess: term.common_excess(gammas),
        }
    }
}

/// The words of a generator's stream that are kept for the draws of a row.
const WORDS_OF_A_ROW: u128 = 1 << 36;

/// A network in training: its objective, its noise levels and its optimizer.
///
/// Every draw of step `k` comes from stream `k` of the seeded generator, and the objective's probes from stream `2^63 + k`, so
/// that a run that goes on from a checkpoint sees what it would have seen. In a stream, an accumulation step begins at a place that its first
/// row gives, whoever computes it: a rank draws the levels of all rows, and computes its own parts.
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
    pub settings: TrainerConfig,
    /// What limits the gradient's norm instead of the optimizer's constant, if anything: a stage's own, since another
    /// objective has other norms.
    pub quantile_clip: Option<QuantileClip>,
    /// Who shares the accumulation steps.
    ranks: Ranks,
    /// What adds their gradients on their devices.
    engine: Option<Arc<dyn GradientSum<E, D>>>,
    /// What the products of a step are made in.
    precision: Precision,
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
        settings: TrainerConfig,
    ) -> Self {
        let optimizer = AdamW::new(&network);
        Self {
            network,
            objective,
            diffusion,
            times,
            optimizer,
            settings,
            quantile_clip: None,
            ranks: Ranks::alone(),
            engine: None,
            precision: Precision::F32,
        }
    }

    /// The same whose accumulation steps are dealt to ranks, to each as many: a power of two of them. The sums of gradients do not depend on
    /// how many ranks there are; see [`communicator`](crate::communicator).
    ///
    /// # Errors
    /// If they cannot be dealt so.
    pub fn with_ranks(self, ranks: Ranks) -> Result<Self> {
        let parts = self.settings.accumulation;
        ranks.deal(parts as u64).map_err(|expected| Error::value("accumulation", parts, expected))?;
        Ok(Self { ranks, ..self })
    }

    /// The same whose gradients an engine adds over ranks on their devices, in an order of its own.
    #[must_use]
    pub fn with_gradient_sum(self, engine: Option<Arc<dyn GradientSum<E, D>>>) -> Self {
        Self { engine, ..self }
    }

    /// The same whose steps make their products, backward passes included, in this precision: `f32` without. It ends with the step.
    ///
    /// # Errors
    /// If the network's device does not have it.
    pub fn with_precision(self, precision: Precision) -> Result<Self, Refused> {
        match self.network.device().refusal(precision) {
            Some(refused) => Err(refused),
            None => Ok(Self { precision, ..self }),
        }
    }

    /// What the products of a step are made in.
    pub fn precision(&self) -> Precision {
        self.precision
    }

    /// The next stage: another objective and other settings, from where this one ended. The optimizer's moments start again, the
    /// moving average goes on.
    pub fn next_stage<O2>(mut self, objective: O2, settings: TrainerConfig) -> Trainer<N, O2, S, P, T, E, D> {
        self.optimizer.restart();
        let Self { network, diffusion, times, optimizer, ranks, engine, precision, .. } = self;
        Trainer {
            network,
            objective,
            diffusion,
            times,
            optimizer,
            settings,
            quantile_clip: None,
            ranks,
            engine,
            precision,
        }
    }

    /// Optimizer step `step` (counted from 1 within the stage) on the rows of `x`, data in `[-1, 1]` row by
    /// row; `stream` numbers the step over all stages.
    ///
    /// # Errors
    /// If the rows do not fit the network, or if the loss or a gradient is not finite: then nothing was changed.
    pub fn step(&mut self, step: u64, stream: u64, x: &[f64]) -> Result<StepReport> {
        self.conditioned_step(step, stream, x, None)
    }

    /// The same with the conditioning numbers of each row, which the network sees beside the time; without them it
    /// sees 0.
    ///
    /// # Errors
    /// As [`step`](Self::step), and unless each row has as many as the network has [`conditions`](crate::nn::Network::conditions).
    pub fn conditioned_step(
        &mut self,
        step: u64,
        stream: u64,
        x: &[f64],
        conditioning: Option<&[f64]>,
    ) -> Result<StepReport> {
        let device = self.network.device().clone();
        device.with_precision(self.precision, || self.take_step(step, stream, x, conditioning))?
    }

    fn take_step(
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
        let each = self.network.conditions();
        if let Some(numbers) = conditioning.filter(|numbers| numbers.len() != rows * each) {
            let expected = format!("{each} for each of {rows} rows");
            return Err(Error::value("conditioning numbers", numbers.len(), expected));
        }
        let mut rng = ChaCha8Rng::seed_from_u64(self.settings.seed);
        rng.set_stream(stream);
        let gammas = self.times.draw(rows, &mut rng);
        // Streams from the middle on are the probes', so that an objective's order changes no other draw.
        let mut probes = rng.clone();
        probes.set_stream(stream | PROBES);
        probes.set_word_pos(0);
        self.ranks.set_step(stream);
        let (share, own) = (rows / parts, parts / self.ranks.size());
        let mut found = StepLosses::default();
        let mut gradients = Tree::new(GradientSet::plus);
        for part in self.ranks.rank() * own..(self.ranks.rank() + 1) * own {
            let of = part * share..(part + 1) * share;
            if part > 0 {
                // The first goes on where the levels were drawn.
                let at = of.start as u128 * WORDS_OF_A_ROW;
                rng.set_word_pos(at);
                probes.set_word_pos(at);
            }
            let x = &x[of.start * dims..of.end * dims];
            let conditioning = conditioning.map(|numbers| &numbers[of.start * each..of.end * each]);
            let (losses, gradient) =
                self.part(x, conditioning, &gammas[of], rows, (&mut rng, &mut probes))?;
            found.extend(losses);
            gradients.push(gradient);
        }
        let StepLosses { losses, first_order, terms } =
            self.ranks.timed(0, || found.of_all(&self.ranks, stream))?;
        if losses.iter().any(|loss| !loss.is_finite()) {
            return Err(self.not_finite(step, stream, "loss", &gammas, &losses));
        }
        let Some(gradients) = gradients.sum() else {
            return Err(Error::value("accumulation", 0, "at least 1"));
        };
        let gradients = gradients.over(&self.ranks, self.engine.as_deref())?;
        let norm = match gradients.norm() {
            Ok(norm) => norm,
            Err(name) => {
                return Err(self.not_finite(step, stream, &format!("gradient of {name}"), &gammas, &losses));
            }
        };
        let rate = self.settings.rate.at(step);
        let mut optimizer = self.settings.optimizer;
        if let Some(clip) = &mut self.quantile_clip {
            optimizer.clip = Some(clip.limit(norm));
        }
        self.optimizer.update(&mut self.network, &gradients, norm, rate, &optimizer);
        // The density that each level was drawn from: an observation may change it.
        let pdf: Vec<f64> = gammas.iter().map(|&gamma| self.times.pdf(gamma)).collect();
        let mut observed = Vec::with_capacity(rows);
        for ((&gamma, loss), pdf) in gammas.iter().zip(&losses).zip(pdf) {
            self.times.observe(gamma, loss * pdf);
            observed.push((gamma.0, loss * pdf));
        }
        let mean = |losses: &[f64]| losses.iter().sum::<f64>() / rows as f64;
        let levels: Vec<f64> = gammas.iter().map(|gamma| gamma.0).collect();
        let terms = terms.iter().map(|term| TermReport::of(term, &levels)).collect();
        Ok(StepReport {
            loss: mean(&losses),
            first_order: mean(&first_order),
            terms,
            gradient_norm: norm,
            rate,
            rows: observed,
        })
    }

    /// The losses of one accumulation step and the gradients of their share of the mean in bits/dim.
    fn part(
        &self,
        x: &[f64],
        conditioning: Option<&[f64]>,
        gammas: &[Gamma],
        count: usize,
        (rng, probes): (&mut ChaCha8Rng, &mut ChaCha8Rng),
    ) -> Result<(StepLosses, GradientSet<E, D>)> {
        let shape = self.network.batch(gammas.len());
        let device = self.network.device();
        let eps: Vec<E> = x.iter().map(|_| E::of(rng.sample::<f64, _>(StandardNormal))).collect();
        let x: Vec<E> = x.iter().map(|&x| E::of(x)).collect();
        let pdf: Vec<f64> = gammas.iter().map(|&gamma| self.times.pdf(gamma)).collect();
        let (x, eps) = (device.upload(&x, shape), device.upload(&eps, shape));
        let problem = Matching::new(&self.diffusion, x, eps, gammas, &pdf)?;
        let times = problem.times();
        let mut pass = Pass::train(&times, rng).with_conditioning(conditioning);
        let passes = Passes::new(&self.network, &problem, &mut pass, probes);
        let Losses { rows, first_order, terms } = passes.evaluate(&self.objective)?;
        let losses = rows.as_vec().into_iter().map(Real::to64).collect();
        let bits = 1.0 / (count as f64 * self.network.dims() as f64 * std::f64::consts::LN_2);
        let gradients = (rows.sum::<(), _>() * E::of(bits)).backward();
        let gradients = GradientSet::of(&self.network, gradients);
        Ok((StepLosses { losses, first_order, terms }, gradients))
    }

    /// Names the step, what is not finite, the level of the row with the largest loss, and the rate.
    fn not_finite(&self, step: u64, stream: u64, what: &str, gammas: &[Gamma], losses: &[f64]) -> Error {
        let size = |loss: f64| if loss.is_finite() { loss } else { f64::INFINITY };
        let worst = gammas.iter().zip(losses).max_by(|a, b| size(*a.1).total_cmp(&size(*b.1)));
        Error::NonFinite(NonFinite {
            step: stream,
            what: what.to_owned(),
            gamma: worst.map_or(f64::NAN, |(gamma, _)| gamma.0),
            rate: self.settings.rate.at(step),
            rows: Vec::new(),
        })
    }
}
