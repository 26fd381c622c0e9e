//! Ranks that `mpirun` starts, by way of MPI (crate `mpi`).

use super::Communicator;
use crate::error::{Error, Result};
use mpi::Threading;
use mpi::environment::Universe;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator as _, Destination, MatchedReceiveVec, Source};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// So long what was said last has to reach the others.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A process of those that `mpirun` started.
///
/// To each rank that it talks to, a thread of its own sends, and one receives from all: a large message is sent and received only when both sides
/// are at it, and a rank that is stopped would hold up what others wait for.
pub struct Mpi {
    rank: usize,
    size: usize,
    queues: Mutex<BTreeMap<usize, Sender<Vec<u8>>>>,
    come: Mutex<Receiver<(usize, Vec<u8>)>>,
    /// How often somebody asked for what has come.
    asked: Arc<AtomicUsize>,
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
    receiver: Option<JoinHandle<()>>,
    ended: Arc<AtomicBool>,
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
        self.ended.store(true, Ordering::SeqCst);
        if let Some(receiver) = self.receiver.take() {
            let _ = receiver.join();
        }
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
        let ended = Arc::new(AtomicBool::new(false));
        let mut session = Session {
            universe: Some(universe),
            waiting: waiting.clone(),
            receiver: None,
            ended: ended.clone(),
        };
        if threading != Threading::Multiple {
            return Err(Error::value("MPI", format!("{threading:?}"), expected));
        }
        let (to, come) = channel();
        let asked = Arc::new(AtomicUsize::new(0));
        let heard = asked.clone();
        session.receiver = Some(std::thread::spawn(move || receive(&to, &heard, &ended)));
        Ok((session, Self { rank, size, queues: Mutex::default(), come: Mutex::new(come), asked, waiting }))
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
        self.asked.fetch_add(1, Ordering::Relaxed);
        Ok(self.come.lock().unwrap_or_else(PoisonError::into_inner).try_recv().ok())
    }
}

/// Passes on every message that comes. It looks often while somebody asks, and seldom while nobody does.
fn receive(to: &Sender<(usize, Vec<u8>)>, asked: &AtomicUsize, ended: &AtomicBool) {
    const SELDOM: Duration = Duration::from_millis(1);
    const OFTEN: Duration = Duration::from_micros(20);
    let world = SimpleCommunicator::world();
    let mut before = 0;
    while !ended.load(Ordering::SeqCst) {
        if let Some(found) = world.any_process().immediate_matched_probe() {
            let (bytes, status) = found.matched_receive_vec::<u8>();
            if to.send((status.source_rank() as usize, bytes)).is_err() {
                return;
            }
            continue;
        }
        let now = asked.load(Ordering::Relaxed);
        std::thread::sleep(if now == before { SELDOM } else { OFTEN });
        before = now;
    }
}
