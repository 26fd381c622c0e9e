//! Signals that ask for the end: the first asks the work to stop where it can be continued, the second ends the process.

use super::exit::Exit;
use crate::error::{Error, Result};
use crate::run::Observer;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::flag;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::Instant;

static REQUESTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// An observer that asks for the end when a signal has: see [`listen`](Self::listen).
#[derive(Clone, Copy, Debug)]
pub struct Interrupt(());

impl Interrupt {
    /// Listens from now on: the first signal asks for the end, the second ends the process.
    ///
    /// # Errors
    /// If the system lets nobody listen.
    pub fn listen() -> Result<Self> {
        install().map(|()| Self(()))
    }
}

impl Observer for Interrupt {
    fn stop(&self) -> Option<String> {
        let said = "finishing what is begun, to be continued later; Ctrl-C again ends at once";
        requested().then(|| said.to_owned())
    }
}

/// An observer that asks for the end at an instant.
#[derive(Clone, Copy, Debug)]
pub struct Until(pub Instant);

impl Observer for Until {
    fn stop(&self) -> Option<String> {
        let said = "the time is over: finishing what is begun, to be continued later";
        (self.0 <= Instant::now()).then(|| said.to_owned())
    }
}

/// Listens from now on for Ctrl-C and what schedulers and terminals send: SIGTERM, and SIGHUP unless it is ignored, as
/// under `nohup`.
///
/// # Errors
/// If the system lets nobody listen.
pub(crate) fn install() -> Result<()> {
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
pub(crate) fn requested() -> bool {
    REQUESTED.load(Ordering::SeqCst)
}
