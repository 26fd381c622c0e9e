//! Disks that fail, for tests. Steps that change the disk are counted, thread by thread: a file or folder made, a write, a
//! sync, a rename, a removal. The n-th fails, and with it every later one or none.
//!
//! While it is counted or fails, nothing is really forced to the disk: a killed process needs that no more than a test does.

use std::cell::Cell;
use std::io;

/// What happens after the step that fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The disk works again: the process sees an error and goes on.
    GoesOn,
    /// Nothing reaches the disk any more: what is on it is what a killed process leaves.
    Dies,
}

#[derive(Clone, Copy, Default)]
struct Plan {
    is_on: bool,
    seen: u64,
    fails: Option<(u64, Then)>,
}

thread_local! {
    static PLAN: Cell<Plan> = const { Cell::new(Plan { is_on: false, seen: 0, fails: None }) };
}

/// Runs `f`; gives also the number of steps that changed the disk.
pub fn counted<T>(f: impl FnOnce() -> T) -> (T, u64) {
    planned(None, f)
}

/// Runs `f` on a disk whose step `at`, counted from 1, fails: of a write the first half is done.
pub fn failing<T>(at: u64, then: Then, f: impl FnOnce() -> T) -> T {
    planned(Some((at, then)), f).0
}

fn planned<T>(fails: Option<(u64, Then)>, f: impl FnOnce() -> T) -> (T, u64) {
    /// Ends the plan even if `f` panics.
    struct End;
    impl Drop for End {
        fn drop(&mut self) {
            PLAN.set(Plan::default());
        }
    }
    let _end = End;
    PLAN.set(Plan { is_on: true, seen: 0, fails });
    let done = f();
    (done, PLAN.get().seen)
}

/// Whether steps are counted.
pub(super) fn are_planned() -> bool {
    PLAN.get().is_on
}

/// Whether the next step may be done.
pub(super) fn next() -> io::Result<()> {
    let plan = PLAN.get();
    let seen = plan.seen + 1;
    PLAN.set(Plan { seen, ..plan });
    match plan.fails {
        Some((at, then)) if seen == at || seen > at && then == Then::Dies => {
            Err(io::Error::other("the disk fails, as the test asked"))
        }
        _ => Ok(()),
    }
}

/// How many of `length` bytes a write that `may` not be done leaves.
pub(super) fn torn(may: &io::Result<()>, length: usize) -> usize {
    let plan = PLAN.get();
    let is_first = plan.fails.is_some_and(|(at, _)| plan.seen == at);
    if may.is_err() && is_first { length / 2 } else { 0 }
}
