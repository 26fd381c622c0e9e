//! What ranks do together, each within a time limit.

use super::{Alone, Communicator};
use crate::error::{Error, Result};
use crate::tensor::Real;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The last byte of a message: what those before it are.
const DATA: u8 = 0;
/// Nothing more: the rank lives.
const ALIVE: u8 = 1;
/// Data that go on in the next message.
const MORE: u8 = 3;
/// Which rank is gone, and why, in a line: the sender ends, and so do all.
const GONE: u8 = 2;

/// So many bytes go in one message at most: engines count them in 31 bits.
const AT_ONCE: usize = 1 << 26;

/// A rank that waits says that it lives so many times in the time limit.
const SIGNS: u32 = 8;

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
    link: Arc<dyn Communicator>,
    limit: Duration,
    state: Arc<Mutex<State>>,
}

/// What ranks do together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Gather = 1,
    Broadcast = 2,
    Sum = 3,
}

#[derive(Debug)]
struct State {
    step: u64,
    /// What is done together now: its number and its kind, which are the same on every rank.
    turn: (u64, u8),
    /// What has come of each rank and is not asked for yet.
    come: Vec<VecDeque<Vec<u8>>>,
    /// What has come of each rank and is not whole yet.
    begun: Vec<Vec<u8>>,
    /// Who is gone and why, once that is known.
    gone: Option<(usize, u64, String)>,
    heard: Vec<Instant>,
    said: Instant,
    has_left: bool,
    /// When this rank began to work on its own, if it has said so since it last waited.
    works: Option<Instant>,
    spent: Spent,
}

/// What sums have cost a rank so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Spent {
    /// The time in sums and in gathering losses, with waiting for other ranks.
    pub(crate) seconds: f64,
    /// The bytes of this rank's terms.
    pub(crate) bytes: u64,
}

