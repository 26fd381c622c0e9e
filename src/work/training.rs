//! The training stages of a recipe, from a fresh network or from a checkpoint.

use super::learners::Learners;
use super::networks::fresh;
use super::objective::ByName;
use super::resume::Found;
use super::source::{Batch, Source};
use super::stage;
use crate::config::{self, Clip, OnNonFinite, Recipe};
use crate::data::{Position, Shuffle, Visit};
use crate::dequantization::{Dequantizer, Gaussian};
use crate::diffusion::DynDiffusion;
use crate::error::{Error, NonFinite, Result};
use crate::nn::DynNetwork;
use crate::progress::{HighOrderMetrics, StepMetrics, TermMetrics};
use crate::registry::{ComputeDevice, NetworkPlan, Registry};
use crate::run::{Checkpoints, MetricsLog, MetricsWriter, Observer, Observers, Phase, RunFolder};
use crate::train::{
    AdamW, AdamWSettings, CheckpointState, QuantileClip, Rate, RateDecay, StepReport, Trainer,
    TrainerSettings, encode, network_score,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use std::f64::consts::TAU;
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
pub(super) struct Training<'a> {
    pub(super) recipe: &'a Recipe,
    pub(super) registry: &'a Registry,
    pub(super) plan: &'a NetworkPlan,
    pub(super) run: &'a RunFolder,
    pub(super) rows: &'a Source,
    /// What identifies the rows.
    pub(super) fingerprint: Value,
    /// The checkpoint to go on from; without it the run is new.
    pub(super) from: Option<Found>,
    pub(super) observer: &'a mut dyn Observer,
}

/// What training goes on with: a network, its optimizer, where it stands and where checkpoints go.
type Start<D> = (DynNetwork<f32, D>, AdamW<f32, D>, CheckpointState, Checkpoints);

