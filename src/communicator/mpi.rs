//! Ranks that `mpirun` starts, by way of MPI (crate `mpi`).

use super::Communicator;
use crate::error::{Error, Result};
use mpi::Threading;
use mpi::environment::Universe;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator as _, Destination, MatchedReceiveVec, Source};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So long what was said last has to reach the others.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A process of those that `mpirun` started.
///
/// To each rank that it talks to, a thread of its own sends: a large message returns only when it is received, and a rank that is stopped would
/// hold up what others wait for.
pub struct Mpi {
    rank: usize,
    size: usize,
    queues: Mutex<BTreeMap<usize, Sender<Vec<u8>>>>,
    waiting: Arc<AtomicUsize>,
}

impl std::fmt::Debug for Mpi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mpi").field("rank", &self.rank).field("size", &self.size).finish_non_exhaustive()
    }
}

/// MPI at work in this process.
///
/// Dropped, it leaves MPI as it is: ranks that are gone are not waited for, and what was said last is still sent. [`end`](Self::end) is for
/// work that every rank has done.
#[must_use]
pub struct Session {
    universe: Option<Universe>,
    waiting: Arc<AtomicUsize>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").finish_non_exhaustive()
    }
}

impl Session {
    /// Ends MPI in this process, which waits for all others to do so.
    pub fn end(mut self) {
        self.wait();
        drop(self.universe.take());
    }

    /// Waits until what was said is sent, for a while.
    fn wait(&self) {
        let begun = Instant::now();
        while self.waiting.load(Ordering::SeqCst) > 0 && begun.elapsed() < LAST_WORDS {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(universe) = self.universe.take() {
            self.wait();
            std::mem::forget(universe);
        }
    }
}

impl Mpi {
    /// Begins MPI in this process, once.
    ///
    /// # Errors
    /// If it has begun before, or the library lets only one thread of a process send and receive.
    pub fn begin() -> Result<(Session, Self)> {
        let expected = "one that begins once, with several threads that send and receive";
        let Some((universe, threading)) = mpi::initialize_with_threading(Threading::Multiple) else {
            return Err(Error::value("MPI", "begun before", expected));
        };
        let (rank, size) = (universe.world().rank() as usize, universe.world().size() as usize);
        let waiting = Arc::new(AtomicUsize::new(0));
        let session = Session { universe: Some(universe), waiting: waiting.clone() };
        if threading != Threading::Multiple {
            return Err(Error::value("MPI", format!("{threading:?}"), expected));
        }
        Ok((session, Self { rank, size, queues: Mutex::default(), waiting }))
    }

    /// The queue of messages to a rank, and the thread that sends them.
    fn queue(&self, to: usize) -> Sender<Vec<u8>> {
        let (queue, taken) = channel::<Vec<u8>>();
        let sent = self.waiting.clone();
        std::thread::spawn(move || {
            // What names all processes is one and the same in every thread.
            let world = SimpleCommunicator::world();
            while let Ok(message) = taken.recv() {
                world.process_at_rank(to as i32).send(&message[..]);
                sent.fetch_sub(1, Ordering::SeqCst);
            }
        });
        queue
    }
}

impl Communicator for Mpi {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn send(&self, to: usize, message: Vec<u8>) -> Result<()> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        // The thread at the other end goes on as long as this end is there.
        let _ = queues.entry(to).or_insert_with(|| self.queue(to)).send(message);
        Ok(())
    }

    fn receive(&self) -> Result<Option<(usize, Vec<u8>)>> {
        let Some(found) = SimpleCommunicator::world().any_process().immediate_matched_probe() else {
            return Ok(None);
        };
        let (bytes, status) = found.matched_receive_vec::<u8>();
        Ok(Some((status.source_rank() as usize, bytes)))
    }
}
