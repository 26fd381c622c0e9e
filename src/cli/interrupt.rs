//! Signals that ask for the end: the first asks the work to stop where it can be continued, the second ends the process.

use super::exit::Exit;
use crate::error::{Error, Result};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

static REQUESTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// Listens from now on for Ctrl-C and what schedulers and terminals send: SIGTERM, and SIGHUP unless it is ignored, as
/// under `nohup`.
///
/// # Errors
/// If the system lets nobody listen.
pub fn install() -> Result<()> {
    let mut signals = vec![SIGINT, SIGTERM];
    #[cfg(unix)]
    if !hangup_is_ignored() {
        signals.push(signal_hook::consts::SIGHUP);
    }
    for signal in signals {
        // In this order: the first signal finds the flag down.
        let leave =
            flag::register_conditional_shutdown(signal, Exit::Interrupted.code().into(), REQUESTED.clone());
        leave
            .and_then(|_| flag::register(signal, REQUESTED.clone()))
            .map_err(|error| Error::value("signal", error, "one that can be listened for"))?;
    }
    Ok(())
}

/// Whether the process was started with SIGHUP ignored, where the system says so.
#[cfg(unix)]
fn hangup_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let bits = ignored.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
    bits.is_some_and(|bits| bits >> (signal_hook::consts::SIGHUP - 1) & 1 == 1)
}

/// Whether the end was asked for.
pub fn requested() -> bool {
    REQUESTED.load(Ordering::SeqCst)
}
