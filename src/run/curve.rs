//! `curve.png`: bits/dim over training.

use super::{Evaluated, MetricsLog, Observer, RunFolder};
use crate::error::Result;
use crate::plot;
use std::path::PathBuf;

/// Draws `curve.png` from the metrics once the trained model is measured, with its estimates beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Curve {
    metrics: PathBuf,
    plot_path: PathBuf,
}

impl Curve {
    /// Of a run.
    pub fn of(run: &RunFolder) -> Self {
        Self { metrics: run.metrics(), plot_path: run.curve() }
    }
}

impl Observer for Curve {
    fn evaluation(&mut self, found: Evaluated<'_>) -> Result<()> {
        let Evaluated::Run(outcome) = found else { return Ok(()) };
        let baseline = outcome.baseline.iter().map(|b| (b.name.clone(), b.bits_per_dim));
        let estimates = outcome.estimates.iter().map(|e| (format!("test, {}", e.name), e.bits_per_dim));
        let references: Vec<(String, f64)> = baseline.chain(estimates).collect();
        let metrics = MetricsLog::read(&self.metrics)?;
        // A run that was diverging from its first logged step has none.
        if !metrics.iter().any(|step| plot::is_drawn(step.bits_per_dim)) {
            return Ok(());
        }
        plot::curve(&metrics, &references)?.write(&self.plot_path)
    }
}
