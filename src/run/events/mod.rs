//! Event files that TensorBoard reads: `tensorboard --logdir RUN`.
//!
//! | name | what it is |
//! |---|---|
//! | `train/...` | the numbers of a logged step |
//! | `validation/vlb`, `validation/ode` | what is measured meanwhile, in bits/dim |
//! | `stage/...`, `result/...` | the estimates after a stage and of the trained model, in bits/dim |
//! | `train/loss_over_gamma` | a histogram over noise levels: the mean loss of each bin since the checkpoint before, in nats per dimension |
//! | `samples` | `samples.png` |
//!
//! # Reference
//! TensorFlow's `tfrecord` format, and the messages `Event` and `Summary` of `tensorboard/compat/proto`.

mod message;
mod record;

use super::{Evaluated, LevelTally, Observer, Phase, RowLosses, RunFolder};
use crate::error::{Error, Result};
use crate::files::{self, Appended};
use crate::level::GammaRange;
use crate::progress::StepMetrics;
use message::Message;
use record::record;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

/// Writes what it hears into `events/`, a file each time that training begins or goes on.
#[derive(Debug)]
pub(crate) struct Events {
    folder: PathBuf,
    every: u64,
    file: Option<Appended>,
    tally: LevelTally,
}

impl Events {
    /// Of a run whose noise levels are of this range: every logged step, and everything else.
    pub(crate) fn of(run: &RunFolder, range: GammaRange) -> Self {
        let every = run.recipe().log.every;
        Self { folder: run.events(), every, file: None, tally: LevelTally::new(range) }
    }

    /// Begins the file of a session whose first step is `step`; what earlier ones have of it and later is void.
    fn begin(&mut self, step: u64) -> Result<()> {
        files::create_folder(&self.folder)?;
        let entries = std::fs::read_dir(&self.folder).map_err(Error::io(&self.folder, "read"))?;
        // Readers go through the files in the order of their names.
        let number = entries.count();
        let path = self.folder.join(format!("events.out.tfevents.{number:010}.idode"));
        let mut file = Appended::open(&path)?;
        let now = now();
        file.add(&record(&message::version(now).into_bytes()))?;
        file.add(&record(&message::start(now, step).into_bytes()))?;
        self.file = Some(file);
        Ok(())
    }

    fn add(&mut self, step: u64, values: Vec<Message>) -> Result<()> {
        match &mut self.file {
            Some(file) if !values.is_empty() => {
                file.add(&record(&message::summary(now(), step, values).into_bytes()))
            }
            _ => Ok(()),
        }
    }
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// The numbers of a step that have one.
fn scalars(step: &StepMetrics) -> Vec<Message> {
    let mut found = Vec::new();
    let mut add = |name: &str, value: f64| {
        if value.is_finite() {
            found.push(message::scalar(name, value));
        }
    };
    add("train/loss", step.loss);
    add("train/bits_per_dim", step.bits_per_dim);
    add("train/learning_rate", step.learning_rate);
    add("train/gradient_norm", step.gradient_norm);
    add("train/seconds", step.seconds);
    add("train/skipped", step.skipped as f64);
    if let Some(high) = &step.high_order {
        add("train/first_order", high.first_order);
        for term in &high.terms {
            add(&format!("train/{}", term.name), term.loss);
        }
    }
    if let Some(validation) = &step.validation {
        add("validation/vlb", validation.vlb);
        if let Some(ode) = validation.ode {
            add("validation/ode", ode);
        }
    }
    found
}

impl Observer for Events {
    fn start(&mut self, phase: &Phase<'_>) -> Result<()> {
        if self.file.is_none() && phase.name == Phase::TRAINING { self.begin(phase.done + 1) } else { Ok(()) }
    }

    fn step(&mut self, step: &StepMetrics) -> Result<()> {
        let is_logged = step.step.is_multiple_of(self.every) || step.validation.is_some();
        if is_logged { self.add(step.step, scalars(step)) } else { Ok(()) }
    }

    fn losses(&mut self, losses: &RowLosses<'_>) -> Result<()> {
        self.tally.add(losses);
        Ok(())
    }

    fn checkpoint(&mut self, step: u64) -> Result<()> {
        if let Some(found) = self.tally.take(step) {
            let width = found.width();
            let weights: Vec<f64> = found.bins.iter().map(|bin| width * bin.mean()).collect();
            let limits: Vec<f64> =
                (1..=weights.len()).map(|bin| found.gamma_min + width * bin as f64).collect();
            let histogram = message::histogram("train/loss_over_gamma", found.gamma_min, &limits, &weights);
            self.add(step, vec![histogram])?;
        }
        self.file.as_mut().map_or(Ok(()), Appended::sync)
    }

    fn evaluation(&mut self, found: Evaluated<'_>) -> Result<()> {
        let (step, values) = match found {
            Evaluated::Stage(record) => (record.step, vec![("stage/ode".to_owned(), record.bits_per_dim)]),
            Evaluated::Run(outcome) => {
                let of = |e: &crate::result::Estimate| (format!("result/{}", e.name), e.bits_per_dim);
                (outcome.step, outcome.estimates.iter().map(of).collect())
            }
        };
        let finite = values.iter().filter(|(_, value)| value.is_finite());
        let values = finite.map(|(name, value)| message::scalar(name, *value)).collect();
        self.add(step, values)?;
        self.file.as_mut().map_or(Ok(()), Appended::sync)
    }

    fn samples(&mut self, step: u64, picture: &Path) -> Result<()> {
        let png = std::fs::read(picture).map_err(Error::io(picture, "read"))?;
        // Width and height are the first numbers of a PNG's first chunk.
        let number = |at: usize| {
            png.get(at..at + 4).and_then(|bytes| Some(u32::from_be_bytes(bytes.try_into().ok()?)))
        };
        if let (Some(width), Some(height)) = (number(16), number(20)) {
            self.add(step, vec![message::picture("samples", (width, height), &png)])?;
        }
        self.file.as_mut().map_or(Ok(()), Appended::sync)
    }
}

#[cfg(test)]
mod tests;
