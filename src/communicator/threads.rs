//! Ranks that are threads of one process.

use super::Communicator;
use crate::error::Result;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, PoisonError};

type Message = (usize, Vec<u8>);

/// One of several threads of a process, each a rank: for tests, and for a program that wants several devices in one process.
///
/// ```
/// use idode::communicator::{Communicator, Threads};
///
/// let [first, second]: [Threads; 2] = Threads::new(2).try_into().expect("two");
/// first.send(1, b"to the second".to_vec())?;
/// assert_eq!(second.receive()?, Some((0, b"to the second".to_vec())));
/// # Ok::<(), idode::error::Error>(())
/// ```
#[derive(Debug)]
pub struct Threads {
    rank: usize,
    to: Vec<Sender<Message>>,
    come: Mutex<Receiver<Message>>,
}

impl Threads {
    /// All `size` of them, in their order.
    pub fn new(size: usize) -> Vec<Self> {
        let (to, come): (Vec<_>, Vec<_>) = (0..size).map(|_| channel()).unzip();
        let come = come.into_iter().enumerate();
        come.map(|(rank, come)| Self { rank, to: to.clone(), come: Mutex::new(come) }).collect()
    }
}

impl Communicator for Threads {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.to.len()
    }

    fn send(&self, to: usize, message: Vec<u8>) -> Result<()> {
        // A thread that has ended is as silent as a process that has: whoever waits for it notices.
        let _ = self.to[to].send((self.rank, message));
        Ok(())
    }

    fn receive(&self) -> Result<Option<Message>> {
        Ok(self.come.lock().unwrap_or_else(PoisonError::into_inner).try_recv().ok())
    }
}
