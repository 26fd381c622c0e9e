//! Several processes that train one network: who is there, what they send each other, and sums that no number of them changes.
//!
//! A [`Communicator`] carries messages between ranks. It is small, so that another engine is an implementation of four methods: [`Alone`] is a
//! process by itself, [`Threads`] are the threads of one process, `Mpi` (feature `mpi`) is the processes that `mpirun` started. [`Ranks`] is
//! what the rest of the crate sees: sums of gradients, gathered and broadcast bytes, agreement on what every rank must have alike, each within
//! a time limit.
//!
//! # Sums
//! The parts of a step are the leaves of one binary tree: `S(lo, hi) = S(lo, mid) + S(mid, hi)`, where `mid - lo` is the largest power of two
//! below `hi - lo`. A rank has as many parts as every other, a power of two of them, one after another: a whole branch of that tree
//! (`tree.rs`). So each sum has the same two terms whoever adds them, and on processors 1, 2, 3 and 4 ranks get the same bits.
//!
//! # Time
//! A rank talks to its neighbours in the tree of ranks alone: rank `r` to `r` less its lowest one bit, above it, and to `r + 2^k` for each `2^k`
//! below that bit. One that waits tells them so eight times in the time limit, and one that works tells them as its work advances. A neighbour of
//! which nothing was heard for the whole limit is gone: whoever notices ends with one line that names it, and tells the others, from neighbour to
//! neighbour, which end with the same line. Uneven work hangs nothing and ends nothing.

mod alone;
mod messages;
#[cfg(feature = "mpi")]
mod mpi;
mod ranks;
#[cfg(test)]
mod tests;
mod threads;
mod tree;

pub use alone::Alone;
#[cfg(feature = "mpi")]
pub use mpi::{Mpi, Session};
pub use ranks::Ranks;
pub use threads::Threads;
pub(crate) use tree::Tree;

use crate::error::Result;

/// An engine that carries messages between the ranks of a run.
///
/// # Laws
/// - A message arrives once and whole, and those from one rank to another keep their order.
/// - Neither method waits: a rank that is stopped or dead holds up nobody.
pub trait Communicator: std::fmt::Debug + Send + Sync {
    /// Who this is, below [`size`](Self::size).
    fn rank(&self) -> usize;

    /// How many there are.
    fn size(&self) -> usize;

    /// Gives a message on its way to another rank.
    ///
    /// # Errors
    /// If the engine takes it no more.
    fn send(&self, to: usize, message: Vec<u8>) -> Result<()>;

    /// A message that has come, and from whom.
    ///
    /// # Errors
    /// If the engine brings none any more.
    fn receive(&self) -> Result<Option<(usize, Vec<u8>)>>;
}
