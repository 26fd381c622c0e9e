//! The bytes of a file, unpacked where it is a gzip, bzip2 or xz file.

use crate::error::{Error, Result};
use flate2::read::MultiGzDecoder;
use lzma_rust2::XzReader;
use std::fs::File;
use std::io::{self, BufReader, Chain, Cursor, Read};
use std::path::Path;

/// What unpacks to more than `FREE` bytes may not unpack to more than `RATIO` times its size.
const FREE: u64 = 1 << 28;
const RATIO: u64 = 500;

/// KiB that an xz file may need for its dictionary: four times what `xz -9` makes.
const XZ_MEMORY: u32 = 1 << 18;

/// Bytes that are looked at to tell what something is: a block of a tar.
const START: usize = 512;

/// What a file holds once it is unpacked.
pub(crate) struct Unpacked {
    /// The first bytes, 512 if there are so many.
    pub(crate) start: Vec<u8>,
    /// All bytes.
    pub(crate) reader: Box<dyn Read>,
    /// The end of the file's name that stands for its packing, which it may not have, where it is packed.
    pub(crate) packing: Option<&'static str>,
}

/// Opens the file at `path`, packed or not; streams that follow each other are read as one.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn open(path: &Path) -> Result<Unpacked> {
    let mut file = File::open(path).map_err(Error::io(path, "read"))?;
    let packed = file.metadata().map_err(Error::io(path, "read"))?.len();
    let start = start_of(&mut file).map_err(Error::io(path, "read"))?;
    let whole = after(start.clone(), Box::new(file));
    let (reader, packing): (Box<dyn Source>, _) = match start[..] {
        [0x1f, 0x8b, ..] => (Box::new(MultiGzDecoder::new(whole)), "gz"),
        [b'B', b'Z', b'h', b'1'..=b'9', ..] => (Box::new(bzip2::read::MultiBzDecoder::new(whole)), "bz2"),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => {
            (Box::new(XzReader::new_mem_limit(whole, true, XZ_MEMORY)), "xz")
        }
        _ => return Ok(Unpacked { start, reader: Box::new(whole), packing: None }),
    };
    let mut reader = bounded(reader, packed);
    let start = start_of(&mut reader).map_err(|e| crate::data::checked_read::read_error(path, packing, e))?;
    let reader = Box::new(after(start.clone(), Box::new(reader)));
    Ok(Unpacked { start, reader, packing: Some(packing) })
}

/// What the gzip file of these bytes holds.
pub(crate) fn gunzip(bytes: &[u8]) -> impl Read {
    unbounded(Box::new(MultiGzDecoder::new(after(bytes.to_vec(), Box::new(io::empty())))))
}

/// What is read once `start` has been, from it on: one type for all sources, as decoders are compiled for each.
fn after(start: Vec<u8>, rest: Box<dyn Read>) -> BufReader<Chain<Cursor<Vec<u8>>, Box<dyn Read>>> {
    BufReader::with_capacity(1 << 16, Cursor::new(start).chain(rest))
}

fn start_of(reader: &mut dyn Read) -> io::Result<Vec<u8>> {
    let mut start = Vec::new();
    reader.take(START as u64).read_to_end(&mut start)?;
    Ok(start)
}

/// A reader as no more than its `read`: what else `dyn Read` can do is compiled for each type behind it.
pub(crate) trait Source {
    fn read_some(&mut self, buffer: &mut [u8]) -> io::Result<usize>;
}

impl<R: Read> Source for R {
    fn read_some(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.read(buffer)
    }
}

/// What `packed` bytes unpack to, which is an error once it is more than they can be meant for.
pub(crate) fn bounded<'a>(inner: Box<dyn Source + 'a>, packed: u64) -> Bounded<'a> {
    Bounded { inner, packed, unpacked: 0 }
}

/// What a source has, however much: [`Bounded`] is the one type that readers of other kinds are read by.
pub(crate) fn unbounded<'a>(inner: Box<dyn Source + 'a>) -> Bounded<'a> {
    bounded(inner, u64::MAX)
}

/// A reader with a bound: see [`bounded`].
pub(crate) struct Bounded<'a> {
    inner: Box<dyn Source + 'a>,
    packed: u64,
    unpacked: u64,
}

impl Read for Bounded<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read_some(buffer)?;
        self.unpacked += n as u64;
        if self.unpacked > FREE && self.unpacked / RATIO > self.packed {
            let text = format!("{} bytes that unpack to more than {RATIO} times as many", self.packed);
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_unpacks_to_far_too_much_is_an_error() {
        let read = |packed| {
            let zeros = Box::new(io::repeat(0).take(FREE + (1 << 20)));
            io::copy(&mut bounded(zeros, packed), &mut io::sink())
        };
        assert_eq!(read(FREE / RATIO + 4000).unwrap(), FREE + (1 << 20));
        let line = read(1 << 19).unwrap_err().to_string();
        assert_eq!(line, "524288 bytes that unpack to more than 500 times as many");
    }
}
