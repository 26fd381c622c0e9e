//! The best of several ways to compute an operation, found where it runs.
//!
//! At the first use of a shape by a thread each candidate is run on two rows of drawn numbers, forward and backward, against the portable
//! operations in `f64` on the same device. One that fails, or whose error is above [`Operation::bound`], is left out with a line on standard
//! error. The bounds tell right from wrong, not good from better: of the largest entry 1e-5, the rounding of `f32` in sums, and 1e-4 where
//! Winograd's transforms, whose factors reach 8, come in (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", arXiv 1509.09308).
//! Rows in `f64` have 1e-12: sums of 3000 terms round by 3e-13 at most, and a number that went through `f32` is off by some 1e-8.
//! A wrong index or a lost term is off by a part of an entry. Where the portable operations in `f32` are themselves further from the truth, as a
//! norm of two numbers is, twice their error is the bound. What is wrong for many rows alone is not seen here.
//!
//! What is right is timed, a forward and a backward pass of up to 16 rows, and the first in the order own, cudnn, patches, portable is taken unless another
//! is [`MARGIN`] times as fast. Where cuDNN is not installed it is no candidate, and only who asks for it is told. Times are noise, and two processes on one kind of card are to take the same, and give the same bits: within the
//! noise of that margin alone may they differ. So a choice by time is printed, a run keeps its own ([`keep`]), and `IDODE_CUDA_CANDIDATE=own|cudnn|patches|portable` fixes it for
//! all operations that have it (others take the first), without check or time. On a device of host memory times mean nothing: there the order decides.

use super::launch::{Engine, engine};
use super::{Shortage, describe, kept, shortage};
use crate::tensor::choices::Candidate;
use crate::tensor::operation::Operation;
use crate::tensor::trial::{Trial, error};
use crate::tensor::{Choices, Kernels, Precision, Real};
use dfdx::prelude::Cuda;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::{Once, OnceLock};

/// How many times as fast as the first in order another has to be.
const MARGIN: f64 = 1.5;
/// The rows of a check.
const ROWS: usize = 2;
/// The most rows of a timing, and the numbers of its widest image: enough that a GPU is busy.
const TIMED: (usize, usize) = (16, 1 << 20);
/// The runs of a timing, after one that does not count.
const REPEATS: usize = 3;
/// The numbers of a row, where nothing depends on them.
pub(super) const NUMBERS: usize = 3000;
/// The variable that names one candidate for all operations that have it.
const VARIABLE: &str = "IDODE_CUDA_CANDIDATE";

thread_local! {
    /// What is taken, by device and shape.
    static TAKEN: RefCell<HashMap<(usize, Operation), Candidate>> = RefCell::default();
    /// What a check or a measurement wants now.
    static WANTED: Cell<Option<Candidate>> = const { Cell::new(None) };
}

/// What computes an operation on a device, unless it is the portable operations.
pub(super) fn own(device: &Cuda, operation: Operation) -> Option<(Rc<Engine>, Candidate)> {
    let engine = engine(device)?;
    let candidate = WANTED.get().unwrap_or_else(|| chosen(&engine, device, operation));
    (candidate != Candidate::Portable).then_some((engine, candidate))
}

/// What computes an operation on a device.
#[cfg(feature = "cli")]
pub(crate) fn taken(device: &Cuda, operation: Operation) -> Candidate {
    own(device, operation).map_or(Candidate::Portable, |(_, candidate)| candidate)
}

/// What has been chosen on a device, by this thread or by those whose choices it keeps.
pub(crate) fn choices(device: &Cuda) -> Option<Choices> {
    let ((device, _), own) = (describe(device)?, super::ordinal(device));
    let mut operations = kept::all(own);
    TAKEN.with_borrow(|taken| {
        let of_device = taken.iter().filter(|((ordinal, _), _)| *ordinal == own);
        operations.extend(of_device.map(|((_, operation), candidate)| (operation.key(), *candidate)));
    });
    Some(Choices { device, operations })
}

/// Takes what was chosen on a device of this one's name, if each is here and right: it is checked as ever, but not timed.
pub(crate) fn keep(device: &Cuda, choices: &Choices) {
    let own = super::ordinal(device);
    if kept::keep(device, choices) {
        let is_kept = |ordinal, operation, candidate| {
            ordinal != own || kept::of(own, operation).is_none_or(|kept| kept == candidate)
        };
        TAKEN.with_borrow_mut(|taken| {
            taken.retain(|(ordinal, operation), candidate| is_kept(*ordinal, *operation, *candidate));
        });
    }
}

/// The ways to compute an operation on a device, in order.
pub(crate) fn candidates(device: &Cuda, operation: Operation) -> Vec<Candidate> {
    let engine = engine(device);
    Candidate::ALL.into_iter().filter(|candidate| is_way(engine.as_deref(), operation, *candidate)).collect()
}

