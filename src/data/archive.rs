//! The files in a folder, a tar (plain, or packed by gzip, bzip2 or xz) or a zip, one after another.
//!
//! Nothing is ever written under a name that an archive gives; an entry that points outside, and a
//! link, is refused all the same, as the archive is not what it should be.

use crate::data::entry::{Visitor, name_of};
use crate::data::tar::{for_each_in_tar, is_tar};
use crate::data::unpack::{self, Unpacked};
use crate::data::zip;
use crate::error::{Error, Result};
use crate::order::ordered;
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// Hands every file at `path` to `visitor`: folders in the order of names, archives in their own.
///
/// `path` may also be a single file that is none of these, packed or not.
pub(crate) fn for_each_file(path: &Path, visitor: &mut Visitor<'_>) -> Result<()> {
    if path.is_dir() {
        return walk(path, path, visitor);
    }
    let Unpacked { start, mut reader, packing } = unpack::open(path)?;
    match (start.starts_with(b"PK"), packing) {
        (true, None) => {
            let file = File::open(path).map_err(Error::io(path, "read"))?;
            zip::for_each(path, "", &mut BufReader::with_capacity(1 << 16, file), visitor)
        }
        (true, Some(packing)) => {
            Err(Error::format(path, "content", format!("a zip packed again ({packing})"), "the zip alone"))
        }
        _ if is_tar(&start) => for_each_in_tar(path, reader, visitor),
        _ => visitor(&file_name(path, packing), &mut reader),
    }
}

/// The name of a file, as it is once it is unpacked.
fn file_name(path: &Path, packing: Option<&str>) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let unpacked = packing.and_then(|end| name.strip_suffix(end)?.strip_suffix('.'));
    unpacked.unwrap_or(&name).to_owned()
}

fn walk(root: &Path, folder: &Path, visitor: &mut Visitor<'_>) -> Result<()> {
    let entries = std::fs::read_dir(folder).map_err(Error::io(folder, "read"))?;
    let mut paths = Vec::new();
    for entry in entries {
        paths.push(entry.map_err(Error::io(folder, "read"))?.path());
    }
    for at in ordered(paths.len(), &|a, b| paths[a].cmp(&paths[b])) {
        let path = &paths[at];
        if path.is_dir() {
            if path.is_symlink() {
                return Err(Error::format(path, "entry", "a link to a folder", "files and folders"));
            }
            walk(root, path, visitor)?;
        } else {
            let file = File::open(path).map_err(Error::io(path, "read"))?;
            let name = path.strip_prefix(root).unwrap_or(path).as_os_str();
            visitor(&name_of(name.as_encoded_bytes()), &mut BufReader::new(file))?;
        }
    }
    Ok(())
}
