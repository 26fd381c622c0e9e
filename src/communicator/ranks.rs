//! What ranks do together, each within a time limit.

use super::messages::{AT_ONCE, GONE, Kind, Link, State, gone};
use super::{Alone, Communicator};
use crate::error::{Error, Result};
use crate::tensor::Real;
use std::time::{Duration, Instant};

/// The ranks of a run as one of them sees them. A clone is the same rank.
///
/// Every rank calls the same methods in the same order; what they give is the same everywhere.
///
/// ```
/// use idode::communicator::{Ranks, Threads};
/// use std::time::Duration;
///
/// let ranks = Threads::new(3).into_iter().map(|link| Ranks::new(link, Duration::from_secs(10)));
/// let threads: Vec<_> = ranks
///     .map(|ranks| {
///         std::thread::spawn(move || {
///             let mut bucket = [1.0, ranks.rank() as f64];
///             ranks.sum(&mut bucket).map(|()| bucket)
///         })
///     })
///     .collect();
/// for thread in threads {
///     assert_eq!(thread.join().expect("no panic")?, [3.0, 3.0]);
/// }
/// # Ok::<(), idode::error::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct Ranks {
    link: Link,
}

impl Default for Ranks {
    fn default() -> Self {
        Self::alone()
    }
}

impl Ranks {
    /// A process by itself.
    pub fn alone() -> Self {
        Self::new(Alone, Duration::MAX)
    }

    /// Ranks that `link` connects. One of which nothing is heard for `limit` is gone: it must be longer than any step, and than any row of a
    /// measurement.
    pub fn new(link: impl Communicator + 'static, limit: Duration) -> Self {
        Self { link: Link::new(link, limit) }
    }

    /// Who this is, below [`size`](Self::size).
    pub fn rank(&self) -> usize {
        self.link.rank()
    }

    /// How many there are.
    pub fn size(&self) -> usize {
        self.link.size()
    }

    /// Whether it is the one that writes: rank 0.
    pub fn is_first(&self) -> bool {
        self.rank() == 0
    }

    /// How many of a step's `parts` each rank computes: a power of two, so that no number of ranks changes a bit of their sum.
    ///
    /// # Errors
    /// What can be dealt to these ranks, if `parts` cannot.
    pub(crate) fn deal(&self, parts: u64) -> Result<u64, String> {
        let size = self.size() as u64;
        let each = parts / size;
        match parts.is_multiple_of(size) && (size == 1 || each.is_power_of_two()) {
            true => Ok(each),
            false => {
                Err(format!("{size} ranks times a power of two: {size}, {}, {}, ...", 2 * size, 4 * size))
            }
        }
    }

    /// Notes the training step, which errors name.
    pub(crate) fn set_step(&self, step: u64) {
        self.link.state().step = step;
    }

    /// What sums have cost so far.
    #[cfg(feature = "cli")]
    pub(crate) fn spent(&self) -> super::messages::Spent {
        self.link.state().spent
    }

    /// Every rank's bytes, by rank, on every rank.
    ///
    /// # Errors
    /// [`Error::Rank`] if one of them is gone.
    pub fn gather(&self, own: Vec<u8>) -> Result<Vec<Vec<u8>>> {
        let mut state = self.link.begin(Kind::Gather);
        // Up the tree of ranks, then down: see `up`.
        let mut all = vec![own];
        self.link.up(&mut state, |ranks, state, from| {
            all.extend(unpacked(&ranks.receive_from(state, from)?));
            Ok(())
        })?;
        if let Some(to) = self.link.parent() {
            self.link.give(&state, to, &packed(&all))?;
        }
        let mut whole = self.is_first().then(|| packed(&all));
        self.link.down(&mut state, &mut whole)?;
        Ok(unpacked(&whole.unwrap_or_default()))
    }

    /// Rank 0's bytes on every rank; the others give none.
    ///
    /// # Errors
    /// As [`gather`](Self::gather).
    pub fn broadcast(&self, first: Option<Vec<u8>>) -> Result<Vec<u8>> {
        let mut whole = first.filter(|_| self.is_first());
        self.link.down(&mut self.link.begin(Kind::Broadcast), &mut whole)?;
        Ok(whole.unwrap_or_default())
    }

    /// Returns once every rank has come here.
    ///
    /// # Errors
    /// As [`gather`](Self::gather).
    pub fn barrier(&self) -> Result<()> {
        self.gather(Vec::new()).map(drop)
    }

    /// Whether any rank says so.
    ///
    /// # Errors
    /// As [`gather`](Self::gather).
    pub fn any(&self, own: bool) -> Result<bool> {
        if self.size() == 1 {
            return Ok(own);
        }
        Ok(self.gather(vec![own.into()])?.iter().any(|other| other.first() == Some(&1)))
    }

