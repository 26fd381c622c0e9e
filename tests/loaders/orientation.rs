//! Images that say which way up they are.

use crate::make::{exif, png, raw_png, refused, with_exif, write};
use idode::data::image_files::{self, Files};
use idode::data::{ImageSet, ImageShape, Split};
use idode::error::Result;
use image::ExtendedColorType::L8;
use std::path::Path;

/// Rows and columns of the stored image.
const H: usize = 8;
const W: usize = 16;

fn load(path: &Path, (height, width): (usize, usize)) -> Result<Vec<u16>> {
    let files = Files::new(ImageShape::new(height, width, 1), 256);
    let set = image_files::load(path, "toy", Split::Train, files)?;
    Ok(ImageSet::collect(&set)?.pixels().to_vec())
}

/// Where the value of the upright image at (y, x) is stored: the eight orientations of EXIF 2.32, tag 0x112, as
/// Pillow's `ImageOps.exif_transpose` has them.
fn stored(orientation: u16, y: usize, x: usize) -> (usize, usize) {
    match orientation {
        2 => (y, W - 1 - x),
        3 => (H - 1 - y, W - 1 - x),
        4 => (H - 1 - y, x),
        5 => (x, y),
        6 => (H - 1 - x, y),
        7 => (H - 1 - x, W - 1 - y),
        8 => (x, W - 1 - y),
        _ => (y, x),
    }
}

fn upright(orientation: u16, values: &[u16]) -> ((usize, usize), Vec<u16>) {
    let (height, width) = if (5..=8).contains(&orientation) { (W, H) } else { (H, W) };
    let at = |i: usize| {
        let (y, x) = stored(orientation, i / width, i % width);
        values[y * W + x]
    };
    ((height, width), (0..H * W).map(at).collect())
}

#[test]
fn all_eight_orientations_of_both_kinds_are_applied() {
    let folder = tempfile::tempdir().unwrap();
    let pixels: Vec<u8> = (0..H * W).map(|i| (i * 2) as u8).collect();
    let rows: Vec<&[u8]> = pixels.chunks(W).collect();
    let size = (W as u32, H as u32);
    let mut jpeg = Vec::new();
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 100)
        .encode(&pixels, size.0, size.1, L8)
        .unwrap();
    let as_png: Vec<u16> = pixels.iter().map(|&p| p.into()).collect();
    let as_jpeg = load(&write(folder.path(), "plain.jpg", &jpeg), (H, W)).unwrap();
    // 0 and 9 are no orientations: the image stays as it is.
    for orientation in 0..=9 {
        for big_endian in [false, true] {
            let exif = exif(orientation, big_endian);
            let (before, after) = ([(b"eXIf", &exif[..])], [(b"eXIf", &exif[..])]);
            let cases = [
                ("a.jpg", with_exif(&jpeg, &exif), &as_jpeg),
                ("a.png", raw_png(size, (8, 0), [&before, &[]], &rows), &as_png),
                ("b.png", raw_png(size, (8, 0), [&[], &after], &rows), &as_png),
            ];
            for (name, bytes, plain) in cases {
                let (size, expected) = upright(orientation, plain);
                let path = write(folder.path(), name, &bytes);
                assert_eq!(load(&path, size).unwrap(), expected, "{name}, orientation {orientation}");
                if size != (H, W) {
                    refused(load(&path, (H, W)), &path, &["shape: found 16x8x1, expected 8x16x1"]);
                }
            }
        }
    }
}

#[test]
fn metadata_that_says_nothing_of_it_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let pixels: Vec<u8> = (0..6).collect();
    let rows: Vec<&[u8]> = pixels.chunks(3).collect();
    for exif in [&b""[..], b"II", b"not exif at all", &exif(6, false)[..12]] {
        let bytes = raw_png((3, 2), (8, 0), [&[(b"eXIf", exif)], &[]], &rows);
        let values = load(&write(folder.path(), "a.png", &bytes), (2, 3)).unwrap();
        assert_eq!(values, [0, 1, 2, 3, 4, 5]);
    }
    assert_eq!(load(&write(folder.path(), "a.png", &png(3, 2, L8, &pixels)), (2, 3)).unwrap()[5], 5);
    // A flipped bit in an orientation is found by its checksum.
    let mut bytes = raw_png((3, 2), (8, 0), [&[(b"eXIf", &exif(6, false))], &[]], &rows);
    let at = bytes.windows(4).position(|w| w == b"eXIf").unwrap() + 4 + 18;
    assert_eq!(bytes[at], 6);
    bytes[at] = 3;
    let path = write(folder.path(), "a.png", &bytes);
    refused(load(&path, (2, 3)), &path, &["checksum of eXIf"]);
}
