//! `metrics.jsonl`: a line per logged training step, continued after a resume.

use super::{Observer, StepLog, Stepped};
use crate::error::Result;
use crate::progress::StepMetrics;

/// `metrics.jsonl`, open.
pub type MetricsLog = StepLog<StepMetrics>;

impl Stepped for StepMetrics {
    const IS: &'static str = "the metrics of a step";

    fn step(&self) -> u64 {
        self.step
    }
}

/// Writes `metrics.jsonl`: a line every so many steps, of each step that was passed over, or measured on validation rows, and of each that has a checkpoint, which is then on
/// the disk before it.
#[derive(Debug)]
pub(crate) struct MetricsWriter {
    log: MetricsLog,
    every: u64,
    /// The last step, until its line is written.
    last: Option<StepMetrics>,
}

impl MetricsWriter {
    /// Goes on with a file.
    pub(crate) fn new(log: MetricsLog, every: u64) -> Self {
        Self { log, every, last: None }
    }
}

impl Observer for MetricsWriter {
    fn step(&mut self, step: &StepMetrics) -> Result<()> {
        if step.step.is_multiple_of(self.every) || step.loss.is_nan() || step.validation.is_some() {
            self.last = None;
            return self.log.append(step);
        }
        self.last = Some(step.clone());
        Ok(())
    }

    fn checkpoint(&mut self, step: u64) -> Result<()> {
        if let Some(last) = self.last.take_if(|last| last.step == step) {
            self.log.append(&last)?;
        }
        self.log.sync()
    }
}