impl Training<'_> {
    /// Trains, and gives where it ended.
    pub(super) fn run<D: ComputeDevice>(mut self, device: &D) -> Result<Ended> {
        let done = self.stages(device);
        // What comes next needs buffers of other sizes.
        device.empty_cache();
        done
    }

    fn stages<D: ComputeDevice>(&mut self, device: &D) -> Result<Ended> {
        let (mut network, mut optimizer, mut state, mut checkpoints) = self.start(device)?;
        let writer = MetricsWriter::new(self.log(&mut state)?, self.recipe.log.every);
        let mut order = Shuffle::resume(self.rows.rows(), state.position)?;
        let stages: u64 = self.recipe.stage.iter().skip(state.stage).map(|stage| stage.steps).sum();
        // An imported run starts its first stage at the file's step.
        let total = state.step + stages - state.stage_step;
        let observer = &mut Observers::new().and(writer).and(&mut *self.observer);
        observer.start(&Phase { name: "training", unit: "steps", done: state.step, total })?;
        let diffusion = self.registry.diffusion(self.recipe)?;
        let fixed = fixed_terms(&diffusion, self.recipe, self.rows)?;
        let mut learners = Learners::new(self.recipe, self.registry, &diffusion, &state.dequantizers)?;
        for (index, stage) in self.recipe.stage.iter().enumerate().skip(state.stage) {
            let mut times = self.registry.time_sampler(self.recipe, &diffusion)?;
            if let Some(learned) = &state.time_sampler {
                times.restore(learned)?;
            }
            if index > state.stage {
                (state.stage, state.stage_step) = (index, 0);
                state.norms.clear();
                optimizer.restart();
            }
            let settings = settings(self.recipe, stage);
            let mut trainer =
                Trainer::new(network, ByName(stage.objective), diffusion.clone(), times, settings);
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
            while state.stage_step < stage.steps {
                let visits = order.next_batch((stage.batch * stage.accumulation) as usize);
                let Batch { x, conditioning, levels } = self.rows.batch(self.recipe, &visits)?;
                let (step, stream) = (state.stage_step + 1, state.step + 1);
                let taken = trainer.conditioned_step(step, stream, &x, conditioning.as_deref());
                let report = match of_batch(taken, &visits) {
                    Err(Error::NonFinite(at))
                        if stage.on_non_finite == OnNonFinite::Skip
                            && skipped_in_a_row < SKIPPED_IN_A_ROW =>
                    {
                        skipped_in_a_row += 1;
                        state.skipped += 1;
                        observer.message(&format!("{at}: skipped, {} so far", state.skipped));
                        None
                    }
                    taken => Some(taken?),
                };
                if let Some(report) = &report {
                    skipped_in_a_row = 0;
                    if let Some(plain) = levels.filter(|_| !learners.is_empty()) {
                        // As many images as one accumulation step has, which is what the memory is known to hold.
                        let share = &plain[..plain.len() / stage.accumulation as usize];
                        let score = |gamma, z: &[f64]| network_score(&trainer.network, &diffusion, gamma, z);
                        learners.learn(stream, share, report.rate, score)?;
                    }
                }
                state.step += 1;
                state.stage_step += 1;
                state.position = order.position();
                state.optimizer_step = trainer.optimizer.steps();
                state.time_sampler = trainer.times.state();
                state.seconds = before + started.elapsed().as_secs_f64();
                let dims = self.rows.shape().dims() as f64;
                let metrics = StepMetrics {
                    stage: index,
                    step: state.step,
                    loss: report.as_ref().map_or(f64::NAN, |report| report.loss / dims),
                    bits_per_dim: report.as_ref().map_or(f64::NAN, |report| {
                        (report.first_order / dims + fixed) / std::f64::consts::LN_2
                    }),
                    learning_rate: settings.rate.at(step),
                    gradient_norm: report.as_ref().map_or(f64::NAN, |report| report.gradient_norm),
                    seconds: state.seconds,
                    skipped: state.skipped,
                    high_order: report.as_ref().and_then(|report| high_order(report, dims)),
                };
                observer.step(&metrics)?;
                let stop = observer.stop().is_some();
                let done = state.stage_step == stage.steps;
                let saved = state.step.is_multiple_of(self.recipe.log.checkpoint_every) || done || stop;
                if saved {
                    observer.checkpoint(state.step)?;
                    state.dequantizers = learners.states();
                    state.norms = trainer.quantile_clip.as_ref().map_or_else(Vec::new, QuantileClip::norms);
                    let bytes = encode(&trainer.network, &trainer.optimizer, &state)?;
                    checkpoints.save(state.step, &bytes)?;
                }
                if stop && state.step < total {
                    observer.end()?;
                    return Ok(Ended { step: state.step, early: true });
                }
            }
            (network, optimizer) = (trainer.network, trainer.optimizer);
            match stage::measure(self.run, self.registry, index, state.step, observer) {
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
    fn start<D: ComputeDevice>(&mut self, device: &D) -> Result<Start<D>> {
        let mut network = fresh(self.plan, self.recipe.seed, device)?;
        let (folder, keep) = (self.run.checkpoints(), self.recipe.log.keep);
        if let Some(from) = self.from.take() {
            let checkpoint = from.checkpoint()?;
            checkpoint.load("parameters", &mut network)?;
            let optimizer = checkpoint.optimizer(&network)?;
            let state =
                CheckpointState { data: Some(self.fingerprint.clone()), ..checkpoint.state().clone() };
            for damaged in &from.damaged {
                let (path, step) = (from.path.display(), state.step);
                self.observer.message(&format!("{damaged}; goes on from {path}, step {step}"));
            }
            let last = (from.path == folder.join(Checkpoints::LAST)).then_some(state.step);
            let checkpoints = Checkpoints::new(folder, keep, last);
            checkpoints.remove_old()?;
            return Ok((network, optimizer, state, checkpoints));
        }
        let state = CheckpointState {
            network: self.plan.description().to_owned(),
            seed: self.recipe.seed,
            position: Position { seed: self.recipe.seed, visited: 0 },
            data: Some(self.fingerprint.clone()),
            schema: self.rows.schema().cloned(),
            ..CheckpointState::default()
        };
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

/// A step's report, or its error with the rows of its batch.
fn of_batch(taken: Result<StepReport>, visits: &[Visit]) -> Result<StepReport> {
    taken.map_err(|error| match error {
        Error::NonFinite(at) => {
            Error::NonFinite(NonFinite { rows: visits.iter().map(|visit| visit.index).collect(), ..at })
        }
        other => other,
    })
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

/// The VLB's reconstruction and prior terms in nats per dimension, which no network changes: their mean over the first
/// rows, so that a step's metrics estimate the whole VLB. Of rows that are no images, in the user's units.
fn fixed_terms(diffusion: &DynDiffusion, recipe: &Recipe, rows: &Source) -> Result<f64> {
    const ROWS: usize = 64;
    let visits: Vec<Visit> = (0..rows.rows().min(ROWS)).map(Visit::from).collect();
    let (start, dims) = (diffusion.range().min(), rows.shape().dims());
    let (terms, numbers) = match rows {
        Source::Images(images) => {
            let dequantizer = Gaussian::new(images.grid(), diffusion.level(start));
            let mut rng = ChaCha8Rng::seed_from_u64(recipe.seed);
            rng.set_stream(u64::MAX - 1);
            let pixels = images.batch(&visits)?;
            let terms = pixels.chunks_exact(dims).map(|row| {
                diffusion.prior_kl(&images.grid().centres(row)) - dequantizer.draw(row, &mut rng).log_decoder
            });
            (terms.sum::<f64>(), pixels.len())
        }
        Source::Table(table) => {
            let x = rows.batch(recipe, &visits)?.x;
            let reconstruction = 0.5 * dims as f64 * (1.0 + TAU.ln() + start.0);
            let terms = x.chunks_exact(dims).map(|row| diffusion.prior_kl(row) + reconstruction);
            (terms.map(|nats| nats - table.schema.log_units()).sum::<f64>(), x.len())
        }
    };
    Ok(terms / numbers as f64)
}

/// A stage's settings as the trainer takes them.
fn settings(recipe: &Recipe, stage: &config::Stage) -> TrainerSettings {
    TrainerSettings {
        seed: recipe.seed,
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
        optimizer: AdamWSettings {
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