impl Spent {
    fn add(&mut self, begun: Instant, bytes: u64) {
        self.seconds += begun.elapsed().as_secs_f64();
        self.bytes += bytes;
    }
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
        let (size, now) = (link.size(), Instant::now());
        let come = (0..size).map(|_| VecDeque::new()).collect();
        let begun = vec![Vec::new(); size];
        let state = State {
            step: 0,
            turn: (0, 0),
            come,
            begun,
            gone: None,
            works: None,
            heard: vec![now; size],
            said: now,
            has_left: false,
            spent: Spent::default(),
        };
        Self { link: Arc::new(link), limit, state: Arc::new(Mutex::new(state)) }
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
        self.state().step = step;
    }

    /// What sums have cost so far.
    pub(crate) fn spent(&self) -> Spent {
        self.state().spent
    }

    /// Every rank's bytes, by rank, on every rank.
    ///
    /// # Errors
    /// [`Error::Rank`] if one of them is gone.
    pub fn gather(&self, own: Vec<u8>) -> Result<Vec<Vec<u8>>> {
        let mut state = self.begin(Kind::Gather);
        let size = self.size();
        // Up the tree of ranks, then down: see `up`.
        let mut all = vec![own];
        self.up(&mut state, |ranks, state, from| {
            all.extend(unpacked(&ranks.receive_from(state, from)?));
            Ok(())
        })?;
        if let Some(to) = self.parent() {
            self.give(&state, to, &packed(&all))?;
        }
        let mut whole = (self.is_first()).then(|| packed(&all));
        self.down(&mut state, &mut whole)?;
        let all = unpacked(&whole.unwrap_or_default());
        debug_assert_eq!(all.len(), size);
        Ok(all)
    }

    /// Rank 0's bytes on every rank; the others give none.
    ///
    /// # Errors
    /// As [`gather`](Self::gather).
    pub fn broadcast(&self, first: Option<Vec<u8>>) -> Result<Vec<u8>> {
        let mut whole = first.filter(|_| self.is_first());
        self.down(&mut self.begin(Kind::Broadcast), &mut whole)?;
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
        let mut state = self.begin(Kind::Sum);
        bucket
            .chunks_mut(AT_ONCE / size_of::<E>())
            .try_for_each(|numbers| self.sum_at_once(&mut state, numbers))?;
        state.spent.add(begun, size_of_val(bucket) as u64);
        Ok(())
    }

    fn sum_at_once<E: Real>(&self, state: &mut State, numbers: &mut [E]) -> Result<()> {
        self.up(state, |ranks, state, from| {
            let other = E::from_bytes(&ranks.receive_from(state, from)?);
            if other.len() != numbers.len() {
                let found = format!("a sum of {} numbers where there are {}", other.len(), numbers.len());
                return Err(gone(from, state.step, found));
            }
            numbers.iter_mut().zip(other).for_each(|(own, other)| *own += other);
            Ok(())
        })?;
        let bytes = E::to_bytes(numbers);
        let mut whole = match self.parent() {
            Some(to) => {
                self.give(state, to, &bytes)?;
                None
            }
            None => Some(bytes),
        };
        self.down(state, &mut whole)?;
        numbers.iter_mut().zip(E::from_bytes(&whole.unwrap_or_default())).for_each(|(own, sum)| *own = sum);
        Ok(())
    }

    /// Work of an engine that adds `bytes` of this rank elsewhere, counted among the sums.
    pub(crate) fn timed<T>(&self, bytes: u64, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let begun = Instant::now();
        let done = work();
        self.state().spent.add(begun, bytes);
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
                return Err(gone(rank, self.state().step, found));
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
        let mut state = self.state();
        self.say(&mut state)?;
        self.fetch(&mut state)?;
        let since = *state.works.get_or_insert_with(Instant::now);
        self.listen(&mut state, since)
    }

    /// Tells the others, once, that this rank ends, and why: its neighbours in the tree, which pass on what was said as it is.
    pub fn leave(&self, why: &Error) {
        let mut state = self.state();
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
        for to in self.neighbours() {
            let _ = self.link.send(to, message.clone());
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what comes up the tree to this rank: of rank `rank + 2^k` for each `2^k` below the lowest one bit of its own.
    fn up(
        &self,
        state: &mut State,
        mut take: impl FnMut(&Self, &mut State, usize) -> Result<()>,
    ) -> Result<()> {
        let rank = self.rank();
        self.below().try_for_each(|bit| take(self, state, rank + bit))
    }

    /// The distances to the ranks below this one in the tree, the nearest first.
    fn below(&self) -> impl DoubleEndedIterator<Item = usize> + use<> {
        let (rank, size) = (self.rank(), self.size());
        let bits = (0..usize::BITS).map(|bit| 1usize << bit);
        let own = bits.take_while(move |&bit| rank & bit == 0 && bit < size);
        own.filter(move |bit| rank + bit < size).collect::<Vec<_>>().into_iter()
    }

    /// The rank above in the tree; rank 0 has none.
    fn parent(&self) -> Option<usize> {
        let rank = self.rank();
        (rank != 0).then(|| rank & (rank - 1))
    }

    /// The ranks above and below in the tree: the only ones that this one talks to, and that it listens for.
    fn neighbours(&self) -> impl Iterator<Item = usize> + use<> {
        let rank = self.rank();
        self.parent().into_iter().chain(self.below().map(move |bit| rank + bit))
    }

    /// Brings rank 0's bytes down the tree.
    fn down(&self, state: &mut State, whole: &mut Option<Vec<u8>>) -> Result<()> {
        if let Some(from) = self.parent() {
            *whole = Some(self.receive_from(state, from)?);
        }
        let rank = self.rank();
        self.below()
            .rev()
            .try_for_each(|bit| self.give(state, rank + bit, whole.as_deref().unwrap_or_default()))
    }

    /// Begins what all ranks do next.
    fn begin(&self, kind: Kind) -> MutexGuard<'_, State> {
        let mut state = self.state();
        state.turn = (state.turn.0 + 1, kind as u8);
        state
    }

    /// Sends bytes, behind them what is done together, and in pieces where they are many.
    fn give(&self, state: &State, to: usize, bytes: &[u8]) -> Result<()> {
        let (number, kind) = state.turn;
        let whole = [bytes, &number.to_le_bytes(), &[kind]].concat();
        let mut pieces = whole.chunks(AT_ONCE).peekable();
        while let Some(piece) = pieces.next() {
            let mut message = Vec::with_capacity(piece.len() + 1);
            message.extend(piece);
            // Behind the others, so that nothing is moved.
            message.push(if pieces.peek().is_some() { MORE } else { DATA });
            self.link.send(to, message)?;
        }
        Ok(())
    }

    /// The next bytes of a rank, if it does the same.
    fn receive_from(&self, state: &mut State, from: usize) -> Result<Vec<u8>> {
        let mut bytes = self.wait_for(state, from)?;
        let turn = bytes.split_off(bytes.len().saturating_sub(9));
        let (number, kind) = state.turn;
        match turn == [&number.to_le_bytes()[..], &[kind]].concat() {
            true => Ok(bytes),
            false => Err(gone(from, state.step, "it does something else than the others".to_owned())),
        }
    }

    fn wait_for(&self, state: &mut State, from: usize) -> Result<Vec<u8>> {
        state.works = None;
        self.fetch(state)?;
        // Silence counts from here: what came meanwhile was not looked for.
        let begun = Instant::now();
        let mut idle = 0u32;
        loop {
            if let Some(bytes) = state.come[from].pop_front() {
                return Ok(bytes);
            }
            self.say(state)?;
            self.listen(state, begun)?;
            idle += 1;
            match idle {
                0..200 => std::thread::yield_now(),
                _ => std::thread::sleep(Duration::from_micros(50)),
            }
            self.fetch(state)?;
        }
    }

    /// Whether something was heard of every neighbour within the limit, counted from `since` at the earliest.
    fn listen(&self, state: &mut State, since: Instant) -> Result<()> {
        let silent = |rank: usize| state.heard[rank].max(since).elapsed();
        let longest = self.neighbours().max_by_key(|&rank| silent(rank));
        match longest.filter(|&rank| silent(rank) > self.limit) {
            None => Ok(()),
            Some(rank) => {
                let found = format!("nothing was heard of it for {:.1} s", self.limit.as_secs_f64());
                Err(self.note(state, (rank, state.step, found)))
            }
        }
    }

    /// Keeps who is gone: whatever is done together from now on gives it.
    fn note(&self, state: &mut State, who: (usize, u64, String)) -> Error {
        let (rank, step, found) = state.gone.get_or_insert(who).clone();
        gone(rank, step, found)
    }

    /// Takes what has come.
    fn fetch(&self, state: &mut State) -> Result<()> {
        if let Some((rank, step, found)) = state.gone.clone() {
            return Err(gone(rank, step, found));
        }
        while let Some((from, mut message)) = self.link.receive()? {
            state.heard[from] = Instant::now();
            match message.pop() {
                Some(MORE) => state.begun[from].extend(message),
                Some(DATA) => {
                    let mut whole = std::mem::take(&mut state.begun[from]);
                    whole.extend(message);
                    state.come[from].push_back(whole);
                }
                Some(GONE) => {
                    let (numbers, line) = message.split_at(message.len().min(16));
                    let number = |at: usize| {
                        let bytes = numbers.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
                        u64::from_le_bytes(bytes.unwrap_or_default())
                    };
                    let found = String::from_utf8_lossy(line).into_owned();
                    return Err(self.note(state, (number(0) as usize, number(8), found)));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Says that this rank lives, if that is due.
    fn say(&self, state: &mut State) -> Result<()> {
        if state.said.elapsed() < self.limit / SIGNS {
            return Ok(());
        }
        state.said = Instant::now();
        self.neighbours().try_for_each(|to| self.link.send(to, vec![ALIVE]))
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

fn gone(rank: usize, step: u64, found: String) -> Error {
    Error::Rank { rank, step, found }
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
