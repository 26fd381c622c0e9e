//! The processes that share a command's work.

use crate::communicator::Ranks;
#[cfg(feature = "mpi")]
use crate::communicator::{Mpi, Session};
use crate::error::{Error, Result};
use std::time::Duration;

/// What MPI's launchers tell the processes that they start: their number.
const WORLD_SIZE: [&str; 3] = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "MV2_COMM_WORLD_SIZE"];

/// How many processes a launcher started, if several, and which variable tells so.
fn started() -> Option<(&'static str, usize)> {
    let told = |key: &'static str| Some((key, std::env::var(key).ok()?.parse::<usize>().ok()?));
    // SLURM's launcher tells it otherwise, and starts processes that are no ranks too.
    let by_slurm = || std::env::var_os("PMIX_RANK").and_then(|_| told("SLURM_STEP_NUM_TASKS"));
    WORLD_SIZE.into_iter().find_map(told).or_else(by_slurm).filter(|(_, size)| *size > 1)
}

/// Refuses to do by several processes what is the work of one.
///
/// # Errors
/// If a launcher started several.
pub(super) fn refuse_several() -> Result<()> {
    match started() {
        None => Ok(()),
        Some((key, size)) => {
            Err(Error::value(key, size, "1: processes share the work of train and eval RUN"))
        }
    }
}

/// One of the processes that a launcher started, or the only one.
#[derive(Debug)]
pub(super) struct Together {
    pub(super) ranks: Ranks,
    #[cfg(feature = "mpi")]
    session: Option<Session>,
}

impl Together {
    /// Meets the other processes, where a launcher started several; one of which nothing is heard for `limit` is gone.
    ///
    /// # Errors
    /// If there are several and this program has no MPI, or MPI cannot begin.
    pub(super) fn begin(limit: Duration) -> Result<Self> {
        let Some((_key, _size)) = started() else { return Ok(Self::alone()) };
        #[cfg(feature = "mpi")]
        return Mpi::begin()
            .map(|(session, mpi)| Self { ranks: Ranks::new(mpi, limit), session: Some(session) });
        #[cfg(not(feature = "mpi"))]
        {
            let _ = limit;
            Err(Error::value(_key, _size, "1: this program was built without the feature mpi"))
        }
    }

    fn alone() -> Self {
        Self {
            ranks: Ranks::alone(),
            #[cfg(feature = "mpi")]
            session: None,
        }
    }

    /// What the work gave, once every process has done it; where it failed, they are told and not waited for.
    pub(super) fn end<T>(self, done: Result<T>) -> Result<T> {
        // Whoever has done his part waits for the others here, where one that is gone is noticed.
        let done = done.and_then(|done| self.ranks.barrier().map(|()| done));
        if let Err(why) = &done {
            self.ranks.leave(why);
        }
        #[cfg(feature = "mpi")]
        if let Some(session) = self.session {
            match &done {
                Ok(_) => {
                    drop(self.ranks);
                    session.end();
                }
                Err(_) => drop(session),
            }
        }
        done
    }
}

/// Which of the processes of one machine this is, by what launchers tell; the first where they tell nothing.
pub(super) fn local_rank() -> usize {
    const TOLD: [&str; 4] =
        ["OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "MV2_COMM_WORLD_LOCAL_RANK", "SLURM_LOCALID"];
    TOLD.iter().find_map(|key| std::env::var(key).ok()?.parse().ok()).unwrap_or(0)
}
