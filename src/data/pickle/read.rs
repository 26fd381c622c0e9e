//! What the machine reads: numbers, bytes, text and lines, none of them trusted.

use crate::data::checked_read::{read_error, require_end};
use crate::error::{Error, Result};
use std::io::{BufReader, Read};
use std::path::Path;

/// The bytes of a pickle, and where in them the machine is.
pub(super) struct Reader<'a> {
    path: &'a Path,
    entry: &'a str,
    inner: BufReader<&'a mut dyn Read>,
    offset: u64,
}

impl<'a> Reader<'a> {
    pub(super) fn new(path: &'a Path, entry: &'a str, inner: &'a mut dyn Read) -> Self {
        Self { path, entry, inner: BufReader::new(inner), offset: 0 }
    }

    /// How many bytes were read.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// The error that `found` is at this place.
    pub(super) fn wrong(&self, found: impl ToString, expected: &str) -> Error {
        Error::format(self.path, format!("{}: pickle byte {}", self.entry, self.offset), found, expected)
    }

    /// Refuses any further byte.
    pub(super) fn end(&mut self) -> Result<()> {
        require_end(self.path, &format!("{}: after the pickle", self.entry), &mut self.inner)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        let mut bytes = [0; N];
        self.inner
            .read_exact(&mut bytes)
            .map_err(|e| read_error(self.path, &format!("{}: pickle byte {}", self.entry, self.offset), e))?;
        self.offset += N as u64;
        Ok(bytes)
    }

    pub(super) fn number(&mut self, size: usize) -> Result<u64> {
        let mut wide = [0; 8];
        for byte in wide.iter_mut().take(size) {
            [*byte] = self.array()?;
        }
        Ok(u64::from_le_bytes(wide))
    }

    // Memory grows with what is really there, whatever length is claimed.
    pub(super) fn bytes(&mut self, length: u64) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let what = format!("{}: pickle byte {}", self.entry, self.offset);
        let read = Read::by_ref(&mut self.inner).take(length).read_to_end(&mut bytes);
        read.map_err(|e| read_error(self.path, &what, e))?;
        if (bytes.len() as u64) < length {
            let found = format!("{} bytes of {length}", bytes.len());
            return Err(Error::format(self.path, what, found, "a whole file"));
        }
        self.offset += length;
        Ok(bytes)
    }

    pub(super) fn text(&mut self, length: u64) -> Result<String> {
        let bytes = self.bytes(length)?;
        String::from_utf8(bytes).map_err(|_| self.wrong("text that is no UTF-8", "UTF-8"))
    }

    pub(super) fn line(&mut self) -> Result<String> {
        let mut line = Vec::new();
        loop {
            match self.array()? {
                [b'\n'] => break,
                [byte] if line.len() < 256 => line.push(byte),
                _ => return Err(self.wrong("a name of more than 256 bytes", "a shorter one")),
            }
        }
        String::from_utf8(line).map_err(|_| self.wrong("a name that is no UTF-8", "UTF-8"))
    }
}

/// A two's complement integer, low byte first, of up to 8 bytes.
pub(super) fn long(bytes: &[u8]) -> Option<i64> {
    let last = bytes.last().copied().unwrap_or(0);
    let mut wide = [if last & 0x80 == 0 { 0 } else { 0xff }; 8];
    wide.get_mut(..bytes.len())?.copy_from_slice(bytes);
    Some(i64::from_le_bytes(wide))
}
