//! Standard output and standard error.

use crate::error::{Error, Result, printable};
use std::io::Write;

/// Writes one line to standard error. Nobody is left to tell if that fails.
pub(super) fn complain(message: &str) {
    let line = message.split(['\n', '\r']).map(str::trim).filter(|part| !part.is_empty());
    let line = printable(&line.collect::<Vec<_>>().join(" "));
    // At once: several processes may share it.
    let _ = std::io::stderr().write_all(format!("error: {line}\n").as_bytes());
}

/// Writes text to standard output. A reader that has gone away (`| head`) is no error.
pub(super) fn print(text: &str) -> Result<()> {
    let text = text.split('\n').map(printable).collect::<Vec<_>>().join("\n");
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::io("standard output", "write")(error))
        }
        _ => Ok(()),
    }
}
