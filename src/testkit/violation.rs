//! A law that does not hold, in one line.

use crate::error::Error;
use std::fmt::{self, Debug, Display};

/// What a law says of its subject.
pub type Verdict = Result<(), Violation>;

/// A law that does not hold: which one, of what, where, and what was found instead of what.
///
/// `Debug` prints the same line as `Display`, so that a test that returns a [`Verdict`] fails with it.
#[derive(Clone, PartialEq, thiserror::Error)]
#[error("{kind} law `{law}`: {subject} at {place}: found {found}, expected {expected}")]
#[non_exhaustive]
pub struct Violation {
    /// The trait's room: "parameterization", "time sampler", ...
    pub kind: &'static str,
    /// The law's name, as in the trait's documentation.
    pub law: &'static str,
    /// What broke it, as `Debug` shows it.
    pub subject: Box<str>,
    /// The level, the row, the problem.
    pub place: Box<str>,
    /// What was found there.
    pub found: Box<str>,
    /// What the law demands.
    pub expected: Box<str>,
}

impl Debug for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Display::fmt(self, f)
    }
}

/// A law about to be checked on a subject: it makes the violations' lines.
#[derive(Clone, Debug)]
pub struct Law {
    kind: &'static str,
    name: &'static str,
    subject: Box<str>,
}

/// The longest subject that a line shows.
const SHOWN: usize = 160;

impl Law {
    /// The law `name` of a `kind`, on `subject`.
    pub fn new(kind: &'static str, name: &'static str, subject: &dyn Debug) -> Self {
        let mut subject = format!("{subject:?}");
        if let Some((end, _)) = subject.char_indices().nth(SHOWN) {
            subject.truncate(end);
            subject.push_str("...");
        }
        Self { kind, name, subject: subject.into() }
    }

    /// The violation at `place`.
    pub fn broken(&self, place: impl Display, found: impl Display, expected: impl Display) -> Violation {
        Violation {
            kind: self.kind,
            law: self.name,
            subject: self.subject.clone(),
            place: place.to_string().into(),
            found: found.to_string().into(),
            expected: expected.to_string().into(),
        }
    }

    /// Upheld if `holds`.
    ///
    /// # Errors
    /// The violation, unless `holds`.
    pub fn holds(
        &self,
        place: impl Display,
        holds: bool,
        found: impl Display,
        expected: impl Display,
    ) -> Verdict {
        if holds { Ok(()) } else { Err(self.broken(place, found, expected)) }
    }

    /// Upheld if `found` is `expected` to within `allowed`; NaN never is.
    ///
    /// # Errors
    /// The violation otherwise.
    pub fn close(&self, place: impl Display, found: f64, expected: f64, allowed: f64) -> Verdict {
        // Equal infinities differ by NaN, but are equal.
        let holds = found == expected || (found - expected).abs() <= allowed;
        self.holds(place, holds, found, format_args!("{expected} to within {allowed:.1e}"))
    }

    /// Upheld if `found` is at most `limit`, or above it by no more than `allowed`; NaN never is.
    ///
    /// # Errors
    /// The violation otherwise.
    pub fn at_most(&self, place: impl Display, found: f64, limit: f64, allowed: f64) -> Verdict {
        let expected = format_args!("at most {limit}, to within {allowed:.1e}");
        self.holds(place, found <= limit || found <= limit + allowed, found, expected)
    }

    /// What the library answered; its refusal is a violation.
    ///
    /// # Errors
    /// The violation that says what was refused.
    pub fn given<T>(&self, place: impl Display, answer: Result<T, Error>) -> Result<T, Violation> {
        answer.map_err(|error| self.broken(place, format_args!("the error \"{error}\""), "no error"))
    }
}
