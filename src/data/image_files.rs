//! Image files (PNG, JPEG) in a folder, a tar or a zip, with optional random crops.

use crate::data::archive::for_each_file;
use crate::data::damage::read_at_most;
use crate::data::depth::Depth;
use crate::data::source::{ImageShape, Split};
use crate::data::spool::{Spool, StreamedSet};
use crate::error::{Error, Result};
use crate::pixels::PixelGrid;
use image::{DynamicImage, ImageFormat, ImageReader, Limits};
use std::io::Cursor;
use std::path::Path;

// The largest file and the largest decoded image, in bytes.
const LARGEST: u64 = 1 << 28;

/// What the files of a set are to become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Files {
    shape: ImageShape,
    levels: u32,
    crop_seed: Option<u64>,
}

impl Files {
    /// Images that all have `shape`; `levels` below those of a file merges neighbouring levels.
    pub fn new(shape: ImageShape, levels: u32) -> Self {
        Self { shape, levels, crop_seed: None }
    }

    /// Images of at least `shape`, of which each visit sees a crop at a place drawn from (seed, visit).
    pub fn random_crops(self, seed: u64) -> Self {
        Self { crop_seed: Some(seed), ..self }
    }
}

/// Reads every image file at `path`, in the order of their names.
///
/// Files of other kinds are an error, but for text (`.txt`, `.md`, `.csv`, `.json`, `LICENSE`) and hidden
/// ones, which are passed over. Grey files serve a set of three channels, but not the reverse.
///
/// # Errors
/// If there is no image, or one is damaged, transparent, or of another shape or fewer levels than asked.
pub fn load(path: impl AsRef<Path>, name: &str, split: Split, files: Files) -> Result<StreamedSet> {
    let path = path.as_ref();
    let Files { shape, levels, crop_seed } = files;
    if !matches!(shape.channels, 1 | 3) {
        return Err(Error::value("channels of image files", shape.channels, "1 or 3"));
    }
    let mut spool = Spool::new(path, shape, PixelGrid::new(levels)?, crop_seed)?;
    let mut names = Vec::new();
    for_each_file(path, &mut |entry, reader| {
        if passed_over(entry) {
            return Ok(());
        }
        let bytes = read_at_most(path, entry, reader, LARGEST)?;
        let picture = decode(path, entry, &bytes)?;
        let size = (picture.height() as usize, picture.width() as usize);
        let (stored, values) = values(path, entry, picture, shape.channels)?;
        let depth = Depth::reduced(stored, levels).map_err(|_| {
            Error::format(path, format!("{entry}: levels"), stored, format!("at least {levels}"))
        })?;
        spool.push(entry, size, depth, &values)?;
        names.push(entry.to_string());
        Ok(())
    })?;
    let mut order: Vec<usize> = (0..names.len()).collect();
    order.sort_by(|&a, &b| names[a].cmp(&names[b]));
    spool.finish(name, split, Some(&order))
}

fn passed_over(entry: &str) -> bool {
    let file = entry.rsplit('/').next().unwrap_or(entry);
    let text = [".txt", ".md", ".csv", ".json"].iter().any(|end| file.ends_with(end));
    text || file.starts_with('.') || file == "LICENSE"
}

fn decode(path: &Path, entry: &str, bytes: &[u8]) -> Result<DynamicImage> {
    let format = image::guess_format(bytes).ok();
    let Some(format @ (ImageFormat::Png | ImageFormat::Jpeg)) = format else {
        let start = bytes.get(..4).unwrap_or(bytes).escape_ascii();
        return Err(Error::format(path, entry, format!("a file that starts with {start}"), "a PNG or JPEG"));
    };
    let end: &[u8] = if format == ImageFormat::Png { b"IEND\xae\x42\x60\x82" } else { &[0xff, 0xd9] };
    if !bytes.ends_with(end) {
        let found = "a truncated file or bytes after its end";
        return Err(Error::format(path, entry, found, "a whole image and no more"));
    }
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::default();
    limits.max_alloc = Some(LARGEST);
    reader.limits(limits);
    reader.decode().map_err(|e| {
        let found = format!("a damaged image ({})", e.to_string().replace('\n', " "));
        Error::format(path, entry, found, "a whole one")
    })
}

/// The number of levels that the file stores, and its values as (height, width, channels).
fn values(path: &Path, entry: &str, picture: DynamicImage, channels: usize) -> Result<(u32, Vec<u16>)> {
    let colour = picture.color();
    let wrong = |expected: &str| Err(Error::format(path, entry, format!("{colour:?}"), expected));
    if colour.has_alpha() {
        return wrong("an image without transparency");
    }
    if colour.has_color() && channels == 1 {
        return wrong("a grey image");
    }
    let bytes = |v: Vec<u8>| (256, v.into_iter().map(u16::from).collect());
    Ok(match (picture, channels) {
        (DynamicImage::ImageLuma8(p), 1) => bytes(p.into_raw()),
        (p @ (DynamicImage::ImageLuma8(_) | DynamicImage::ImageRgb8(_)), _) => {
            bytes(p.into_rgb8().into_raw())
        }
        (DynamicImage::ImageLuma16(p), 1) => (65536, p.into_raw()),
        (p @ (DynamicImage::ImageLuma16(_) | DynamicImage::ImageRgb16(_)), _) => {
            (65536, p.into_rgb16().into_raw())
        }
        _ => return wrong("8 or 16 bits for each channel"),
    })
}
