//! IDX arrays, as MNIST is published in; plain or packed.
//!
//! # Reference
//! Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits": file format.

use crate::data::array::Array;
use crate::data::checked_read::fill;
use crate::data::depth::Depth;
use crate::data::disk_cache::{DiskCacheWriter, StreamedSet};
use crate::data::element::Element;
use crate::data::shape::ImageShape;
use crate::data::source::Split;
use crate::data::{magic, unpack};
use crate::error::{Error, Result};
use std::io::Read;
use std::path::Path;

/// What errors call the content: a file holds one array, without a name.
const ENTRY: &str = "";

/// Reads the images of an IDX file, one at a time: axes (image, height, width) or (image, height, width, channels).
///
/// # Errors
/// If the file is no such array, is truncated, is longer than its header says, or holds a value that is no whole
/// number below `depth.stored()`.
pub fn load(path: impl AsRef<Path>, name: &str, split: Split, depth: Depth) -> Result<StreamedSet> {
    let path = path.as_ref();
    let mut reader = unpack::open(path)?.reader;
    let array = header(path, &mut reader)?;
    let shape = array.image_shape(path, ENTRY)?;
    let mut cache = DiskCacheWriter::new(path, shape, depth.grid(), None)?;
    array.rows(path, ENTRY, &mut reader, &mut |what, levels| {
        cache.push(what, (shape.height, shape.width), depth, levels)
    })?;
    cache.finish(name, split, None)
}

/// The shape of the images of a file, from its header alone.
///
/// # Errors
/// If the file cannot be read, or its header is none of images, or its channels seem to come first.
pub fn shape(path: impl AsRef<Path>) -> Result<ImageShape> {
    let path = path.as_ref();
    header(path, &mut unpack::open(path)?.reader)?.unsaid_shape(path, ENTRY)
}

/// The labels in a file: one whole number an image, axes (image) or (image, 1).
///
/// # Errors
/// If the file is corrupt, or of another shape.
pub fn labels(path: impl AsRef<Path>) -> Result<Vec<u16>> {
    let path = path.as_ref();
    let mut reader = unpack::open(path)?.reader;
    header(path, &mut reader)?.labels(path, ENTRY, &mut reader)
}

/// The values of an array of any shape that `reader` reads; `path` is the name that errors give.
pub(crate) fn values(path: &Path, reader: &mut dyn Read) -> Result<Vec<u16>> {
    header(path, reader)?.values(path, ENTRY, reader)
}

/// The magic number (two zeros, the type, the number of axes) and the lengths of the axes.
fn header(path: &Path, reader: &mut dyn Read) -> Result<Array> {
    let mut magic = [0; 4];
    fill(path, "magic number", reader, &mut magic)?;
    let expected = "0x000008 to 0x00000e (bytes, integers or floats) and 01 to 04 (axes)";
    let (element, axes) = match magic {
        [0, 0, code, axes @ 1..=4] => (Element::of_idx(code), axes),
        [0, 0, ..] => (None, 0),
        _ => return Err(Error::format(path, "magic number", magic::name(&magic), expected)),
    };
    let Some(element) = element else {
        let found = format!("{:#010x}", u32::from_be_bytes(magic));
        return Err(Error::format(path, "magic number", found, expected));
    };
    let mut shape = Vec::new();
    for axis in 0..axes {
        let mut length = [0; 4];
        fill(path, &format!("length of axis {axis}"), reader, &mut length)?;
        shape.push(u32::from_be_bytes(length) as usize);
    }
    let array = Array { element, shape, column_major: false };
    match array.size() {
        Some(_) => Ok(array),
        None => Err(Error::format(path, "header", format!("{:?}", array.shape), "fewer than 2^48 bytes")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes() -> Vec<u8> {
        let mut b = vec![0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3];
        b.extend([1u8, 2, 3, 4, 5, 6]);
        b
    }

    fn line(b: &[u8]) -> String {
        values(Path::new("f"), &mut &*b).unwrap_err().to_string()
    }

    #[test]
    fn values_in_order() {
        assert_eq!(values(Path::new("f"), &mut &bytes()[..]).unwrap(), [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn every_truncation_is_one_line() {
        for cut in 0..bytes().len() {
            let line = line(&bytes()[..cut]);
            assert!(line.starts_with("f: ") && line.contains("expected") && !line.contains('\n'), "{line}");
        }
    }

    #[test]
    fn corruption_is_named() {
        let longer = [bytes(), vec![0]].concat();
        assert!(line(&longer).contains("more bytes than the header says"));
        let mut other = bytes();
        other[2] = 0x0a;
        assert!(line(&other).starts_with("f: magic number: found 0x00000a03, expected 0x000008 to"));
        assert!(line(b"GIF89a").starts_with("f: magic number: found a GIF, expected"));
        let huge =
            [0, 0, 8, 4, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255];
        assert!(line(&huge).starts_with("f: header: "));
    }
}
