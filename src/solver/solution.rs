//! What a solve gives: the states, and for each row how it went.

use std::fmt;

/// The outcome of a solve.
#[derive(Clone, Debug, PartialEq)]
pub struct Solution<Y> {
    /// Each row at the end, or, where it failed, at its last good step.
    pub y: Y,
    /// How each row went.
    pub rows: Vec<RowReport>,
}

impl<Y> Solution<Y> {
    /// Whether every row finished.
    pub fn finished(&self) -> bool {
        self.failures().next().is_none()
    }

    /// The rows that failed: index, reason and report.
    pub fn failures(&self) -> impl Iterator<Item = (usize, Failure, &RowReport)> {
        self.rows.iter().enumerate().filter_map(|(i, row)| match row.status {
            RowStatus::Finished => None,
            RowStatus::Failed(failure) => Some((i, failure, row)),
        })
    }
}

/// How one row went.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RowReport {
    /// Whether it reached the end.
    pub status: RowStatus,
    /// The time that it reached.
    pub t: f64,
    /// Evaluations of the field, its own only: none while it waits for the rest of its batch.
    pub evaluations: u32,
    /// Steps taken.
    pub accepted: u32,
    /// Steps whose error was too large or not a number.
    pub rejected: u32,
}

/// Whether a row reached the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RowStatus {
    /// It did.
    Finished,
    /// It did not; its state is that of its last good step.
    Failed(Failure),
}

/// Why a row did not reach the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The state or its error stayed NaN or infinite, however short the step.
    NonFinite,
    /// It used up its attempts.
    StepLimit,
    /// The tolerances would need steps below the smallest allowed.
    StepTooSmall,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NonFinite => "the state is not finite",
            Self::StepLimit => "the step limit is reached",
            Self::StepTooSmall => "the step is too small",
        })
    }
}

impl fmt::Display for RowStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Finished => f.write_str("finished"),
            Self::Failed(failure) => write!(f, "failed: {failure}"),
        }
    }
}
