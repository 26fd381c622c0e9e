//! IDX arrays of bytes, as MNIST is published in; plain or gzipped.
//!
//! # Reference
//! Y. LeCun, C. Cortes, C. Burges, "The MNIST database of handwritten digits": file format.

use crate::data::damage::{fill, is_damage};
use crate::data::dataset::ImageSet;
use crate::data::source::{ImageShape, Split};
use crate::error::{Error, Result};
use crate::pixels::PixelGrid;
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

/// An array of bytes with its dimensions, outermost first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdxArray {
    /// The length along each axis.
    pub dims: Vec<usize>,
    /// The values, last axis fastest.
    pub values: Vec<u8>,
}

/// Reads an IDX file, gzipped or not.
///
/// # Errors
/// If the file cannot be read, does not start with an IDX magic number of unsigned bytes, or holds
/// fewer or more values than its header says.
pub fn read(path: impl AsRef<Path>) -> Result<IdxArray> {
    let path = path.as_ref();
    let file = File::open(path).map_err(Error::io(path, "read"))?;
    read_from(path, BufReader::new(file))
}

/// Reads IDX from any reader; `path` is the name errors give.
///
/// # Errors
/// As [`read`].
pub fn read_from(path: &Path, mut reader: impl BufRead) -> Result<IdxArray> {
    let start = reader.fill_buf().map_err(Error::io(path, "read"))?;
    if start.starts_with(&[0x1f, 0x8b]) {
        parse(path, MultiGzDecoder::new(reader))
    } else {
        parse(path, reader)
    }
}

/// The shape of the images of a file, from its header alone.
///
/// # Errors
/// If the file cannot be read, or its header is none of images.
pub fn shape(path: impl AsRef<Path>) -> Result<ImageShape> {
    let path = path.as_ref();
    let mut reader = BufReader::new(File::open(path).map_err(Error::io(path, "read"))?);
    let start = reader.fill_buf().map_err(Error::io(path, "read"))?;
    let dims = match start.starts_with(&[0x1f, 0x8b]) {
        true => header(path, &mut MultiGzDecoder::new(reader))?,
        false => header(path, &mut reader)?,
    };
    image_shape(path, &dims)
}

fn image_shape(path: &Path, dims: &[usize]) -> Result<ImageShape> {
    match *dims {
        [_, height, width] => Ok(ImageShape::new(height, width, 1)),
        [_, height, width, channels] => Ok(ImageShape::new(height, width, channels)),
        _ => {
            let expected = "3 or 4 axes (image, height, width, channels)";
            Err(Error::format(path, "axes", format!("{dims:?}"), expected))
        }
    }
}

fn parse(path: &Path, mut reader: impl Read) -> Result<IdxArray> {
    let dims = header(path, &mut reader)?;
    let expected = dims.iter().try_fold(1usize, |n, &d| n.checked_mul(d)).filter(|&n| n < 1 << 40);
    let Some(expected) = expected else {
        return Err(Error::format(path, "header", format!("{dims:?}"), "fewer than 2^40 values"));
    };
    // The header is not trusted with an allocation: the vector grows with what is really there.
    let mut values = Vec::new();
    match reader.take(expected as u64 + 1).read_to_end(&mut values) {
        Ok(_) => {}
        Err(e) if is_damage(&e) => return Err(damaged(path, values.len(), &dims, &e)),
        Err(e) => return Err(Error::io(path, "read")(e)),
    }
    if values.len() != expected {
        let more = if values.len() > expected { "more than " } else { "" };
        let found = format!("{more}{}", values.len().min(expected));
        return Err(Error::format(path, "values", found, format!("{expected} as the header {dims:?} says")));
    }
    Ok(IdxArray { dims, values })
}

/// The magic number and the lengths of the axes.
fn header(path: &Path, mut reader: &mut dyn Read) -> Result<Vec<usize>> {
    let mut magic = [0; 4];
    fill(path, "magic number", &mut reader, &mut magic)?;
    let [0, 0, 8, axes @ 1..=4] = magic else {
        let found = format!("{:#010x}", u32::from_be_bytes(magic));
        return Err(Error::format(
            path,
            "magic number",
            found,
            "0x00000801 to 0x00000804 (bytes, 1 to 4 axes)",
        ));
    };
    let mut dims = Vec::new();
    for axis in 0..axes {
        let mut length = [0; 4];
        fill(path, &format!("length of axis {axis}"), &mut reader, &mut length)?;
        dims.push(u32::from_be_bytes(length) as usize);
    }
    Ok(dims)
}

