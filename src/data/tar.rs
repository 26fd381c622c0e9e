//! The files of a tar of any kind: V7, ustar, GNU and pax.

use crate::data::checked_read::{is_corrupt, read_at_most, read_error};
use crate::data::entry::{Exact, Visitor, inside, name_of, refuse_link};
use crate::data::unpack::unbounded;
use crate::error::{Error, Result};
use std::io::{self, Read};
use std::path::Path;
use tar::EntryType;

/// The longest name, and the most attributes of a file, in bytes.
const LONGEST_NAME: u64 = 1 << 16;
const MOST_ATTRIBUTES: u64 = 1 << 20;

/// Whether a file that starts so is a tar: whether the sum of its first header's bytes is what the header says.
pub(crate) fn is_tar(start: &[u8]) -> bool {
    let Some(block) = start.first_chunk::<512>() else { return false };
    let header = tar::Header::from_byte_slice(block);
    let sum_of = |bytes: &[u8]| bytes.iter().map(|&b| u32::from(b)).sum::<u32>();
    let sum = sum_of(&block[..148]) + sum_of(&block[156..]) + 8 * 32;
    block[0] != 0 && header.cksum().is_ok_and(|written| written == sum)
}

/// Hands every file of the tar that `reader` reads to `visitor`.
pub(crate) fn for_each_in_tar(path: &Path, reader: Box<dyn Read>, visitor: &mut Visitor<'_>) -> Result<()> {
    let mut archive = tar::Archive::new(Tail { inner: reader, zeros: 0 });
    let mut next = Announced::default();
    // Raw: the crate would read names and attributes of any length into memory.
    for entry in archive.entries().map_err(|e| read_error(path, "tar", e))?.raw(true) {
        let mut entry = entry.map_err(|e| read_error(path, "tar entry", e))?;
        let kind = entry.header().entry_type();
        if next.take_in(path, kind, &mut unbounded(Box::new(&mut entry)))? {
            continue;
        }
        let Announced { name, size, sparse } = std::mem::take(&mut next);
        let name = name_of(&name.unwrap_or_else(|| entry.path_bytes().into_owned()));
        inside(path, &name)?;
        let is_folder = kind.is_dir() || name.ends_with('/');
        let what = match kind {
            _ if is_folder => continue,
            _ if sparse => "a sparse file",
            EntryType::Regular | EntryType::Continuous => {
                let left = entry.size();
                if size.is_some_and(|size| size != left) {
                    let expected = format!("{left}, the size in its header");
                    let what = format!("entry {name}: size");
                    return Err(Error::format(path, what, size.unwrap_or(0), expected));
                }
                visitor(&name, &mut Exact { inner: &mut entry, left })?;
                continue;
            }
            EntryType::Symlink | EntryType::Link => "a link",
            EntryType::GNUSparse => "a sparse file",
            _ => "a special file",
        };
        return Err(refuse_link(path, &name, what));
    }
    if next != Announced::default() {
        return Err(Error::format(
            path,
            "end of the tar",
            "a name or attributes alone",
            "the file that they are of",
        ));
    }
    end(path, archive.into_inner())
}

/// What headers of their own say of the file that follows them.
#[derive(Debug, Default, PartialEq, Eq)]
struct Announced {
    name: Option<Vec<u8>>,
    size: Option<u64>,
    sparse: bool,
}

impl Announced {
    /// Takes in an entry that is no file of its own; says whether it is one.
    fn take_in(&mut self, path: &Path, kind: EntryType, entry: &mut dyn Read) -> Result<bool> {
        match kind {
            EntryType::GNULongName => {
                let mut name = read_at_most(path, "a file's name", entry, LONGEST_NAME)?;
                name.truncate(name.iter().position(|&b| b == 0).unwrap_or(name.len()));
                self.name = Some(name);
            }
            EntryType::XHeader => {
                let attributes = read_at_most(path, "a file's attributes", entry, MOST_ATTRIBUTES)?;
                self.attributes(path, &attributes)?;
            }
            // The target of a link, which is refused when it comes; attributes of all files, and a volume's name.
            EntryType::GNULongLink | EntryType::XGlobalHeader => {}
            _ if kind.as_byte() == b'V' => {}
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Attributes as pax writes them: `LENGTH KEY=VALUE\n`, the length in bytes of all of it.
    fn attributes(&mut self, path: &Path, mut rest: &[u8]) -> Result<()> {
        while !rest.is_empty() && rest[0] != 0 {
            let wrong =
                || Error::format(path, "a file's attributes", "another form", "\"LENGTH KEY=VALUE\" of pax");
            let space = rest.iter().position(|&b| b == b' ').ok_or_else(wrong)?;
            let length = std::str::from_utf8(&rest[..space]).ok().and_then(|n| n.parse::<usize>().ok());
            let record = length.and_then(|length| rest.get(space + 1..length)).ok_or_else(wrong)?;
            rest = &rest[space + 1 + record.len()..];
            let record = record.strip_suffix(b"\n").ok_or_else(wrong)?;
            let equals = record.iter().position(|&b| b == b'=').ok_or_else(wrong)?;
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            match key {
                b"path" => self.name = Some(value.to_owned()),
                b"size" => self.size = std::str::from_utf8(value).ok().and_then(|size| size.parse().ok()),
                _ if key.starts_with(b"GNU.sparse.") => self.sparse = true,
                _ => {}
            }
        }
        Ok(())
    }
}

/// The end of a tar is two blocks of zeros; what is left of the stream must be zeros too.
fn end(path: &Path, mut tail: Tail) -> Result<()> {
    let mut block = [0; 4096];
    loop {
        match tail.read(&mut block).map_err(|e| read_error(path, "end of the tar", e))? {
            0 => break,
            n if block[..n].iter().any(|&b| b != 0) => {
                return Err(Error::format(path, "end of the tar", "more bytes", "the end of the file"));
            }
            _ => {}
        }
    }
    if tail.zeros < 512 {
        return Err(Error::format(path, "end of the tar", "a truncated file", "a block of zeros"));
    }
    Ok(())
}

/// A reader that knows how many zeros the stream read so far ends with.
struct Tail {
    inner: Box<dyn Read>,
    zeros: u64,
}

impl Read for Tail {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // What is wrong with a stream below is corruption, whatever kind its decoder gives it.
        let n = match self.inner.read(buffer) {
            Err(e) if is_corrupt(&e) => return Err(io::Error::new(io::ErrorKind::InvalidData, e)),
            other => other?,
        };
        let last = buffer[..n].iter().rev().take_while(|&&b| b == 0).count();
        self.zeros = if last == n { self.zeros + n as u64 } else { last as u64 };
        Ok(n)
    }
}
