//! One image file as grey levels: turned the right way up, and taken only where nothing is lost.

use crate::data::{jpeg, magic, png};
use crate::error::{Error, Result};
use image::error::ImageError;
use image::metadata::Orientation;
use image::{DynamicImage, ImageFormat};
use std::path::Path;

/// The largest decoded image, in bytes.
const LARGEST: u64 = 1 << 28;

/// An image as it is stored.
#[derive(Debug)]
pub(crate) struct DecodedImage {
    /// Height and width.
    pub(crate) size: (usize, usize),
    /// The number of levels that the file stores.
    pub(crate) stored: u32,
    /// The values as (height, width, channels).
    pub(crate) values: Vec<u16>,
}

/// Decodes a PNG or JPEG to `channels` values a pixel, 1 or 3; `entry` is what errors call it.
pub(crate) fn decode(path: &Path, entry: &str, bytes: &[u8], channels: usize) -> Result<DecodedImage> {
    let whole = |found: String| Error::format(path, entry, found, "a whole image and no more");
    let (length, exif, decoded) = match image::guess_format(bytes).ok() {
        Some(ImageFormat::Png) => {
            let png::Chunks { length, exif, decoded } = png::chunks(bytes).map_err(whole)?;
            (length, exif, decoded)
        }
        Some(ImageFormat::Jpeg) => {
            // Of at most 2^28 values, a byte each.
            let jpeg::Whole { length, exif } = jpeg::check(bytes).map_err(whole)?;
            (length, exif, 0)
        }
        _ => return Err(Error::format(path, entry, magic::name(bytes), "a PNG or JPEG")),
    };
    let (image, after) = bytes.split_at(length);
    // Some systems fill up files, and some add a line's end.
    if !after.iter().all(|b| matches!(b, 0 | 0xff | b' ' | b'\t' | b'\r' | b'\n')) {
        let found = match image::guess_format(after) {
            Ok(_) => "another image after its end".to_owned(),
            Err(_) => format!("{} bytes after its end", after.len()),
        };
        return Err(whole(found));
    }
    let mut image = pixels(path, entry, image, decoded)?;
    if let Some(orientation) = exif.and_then(Orientation::from_exif_chunk) {
        image.apply_orientation(orientation);
    }
    let size = (image.height() as usize, image.width() as usize);
    let (stored, values) = values(path, entry, image, channels)?;
    Ok(DecodedImage { size, stored, values })
}

/// The pixels of an image that is whole, of which the header says that they take `decoded` bytes.
fn pixels(path: &Path, entry: &str, bytes: &[u8], decoded: u64) -> Result<DynamicImage> {
    let larger = || Error::format(path, entry, "a larger image", "one of at most 2^28 bytes");
    if decoded > LARGEST {
        return Err(larger());
    }
    // From memory: a reader of its own would have every decoder compiled here.
    image::load_from_memory(bytes).map_err(|e| match e {
        ImageError::Limits(_) => larger(),
        ImageError::Unsupported(e) => Error::format(
            path,
            entry,
            format!("an image of another kind ({e})"),
            "8 or 16 bits for each channel",
        ),
        e => Error::format(path, entry, format!("a corrupt image ({e})"), "a whole one"),
    })
}

/// The number of levels that the file stores, and its values as (height, width, channels).
fn values(path: &Path, entry: &str, image: DynamicImage, channels: usize) -> Result<(u32, Vec<u16>)> {
    let (colour, width) = (image.color(), image.width() as usize);
    let (stored, values): (u32, Vec<u16>) = match image {
        DynamicImage::ImageLuma8(p) => (256, wide(&p)),
        DynamicImage::ImageLumaA8(p) => (256, wide(&p)),
        DynamicImage::ImageRgb8(p) => (256, wide(&p)),
        DynamicImage::ImageRgba8(p) => (256, wide(&p)),
        DynamicImage::ImageLuma16(p) => (65536, p.into_raw()),
        DynamicImage::ImageLumaA16(p) => (65536, p.into_raw()),
        DynamicImage::ImageRgb16(p) => (65536, p.into_raw()),
        DynamicImage::ImageRgba16(p) => (65536, p.into_raw()),
        _ => {
            let expected = "8 or 16 bits for each channel";
            return Err(Error::format(path, entry, format!("{colour:?}"), expected));
        }
    };
    let (has, opaque) = (usize::from(colour.channel_count()), (stored - 1) as u16);
    let colours = if colour.has_alpha() { has - 1 } else { has };
    let lost = |pixel: usize, found: &str, expected: &str| {
        let what = format!("{entry}: pixel at row {}, column {}", pixel / width, pixel % width);
        Err(Error::format(path, what, found, expected))
    };
    let mut kept = Vec::with_capacity(values.len() / has * channels);
    for (pixel, value) in values.chunks_exact(has).enumerate() {
        let (value, alpha) = value.split_at(colours);
        if alpha.iter().any(|&alpha| alpha != opaque) {
            return lost(pixel, "transparency", "an image without transparency");
        }
        match (value, channels) {
            ([grey], _) => kept.extend(std::iter::repeat_n(grey, channels)),
            ([red, green, blue], 1) if red != green || green != blue => {
                return lost(pixel, "a colour", "a grey image");
            }
            _ => kept.extend(&value[..channels]),
        }
    }
    Ok((stored, kept))
}

fn wide(bytes: &[u8]) -> Vec<u16> {
    bytes.iter().map(|&b| u16::from(b)).collect()
}
