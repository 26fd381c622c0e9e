//! A training step in numbers.

use crate::progress::{HighOrderMetrics, StepMetrics, TermMetrics};
use crate::train::{CheckpointState, StepReport};

/// A step in numbers; without a report it was passed over.
pub(super) fn metrics(
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
        validation: None,
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
