//! Telling a corrupt file from a file that cannot be read.

use crate::error::{Error, Result};
use std::io::{self, ErrorKind, Read};
use std::path::Path;

/// Whether the bytes are at fault, not the system that reads them.
pub(crate) fn is_corrupt(e: &io::Error) -> bool {
    // Decoders of archives wrap what they find wrong in the kind "other".
    matches!(
        e.kind(),
        ErrorKind::UnexpectedEof | ErrorKind::InvalidInput | ErrorKind::InvalidData | ErrorKind::Other
    )
}

/// One line for a read that failed within part `what` of the file at `path`.
pub(crate) fn read_error(path: &Path, what: &str, e: io::Error) -> Error {
    if is_corrupt(&e) {
        let found = format!("a truncated or corrupt file ({})", e.to_string().replace('\n', " "));
        Error::format(path, what, found, "a whole one")
    } else {
        Error::io(path, "read")(e)
    }
}

/// Fills `bytes`, or says what is missing.
pub(crate) fn fill(path: &Path, what: &str, reader: &mut dyn Read, bytes: &mut [u8]) -> Result<()> {
    reader.read_exact(bytes).map_err(|e| read_error(path, what, e))
}

/// Reads to the end, but refuses more than `limit` bytes; memory grows with what is really there.
pub(crate) fn read_at_most(path: &Path, what: &str, reader: &mut dyn Read, limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.take(limit + 1).read_to_end(&mut bytes).map_err(|e| read_error(path, what, e))?;
    if bytes.len() as u64 > limit {
        return Err(Error::format(
            path,
            what,
            format!("more than {limit} bytes"),
            format!("at most {limit}"),
        ));
    }
    Ok(bytes)
}

/// Refuses any byte after the end of what a header announced.
pub(crate) fn require_end(path: &Path, what: &str, reader: &mut dyn Read) -> Result<()> {
    let mut one = [0];
    loop {
        match reader.read(&mut one) {
            Ok(0) => return Ok(()),
            Ok(_) => {
                let found = "more bytes than the header says";
                return Err(Error::format(path, what, found, "the end of the file"));
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(read_error(path, what, e)),
        }
    }
}
