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
    #[error("{}: cannot {action}: {source}", Shown(.path.display()))]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What was tried, as a verb: "read", "write", "create".
        action: &'static str,
        /// What the system answered.
        source: std::io::Error,
    },
    /// A value lies outside what is allowed.
    #[error("{} = {}: expected {}", Shown(.name), Shown(.found), Shown(.expected))]
    Value {
        /// The setting, key or argument.
        name: String,
        /// What was given.
        found: String,
        /// What is allowed.
        expected: String,
    },
    /// A name that nothing is registered under.
    #[error("{kind} \"{}\" is unknown: expected one of {known}{hint}", Shown(.found))]
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
    #[error("{}: {}: found {}, expected {}", Shown(.path.display()), Shown(.what), Shown(.found), Shown(.expected))]
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
    /// A device has not the memory that its work needs.
    #[error("out of memory on the device: {needed} bytes more were needed, {} free: a smaller batch needs less (in a stage, as much more accumulation keeps the step)", Free(*.free))]
    OutOfMemory {
        /// The bytes of the buffer that was asked for.
        needed: usize,
        /// The bytes that were free, if the driver tells.
        free: Option<usize>,
    },
    /// Whoever watches the work asked for its end, where it has nothing to keep: see
    /// [`Observer::stop`](crate::run::Observer::stop).
    #[error("interrupted")]
    Interrupted,
    /// A rank of a run is gone, or has what the others have not: every rank ends.
    #[error("rank {rank}, step {step}: {}", Shown(.found))]
    Rank {
        /// Which, counted from 0.
        rank: usize,
        /// The training step at which it was noticed; 0 before the first.
        step: u64,
        /// What was found.
        found: String,
    },
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

/// How many bytes were free.
struct Free(Option<usize>);

impl fmt::Display for Free {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(1) => write!(f, "1 was"),
            Some(free) => write!(f, "{free} were"),
            None => write!(f, "an unknown number were"),
        }
    }
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
    /// The indices of the batch's rows, where they are known.
    pub rows: Vec<usize>,
}

impl fmt::Display for NonFinite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// So many indices are written out.
        const SHOWN: usize = 32;
        let Self { step, what, gamma, rate, rows } = self;
        write!(f, "step {step}: {what} is not finite at gamma {gamma}, learning rate {rate}")?;
        if rows.is_empty() {
            return Ok(());
        }
        let shown: Vec<String> = rows.iter().take(SHOWN).map(usize::to_string).collect();
        write!(f, ", rows {}", shown.join(", "))?;
        if rows.len() > SHOWN { write!(f, " and {} more", rows.len() - SHOWN) } else { Ok(()) }
    }
}

/// A text that may hold bytes of a file, as a terminal may have it: what would be obeyed rather than shown (control
/// characters, line breaks, changes of the direction of writing) is escaped.
struct Shown<T>(T);

impl<T: fmt::Display> fmt::Display for Shown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.to_string().chars() {
            let obeyed = c.is_control()
                || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
            if obeyed { write!(f, "{}", c.escape_default())? } else { write!(f, "{c}")? }
        }
        Ok(())
    }
}

/// A text as a terminal may have it: see [`Shown`].
pub(crate) fn printable(text: &str) -> String {
    Shown(text).to_string()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_a_file_do_not_reach_the_terminal() {
        let error = Error::format("a\u{7}b", "\u{1b}]0;x\u{9c}", "two\nlines", "caf\u{e9} \u{202e}\"");
        let line = "a\\u{7}b: \\u{1b}]0;x\\u{9c}: found two\\nlines, expected caf\u{e9} \\u{202e}\"";
        assert_eq!(error.to_string(), line);
        assert_eq!(Error::value("\u{1b}[2J", "\r", "0").to_string(), "\\u{1b}[2J = \\r: expected 0");
    }

    #[test]
    fn a_step_that_is_not_finite_names_its_batch() {
        let at = |rows: Vec<usize>| NonFinite { step: 7, what: "loss".into(), gamma: -1.5, rate: 0.25, rows };
        let line = at(Vec::new()).to_string();
        assert_eq!(line, "step 7: loss is not finite at gamma -1.5, learning rate 0.25");
        assert_eq!(at(vec![4, 0, 9]).to_string(), line.clone() + ", rows 4, 0, 9");
        let long = at((0..40).collect()).to_string();
        assert!(long.ends_with(", 30, 31 and 8 more"), "{long}");
    }
}