fn damaged(path: &Path, read: usize, dims: &[usize], e: &std::io::Error) -> Error {
    let found = format!("{read} and then a damaged gzip stream ({e})");
    Error::format(path, "values", found, format!("as many as the header {dims:?} says"))
}

impl IdxArray {
    /// The array as grey images: axes (image, height, width), or (image, height, width, channels).
    ///
    /// # Errors
    /// If it has other axes, holds no values, or a value is not below `grid.levels()`.
    pub fn into_images(self, path: &Path, name: &str, split: Split, grid: PixelGrid) -> Result<ImageSet> {
        let shape = image_shape(path, &self.dims)?;
        let pixels = self.values.into_iter().map(u16::from).collect();
        ImageSet::new(name, split, shape, grid, pixels)
            .map_err(|e| Error::format(path, "images", e, "images below the stated number of levels"))
    }

    /// The array as one label per image.
    ///
    /// # Errors
    /// If it has more than one axis.
    pub fn into_labels(self, path: &Path) -> Result<Vec<u32>> {
        match self.dims[..] {
            [_] => Ok(self.values.into_iter().map(u32::from).collect()),
            _ => Err(Error::format(path, "axes", format!("{:?}", self.dims), "1 axis of labels")),
        }
    }
}

/// Reads a file of images and, if given, one of labels.
///
/// # Errors
/// As [`read`]; also if the images are not below `grid.levels()`, or the labels are not one per image.
pub fn read_images(
    images: impl AsRef<Path>,
    labels: Option<&Path>,
    name: &str,
    split: Split,
    grid: PixelGrid,
) -> Result<ImageSet> {
    let images = images.as_ref();
    let set = read(images)?.into_images(images, name, split, grid)?;
    match labels {
        None => Ok(set),
        Some(path) => set.with_labels(read(path)?.into_labels(path)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::io::Write;

    fn bytes() -> Vec<u8> {
        let mut b = vec![0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 3];
        b.extend([1u8, 2, 3, 4, 5, 6]);
        b
    }

    fn gz(plain: &[u8]) -> Vec<u8> {
        let mut e = GzEncoder::new(Vec::new(), Compression::default());
        e.write_all(plain).unwrap();
        e.finish().unwrap()
    }

    fn line(b: &[u8]) -> String {
        read_from(Path::new("f"), b).unwrap_err().to_string()
    }

    #[test]
    fn plain_and_gzipped() {
        for b in [bytes(), gz(&bytes())] {
            let a = read_from(Path::new("f"), &b[..]).unwrap();
            assert_eq!((&a.dims[..], &a.values[..]), (&[2, 1, 3][..], &[1, 2, 3, 4, 5, 6][..]));
        }
    }

    #[test]
    fn every_truncation_is_one_line() {
        for b in [bytes(), gz(&bytes())] {
            for cut in 0..b.len() {
                let line = line(&b[..cut]);
                assert!(
                    line.starts_with("f: ") && line.contains("expected") && !line.contains('\n'),
                    "{line}"
                );
            }
        }
        assert_eq!(line(&bytes()[..20]), "f: values: found 4, expected 6 as the header [2, 1, 3] says");
    }

    #[test]
    fn damage_is_named() {
        let longer = [bytes(), vec![0]].concat();
        assert_eq!(line(&longer), "f: values: found more than 6, expected 6 as the header [2, 1, 3] says");
        let mut other = bytes();
        other[2] = 0x0d;
        assert!(line(&other).starts_with("f: magic number: found 0x00000d03, expected 0x00000801"));
        let huge =
            [0, 0, 8, 4, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255];
        assert!(line(&huge).starts_with("f: header: "));
    }

    #[test]
    fn a_level_above_the_grid_is_named() {
        let a = read_from(Path::new("f"), &bytes()[..]).unwrap();
        let grid = PixelGrid::new(6).unwrap();
        let line = a.into_images(Path::new("f"), "toy", Split::Train, grid).unwrap_err().to_string();
        assert!(line.contains("image 1, value 2 = 6: expected a level below 6"), "{line}");
    }
}
