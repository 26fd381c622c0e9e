//! NCCL between the threads of one process, each a rank: a sum is computed by the last of them that asks for it.

use crate::memory;
use cudarc::nccl::sys::*;
use std::collections::BTreeMap;
use std::ffi::{c_char, c_int, c_void};
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// The ranks of one id.
struct Group {
    size: usize,
    round: Mutex<Round>,
    ended: Condvar,
}

/// What they wait for.
#[derive(Default)]
struct Round {
    /// So many have joined.
    joined: usize,
    /// What each rank that asks for the sum has, and where it wants it.
    asked: BTreeMap<usize, (usize, usize)>,
    count: usize,
    /// So many sums are computed.
    sums: u64,
    failed: bool,
}

/// A rank of a group.
struct Rank {
    group: Arc<Group>,
    rank: usize,
}

static GROUPS: Mutex<BTreeMap<[c_char; 128], Arc<Group>>> = Mutex::new(BTreeMap::new());
static NEXT: AtomicU8 = AtomicU8::new(1);

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Group {
    fn wait<'r>(
        &self,
        round: MutexGuard<'r, Round>,
        until: impl Fn(&Round) -> bool,
    ) -> MutexGuard<'r, Round> {
        self.ended.wait_while(round, |round| !until(round)).unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rank {
    fn sum(&self, from: usize, to: usize, count: usize) -> ncclResult_t {
        let group = &self.group;
        let mut round = locked(&group.round);
        round.asked.insert(self.rank, (from, to));
        round.count = count;
        let before = round.sums;
        if round.asked.len() < group.size {
            round = group.wait(round, |round| round.sums > before);
        } else {
            round.failed = add(&round).is_none();
            round.sums += 1;
            round.asked.clear();
            group.ended.notify_all();
        }
        if round.failed { ncclResult_t::ncclInvalidArgument } else { ncclResult_t::ncclSuccess }
    }
}

/// The sums of a round, in the order of the ranks; nothing if a buffer is no memory of the device.
fn add(round: &Round) -> Option<()> {
    let numbers =
        |address: usize| memory::bytes(address as u64, 4 * round.count).ok().map(<*mut u8>::cast::<f32>);
    let places: Vec<[*mut f32; 2]> = round
        .asked
        .values()
        .map(|&(from, to)| Some([numbers(from)?, numbers(to)?]))
        .collect::<Option<_>>()?;
    for i in 0..round.count {
        // SAFETY: every buffer has so many numbers, and the rank that owns it waits for this sum.
        let terms = places.iter().map(|[from, _]| unsafe { from.add(i).read() });
        let sum = terms.reduce(|a, b| a + b)?;
        // SAFETY: as above.
        places.iter().for_each(|[_, to]| unsafe { to.add(i).write(sum) });
    }
    Some(())
}

crate::define! {
    cudarc::nccl::sys;

    fn ncclGetUniqueId(to: *mut ncclUniqueId) -> ncclResult_t {
        let number = NEXT.fetch_add(1, Ordering::SeqCst) as c_char;
        // SAFETY: the caller gives a place for the id.
        unsafe { to.write(ncclUniqueId { internal: [number; 128] }) };
        ncclResult_t::ncclSuccess
    }

    fn ncclCommInitRank(to: *mut ncclComm_t, size: c_int, id: ncclUniqueId, rank: c_int) -> ncclResult_t {
        let (Ok(size), Ok(rank)) = (usize::try_from(size), usize::try_from(rank)) else {
            return ncclResult_t::ncclInvalidArgument;
        };
        let new = || Arc::new(Group { size, round: Mutex::default(), ended: Condvar::new() });
        let group = locked(&GROUPS).entry(id.internal).or_insert_with(new).clone();
        if group.size != size || rank >= size {
            return ncclResult_t::ncclInvalidArgument;
        }
        let mut round = locked(&group.round);
        round.joined += 1;
        group.ended.notify_all();
        drop(group.wait(round, |round| round.joined >= size));
        // SAFETY: the caller gives a place for the communicator.
        unsafe { to.write(Box::into_raw(Box::new(Rank { group, rank })).cast()) };
        ncclResult_t::ncclSuccess
    }

    fn ncclCommAbort(comm: ncclComm_t) -> ncclResult_t {
        // SAFETY: it is a communicator of `ncclCommInitRank`, which its owner ends once.
        drop(unsafe { Box::from_raw(comm.cast::<Rank>()) });
        ncclResult_t::ncclSuccess
    }

    fn ncclCommDestroy(comm: ncclComm_t) -> ncclResult_t {
        // SAFETY: as above.
        drop(unsafe { Box::from_raw(comm.cast::<Rank>()) });
        ncclResult_t::ncclSuccess
    }

    fn ncclGroupStart() -> ncclResult_t {
        ncclResult_t::ncclSuccess
    }

    fn ncclGroupEnd() -> ncclResult_t {
        ncclResult_t::ncclSuccess
    }

    fn ncclAllReduce(
        from: *const c_void,
        to: *mut c_void,
        count: usize,
        kind: ncclDataType_t,
        operation: ncclRedOp_t,
        comm: ncclComm_t,
        _stream: cudaStream_t,
    ) -> ncclResult_t {
        if (kind, operation) != (ncclDataType_t::ncclFloat32, ncclRedOp_t::ncclSum) {
            return ncclResult_t::ncclInvalidArgument;
        }
        // SAFETY: the caller gives its communicator, which lives as long as the call.
        unsafe { &*comm.cast::<Rank>() }.sum(from as usize, to as usize, count)
    }
}
