//! The files of a zip, all of them: its directory and its entries must agree.

use crate::data::checked_read::read_error;
use crate::data::entry::{Exact, Visitor, inside, refuse_link};
use crate::data::unpack::bounded;
use crate::error::{Error, Result};
use std::collections::HashSet;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::Path;
use zip::ZipArchive;
use zip::result::ZipError;

/// Hands every file of a zip held in memory, itself `entry` of the file at `path`, to `visitor`.
pub(crate) fn for_each_in_zip(
    path: &Path,
    entry: &str,
    bytes: Vec<u8>,
    visitor: &mut Visitor<'_>,
) -> Result<()> {
    for_each(path, &format!("{entry}: "), &mut Cursor::new(bytes), visitor)
}

/// What a zip is read from.
pub(crate) trait ReadSeek: Read + Seek {}

impl<T: Read + Seek> ReadSeek for T {}

/// Hands every file of the zip that `reader` reads to `visitor`; `within` is what errors put before its parts.
pub(crate) fn for_each(
    path: &Path,
    within: &str,
    reader: &mut dyn ReadSeek,
    visitor: &mut Visitor<'_>,
) -> Result<()> {
    let corrupt = |what: &str, e: ZipError| read_error(path, &format!("{within}{what}"), io::Error::other(e));
    let mut archive = ZipArchive::new(reader).map_err(|e| corrupt("zip", e))?;
    if archive.has_duplicate_names() {
        let found = twice(archive).map_err(|e| read_error(path, &format!("{within}zip"), e))?;
        return Err(Error::format(path, format!("{within}zip"), found, "each name once"));
    }
    // An entry that the directory does not list, or lists otherwise than it is, would be lost without a word.
    archive.validate_header_consistency().map_err(|e| corrupt("zip directory", e))?;
    for i in 0..archive.len() {
        let mut entry = archive.by_index(i).map_err(|e| corrupt("zip entry", e))?;
        // Some writers put their system's separator into names.
        let name = entry.name().map_err(|e| corrupt("zip entry", e))?.replace('\\', "/");
        inside(path, &name)?;
        if entry.is_symlink() {
            return Err(refuse_link(path, &name, "a link"));
        }
        if !entry.is_dir() && !name.ends_with('/') {
            let (left, packed) = (entry.size(), entry.compressed_size());
            visitor(&name, &mut Exact { inner: &mut bounded(Box::new(&mut entry), packed), left })?;
        }
    }
    Ok(())
}

/// Names an entry that the directory has twice: a record is 46 bytes, its name, and what else it says the lengths of.
fn twice(archive: ZipArchive<&mut dyn ReadSeek>) -> io::Result<String> {
    let start = archive.central_directory_start();
    let mut reader = io::BufReader::new(archive.into_inner());
    reader.seek(SeekFrom::Start(start))?;
    let mut names = HashSet::new();
    let mut record = [0; 46];
    while reader.read_exact(&mut record).is_ok() && record.starts_with(b"PK\x01\x02") {
        let length = |at: usize| u16::from_le_bytes([record[at], record[at + 1]]);
        let mut name = vec![0; length(28).into()];
        reader.read_exact(&mut name)?;
        reader.seek_relative(i64::from(length(30)) + i64::from(length(32)))?;
        if let Some(name) = names.replace(name) {
            return Ok(format!("two entries called {}", String::from_utf8_lossy(&name)));
        }
    }
    Ok("two entries of one name".to_owned())
}