/// Whether an operation can be computed so with this engine.
fn is_way(engine: Option<&Engine>, operation: Operation, candidate: Candidate) -> bool {
    match candidate {
        Candidate::Own => engine.is_some(),
        // cuDNN has no images of nothing.
        Candidate::Cudnn => {
            operation.has_patches() && !operation.is_empty() && engine.is_some_and(|own| own.cudnn().is_ok())
        }
        Candidate::Patches => operation.has_patches() && engine.is_some(),
        Candidate::Portable => true,
    }
}

/// Why a device has no cuDNN, in words.
#[cfg(feature = "cli")]
pub(crate) fn without_cudnn(device: &Cuda) -> Option<String> {
    engine(device)?.cudnn().err().map(str::to_owned)
}

/// Does `work` with one candidate for all operations of this thread that have it.
pub(crate) fn with<R>(candidate: Candidate, work: impl FnOnce() -> R) -> R {
    struct Back(Option<Candidate>);
    impl Drop for Back {
        fn drop(&mut self) {
            WANTED.set(self.0);
        }
    }
    let _back = Back(WANTED.replace(Some(candidate)));
    work()
}

/// The error of each candidate against the portable operations in `f64` on the same device, `None` if it fails; nothing if those fail.
pub(crate) fn errors_of(
    device: &Cuda,
    operation: Operation,
    candidates: &[Candidate],
) -> Option<Vec<Option<f64>>> {
    match operation.is_double() {
        true => errors_in::<f64>(device, operation, candidates),
        false => errors_in::<f32>(device, operation, candidates),
    }
}

/// [`errors_of`] candidates whose numbers are `E`.
fn errors_in<E: Real>(
    device: &Cuda,
    operation: Operation,
    candidates: &[Candidate],
) -> Option<Vec<Option<f64>>>
where
    Cuda: Kernels<E>,
{
    let truth = attempt(|| Trial::<f64, Cuda>::new(device, operation, ROWS).answers(true))?;
    let trial = attempt(|| Trial::<E, Cuda>::new(device, operation, ROWS))?;
    let of = |&candidate| {
        let answers = || with(candidate, || trial.answers(candidate == Candidate::Portable));
        attempt(answers).map(|found| error(&found, &truth))
    };
    Some(candidates.iter().map(of).collect())
}

/// What `work` gives, unless it panics, as dfdx does of any error. A lack of memory is nothing that a candidate has done.
fn attempt<R>(work: impl FnOnce() -> R) -> Option<R> {
    let before: Option<Shortage> = shortage();
    catch_unwind(AssertUnwindSafe(work)).map_or_else(
        |panic| match shortage() == before {
            true => None,
            false => resume_unwind(panic),
        },
        Some,
    )
}

/// The largest error that is not wrong, where the portable operations in `f32` have this one.
fn bound(operation: Operation, portable: Option<f64>) -> f64 {
    operation.bound().max(2.0 * portable.unwrap_or(0.0))
}

fn chosen(engine: &Engine, device: &Cuda, operation: Operation) -> Candidate {
    let key = (engine.handle.ordinal(), operation);
    if let Some(candidate) = TAKEN.with_borrow(|taken| taken.get(&key).copied()) {
        return candidate;
    }
    let candidate = match asked() {
        Some(asked) => {
            if let (Candidate::Cudnn, true, Err(reason)) = (asked, operation.has_patches(), engine.cudnn()) {
                static SAID: Once = Once::new();
                SAID.call_once(|| eprintln!("warning: {VARIABLE} = cudnn is left out: {reason}"));
            }
            // Nothing else is opened.
            let has = |candidate| is_way(Some(engine), operation, candidate);
            Some(if has(asked) { asked } else { Candidate::Own })
        }
        // Of nothing every way is right.
        None if operation.is_empty() => Some(Candidate::Own),
        // In `f32`, whatever the work that uses it is done in.
        None => {
            let all = candidates(device, operation);
            engine.precision.during(Precision::F32, || judged(engine, device, operation, all))
        }
    };
    let candidate = candidate.unwrap_or(Candidate::Portable);
    TAKEN.with_borrow_mut(|taken| taken.insert(key, candidate));
    candidate
}

/// What [`VARIABLE`] names.
fn asked() -> Option<Candidate> {
    static ASKED: OnceLock<Option<Candidate>> = OnceLock::new();
    *ASKED.get_or_init(|| {
        let name = std::env::var_os(VARIABLE)?;
        let found = Candidate::ALL.into_iter().find(|candidate| name == candidate.name());
        if found.is_none() {
            let name = name.display();
            eprintln!("warning: {VARIABLE} = {name} is left out: expected own, cudnn, patches or portable");
        }
        found
    })
}

