//! The loop: the stages of an experiment, from a fresh network or from a checkpoint.

use super::learners::Learners;
use super::{Experiment, stage};
use crate::config::{self, Clip, OnNonFinite};
use crate::data::{Batch, Rows};
use crate::error::{Error, Result};
use crate::likelihood::fixed_terms;
use crate::nn::DynNetwork;
use crate::progress::{HighOrderMetrics, StepMetrics, TermMetrics};
use crate::registry::ComputeDevice;
use crate::run::{Checkpoints, Found, MetricsLog, MetricsWriter, Observer, Observers, Phase, RunFolder};
use crate::train::{
    AdamW, AdamWConfig, CheckpointState, QuantileClip, Rate, RateDecay, StepReport, Trainer, TrainerConfig,
    encode, network_score,
};
use serde_json::Value;
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
    /// The network in words.
    pub(super) network: String,
    /// What identifies the rows.
    pub(super) fingerprint: Value,
    /// The checkpoint to go on from; without it the run is new.
    pub(super) from: Option<Found>,
    pub(super) observer: &'a mut dyn Observer,
}

/// What training goes on with: a network, its optimizer, where it stands and where checkpoints go.
type Start<D> = (DynNetwork<f32, D>, AdamW<f32, D>, CheckpointState, Checkpoints);

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
        let writer = MetricsWriter::new(self.log(&mut state)?, recipe.log.every);
        let stages: u64 = recipe.stage.iter().skip(state.stage).map(|stage| stage.steps).sum();
        // An imported run starts its first stage at the file's step.
        let total = state.step + stages - state.stage_step;
        let observer = &mut Observers::new().and(writer).and(&mut *self.observer);
        observer.start(&Phase { name: "training", unit: "steps", done: state.step, total })?;
        let diffusion = &parts.diffusion;
        let fixed = fixed_terms(diffusion, self.rows, recipe.seed)?;
        let dims = self.rows.shape().dims() as f64;
        let mut learners = Learners::new(parts, &state.dequantizers)?;
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
            let mut trainer = Trainer::new(network, objective, diffusion.clone(), times, settings);
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
            for batch in batches.take((stage.steps - state.stage_step) as usize) {
                let batch = batch?;
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
                    if let Some(share) = share(&batch, stage).filter(|_| !learners.is_empty()) {
                        let score = |gamma, z: &[f64]| network_score(&trainer.network, diffusion, gamma, z);
                        learners.learn(state.step, share, report.rate, score)?;
                    }
                }
                state.seconds = before + started.elapsed().as_secs_f64();
                let rate = settings.rate.at(state.stage_step);
                observer.step(&metrics(index, &state, report.as_ref(), (dims, fixed, rate)))?;
                let stop = observer.stop().is_some();
                let done = state.stage_step == stage.steps;
                if state.step.is_multiple_of(recipe.log.checkpoint_every) || done || stop {
                    observer.checkpoint(state.step)?;
                    state.dequantizers = learners.states();
                    let bytes = trainer.encode(&mut state)?;
                    checkpoints.save(state.step, &bytes)?;
                }
                if stop && state.step < total {
                    observer.end()?;
                    return Ok(Ended { step: state.step, early: true });
                }
            }
            (network, optimizer) = (trainer.network, trainer.optimizer);
            match stage::measure(self.experiment, self.run, index, state.step, observer) {
                Err(Error::Interrupted) => {
                    observer.end()?;
                    return Ok(Ended { step: state.step, early: true });
                }
                measured => measured?,
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
        if let Some(from) = self.from.take() {
            let checkpoint = from.checkpoint()?;
            checkpoint.load("parameters", &mut network)?;
            let optimizer = checkpoint.optimizer(&network)?;
            let state =
                CheckpointState { data: Some(self.fingerprint.clone()), ..checkpoint.state().clone() };
            for corrupt in &from.corrupt {
                let (path, step) = (from.path.display(), state.step);
                self.observer.message(&format!("{corrupt}; goes on from {path}, step {step}"));
            }
            let last = (from.path == folder.join(Checkpoints::LAST)).then_some(state.step);
            let checkpoints = Checkpoints::new(folder, keep, last);
            checkpoints.remove_old()?;
            return Ok((network, optimizer, state, checkpoints));
        }
        let state = CheckpointState::of(&self.network, recipe.seed, self.rows, self.fingerprint.clone());
        let optimizer = AdamW::new(&network);
        let mut checkpoints = Checkpoints::new(folder, keep, None);
        checkpoints.save(0, &encode(&network, &optimizer, &state)?)?;
        self.run.begin()?;
        Ok((network, optimizer, state, checkpoints))
    }

    /// The metrics so far, which also know the seconds of training.
    fn log(&mut self, state: &mut CheckpointState) -> Result<MetricsLog> {
        let log = MetricsLog::open(&self.run.metrics(), state.step)?;
        let last = log.last().map_or(state.start, |metrics| metrics.step);
        if last < state.step {
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

/// A step in numbers; without a report it was passed over.
fn metrics(
    stage: usize,
    state: &CheckpointState,
    report: Option<&StepReport>,
    (dims, fixed, learning_rate): (f64, f64, f64),
) -> StepMetrics {
    StepMetrics {
        stage,
        step: state.step,
        loss: report.map_or(f64::NAN, |report| report.loss / dims),
        bits_per_dim: report
            .map_or(f64::NAN, |report| (report.first_order / dims + fixed) / std::f64::consts::LN_2),
        learning_rate,
        gradient_norm: report.map_or(f64::NAN, |report| report.gradient_norm),
        seconds: state.seconds,
        skipped: state.skipped,
        high_order: report.and_then(|report| high_order(report, dims)),
    }
}

/// A high-order stage's part of a step's metrics.
fn high_order(report: &StepReport, dims: f64) -> Option<HighOrderMetrics> {
    let terms = report.terms.iter().map(|term| TermMetrics {
        order: term.order,
        name: term.name.clone(),
        loss: term.loss / dims,
        excess: term.excess.map(|excess| excess / dims),
    });
    let metrics = HighOrderMetrics { first_order: report.first_order / dims, terms: terms.collect() };
    (!metrics.terms.is_empty()).then_some(metrics)
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
