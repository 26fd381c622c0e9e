//! What was chosen on a device before, by another process perhaps, to be taken again.

use super::describe;
use crate::tensor::Choices;
use crate::tensor::choices::Candidate;
use crate::tensor::operation::Operation;
use dfdx::prelude::Cuda;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};

thread_local! {
    /// By device.
    static KEPT: RefCell<HashMap<usize, BTreeMap<String, Candidate>>> = RefCell::default();
}

/// Keeps choices for a device of their name, in place of those that were kept before; whether it has that name.
pub(super) fn keep(device: &Cuda, choices: &Choices) -> bool {
    let is_theirs = describe(device).is_some_and(|(name, _)| name == choices.device);
    if is_theirs {
        KEPT.with_borrow_mut(|kept| kept.insert(super::ordinal(device), choices.operations.clone()));
    }
    is_theirs
}

/// What is kept for an operation on a device.
pub(super) fn of(ordinal: usize, operation: Operation) -> Option<Candidate> {
    KEPT.with_borrow(|kept| kept.get(&ordinal)?.get(&operation.key()).copied())
}

/// Everything that is kept for a device.
pub(super) fn all(ordinal: usize) -> BTreeMap<String, Candidate> {
    KEPT.with_borrow(|kept| kept.get(&ordinal).cloned().unwrap_or_default())
}
