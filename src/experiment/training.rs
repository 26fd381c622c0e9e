//! The loop: the stages of an experiment, from a fresh network or from a checkpoint.
//!
//! Every rank goes through it, and knows and decides the same; what is written, rank 0 writes.

use super::learners::Learners;
use super::step_metrics::metrics;
use super::validation::Validating;
use super::{Experiment, stage, together};
use crate::config::{self, Clip, OnNonFinite};
use crate::data::{Batch, Rows};
use crate::error::{Error, Result};
use crate::likelihood::fixed_terms;
use crate::nn::DynNetwork;
use crate::registry::ComputeDevice;
use crate::run::{
    Checkpoints, Found, LevelWriter, MetricsLog, MetricsWriter, Observer, Observers, Phase, RowLosses,
    RunFolder,
};
use crate::train::{
    AdamW, AdamWConfig, Best, CheckpointState, GradientSum, QuantileClip, Rate, RateDecay, Trainer,
    TrainerConfig, encode, network_score,
};
use serde_json::Value;
use std::sync::Arc;
use std::time::Instant;

/// So many steps in a row that are not finite end a stage that skips them: it is lost.
const SKIPPED_IN_A_ROW: u64 = 100;

/// Where training ended.
pub(super) struct Ended {
    /// The step of the last checkpoint.
    pub(super) step: u64,
    /// Whether the end was asked for before it was there.
    pub(super) early: bool,
}

/// Trains, and gives where it ended.
pub(super) struct Training<'a, D: ComputeDevice> {
    pub(super) experiment: &'a Experiment<D>,
    pub(super) run: &'a RunFolder,
    pub(super) rows: &'a Rows,
    /// Those that are held back for validation.
    pub(super) validation: Option<Rows>,
    /// The network in words.
    pub(super) network: String,
    /// What identifies the rows.
    pub(super) fingerprint: Value,
    /// The checkpoint to go on from; without it the run is new.
    pub(super) from: Option<Found>,
    /// What adds the gradients of several ranks on their devices.
    pub(super) engine: Option<Arc<dyn GradientSum<f32, D>>>,
    /// Whether it is trained for longer than its recipe said, which patience that has come to its end does not prevent.
    pub(super) is_longer: bool,
    pub(super) observer: &'a mut dyn Observer,
}

/// What training goes on with: a network, its optimizer, where it stands, and of rank 0 where checkpoints go.
type Start<D> = (DynNetwork<f32, D>, AdamW<f32, D>, CheckpointState, Option<Checkpoints>);

