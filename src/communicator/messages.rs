//! What ranks say to each other: data in turns, that one lives, and that one is gone.

use super::Communicator;
use crate::error::{Error, Result};
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
pub(super) const GONE: u8 = 2;

/// So many bytes go in one message at most: engines count them in 31 bits.
pub(super) const AT_ONCE: usize = 1 << 26;

/// A rank that waits says that it lives so many times in the time limit.
const SIGNS: u32 = 8;

/// What ranks do together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Gather = 1,
    Broadcast = 2,
    Sum = 3,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) step: u64,
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
    pub(super) has_left: bool,
    /// When this rank began to work on its own, if it has said so since it last waited.
    pub(super) works: Option<Instant>,
    pub(super) spent: Spent,
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
    pub(super) fn add(&mut self, begun: Instant, bytes: u64) {
        self.seconds += begun.elapsed().as_secs_f64();
        self.bytes += bytes;
    }
}

/// An engine, and what this rank knows of the others. A clone is the same rank.
#[derive(Clone, Debug)]
pub(super) struct Link {
    engine: Arc<dyn Communicator>,
    limit: Duration,
    state: Arc<Mutex<State>>,
}

impl Link {
    pub(super) fn new(engine: impl Communicator + 'static, limit: Duration) -> Self {
        let (size, now) = (engine.size(), Instant::now());
        let state = State {
            step: 0,
            turn: (0, 0),
            come: vec![VecDeque::new(); size],
            begun: vec![Vec::new(); size],
            gone: None,
            heard: vec![now; size],
            said: now,
            has_left: false,
            works: None,
            spent: Spent::default(),
        };
        Self { engine: Arc::new(engine), limit, state: Arc::new(Mutex::new(state)) }
    }

    pub(super) fn rank(&self) -> usize {
        self.engine.rank()
    }

    pub(super) fn size(&self) -> usize {
        self.engine.size()
    }

    /// Sends a message to every neighbour that still takes one.
    pub(super) fn tell(&self, message: &[u8]) {
        self.neighbours().for_each(|to| drop(self.engine.send(to, message.to_vec())));
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes what comes up the tree to this rank: of rank `rank + 2^k` for each `2^k` below the lowest one bit of its own.
    pub(super) fn up(
        &self,
        state: &mut State,
        mut take: impl FnMut(&Self, &mut State, usize) -> Result<()>,
    ) -> Result<()> {
        let rank = self.rank();
        self.below().try_for_each(|bit| take(self, state, rank + bit))
    }

    /// The distances to the ranks below this one in the tree, the nearest first.
    pub(super) fn below(&self) -> impl DoubleEndedIterator<Item = usize> + use<> {
        let (rank, size) = (self.rank(), self.size());
        let bits = (0..usize::BITS).map(|bit| 1usize << bit);
        let own = bits.take_while(move |&bit| rank & bit == 0 && bit < size);
        own.filter(move |bit| rank + bit < size).collect::<Vec<_>>().into_iter()
    }

    /// The rank above in the tree; rank 0 has none.
    pub(super) fn parent(&self) -> Option<usize> {
        let rank = self.rank();
        (rank != 0).then(|| rank & (rank - 1))
    }

    /// The ranks above and below in the tree: the only ones that this one talks to, and that it listens for.
    pub(super) fn neighbours(&self) -> impl Iterator<Item = usize> + use<> {
        let rank = self.rank();
        self.parent().into_iter().chain(self.below().map(move |bit| rank + bit))
    }

    /// Brings rank 0's bytes down the tree.
    pub(super) fn down(&self, state: &mut State, whole: &mut Option<Vec<u8>>) -> Result<()> {
        if let Some(from) = self.parent() {
            *whole = Some(self.receive_from(state, from)?);
        }
        let rank = self.rank();
        self.below()
            .rev()
            .try_for_each(|bit| self.give(state, rank + bit, whole.as_deref().unwrap_or_default()))
    }

    /// Begins what all ranks do next.
    pub(super) fn begin(&self, kind: Kind) -> MutexGuard<'_, State> {
        let mut state = self.state();
        state.turn = (state.turn.0 + 1, kind as u8);
        state
    }

    /// Sends bytes, behind them what is done together, and in pieces where they are many.
    pub(super) fn give(&self, state: &State, to: usize, bytes: &[u8]) -> Result<()> {
        let (number, kind) = state.turn;
        let whole = [bytes, &number.to_le_bytes(), &[kind]].concat();
        let mut pieces = whole.chunks(AT_ONCE).peekable();
        while let Some(piece) = pieces.next() {
            let mut message = Vec::with_capacity(piece.len() + 1);
            message.extend(piece);
            // Behind the others, so that nothing is moved.
            message.push(if pieces.peek().is_some() { MORE } else { DATA });
            self.engine.send(to, message)?;
        }
        Ok(())
    }

    /// The next bytes of a rank, if it does the same.
    pub(super) fn receive_from(&self, state: &mut State, from: usize) -> Result<Vec<u8>> {
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
    pub(super) fn listen(&self, state: &mut State, since: Instant) -> Result<()> {
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
    pub(super) fn fetch(&self, state: &mut State) -> Result<()> {
        if let Some((rank, step, found)) = state.gone.clone() {
            return Err(gone(rank, step, found));
        }
        while let Some((from, mut message)) = self.engine.receive()? {
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
    pub(super) fn say(&self, state: &mut State) -> Result<()> {
        if state.said.elapsed() < self.limit / SIGNS {
            return Ok(());
        }
        state.said = Instant::now();
        self.neighbours().try_for_each(|to| self.engine.send(to, vec![ALIVE]))
    }
}

pub(super) fn gone(rank: usize, step: u64, found: String) -> Error {
    Error::Rank { rank, step, found }
}
