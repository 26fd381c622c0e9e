//! A device without enough memory: one line in place of the panic that dfdx makes of it.

use crate::error::{Error, Result};
use crate::tensor::cuda::{Shortage, shortage};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind, set_hook, take_hook};

/// Runs `f`; an end by a device's lack of memory is an error. Any other panic goes on.
pub(super) fn as_error<T>(f: impl FnOnce() -> Result<T>) -> Result<T> {
    let usual = take_hook();
    set_hook(Box::new(move |panic| {
        if shortage().is_none() {
            usual(panic);
        }
    }));
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|panic| match shortage() {
        Some(Shortage { needed, free }) => Err(Error::OutOfMemory { needed, free }),
        None => resume_unwind(panic),
    })
}
