//! NumPy arrays of images and of labels: `.npy`, plain or packed, and `.npz` with one of its arrays.
//!
//! # Reference
//! NumPy documentation, "A simple file format for NumPy arrays" (`numpy.lib.format`).

use crate::data::archive::for_each_file;
use crate::data::array::Array;
use crate::data::checked_read::fill;
use crate::data::depth::Depth;
use crate::data::disk_cache::{DiskCacheWriter, StreamedSet};
use crate::data::element::Element;
use crate::data::magic;
use crate::data::shape::ImageShape;
use crate::data::source::Split;
use crate::error::{Error, Result};
use std::io::Read;
use std::path::Path;

/// The most arrays of a file that an error names.
const NAMED: usize = 20;

/// Reads the images of a `.npy`, or of array `key` of a `.npz`, one at a time.
///
/// The array's axes are (image, height, width) or (image, height, width, channels), in either order; its values
/// are whole numbers, as integers or as floats. Without a key a `.npz` must hold a single array.
///
/// # Errors
/// If the file is no such array, is truncated, is longer than its header says, lacks the key, or holds
/// a value that is not below `depth.stored()`.
pub fn load(
    path: impl AsRef<Path>,
    key: Option<&str>,
    name: &str,
    split: Split,
    depth: Depth,
) -> Result<StreamedSet> {
    let path = path.as_ref();
    read(path, key, &mut |entry, reader| {
        let array = header(path, entry, reader)?;
        let shape = array.image_shape(path, entry)?;
        let mut cache = DiskCacheWriter::new(path, shape, depth.grid(), None)?;
        array.rows(path, entry, reader, &mut |what, levels| {
            cache.push(what, (shape.height, shape.width), depth, levels)
        })?;
        cache.finish(name, split, None)
    })
}

/// The shape of the images of a `.npy`, or of array `key` of a `.npz`, from its header alone.
///
/// # Errors
/// If there is no such array, or its header is none of images, or its channels seem to come first.
pub fn shape(path: impl AsRef<Path>, key: Option<&str>) -> Result<ImageShape> {
    let path = path.as_ref();
    read(path, key, &mut |entry, reader| header(path, entry, reader)?.unsaid_shape(path, entry))
}

/// The labels in a `.npy`, or in array `key` of a `.npz`: one whole number an image, axes (image) or (image, 1).
///
/// # Errors
/// If there is no such array, or it is corrupt, or of another shape.
pub fn labels(path: impl AsRef<Path>, key: Option<&str>) -> Result<Vec<u16>> {
    let path = path.as_ref();
    read(path, key, &mut |entry, reader| header(path, entry, reader)?.labels(path, entry, reader))
}

/// What `use_it` makes of the array that `key` names, or of the only one.
fn read<T>(
    path: &Path,
    key: Option<&str>,
    use_it: &mut dyn FnMut(&str, &mut dyn Read) -> Result<T>,
) -> Result<T> {
    let (wanted, mut made) = (wanted(path, key)?, None);
    for_each_file(path, &mut |entry, reader| {
        if entry == wanted && made.is_none() {
            made = Some(use_it(entry, reader)?);
        }
        Ok(())
    })?;
    made.ok_or_else(|| changed(path, &wanted))
}

fn changed(path: &Path, wanted: &str) -> Error {
    Error::format(path, "arrays", "another file than before", format!("array {wanted}"))
}

/// The entry of the array that `key` names, or of the only one.
fn wanted(path: &Path, key: Option<&str>) -> Result<String> {
    let (mut count, mut names) = (0usize, Vec::new());
    let mut wanted = None;
    for_each_file(path, &mut |entry, _| {
        let array = entry.strip_suffix(".npy").unwrap_or(entry);
        if key.is_none_or(|key| key == array) {
            wanted = Some(entry.to_owned());
        }
        count += 1;
        if names.len() < NAMED {
            names.push(array.to_owned());
        }
        Ok(())
    })?;
    if count > names.len() {
        names.push(format!("and {} more", count - names.len()));
    }
    let found = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    match (wanted, key) {
        (Some(entry), None) if count == 1 => Ok(entry),
        (Some(entry), Some(_)) => Ok(entry),
        (_, None) => Err(Error::format(path, "arrays", found, "one array, or the name of one")),
        (None, Some(key)) => Err(Error::format(path, "arrays", found, format!("one called {key}"))),
    }
}