    /// The sums over ranks of a bucket of numbers, in place; the ranks are the leaves of the tree of [`communicator`](super).
    ///
    /// # Errors
    /// As [`gather`](Self::gather).
    pub fn sum<E: Real>(&self, bucket: &mut [E]) -> Result<()> {
        if self.size() == 1 {
            return Ok(());
        }
        let begun = Instant::now();
        let mut state = self.link.begin(Kind::Sum);
        bucket
            .chunks_mut(AT_ONCE / size_of::<E>())
            .try_for_each(|numbers| self.sum_at_once(&mut state, numbers))?;
        state.spent.add(begun, size_of_val(bucket) as u64);
        Ok(())
    }

    fn sum_at_once<E: Real>(&self, state: &mut State, numbers: &mut [E]) -> Result<()> {
        self.link.up(state, |ranks, state, from| {
            let other = E::from_bytes(&ranks.receive_from(state, from)?);
            if other.len() != numbers.len() {
                let found = format!("a sum of {} numbers where there are {}", other.len(), numbers.len());
                return Err(gone(from, state.step, found));
            }
            numbers.iter_mut().zip(other).for_each(|(own, other)| *own += other);
            Ok(())
        })?;
        let bytes = E::to_bytes(numbers);
        let mut whole = match self.link.parent() {
            Some(to) => {
                self.link.give(state, to, &bytes)?;
                None
            }
            None => Some(bytes),
        };
        self.link.down(state, &mut whole)?;
        numbers.iter_mut().zip(E::from_bytes(&whole.unwrap_or_default())).for_each(|(own, sum)| *own = sum);
        Ok(())
    }

    /// Work of an engine that adds `bytes` of this rank elsewhere, counted among the sums.
    pub(crate) fn timed<T>(&self, bytes: u64, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let begun = Instant::now();
        let done = work();
        self.link.state().spent.add(begun, bytes);
        done
    }

    /// Checks that every rank has of each of these, by name, what rank 0 has.
    ///
    /// # Errors
    /// On every rank, [`Error::Rank`] with the first rank that has something else, and with what it and rank 0 have.
    pub(crate) fn agree(&self, on: &[(&str, String)]) -> Result<()> {
        if self.size() == 1 {
            return Ok(());
        }
        let own: Vec<Vec<u8>> = on.iter().map(|(_, value)| value.clone().into_bytes()).collect();
        let all: Vec<Vec<Vec<u8>>> = self.gather(packed(&own))?.iter().map(|own| unpacked(own)).collect();
        let text =
            |bytes: Option<&Vec<u8>>| String::from_utf8_lossy(bytes.map_or(&[], Vec::as_slice)).into_owned();
        for (at, (what, _)) in on.iter().enumerate() {
            if let Some((rank, own)) = all.iter().enumerate().find(|(_, own)| own.get(at) != all[0].get(at)) {
                let (found, expected) = first_different_line(&text(own.get(at)), &text(all[0].get(at)));
                let found = format!("{what}: found {found}, expected {expected}, as rank 0 has");
                return Err(gone(rank, self.link.state().step, found));
            }
        }
        Ok(())
    }

    /// Tells the others that this rank lives, if that is due, and listens for them: for work that takes long and calls this now and then.
    ///
    /// # Errors
    /// [`Error::Rank`] if one of them is gone.
    pub fn alive(&self) -> Result<()> {
        if self.size() == 1 {
            return Ok(());
        }
        let mut state = self.link.state();
        self.link.say(&mut state)?;
        self.link.fetch(&mut state)?;
        let since = *state.works.get_or_insert_with(Instant::now);
        self.link.listen(&mut state, since)
    }

    /// Tells the others, once, that this rank ends, and why: its neighbours in the tree, which pass on what was said as it is.
    pub fn leave(&self, why: &Error) {
        let mut state = self.link.state();
        if std::mem::replace(&mut state.has_left, true) {
            return;
        }
        let step = state.step;
        let (rank, step, found) = match why {
            Error::Rank { rank, step, found } => (*rank, *step, found.clone()),
            other => (self.rank(), step, other.to_string()),
        };
        let mut message = Vec::new();
        message.extend((rank as u64).to_le_bytes());
        message.extend(step.to_le_bytes());
        message.extend(found.into_bytes());
        message.push(GONE);
        self.link.tell(&message);
    }
}

/// Of two texts that differ, the first lines that do.
fn first_different_line(a: &str, b: &str) -> (String, String) {
    let (mut a, mut b) = (a.lines(), b.lines());
    loop {
        match (a.next(), b.next()) {
            (Some(a), Some(b)) if a == b => {}
            (a, b) => return (a.unwrap_or("its end").to_owned(), b.unwrap_or("its end").to_owned()),
        }
    }
}

/// Several stretches of bytes as one, each after its length.
fn packed(parts: &[Vec<u8>]) -> Vec<u8> {
    parts.iter().flat_map(|part| [&(part.len() as u64).to_le_bytes()[..], part].concat()).collect()
}

/// What [`packed`] made one.
fn unpacked(mut bytes: &[u8]) -> Vec<Vec<u8>> {
    let mut parts = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<8>() {
        let (part, rest) = rest.split_at(rest.len().min(u64::from_le_bytes(*length) as usize));
        parts.push(part.to_vec());
        bytes = rest;
    }
    parts
}
