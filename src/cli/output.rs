//! Standard output and standard error.

use crate::error::{Error, Result, printable};
use std::io::Write;

/// Writes one line to standard error. Nobody is left to tell if that fails.
pub(super) fn complain(message: &str) {
    let mut parts = Vec::new();
    for part in message.split(['\n', '\r']) {
        if !part.trim().is_empty() {
            parts.push(part.trim());
        }
    }
    let line = printable(&parts.join(" "));
    // At once: several processes may share it.
    let _ = std::io::stderr().write_all(format!("error: {line}\n").as_bytes());
}

/// Writes text to standard output. A reader that has gone away (`| head`) is no error.
pub(super) fn print(text: &str) -> Result<()> {
    let mut lines = Vec::new();
    for line in text.split('\n') {
        lines.push(printable(line));
    }
    let text = lines.join("\n");
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::io("standard output", "write")(error))
        }
        _ => Ok(()),
    }
}