/// What the header of any array says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dictionary {
    pub(crate) descr: String,
    pub(crate) column_major: bool,
    pub(crate) shape: Vec<usize>,
}

/// Reads the header of an array of integers or floats.
pub(crate) fn header(path: &Path, entry: &str, reader: &mut dyn Read) -> Result<Array> {
    let Dictionary { descr, column_major, shape } = dictionary(path, entry, reader)?;
    let wrong =
        |found: String, expected: &str| Error::format(path, format!("{entry}: header"), found, expected);
    let expected = "a descr of integers or floats such as '|u1'";
    let element = Element::parse(&descr).ok_or_else(|| wrong(format!("descr '{descr}'"), expected))?;
    let array = Array { element, shape, column_major };
    match array.size() {
        Some(_) => Ok(array),
        None => Err(wrong(format!("shape {:?}", array.shape), "fewer than 2^48 bytes")),
    }
}

/// Reads the header of an array of any type and order.
pub(crate) fn dictionary(path: &Path, entry: &str, reader: &mut dyn Read) -> Result<Dictionary> {
    let mut start = [0; 8];
    fill(path, &format!("{entry}: magic number"), reader, &mut start)?;
    if !start.starts_with(b"\x93NUMPY") {
        return Err(Error::format(path, entry, magic::name(&start), "an array of NumPy, \\x93NUMPY"));
    }
    let what = format!("{entry}: header");
    let mut length = [0; 4];
    match start[6] {
        1 => fill(path, &what, reader, &mut length[..2])?,
        2 | 3 => fill(path, &what, reader, &mut length)?,
        version => return Err(Error::format(path, what, format!("version {version}"), "version 1, 2 or 3")),
    }
    let length = u32::from_le_bytes(length);
    if length > 1 << 16 {
        return Err(Error::format(path, what, format!("{length} bytes"), "at most 65536"));
    }
    let mut text = vec![0; length as usize];
    fill(path, &what, reader, &mut text)?;
    let text = String::from_utf8_lossy(&text);
    match fields(&text) {
        Some((order @ ("True" | "False"), descr, shape)) => {
            Ok(Dictionary { descr: descr.to_owned(), column_major: order == "True", shape })
        }
        _ => {
            let shown: String = text.trim_end().chars().take(200).collect();
            let expected = "a dictionary of descr, fortran_order and shape";
            Err(Error::format(path, &what, format!("{shown:?}"), expected))
        }
    }
}

/// The values of fortran_order, descr and shape in `{'descr': '|u1', ...}`; nothing else is understood.
fn fields(text: &str) -> Option<(&str, &str, Vec<usize>)> {
    let mut rest = text.trim().strip_prefix('{')?.strip_suffix('}')?.trim();
    let (mut order, mut descr, mut shape) = (None, None, None);
    while !rest.is_empty() {
        let (key, after) = rest.strip_prefix('\'')?.split_once('\'')?;
        let after = after.trim_start().strip_prefix(':')?.trim_start();
        let (value, after) = match after.strip_prefix('(') {
            Some(tuple) => tuple.split_once(')')?,
            None => after.split_once(',').unwrap_or((after, "")),
        };
        rest = after.trim_start().trim_start_matches(',').trim_start();
        match key {
            "fortran_order" => order = Some(value.trim()),
            "descr" => descr = Some(value.trim().strip_prefix('\'')?.strip_suffix('\'')?),
            "shape" => {
                let mut sides = Vec::new();
                for side in value.split(',').map(str::trim) {
                    if !side.is_empty() {
                        sides.push(side.trim_end_matches('L').parse().ok()?);
                    }
                }
                shape = Some(sides);
            }
            _ => return None,
        }
    }
    Some((order?, descr?, shape?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers() {
        let text = "{'descr': '<u2', 'fortran_order': False, 'shape': (10, 32, 3), }          \n";
        assert_eq!(fields(text), Some(("False", "<u2", vec![10, 32, 3])));
        assert_eq!(fields("{'shape': (5,), 'descr': '|u1', 'fortran_order': True}").unwrap().2, [5]);
        for text in ["", "{}", "{'descr': '|u1'}", "{'shape': (x,), 'descr': '|u1', 'fortran_order': False}"]
        {
            assert_eq!(fields(text), None, "{text}");
        }
    }
}
