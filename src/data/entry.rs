//! One file of an archive: its name, which may not point outside, and its bytes, which have a known number.

use crate::data::checked_read::is_corrupt;
use crate::data::unpack::Source;
use crate::error::{Error, Result};
use std::io::{self, Read};
use std::path::{Component, Path};

/// What is done with each file: its name within the archive, and its bytes.
pub(crate) type Visitor<'a> = dyn FnMut(&str, &mut dyn Read) -> Result<()> + 'a;

/// A name as text; bytes that are no UTF-8 are written out, so that two names stay two.
pub(crate) fn name_of(bytes: &[u8]) -> String {
    let written = |&b: &u8| if b.is_ascii() { char::from(b).to_string() } else { format!("%{b:02X}") };
    std::str::from_utf8(bytes).map_or_else(|_| bytes.iter().map(written).collect(), str::to_owned)
}

/// Refuses a name that points outside.
pub(crate) fn inside(path: &Path, name: &str) -> Result<()> {
    let plain = |c: Component<'_>| matches!(c, Component::Normal(_) | Component::CurDir);
    // A backslash or a drive's colon is a way out on some systems.
    let odd = name.contains('\\') || name.contains('\0') || name.get(1..2) == Some(":");
    if name.is_empty() || odd || !Path::new(name).components().all(plain) {
        return Err(Error::format(path, "entry name", format!("{name:?}"), "a relative path without \"..\""));
    }
    Ok(())
}

pub(crate) fn refuse_link(path: &Path, name: &str, what: &str) -> Error {
    Error::format(path, format!("entry {name}"), what, "a plain file or folder")
}

/// A reader of an entry whose length is known: ending early or late is an error, not an end.
pub(crate) struct Exact<'a> {
    pub(crate) inner: &'a mut dyn Source,
    pub(crate) left: u64,
}

impl Read for Exact<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = match self.inner.read_some(buffer) {
            Err(e) if is_corrupt(&e) => return Err(io::Error::new(io::ErrorKind::InvalidData, e)),
            other => other?,
        };
        if n == 0 && self.left > 0 && !buffer.is_empty() {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, format!("{} bytes missing", self.left)));
        }
        match self.left.checked_sub(n as u64) {
            Some(left) => self.left = left,
            None => {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "more bytes than the header says"));
            }
        }
        Ok(n)
    }
}
