//! What can go wrong on input a user can give.
//!
//! Every message is one line that names the file, key or index, what was found and what was
//! expected. The binary prints it and leaves with exit code 2.

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
    /// A value that must be finite is not.
    #[error("step {step}: {what} is not finite at gamma {gamma}: the last good checkpoint is kept")]
    NonFinite {
        /// The training step, counted from 1.
        step: u64,
        /// The loss, or the name of the parameter whose gradient it is.
        what: String,
        /// The noise level of the row with the largest loss.
        gamma: f64,
    },
}

impl Error {
    /// Wraps an input/output error with the path and the action.
    pub fn io(path: impl Into<PathBuf>, action: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { path, action, source }
    }

    /// A value outside what is allowed.
    pub fn value(name: impl Into<String>, found: impl ToString, expected: impl Into<String>) -> Self {
        Self::Value { name: name.into(), found: found.to_string(), expected: expected.into() }
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
            what: what.into(),
            found: found.to_string(),
            expected: expected.into(),
        }
    }
}
