//! Long work in numbers: a training step, and how far an estimate has come.

use crate::error::{Error, Result};
use serde::{Deserialize, Serialize};

/// One training step in numbers; also a line of `metrics.jsonl`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(from = "Line")]
pub struct StepMetrics {
    /// The stage, counted from 0.
    pub stage: usize,
    /// The step, counted from 1 over all stages.
    pub step: u64,
    /// The loss that was minimised, in nats per dimension.
    pub loss: f64,
    /// The VLB that the step's rows estimate, in bits/dim.
    pub bits_per_dim: f64,
    /// The learning rate of the step.
    pub learning_rate: f64,
    /// The global norm of the gradient before clipping.
    pub gradient_norm: f64,
    /// Seconds of training so far, over all sessions.
    pub seconds: f64,
    /// Steps so far that were passed over because a loss or gradient was not finite, this one too if its loss is NaN.
    #[serde(skip_serializing_if = "is_zero")]
    pub skipped: u64,
    /// What was measured after the step on rows that are not trained on, where that was due.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validation: Option<ValidationMetrics>,
    /// The first-order loss of the step's rows and its high-order terms, where the stage has any.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub high_order: Option<HighOrderMetrics>,
}

/// [`StepMetrics`] as they are read: field by field, where serde would keep the whole line until it knows what of it is of a high order.
#[derive(Deserialize)]
#[serde(rename = "StepMetrics")]
struct Line {
    stage: usize,
    step: u64,
    #[serde(deserialize_with = "null_is_nan")]
    loss: f64,
    #[serde(deserialize_with = "null_is_nan")]
    bits_per_dim: f64,
    learning_rate: f64,
    #[serde(deserialize_with = "null_is_nan")]
    gradient_norm: f64,
    seconds: f64,
    #[serde(default)]
    skipped: u64,
    validation: Option<ValidationMetrics>,
    #[serde(default, deserialize_with = "null_is_some_nan")]
    first_order: Option<f64>,
    terms: Option<Vec<TermMetrics>>,
}

impl From<Line> for StepMetrics {
    fn from(line: Line) -> Self {
        let high_order = line.first_order.zip(line.terms);
        Self {
            stage: line.stage,
            step: line.step,
            loss: line.loss,
            bits_per_dim: line.bits_per_dim,
            learning_rate: line.learning_rate,
            gradient_norm: line.gradient_norm,
            seconds: line.seconds,
            skipped: line.skipped,
            validation: line.validation,
            high_order: high_order.map(|(first_order, terms)| HighOrderMetrics { first_order, terms }),
        }
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// What the averaged weights after a step give on rows that are held back from training; in bits/dim.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ValidationMetrics {
    /// The VLB, by which the best is chosen.
    #[serde(deserialize_with = "null_is_nan")]
    pub vlb: f64,
    /// Its standard error over the rows. Every measurement has the same rows and draws, so that a difference of two is known better.
    #[serde(deserialize_with = "null_is_nan")]
    pub vlb_standard_error: f64,
    /// The ODE's bound on the first of the rows, in few steps, where it is measured.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "null_is_some_nan")]
    pub ode: Option<f64>,
    /// The step of the best VLB so far, this one too.
    pub best_step: u64,
}

/// What a high-order stage adds to a step's metrics; in nats per dimension.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HighOrderMetrics {
    /// The first-order loss.
    #[serde(deserialize_with = "null_is_nan")]
    pub first_order: f64,
    /// Each high-order term, before its weight.
    pub terms: Vec<TermMetrics>,
}

/// A high-order term of a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct TermMetrics {
    /// The order: 2 or 3.
    pub order: u8,
    /// Its name: `trace`, `jacobian`, `trace_gradient`.
    pub name: String,
    /// Its loss, which the target's variance keeps from 0.
    #[serde(deserialize_with = "null_is_nan")]
    pub loss: f64,
    /// An unbiased estimate of the part of its excess that all states of a level have in common (see
    /// [`Term::common_excess`](crate::objective::Term::common_excess)); a step's value is noisy and may be negative.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excess: Option<f64>,
}

/// JSON has no number that is not finite and writes null for it.
pub(crate) fn null_is_nan<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

/// The same of a number that may be left out: null is one that is not finite.
pub(crate) fn null_is_some_nan<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<f64>, D::Error> {
    null_is_nan(deserializer).map(Some)
}

/// Who hears how far an estimate or a draw of samples has come, and may ask it to end.
///
/// A run's [`Observer`](crate::run::Observer)s hear of it through `Watched`.
pub trait Progress {
    /// `done` rows have ended, with the mean bits/dim so far.
    fn advance(&mut self, done: u64, bits_per_dim: Option<f64>);

    /// Whether the work, which can only be done again, should end at once: it then gives [`Error::Interrupted`].
    fn interrupted(&self) -> bool {
        false
    }

    /// [`advance`](Self::advance), or the end if that was asked for.
    ///
    /// # Errors
    /// [`Error::Interrupted`].
    fn advance_or_end(&mut self, done: u64, bits_per_dim: Option<f64>) -> Result<()> {
        self.advance(done, bits_per_dim);
        if self.interrupted() { Err(Error::Interrupted) } else { Ok(()) }
    }
}

/// Nobody watches.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silent;

impl Progress for Silent {
    fn advance(&mut self, _done: u64, _bits_per_dim: Option<f64>) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_comes_back_with_and_without_terms_of_high_order() {
        let first = r#"{"stage":1,"step":7,"loss":null,"bits_per_dim":3.5,"learning_rate":0.1,"gradient_norm":1.0,"seconds":2.0"#;
        let terms = r#"[{"order":2,"name":"trace","loss":0.5},{"order":3,"name":"trace_gradient","loss":null,"excess":-0.1}]"#;
        let validation = r#""skipped":2,"validation":{"vlb":3.0,"vlb_standard_error":null,"best_step":7}"#;
        let high = format!(r#""first_order":0.25,"terms":{terms}"#);
        for line in [
            format!("{first}}}"),
            format!("{first},{high}}}"),
            format!(r#"{first},"first_order":null,"terms":[]}}"#),
            format!("{first},{validation},{high}}}"),
        ] {
            let metrics: StepMetrics = serde_json::from_str(&line).unwrap();
            assert_eq!(metrics.high_order.is_some(), line.contains("terms"));
            assert_eq!(serde_json::to_string(&metrics).unwrap(), line);
        }
        let half: StepMetrics = serde_json::from_str(&format!(r#"{first},"first_order":1.0}}"#)).unwrap();
        assert_eq!(half.high_order, None);
    }
}