impl<D: ComputeDevice> Training<'_, D> {
    /// Trains, and gives where it ended.
    pub(super) fn run(mut self) -> Result<Ended> {
        let done = self.stages();
        // What comes next needs buffers of other sizes.
        self.experiment.device.empty_cache();
        done
    }

    fn stages(&mut self) -> Result<Ended> {
        let (mut network, mut optimizer, mut state, mut checkpoints) = self.start()?;
        let parts = &self.experiment.parts;
        let recipe = &parts.recipe;
        let ranks = &self.experiment.ranks;
        let stages: u64 = recipe.stage.iter().skip(state.stage).map(|stage| stage.steps).sum();
        // An imported run starts its first stage at the file's step.
        let total = state.step + stages - state.stage_step;
        let validating = recipe.validation.as_ref().zip(self.validation.take());
        let validating = validating.map(|(how, rows)| Validating { how, rows, parts });
        let is_enough = |state: &CheckpointState| validating.as_ref().is_some_and(|it| it.is_enough(state));
        let mut all = Observers::new();
        if ranks.is_first() {
            let writer = MetricsWriter::new(self.log(&mut state)?, recipe.log.every);
            all = all.and(writer).and(LevelWriter::open(
                &self.run.levels(),
                state.step,
                parts.diffusion.range(),
            )?);
        }
        let observer = &mut all.and(&mut *self.observer);
        observer.start(&Phase { name: Phase::TRAINING, unit: "steps", done: state.step, total })?;
        let diffusion = &parts.diffusion;
        let fixed = fixed_terms(diffusion, self.rows, recipe.seed)?;
        let dims = self.rows.shape().dims() as f64;
        let mut learners = Learners::new(parts, &state.dequantizers)?;
        let mut enough = is_enough(&state);
        for (index, stage) in recipe.stage.iter().enumerate().skip(state.stage) {
            let mut times = parts.times()?;
            if let Some(learned) = &state.time_sampler {
                times.restore(learned)?;
            }
            if index > state.stage {
                state.next_stage();
                optimizer.restart();
            }
            let settings = settings(recipe.seed, stage);
            let objective = self.experiment.objective(index)?;
            let trainer = Trainer::new(network, objective, diffusion.clone(), times, settings);
            let trainer = trainer.with_precision(recipe.precision)?.with_ranks(ranks.clone())?;
            let mut trainer = trainer.with_gradient_sum(self.engine.clone());
            trainer.optimizer = optimizer;
            trainer.quantile_clip = match stage.clip {
                Some(Clip::Quantile(clip)) => {
                    Some(QuantileClip::new(clip.quantile, clip.window as usize, &state.norms))
                }
                _ => None,
            };
            let started = Instant::now();
            let before = state.seconds;
            let mut skipped_in_a_row = 0;
            let batches = self.rows.batches(state.position, (stage.batch * stage.accumulation) as usize)?;
            let mut batches = batches.take((stage.steps - state.stage_step) as usize);
            while state.pending.is_some() || !enough {
                let mut numbers = match state.pending.take() {
                    Some(numbers) => numbers,
                    None => {
                        let Some(batch) = batches.next().transpose()? else { break };
                        let report = match trainer.take(&mut state, &batch) {
                            Err(Error::NonFinite(at))
                                if stage.on_non_finite == OnNonFinite::Skip
                                    && skipped_in_a_row < SKIPPED_IN_A_ROW =>
                            {
                                skipped_in_a_row += 1;
                                state.skip(&batch);
                                observer.message(&format!("{at}: skipped, {} so far", state.skipped));
                                None
                            }
                            taken => Some(taken?),
                        };
                        if let Some(report) = &report {
                            skipped_in_a_row = 0;
                            let rows = report.rows.iter().map(|(gamma, loss)| (*gamma, loss / dims));
                            let rows: Vec<_> = rows.collect();
                            observer.losses(&RowLosses { stage: index, step: state.step, rows: &rows })?;
                            if let Some(share) = share(&batch, stage).filter(|_| !learners.is_empty()) {
                                let score =
                                    |gamma, z: &[f64]| network_score(&trainer.network, diffusion, gamma, z);
                                learners.learn(state.step, share, report.rate, score)?;
                            }
                        }
                        state.seconds = before + started.elapsed().as_secs_f64();
                        let rate = settings.rate.at(state.stage_step);
                        metrics(index, &state, report.as_ref(), (dims, fixed, rate))
                    }
                };
                let mut is_best = false;
                if let Some(due) = validating.as_ref().filter(|it| it.how.is_due(state.step, total)) {
                    let average = trainer.optimizer.averaged(&trainer.network);
                    let measure = || due.measure(average, learners.states(), &state, &mut numbers, observer);
                    // Only it has to know of the checkpoints; and devices round each in its own way.
                    match together::of_first(ranks, measure) {
                        // The step's line is written when it is measured.
                        Err(Error::Interrupted) => {
                            numbers.validation = None;
                            state.pending = Some(numbers.clone());
                        }
                        found => (state.best, is_best) = found?,
                    }
                    enough = is_enough(&state);
                }
                let is_pending = state.pending.is_some();
                if !is_pending {
                    observer.step(&numbers)?;
                }
                let stop = ranks.any(is_pending || observer.stop().is_some())?;
                let done = state.stage_step == stage.steps || enough;
                let is_saved = state.step.is_multiple_of(recipe.log.checkpoint_every) || done || stop;
                if is_saved || is_best {
                    // The next stage begins with it, on every rank.
                    state.dequantizers = learners.states();
                    state.time_sampler = trainer.times.state();
                }
                if let Some(checkpoints) = checkpoints.as_mut().filter(|_| is_saved || is_best) {
                    observer.checkpoint(state.step)?;
                    let bytes = trainer.encode(&mut state)?;
                    if is_best {
                        checkpoints.save_best(&bytes)?;
                    }
                    if is_saved {
                        checkpoints.save(state.step, &bytes)?;
                    }
                }
                if is_pending || stop && state.step < total {
                    observer.end()?;
                    return Ok(Ended { step: state.step, early: true });
                }
            }
            (network, optimizer) = (trainer.network, trainer.optimizer);
            let measure = || stage::measure(self.experiment, self.run, index, state.step, observer);
            match together::of_first(ranks, measure) {
                Err(Error::Interrupted) => {
                    observer.end()?;
                    return Ok(Ended { step: state.step, early: true });
                }
                measured => measured?,
            }
            if let Some(Best { since, .. }) = state.best.filter(|_| enough && state.step < total) {
                let step = state.step;
                observer
                    .message(&format!("ends at step {step}: the last {since} measurements were no better"));
                break;
            }
        }
        observer.end()?;
        Ok(Ended { step: state.step, early: false })
    }

    /// The network, the optimizer and the state to go on from, and where checkpoints go. A new run has its first checkpoint,
    /// and is one, when this is done.
    fn start(&mut self) -> Result<Start<D>> {
        let mut network = self.experiment.fresh()?;
        let recipe = &self.experiment.parts.recipe;
        let (folder, keep) = (self.run.checkpoints(), recipe.log.keep);
        let is_first = self.experiment.ranks.is_first();
        if let Some(from) = self.from.take() {
            let checkpoint = from.checkpoint()?;
            checkpoint.load("parameters", &mut network)?;
            let optimizer = checkpoint.optimizer(&network)?;
            let mut state =
                CheckpointState { data: Some(self.fingerprint.clone()), ..checkpoint.state().clone() };
            for corrupt in &from.corrupt {
                let (path, step) = (from.path.display(), state.step);
                self.observer.message(&format!("{corrupt}; goes on from {path}, step {step}"));
            }
            let last = (from.path == folder.join(Checkpoints::LAST)).then_some(state.step);
            let mut checkpoints = is_first.then(|| Checkpoints::new(folder, keep, last));
            checkpoints.iter().try_for_each(Checkpoints::remove_old)?;
            if let Some(best) = state.best.as_mut().filter(|best| self.is_longer && best.since > 0) {
                // Patience begins anew, also where this is ended before its first step.
                best.since = 0;
                if let Some(checkpoints) = &mut checkpoints {
                    checkpoints.save(state.step, &encode(&network, &optimizer, &state)?)?;
                }
            }
            return Ok((network, optimizer, state, checkpoints));
        }
        let state = CheckpointState {
            precision: recipe.precision,
            ..CheckpointState::of(&self.network, recipe.seed, self.rows, self.fingerprint.clone())
        };
        let optimizer = AdamW::new(&network);
        if !is_first {
            return Ok((network, optimizer, state, None));
        }
        let mut checkpoints = Checkpoints::new(folder, keep, None);
        checkpoints.save(0, &encode(&network, &optimizer, &state)?)?;
        self.run.begin()?;
        Ok((network, optimizer, state, Some(checkpoints)))
    }

    /// The metrics so far, which also know the seconds of training.
    fn log(&mut self, state: &mut CheckpointState) -> Result<MetricsLog> {
        let log = MetricsLog::open(&self.run.metrics(), state.step)?;
        let last = log.last().map_or(state.start, |metrics| metrics.step);
        if last < state.step && state.pending.is_none() {
            let (path, step) = (self.run.metrics(), state.step);
            self.observer.message(&format!(
                "{}: ends at step {last}, before the checkpoint's step {step}: the lines between them are lost",
                path.display()
            ));
        }
        state.seconds = log.last().map_or(0.0, |metrics| metrics.seconds);
        Ok(log)
    }
}

/// What dequantizers learn from: as many images of a batch as one accumulation step has, which is what the memory is known to hold.
fn share<'b>(batch: &'b Batch, stage: &config::Stage) -> Option<&'b [u16]> {
    let plain = batch.levels.as_deref()?;
    Some(&plain[..plain.len() / stage.accumulation as usize])
}

/// A stage's settings as the trainer takes them.
fn settings(seed: u64, stage: &config::Stage) -> TrainerConfig {
    TrainerConfig {
        seed,
        accumulation: stage.accumulation as usize,
        rate: Rate {
            peak: stage.learning_rate,
            warmup: stage.warmup,
            decay: match stage.decay {
                config::Decay::Constant => RateDecay::Constant,
                config::Decay::Cosine(cosine) => RateDecay::Cosine { final_rate: cosine.final_rate },
            },
            steps: stage.steps,
        },
        optimizer: AdamWConfig {
            beta1: stage.beta1,
            beta2: stage.beta2,
            epsilon: stage.epsilon,
            weight_decay: stage.weight_decay,
            ema: stage.ema,
            clip: match stage.clip {
                Some(Clip::Norm(norm)) => Some(norm),
                _ => None,
            },
        },
    }
}
