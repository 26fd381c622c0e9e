//! The files in a folder, a tar, a gzipped tar or a zip, one after another.
//!
//! Nothing is ever written under a name that an archive gives; an entry that points outside, and a
//! link, is refused all the same, as the archive is not what it should be.

use crate::data::damage::{is_damage, read_error};
use crate::error::{Error, Result};
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{self, BufReader, Cursor, Read, Seek};
use std::path::{Component, Path};

/// What is done with each file: its name within the archive, and its bytes.
pub(crate) type Visitor<'a> = dyn FnMut(&str, &mut dyn Read) -> Result<()> + 'a;

/// Hands every file at `path` to `visitor`: folders in the order of names, archives in their own.
///
/// `path` may also be a single file that is none of these.
pub(crate) fn for_each_file(path: &Path, visitor: &mut Visitor<'_>) -> Result<()> {
    if path.is_dir() {
        return walk(path, path, visitor);
    }
    let mut file = File::open(path).map_err(Error::io(path, "read"))?;
    let mut start = Vec::new();
    Read::by_ref(&mut file).take(262).read_to_end(&mut start).map_err(Error::io(path, "read"))?;
    file.rewind().map_err(Error::io(path, "read"))?;
    let file = BufReader::with_capacity(1 << 16, file);
    if start.starts_with(&[0x1f, 0x8b]) {
        tar(path, MultiGzDecoder::new(file), visitor)
    } else if start.starts_with(b"PK") {
        zip(path, "", file, visitor)
    } else if start.get(257..262) == Some(b"ustar") {
        tar(path, file, visitor)
    } else {
        visitor(&file_name(path), &mut { file })
    }
}

/// Hands every file of a zip held in memory, itself `entry` of the file at `path`, to `visitor`.
pub(crate) fn for_each_in_zip(
    path: &Path,
    entry: &str,
    bytes: Vec<u8>,
    visitor: &mut Visitor<'_>,
) -> Result<()> {
    zip(path, &format!("{entry}: "), Cursor::new(bytes), visitor)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn walk(root: &Path, folder: &Path, visitor: &mut Visitor<'_>) -> Result<()> {
    let entries = std::fs::read_dir(folder).map_err(Error::io(folder, "read"))?;
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(Error::io(folder, "read"))?.path());
    }
    paths.sort();
    for path in paths {
        if path.is_dir() {
            if path.is_symlink() {
                return Err(Error::format(path, "entry", "a link to a folder", "files and folders"));
            }
            walk(root, &path, visitor)?;
        } else {
            let file = File::open(&path).map_err(Error::io(&path, "read"))?;
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            visitor(&name, &mut BufReader::new(file))?;
        }
    }
    Ok(())
}

/// The entry's name, unless it points outside.
fn inside(path: &Path, name: &str) -> Result<()> {
    let plain = |c: Component<'_>| matches!(c, Component::Normal(_) | Component::CurDir);
    // A backslash or a drive's colon is a way out on some systems.
    let odd = name.contains('\\') || name.contains('\0') || name.get(1..2) == Some(":");
    if name.is_empty() || odd || !Path::new(name).components().all(plain) {
        return Err(Error::format(path, "entry name", format!("{name:?}"), "a relative path without \"..\""));
    }
    Ok(())
}

fn refuse_link(path: &Path, name: &str, what: &str) -> Error {
    Error::format(path, format!("entry {name}"), what, "a plain file or folder")
}

fn tar(path: &Path, reader: impl Read, visitor: &mut Visitor<'_>) -> Result<()> {
    let mut archive = tar::Archive::new(Tail { inner: reader, zeros: 0 });
    for entry in archive.entries().map_err(|e| read_error(path, "tar", e))? {
        let mut entry = entry.map_err(|e| read_error(path, "tar entry", e))?;
        let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        inside(path, &name)?;
        let kind = entry.header().entry_type();
        if kind.is_dir() || kind.is_pax_global_extensions() {
            continue;
        }
        if !kind.is_file() {
            let what = if kind.is_symlink() || kind.is_hard_link() { "a link" } else { "a special file" };
            return Err(refuse_link(path, &name, what));
        }
        let left = entry.size();
        visitor(&name, &mut Exact { inner: &mut entry, left })?;
    }
    // The end of a tar is two blocks of zeros; what is left of the stream must be zeros too.
    let mut tail = archive.into_inner();
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

fn zip(path: &Path, within: &str, reader: impl Read + Seek, visitor: &mut Visitor<'_>) -> Result<()> {
    let damaged = |what: &str, e: zip::result::ZipError| {
        read_error(path, &format!("{within}{what}"), io::Error::other(e))
    };
    let mut archive = zip::ZipArchive::new(reader).map_err(|e| damaged("zip", e))?;
    for i in 0..archive.len() {
        let mut entry = archive.by_index(i).map_err(|e| damaged("zip entry", e))?;
        let name = entry.name().map_err(|e| damaged("zip entry", e))?.into_owned();
        inside(path, &name)?;
        if entry.is_symlink() {
            return Err(refuse_link(path, &name, "a link"));
        }
        if !entry.is_dir() {
            let left = entry.size();
            visitor(&name, &mut Exact { inner: &mut entry, left })?;
        }
    }
    Ok(())
}

/// A reader of an entry whose length is known: ending early or late is an error, not an end.
struct Exact<'a> {
    inner: &'a mut dyn Read,
    left: u64,
}

impl Read for Exact<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = match self.inner.read(buffer) {
            Err(e) if is_damage(&e) => return Err(io::Error::new(io::ErrorKind::InvalidData, e)),
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

/// A reader that knows how many zeros the stream read so far ends with.
struct Tail<R> {
    inner: R,
    zeros: u64,
}

impl<R: Read> Read for Tail<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        let last = buffer[..n].iter().rev().take_while(|&&b| b == 0).count();
        self.zeros = if last == n { self.zeros + n as u64 } else { last as u64 };
        Ok(n)
    }
}
