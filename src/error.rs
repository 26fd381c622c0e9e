//! What can go wrong on input a user can give.
//!
//! Every message is one line that names the file, key or index, what was found and what was
//! expected. The binary prints it and leaves with exit code 2.

use std::fmt;
use std::path::PathBuf;

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An input that cannot be used, or a file that cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be read, written or created.
    #[error("{path}: cannot {action}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried, as a verb: "read", "write", "create".
        action: &'static str,
        /// What the system answered.
        source: std::io::Error,
    },
    /// A value lies outside what is allowed.
    #[error("{name} = {found}: expected {expected}")]
    Value {
        /// The setting, key or argument.
        name: String,
        /// What was given.
        found: String,
        /// What is allowed.
        expected: String,
    },
    /// A name that nothing is registered under.
    #[error("{kind} \"{found}\" is unknown: expected one of {known}{hint}")]
    UnknownName {
        /// What the name should stand for: "schedule", "solver", ...
        kind: &'static str,
        /// What was given.
        found: String,
        /// Every known name, separated by commas.
        known: String,
        /// Empty, or " (did you mean ...?)".
        hint: String,
    },
    /// A file whose content is not what its format demands.
    #[error("{path}: {what}: found {found}, expected {expected}")]
    Format {
        /// The file.
        path: PathBuf,
        /// The part of it: a key, an entry, an offset.
        what: String,
        /// What is there.
        found: String,
        /// What should be there.
        expected: String,
    },
    /// Whoever watches the work asked for its end, where it has nothing to keep: see
    /// [`Progress::interrupted`](crate::progress::Progress::interrupted).
    #[error("interrupted")]
    Interrupted,
    /// A loss or a gradient that must be finite is not.
    #[error("{0}: the last good checkpoint is kept")]
    NonFinite(NonFinite),
    /// Training has made a parameter, its average or a moment that is no finite number.
    #[error("step {step}: {what} is not finite: no checkpoint of it is written, the one before is kept")]
    Diverged {
        /// The training step, counted from 1.
        step: u64,
        /// The tensor: its part and its name.
        what: String,
    },
}

/// Where training met what is not finite; nothing was changed by that step.
#[derive(Clone, Debug, PartialEq)]
pub struct NonFinite {
    /// The training step, counted from 1.
    pub step: u64,
    /// The loss, or the name of the parameter whose gradient it is.
    pub what: String,
    /// The noise level of the row with the largest loss.
    pub gamma: f64,
    /// The learning rate.
    pub rate: f64,
    /// The indices of the batch's images, where they are known.
    pub images: Vec<usize>,
}

impl fmt::Display for NonFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// So many indices are written out.
        const SHOWN: usize = 32;
        let Self { step, what, gamma, rate, images } = self;
        write!(f, "step {step}: {what} is not finite at gamma {gamma}, learning rate {rate}")?;
        if images.is_empty() {
            return Ok(());
        }
        let shown: Vec<String> = images.iter().take(SHOWN).map(usize::to_string).collect();
        write!(f, ", images {}", shown.join(", "))?;
        if images.len() > SHOWN { write!(f, " and {} more", images.len() - SHOWN) } else { Ok(()) }
    }
}

/// A text as a terminal may have it: what controls a terminal is written as Rust escapes it.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() { shown.extend(c.escape_default()) } else { shown.push(c) }
    }
    shown
}

impl Error {
    /// Wraps an input/output error with the path and the action.
    pub fn io(path: impl Into<PathBuf>, action: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, action, source }
    }

    /// A value outside what is allowed.
    pub fn value(name: impl Into<String>, found: impl ToString, expected: impl Into<String>) -> Self {
        let (name, expected) = (printable(&name.into()), printable(&expected.into()));
        Self::Value { name, found: printable(&found.to_string()), expected }
    }

    /// A file whose content is not what its format demands.
    pub fn format(
        path: impl Into<PathBuf>,
        what: impl Into<String>,
        found: impl ToString,
        expected: impl Into<String>,
    ) -> Self {
        Self::Format {
            path: path.into(),
            what: printable(&what.into()),
            found: printable(&found.to_string()),
            expected: printable(&expected.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_a_file_do_not_reach_the_terminal() {
        let line = Error::format("a.tar", "entry \u{1b}[31m", "x\r\ny\u{9b}2J", "\u{7}").to_string();
        assert_eq!(line, r"a.tar: entry \u{1b}[31m: found x\r\ny\u{9b}2J, expected \u{7}");
        let line = Error::value("na\0me", "caf\u{e9}", "a\tb").to_string();
        assert_eq!(line, "na\\u{0}me = caf\u{e9}: expected a\\tb");
    }

    #[test]
    fn a_step_that_is_not_finite_names_its_batch() {
        let at =
            |images: Vec<usize>| NonFinite { step: 7, what: "loss".into(), gamma: -1.5, rate: 0.25, images };
        let line = at(Vec::new()).to_string();
        assert_eq!(line, "step 7: loss is not finite at gamma -1.5, learning rate 0.25");
        assert_eq!(at(vec![4, 0, 9]).to_string(), line.clone() + ", images 4, 0, 9");
        let long = at((0..40).collect()).to_string();
        assert!(long.ends_with(", 30, 31 and 8 more"), "{long}");
    }
}
