//! The training stages of a recipe, from a fresh network or from a checkpoint.

use super::learners::{Learners, States};
use super::networks::fresh;
use super::objective::ByName;
use super::source::{Batch, Source};
use super::stage;
use crate::config::{self, Recipe};
use crate::data::{Position, Shuffle, Visit};
use crate::dequantization::{Dequantizer, Gaussian};
use crate::diffusion::DynDiffusion;
use crate::error::{Error, Result};
use crate::nn::DynNetwork;
use crate::progress::{HighOrderMetrics, Progress, StepMetrics, TermMetrics};
use crate::registry::{ComputeDevice, NetworkPlan, Registry};
use crate::run::{MetricsLog, RunFolder};
use crate::train::{
    AdamW, AdamWSettings, Checkpoint, CheckpointState, Rate, RateDecay, StepReport, Trainer, TrainerSettings,
    network_score, save,
};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::f64::consts::TAU;
use std::fs;
use std::time::Instant;

/// Trains; gives the step at which it was interrupted, if it was.
pub(super) struct Training<'a> {
    pub(super) recipe: &'a Recipe,
    pub(super) registry: &'a Registry,
    pub(super) plan: &'a NetworkPlan,
    pub(super) run: &'a RunFolder,
    pub(super) rows: &'a Source,
    pub(super) resume: bool,
    pub(super) progress: &'a mut dyn Progress,
}

impl Training<'_> {
    /// Trains; gives the step at which it was interrupted, if it was.
    pub(super) fn run<D: ComputeDevice>(mut self, device: &D) -> Result<Option<u64>> {
        let done = self.stages(device);
        // What comes next needs buffers of other sizes.
        device.empty_cache();
        done
    }

    fn stages<D: ComputeDevice>(&mut self, device: &D) -> Result<Option<u64>> {
        let (mut network, mut optimizer, mut state) = self.start(device)?;
        let seconds = fs::read(self.run.metrics()).map_or(0.0, |_| self.seconds(state.step));
        state.seconds = seconds;
        let mut log = MetricsLog::open(&self.run.metrics(), state.step)?;
        let mut order = Shuffle::resume(self.rows.rows(), state.position)?;
        let stages: u64 = self.recipe.stage.iter().skip(state.stage).map(|stage| stage.steps).sum();
        // An imported run starts its first stage at the file's step.
        let total = state.step + stages - state.stage_step;
        self.progress.begin("training", "steps", state.step, total);
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
                optimizer.restart();
            }
            let settings = settings(self.recipe, stage);
            let mut trainer =
                Trainer::new(network, ByName(stage.objective), diffusion.clone(), times, settings);
            trainer.optimizer = optimizer;
            let started = Instant::now();
            let before = state.seconds;
            while state.stage_step < stage.steps {
                let visits = order.next_batch((stage.batch * stage.accumulation) as usize);
                let Batch { x, conditioning, levels } = self.rows.batch(self.recipe, &visits)?;
                let (step, stream) = (state.stage_step + 1, state.step + 1);
                let report = trainer.conditioned_step(step, stream, &x, conditioning.as_deref())?;
                if let Some(plain) = levels.filter(|_| !learners.is_empty()) {
                    // As many images as one accumulation step has, which is what the memory is known to hold.
                    let share = &plain[..plain.len() / stage.accumulation as usize];
                    let score = |gamma, z: &[f64]| network_score(&trainer.network, &diffusion, gamma, z);
                    learners.learn(stream, share, report.rate, score)?;
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
                    loss: report.loss / dims,
                    bits_per_dim: (report.first_order / dims + fixed) / std::f64::consts::LN_2,
                    learning_rate: report.rate,
                    gradient_norm: report.gradient_norm,
                    seconds: state.seconds,
                    high_order: high_order(&report, dims),
                };
                self.progress.step(&metrics);
                let stop = self.progress.interrupted();
                let done = state.stage_step == stage.steps;
                if state.step.is_multiple_of(self.recipe.log.every) || done || stop {
                    log.append(&metrics)?;
                }
                if state.step.is_multiple_of(self.recipe.log.checkpoint_every) || done || stop {
                    state.dequantizers = learners.states();
                    save(&self.run.last_checkpoint(), &trainer.network, &trainer.optimizer, &state)?;
                }
                if stop && state.step < total {
                    self.progress.end();
                    return Ok(Some(state.step));
                }
            }
            (network, optimizer) = (trainer.network, trainer.optimizer);
            stage::measure(self.run, self.registry, index, self.progress)?;
        }
        self.progress.end();
        Ok(None)
    }

    /// Checks the checkpoint that a resumed run goes on from. Touches nothing.
    ///
    /// # Errors
    /// If it is damaged, or of another network.
    pub(super) fn check(run: &RunFolder, network: &str) -> Result<()> {
        let path = run.last_checkpoint();
        if !path.exists() {
            return Ok(());
        }
        let bytes = fs::read(&path).map_err(Error::io(&path, "read"))?;
        Checkpoint::parse(&path, &bytes)?.check_network(network)
    }

    /// The network, the optimizer and the state to go on from.
    fn start<D: ComputeDevice>(
        &mut self,
        device: &D,
    ) -> Result<(DynNetwork<f32, D>, AdamW<f32, D>, CheckpointState)> {
        let mut network = fresh(self.plan, self.recipe.seed, device)?;
        let description = self.plan.description().to_owned();
        let path = self.run.last_checkpoint();
        if self.resume && path.exists() {
            let bytes = fs::read(&path).map_err(Error::io(&path, "read"))?;
            let checkpoint = Checkpoint::parse(&path, &bytes)?;
            checkpoint.check_network(&description)?;
            checkpoint.load("parameters", &mut network)?;
            let optimizer = checkpoint.optimizer(&network)?;
            return Ok((network, optimizer, checkpoint.state().clone()));
        }
        fs::create_dir_all(self.run.checkpoints()).map_err(Error::io(self.run.checkpoints(), "create"))?;
        let state = CheckpointState {
            network: description,
            step: 0,
            stage: 0,
            stage_step: 0,
            optimizer_step: 0,
            seed: self.recipe.seed,
            position: Position { seed: self.recipe.seed, visited: 0 },
            seconds: 0.0,
            time_sampler: None,
            dequantizers: States::new(),
            schema: self.rows.schema().cloned(),
        };
        let optimizer = AdamW::new(&network);
        Ok((network, optimizer, state))
    }

    /// Seconds of training up to `step`, as the metrics have it.
    fn seconds(&self, step: u64) -> f64 {
        let metrics = MetricsLog::read(&self.run.metrics()).unwrap_or_default();
        metrics.iter().rev().find(|metrics| metrics.step <= step).map_or(0.0, |metrics| metrics.seconds)
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
            clip: stage.clip,
        },
    }
}
