//! Ctrl-C: the first asks the work to stop where it can be continued, the second ends the process.

use crate::error::{Error, Result};
use std::sync::atomic::{AtomicBool, Ordering};

static REQUESTED: AtomicBool = AtomicBool::new(false);

/// The exit code after Ctrl-C, as shells have it: 128 and the signal's number.
pub const EXIT_CODE: u8 = 130;

/// Listens for Ctrl-C from now on.
///
/// # Errors
/// If the process has another handler already.
pub fn install() -> Result<()> {
    ctrlc::set_handler(|| {
        if REQUESTED.swap(true, Ordering::SeqCst) {
            std::process::exit(EXIT_CODE.into());
        }
    })
    .map_err(|error| Error::value("Ctrl-C", error, "a process without another handler"))
}

/// Whether Ctrl-C was pressed.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::SeqCst)
}