/// Those of an operation's ways that are right; every other has a line. Nothing where there is no truth.
fn right(device: &Cuda, operation: Operation, all: &[Candidate]) -> Option<Vec<Candidate>> {
    let Some(errors) = errors_of(device, operation, all) else {
        eprintln!("warning: {operation}: not checked, for the portable operations do not run on this device");
        return None;
    };
    let portable = errors.last().copied().flatten();
    let most = bound(operation, portable);
    let mut right = Vec::with_capacity(all.len());
    for (&candidate, error) in all.iter().zip(&errors) {
        let found = match error {
            Some(error) if *error <= most => {
                right.push(candidate);
                continue;
            }
            // There is no other.
            _ if candidate == Candidate::Portable => continue,
            Some(error) => format!("an error of {error:.1e} of the largest entry"),
            None => "no answer".to_owned(),
        };
        let name = candidate.name();
        eprintln!("warning: {operation}: {name} is left out: found {found}, expected at most {most:.0e}");
    }
    Some(right)
}

/// What was chosen before, if it is right; else the best of what is.
fn judged(
    engine: &Engine,
    device: &Cuda,
    operation: Operation,
    mut all: Vec<Candidate>,
) -> Option<Candidate> {
    if let Some(kept) = kept::of(engine.handle.ordinal(), operation) {
        if all.contains(&kept) {
            let mut pair = vec![kept, Candidate::Portable];
            pair.dedup();
            if right(device, operation, &pair).is_none_or(|right| right.contains(&kept)) {
                return Some(kept);
            }
            all.retain(|candidate| *candidate != kept || kept == Candidate::Portable);
        }
        let name = kept.name();
        eprintln!(
            "warning: {operation}: {name}, which was taken before, is not to be had: the bits are others"
        );
    }
    let Some(right) = right(device, operation, &all) else { return all.first().copied() };
    if right.len() < 2 || describe(device).is_none_or(|(name, _)| name == HOST_MEMORY) {
        return right.first().copied();
    }
    let rows = (TIMED.1 / operation.numbers().max(1)).clamp(ROWS, TIMED.0);
    let timed = attempt(|| match operation.is_double() {
        true => times_in::<f64>(engine, device, operation, rows, &right),
        false => times_in::<f32>(engine, device, operation, rows, &right),
    });
    let (first, best) = (right.first().copied(), timed.as_deref().and_then(best));
    if let (Some(timed), true) = (&timed, best != first) {
        let mut line = format!("note: {operation}: by time {} is taken:", best.map_or("", Candidate::name));
        for (candidate, seconds) in timed {
            let _ = write!(line, " {} {:.3} ms", candidate.name(), 1e3 * seconds);
        }
        eprintln!("{line}");
    }
    best.or(first)
}

/// The seconds of each candidate, whose numbers are `E`.
fn times_in<E: Real>(
    engine: &Engine,
    device: &Cuda,
    operation: Operation,
    rows: usize,
    candidates: &[Candidate],
) -> Vec<(Candidate, f64)>
where
    Cuda: Kernels<E>,
{
    let trial = Trial::<E, Cuda>::new(device, operation, rows);
    let time = |&candidate: &Candidate| {
        let finish = || {
            let _ = engine.handle.synchronize();
        };
        let portable = candidate == Candidate::Portable;
        let (forward, both) = with(candidate, || trial.times(portable, REPEATS, &finish));
        (candidate, both.unwrap_or(forward))
    };
    candidates.iter().map(time).collect()
}

/// The name of a device whose times mean nothing.
const HOST_MEMORY: &str = "host memory";

/// The first, unless another is so much faster that it is not noise; then the fastest.
fn best(timed: &[(Candidate, f64)]) -> Option<Candidate> {
    let (first, own) = timed.first()?;
    let (fastest, least) = timed.iter().min_by(|(_, a), (_, b)| a.total_cmp(b))?;
    Some(if MARGIN * least < *own { *fastest } else { *first })
}

#[cfg(test)]
mod tests {
    use super::*;
    use Candidate::{Own, Patches, Portable};

    #[test]
    fn the_first_is_taken_unless_another_is_faster_by_more_than_noise() {
        assert_eq!(best(&[(Own, 1.4), (Patches, 1.0), (Portable, 1.2)]), Some(Own));
        assert_eq!(best(&[(Own, 1.6), (Patches, 1.1), (Portable, 1.0)]), Some(Portable));
        assert_eq!(best(&[(Portable, 1.6)]), Some(Portable));
        assert_eq!(best(&[]), None);
    }

    #[test]
    fn a_wrong_answer_is_no_rounding() {
        let operation = Operation::AveragePool { side: [2, 2], channels: 1 };
        assert_eq!(bound(operation, Some(1e-7)), 1e-5);
        assert_eq!(bound(operation, Some(1e-3)), 2e-3);
        assert_eq!(bound(operation, Some(f64::NAN)), 1e-5);
        assert_eq!(bound(operation, None), 1e-5);
    }

    #[test]
    fn what_is_wanted_holds_as_long_as_the_work() {
        let failed = attempt(|| with(Patches, || with(Portable, || assert_eq!(WANTED.get(), None))));
        assert!(failed.is_none() && WANTED.get().is_none());
    }
}
