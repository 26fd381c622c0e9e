//! JPEG files that are whole, that lack something, and that have something after their end.
//!
//! The files in `files` were written by Pillow 13 from one image of 24x16 pixels: as baseline, with a restart marker after
//! every group of blocks, progressive (in colour, in grey, with restart markers), and one colour of CMYK.

use crate::make::{png, refused, write};
use idode::data::image_files::{self, Files};
use idode::data::{ImageSet, ImageShape, Split};
use idode::error::Result;
use image::ExtendedColorType::L8;
use std::path::Path;

const BASELINE: &[u8] = include_bytes!("files/baseline.jpg");
const RESTART: &[u8] = include_bytes!("files/restart.jpg");
const PROGRESSIVE: &[u8] = include_bytes!("files/progressive.jpg");
const PROGRESSIVE_RESTART: &[u8] = include_bytes!("files/progressive_restart.jpg");
const PROGRESSIVE_GREY: &[u8] = include_bytes!("files/progressive_grey.jpg");
const CMYK: &[u8] = include_bytes!("files/cmyk.jpg");

const WHOLE: [&[u8]; 5] = [BASELINE, RESTART, PROGRESSIVE, PROGRESSIVE_RESTART, PROGRESSIVE_GREY];
const END: &[u8] = b"\xff\xd9";

fn load(path: &Path, (height, width): (usize, usize)) -> Result<Vec<u16>> {
    let set =
        image_files::load(path, "toy", Split::Train, Files::new(ImageShape::new(height, width, 3), 256))?;
    Ok(ImageSet::collect(&set)?.pixels().to_vec())
}

/// Where the data of the first scan begins.
fn data(bytes: &[u8]) -> usize {
    let scan = bytes.windows(2).position(|w| w == b"\xff\xda").unwrap();
    scan + 2 + usize::from(bytes[scan + 3])
}

#[test]
fn whole_files_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let read = |bytes: &[u8]| load(&write(folder.path(), "a.jpg", bytes), (16, 24)).unwrap();
    let baseline = read(BASELINE);
    // The same coefficients, sent in another order. Pillow's first pixel is 60, 42, 56; decoders differ by rounding.
    assert_eq!(read(RESTART), baseline);
    assert_eq!(read(PROGRESSIVE), baseline);
    assert!([60, 42, 56].iter().zip(&baseline).all(|(a, b)| b.abs_diff(*a) <= 3), "{:?}", &baseline[..3]);
    assert!(read(PROGRESSIVE_RESTART)[0].abs_diff(52) <= 3);
    assert!(read(PROGRESSIVE_GREY)[0].abs_diff(41) <= 1);
    let cmyk = load(&write(folder.path(), "a.jpg", CMYK), (8, 8)).unwrap();
    assert!(
        cmyk.chunks(3).all(|p| p.iter().zip([245, 55, 225]).all(|(a, b)| a.abs_diff(b) <= 2)),
        "{cmyk:?}"
    );
}

#[test]
fn whatever_is_missing_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    for whole in WHOLE {
        let (scans, end) = (data(whole), whole.len() - 2);
        for cut in scans..end {
            // As a repaired download has it: the marker of the end is there.
            let path = write(folder.path(), "a.jpg", &[&whole[..cut], END].concat());
            refused(load(&path, (16, 24)), &path, &["a.jpg: found ", "expected a whole image"]);
        }
        for cut in [3, 100, scans, end, end + 1] {
            let path = write(folder.path(), "a.jpg", &whole[..cut]);
            refused(load(&path, (16, 24)), &path, &["a.jpg: found "]);
        }
    }
    let half = (data(BASELINE) + BASELINE.len()) / 2;
    let path = write(folder.path(), "a.jpg", &[&BASELINE[..half], END].concat());
    refused(load(&path, (16, 24)), &path, &["a scan that ends or is corrupt after", "of 2 groups of blocks"]);
    // Every scan but the last one.
    let last = PROGRESSIVE.windows(2).rposition(|w| w == b"\xff\xda").unwrap();
    let path = write(folder.path(), "a.jpg", &[&PROGRESSIVE[..last], END].concat());
    refused(load(&path, (16, 24)), &path, &["lacks scans (component 0, coefficient 1)"]);
    // A whole scan again: more data than blocks.
    let more = [&BASELINE[..BASELINE.len() - 2], &BASELINE[data(BASELINE)..]].concat();
    let path = write(folder.path(), "a.jpg", &more);
    refused(load(&path, (16, 24)), &path, &["longer than its blocks"]);
}

#[test]
fn what_fills_a_file_up_is_no_corruption_and_another_image_is() {
    let folder = tempfile::tempdir().unwrap();
    let grey = png(24, 16, L8, &[7; 384]);
    for whole in [BASELINE, PROGRESSIVE, &grey] {
        let read = |after: &[u8]| {
            let path = write(folder.path(), "a", &[whole, after].concat());
            (load(&path, (16, 24)), path)
        };
        let plain = read(b"").0.unwrap();
        for after in [&b"\n"[..], b"\r\n", &[0; 16], &[0xff; 3], &[0; 5000]] {
            assert_eq!(read(after).0.unwrap(), plain);
        }
        for (after, found) in [
            (CMYK, "another image after its end"),
            (&grey[..], "another image after its end"),
            (b"\0more", "5 bytes after its end"),
        ] {
            let (loaded, path) = read(after);
            refused(loaded, &path, &[found, "expected a whole image and no more"]);
        }
    }
}

#[test]
fn other_kinds_of_jpeg_are_refused_as_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    let frame = BASELINE.windows(2).position(|w| w == b"\xff\xc0").unwrap();
    for (at, value, found) in [
        (frame + 1, 0xc9, "arithmetic coding"),
        (frame + 1, 0xc3, "a lossless JPEG"),
        (frame + 1, 0xc5, "a hierarchical JPEG"),
        (frame + 4, 12, "a JPEG of 12 bits a value"),
        (frame + 9, 9, "a JPEG of 16x24x9"),
    ] {
        let mut bytes = BASELINE.to_vec();
        bytes[at] = value;
        let path = write(folder.path(), "a.jpg", &bytes);
        refused(load(&path, (16, 24)), &path, &["a.jpg: found ", found]);
    }
    let mut huge = BASELINE.to_vec();
    huge[frame + 5..frame + 9].fill(0xff);
    let path = write(folder.path(), "a.jpg", &huge);
    refused(load(&path, (16, 24)), &path, &["more than 2^28 values"]);
}

#[test]
fn a_changed_byte_is_an_image_or_one_line() {
    let folder = tempfile::tempdir().unwrap();
    for whole in WHOLE {
        for at in 2..whole.len() {
            let mut bytes = whole.to_vec();
            bytes[at] ^= [0x01, 0x55, 0x80, 0xff][at % 4];
            let path = write(folder.path(), "a.jpg", &bytes);
            if let Err(error) = load(&path, (16, 24)) {
                assert_eq!(error.to_string().lines().count(), 1);
            }
        }
    }
}
