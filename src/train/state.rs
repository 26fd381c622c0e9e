//! A loop of one's own: a step on a batch, and all that it goes on with in one value.

use super::{Checkpoint, CheckpointState, QuantileClip, StepReport, Trainer, encode};
use crate::data::{Batch, Position, Rows};
use crate::error::{Error, NonFinite, Result};
use crate::files::write_atomically;
use crate::nn::{Network, Parameters};
use crate::objective::Objective;
use crate::parameterization::Parameterization;
use crate::schedule::NoiseSchedule;
use crate::tensor::{Kernels, Real};
use crate::time::TimeSampler;
use serde_json::Value;
use std::path::Path;

impl CheckpointState {
    /// Before the first step of a network, which `network` describes, on rows; `seed` is that of their order and of every draw.
    ///
    /// # Errors
    /// If the file below the rows cannot be read.
    pub fn new(network: impl Into<String>, seed: u64, rows: &Rows) -> Result<Self> {
        Ok(Self::of(network, seed, rows, rows.fingerprint()?))
    }

    /// The same with the rows' fingerprint, which takes a while.
    pub(crate) fn of(network: impl Into<String>, seed: u64, rows: &Rows, fingerprint: Value) -> Self {
        Self {
            network: network.into(),
            seed,
            position: Position { seed, visited: 0 },
            data: Some(fingerprint),
            schema: rows.schema().cloned(),
            ..Self::default()
        }
    }

    /// The next stage is before its first step.
    pub fn next_stage(&mut self) {
        (self.stage, self.stage_step) = (self.stage + 1, 0);
        self.norms.clear();
    }

    /// A step on a batch has ended.
    fn pass(&mut self, batch: &Batch) {
        self.step += 1;
        self.stage_step += 1;
        self.position = batch.after;
    }

    /// A step on a batch was not taken, since a loss or a gradient of it is not finite: it counts all the same.
    pub fn skip(&mut self, batch: &Batch) {
        self.pass(batch);
        self.skipped += 1;
    }
}

impl<N, O, S, P, T, E, D> Trainer<N, O, S, P, T, E, D>
where
    E: Real,
    D: Kernels<E>,
    N: Network<E, D> + Parameters<E, D>,
    O: Objective<E, D, N>,
    S: NoiseSchedule,
    P: Parameterization,
    T: TimeSampler,
{
    /// The next optimizer step, on a batch of [`Rows::batches`]; `state` is then after it.
    ///
    /// ```
    /// # use idode::prelude::*;
    /// use dfdx::prelude::Cpu;
    /// use idode::data::Rows;
    /// use idode::likelihood::fixed_terms;
    /// use idode::train::CheckpointState;
    /// # use rand::SeedableRng;
    ///
    /// # fn main() -> Result<()> {
    /// # let folder = tempfile::tempdir().expect("a folder");
    /// # let path = folder.path().join("own.safetensors");
    /// let rows = Rows::images(digits::load(Split::Train)?);
    /// let range = GammaRange::for_levels(17);
    /// let diffusion = Diffusion::new(VariancePreserving, Velocity, range);
    /// let times = Stratified(Importance::for_weight(range, diffusion.weight_density())?);
    /// let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(0);
    /// let network = StaticMlp::<64, 32, f32, Cpu>::new(&MlpConfig::default(), &Cpu::default(), &mut rng)?;
    /// let rate = Rate { peak: 1e-3, warmup: 0, decay: RateDecay::Constant, steps: 4 };
    /// let settings = TrainerConfig { seed: 0, accumulation: 1, rate, optimizer: AdamWConfig::default() };
    /// let mut trainer = Trainer::new(network, FirstOrder, diffusion, times, settings);
    /// let mut state = match path.exists() {
    ///     true => trainer.resume(&path)?,
    ///     false => CheckpointState::new("mine", 0, &rows)?,
    /// };
    /// let fixed = fixed_terms(&trainer.diffusion, &rows, 0)?;
    /// for batch in rows.batches(state.position, 8)?.take(4) {
    ///     let report = trainer.take(&mut state, &batch?)?;
    ///     println!("{}: {} nats/dim", state.step, report.first_order / 64.0 + fixed);
    /// }
    /// trainer.save(&path, &mut state)?;
    /// assert_eq!(trainer.resume(&path)?.step, 4);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`conditioned_step`](Self::conditioned_step), a number that is not finite with the rows of its batch; the state is then what it was.
    pub fn take(&mut self, state: &mut CheckpointState, batch: &Batch) -> Result<StepReport> {
        let (step, stream) = (state.stage_step + 1, state.step + 1);
        let taken = self.conditioned_step(step, stream, &batch.x, batch.conditioning.as_deref());
        let report = taken.map_err(|error| match error {
            Error::NonFinite(at) => {
                let rows = batch.visits.iter().map(|visit| visit.index).collect();
                Error::NonFinite(NonFinite { rows, ..at })
            }
            other => other,
        })?;
        state.pass(batch);
        Ok(report)
    }

    /// The content of a checkpoint; `state` then has what the trainer's parts have learned.
    ///
    /// # Errors
    /// As [`encode`].
    pub fn encode(&self, state: &mut CheckpointState) -> Result<Vec<u8>> {
        state.optimizer_step = self.optimizer.steps();
        state.time_sampler = self.times.state();
        state.precision = self.precision();
        state.norms = self.quantile_clip.as_ref().map_or_else(Vec::new, QuantileClip::norms);
        encode(&self.network, &self.optimizer, state)
    }

    /// Writes a checkpoint, all of it or nothing.
    ///
    /// # Errors
    /// As [`encode`], and if the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>, state: &mut CheckpointState) -> Result<()> {
        write_atomically(path.as_ref(), &self.encode(state)?)
    }

    /// Goes on from a checkpoint that [`save`](Self::save) has written: its parameters, its optimizer and what its time sampler has learned.
    ///
    /// # Errors
    /// If it cannot be read, is not whole, or is of another network; nothing is then changed.
    pub fn resume(&mut self, path: impl AsRef<Path>) -> Result<CheckpointState> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
        let checkpoint = Checkpoint::parse(path, &bytes)?;
        let mut network = self.network.clone();
        checkpoint.load("parameters", &mut network)?;
        let optimizer = checkpoint.optimizer(&network)?;
        if let Some(learned) = &checkpoint.state().time_sampler {
            self.times.restore(learned)?;
        }
        if let Some(clip) = &mut self.quantile_clip {
            clip.restart(&checkpoint.state().norms);
        }
        (self.network, self.optimizer) = (network, optimizer);
        Ok(checkpoint.state().clone())
    }
}
