//! NumPy arrays of images: `.npy`, and `.npz` with one of its arrays.
//!
//! # Reference
//! NumPy documentation, "A simple file format for NumPy arrays" (`numpy.lib.format`).

use crate::data::archive::for_each_file;
use crate::data::damage::{fill, require_end};
use crate::data::depth::Depth;
use crate::data::integers::IntegerType;
use crate::data::source::{ImageShape, Split};
use crate::data::spool::{Spool, StreamedSet};
use crate::error::{Error, Result};
use std::io::Read;
use std::path::Path;

/// What an array's header says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) integers: IntegerType,
    pub(crate) shape: Vec<usize>,
}

/// Reads the images of a `.npy`, or of array `key` of a `.npz`, one at a time.
///
/// The array's axes are (image, height, width) or (image, height, width, channels), its values integers.
/// Without a key a `.npz` must hold a single array.
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
    let (mut found, mut others) = (None, Vec::new());
    for_each_file(path, &mut |entry, reader| {
        let array = entry.strip_suffix(".npy").unwrap_or(entry);
        match key {
            Some(key) if key != array && path.file_name().is_none_or(|f| f != entry) => {
                others.push(array.to_string());
            }
            _ if found.is_some() => others.push(array.to_string()),
            _ => found = Some((array.to_string(), spool(path, entry, reader, depth)?)),
        }
        Ok(())
    })?;
    match found {
        Some((array, _)) if key.is_none() && !others.is_empty() => {
            let found = format!("{array}, {}", others.join(", "));
            Err(Error::format(path, "arrays", found, "one array, or the name of one"))
        }
        Some((_, spool)) => spool.finish(name, split, None),
        None => {
            let found = if others.is_empty() { "none".into() } else { others.join(", ") };
            Err(Error::format(path, "arrays", found, format!("one called {}", key.unwrap_or("*.npy"))))
        }
    }
}

/// The shape of the images of a `.npy`, or of array `key` of a `.npz`, from its header alone.
///
/// # Errors
/// If there is no such array, or its header is none of images.
pub fn shape(path: impl AsRef<Path>, key: Option<&str>) -> Result<ImageShape> {
    let path = path.as_ref();
    let mut found = None;
    for_each_file(path, &mut |entry, reader| {
        let array = entry.strip_suffix(".npy").unwrap_or(entry);
        let wanted = key.is_none_or(|key| key == array || path.file_name().is_some_and(|file| file == entry));
        if wanted && found.is_none() {
            found = Some(image_shape(path, entry, &header(path, entry, reader)?)?.1);
        }
        Ok(())
    })?;
    found.ok_or_else(|| {
        Error::format(path, "arrays", "none of that name", format!("one called {}", key.unwrap_or("*.npy")))
    })
}

/// The number of images and their shape.
fn image_shape(path: &Path, entry: &str, header: &Header) -> Result<(usize, ImageShape)> {
    match header.shape[..] {
        [n, height, width] => Ok((n, ImageShape::new(height, width, 1))),
        [n, height, width, channels] => Ok((n, ImageShape::new(height, width, channels))),
        _ => {
            let expected = "3 or 4 axes (image, height, width, channels)";
            Err(Error::format(path, format!("{entry}: shape"), format!("{:?}", header.shape), expected))
        }
    }
}

fn spool(path: &Path, entry: &str, reader: &mut dyn Read, depth: Depth) -> Result<Spool> {
    let header = header(path, entry, reader)?;
    let (images, shape) = image_shape(path, entry, &header)?;
    let mut spool = Spool::new(path, shape, depth.grid(), None)?;
    rows(path, entry, reader, header.integers, (images, shape.dims()), &mut |what, levels| {
        spool.push(what, (shape.height, shape.width), depth, levels)
    })?;
    Ok(spool)
}

/// Reads `images` rows of `d` values each, and then the end of the file.
pub(crate) fn rows(
    path: &Path,
    entry: &str,
    reader: &mut dyn Read,
    integers: IntegerType,
    (images, d): (usize, usize),
    push: &mut dyn FnMut(&str, &[u16]) -> Result<()>,
) -> Result<()> {
    // An image is at most 2^28 values, so that a header cannot ask for all memory.
    if d > 1 << 28 {
        return Err(Error::format(path, format!("{entry}: values of an image"), d, "at most 2^28"));
    }
    let (mut bytes, mut levels) = (vec![0; d * integers.bytes()], Vec::with_capacity(d));
    for i in 0..images {
        let what = format!("{entry}: image {i} of {images}");
        fill(path, &what, reader, &mut bytes)?;
        levels.clear();
        integers
            .decode(&bytes, &mut levels)
            .map_err(|(j, v)| Error::format(path, format!("{what}: value {j}"), v, "0 to 65535"))?;
        push(&what, &levels)?;
    }
    require_end(path, entry, reader)
}

/// Reads the header of an array of integers in row-major order.
pub(crate) fn header(path: &Path, entry: &str, reader: &mut dyn Read) -> Result<Header> {
    let Dictionary { descr, fortran, shape } = dictionary(path, entry, reader)?;
    let wrong =
        |found: String, expected: &str| Error::format(path, format!("{entry}: header"), found, expected);
    if fortran {
        return Err(wrong("fortran_order True".into(), "fortran_order False (row-major values)"));
    }
    let integers = IntegerType::parse(&descr)
        .ok_or_else(|| wrong(format!("descr '{descr}'"), "a descr of integers such as '|u1'"))?;
    let size = shape.iter().try_fold(integers.bytes(), |n, &s| n.checked_mul(s));
    if size.is_none_or(|n| n >= 1 << 48) {
        return Err(wrong(format!("shape {shape:?}"), "fewer than 2^48 bytes"));
    }
    Ok(Header { integers, shape })
}

/// What the header of any array says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Dictionary {
    pub(crate) descr: String,
    pub(crate) fortran: bool,
    pub(crate) shape: Vec<usize>,
}

/// Reads the header of an array of any type and order.
pub(crate) fn dictionary(path: &Path, entry: &str, reader: &mut dyn Read) -> Result<Dictionary> {
    let mut start = [0; 8];
    fill(path, &format!("{entry}: magic number"), reader, &mut start)?;
    if !start.starts_with(b"\x93NUMPY") {
        let found = start[..6].escape_ascii().to_string();
        return Err(Error::format(path, format!("{entry}: magic number"), found, "\\x93NUMPY"));
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
            Ok(Dictionary { descr: descr.to_owned(), fortran: order == "True", shape })
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
                let sides = value.split(',').map(str::trim).filter(|s| !s.is_empty());
                shape = Some(sides.map(|s| s.trim_end_matches('L').parse().ok()).collect::<Option<_>>()?);
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
