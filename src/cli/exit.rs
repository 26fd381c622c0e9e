//! The exit codes: what a script may rely on.

use crate::error::Error;
use std::process::ExitCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// Everything was done.
    Done,
    /// The run failed by its own numbers: a loss, gradient or parameter that is not finite.
    Failed,
    /// An input that cannot be used, a file that cannot be written, or a device without enough memory: one line says which.
    BadInput,
    /// Everything was done and written, and some images have no value: the means are those of the others.
    NoValue,
    /// Another process of the run is gone, or has what the others have not.
    RankLost,
    /// Stopped on request or after `--max-time`, with a checkpoint, to be continued with `--resume`, or with records, to be continued by the same
    /// command.
    Interrupted,
}

impl Exit {
    /// Every code with its meaning, for `idode --help`.
    pub(super) const HELP: &str = "Exit codes:
  0    done
  1    failed by its own numbers: a loss, gradient or parameter is not finite; the last good checkpoint is kept
  2    an input that cannot be used, a file that cannot be written, or a GPU without enough memory: one line says which
  3    done and written, but some images have no value and are not in the means
  4    another process of an mpirun is gone, or has another recipe, data or program: one line says which; train --resume goes on
  130  stopped by Ctrl-C, SIGTERM, SIGHUP or --max-time, with a checkpoint, or records of an evaluation; train --resume, or the same eval, goes on";

    /// The number, as shells have it.
    pub(super) const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::BadInput => 2,
            Self::NoValue => 3,
            Self::RankLost => 4,
            // 128 and the number of Ctrl-C's signal.
            Self::Interrupted => 130,
        }
    }

    /// That of an error.
    pub(super) fn of(error: &Error) -> Self {
        match error {
            Error::NonFinite(_) | Error::Diverged { .. } => Self::Failed,
            Error::Interrupted => Self::Interrupted,
            Error::Rank { .. } => Self::RankLost,
            _ => Self::BadInput,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_has_every_code() {
        for exit in
            [Exit::Done, Exit::Failed, Exit::BadInput, Exit::NoValue, Exit::RankLost, Exit::Interrupted]
        {
            let start = format!("  {:<5}", exit.code());
            assert_eq!(Exit::HELP.lines().filter(|line| line.starts_with(&start)).count(), 1, "{exit:?}");
        }
    }
}
