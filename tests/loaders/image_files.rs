//! Folders and archives of image files.

use crate::make::{gz, png, refused, tar, write};
use idode::data::image_files::{self, Files};
use idode::data::{ImageSet, ImageShape, ImageSource, Split, StreamedSet, Visit};
use idode::error::Result;
use image::ExtendedColorType::{L8, L16, Rgb8, Rgba8};
use std::path::Path;

fn load(path: &Path, files: Files) -> Result<StreamedSet> {
    image_files::load(path, "toy", Split::Train, files)
}

fn grey(levels: u32) -> Files {
    Files::new(ImageShape::new(2, 3, 1), levels)
}

fn levels(set: &StreamedSet) -> Vec<u16> {
    ImageSet::collect(set).unwrap().pixels().to_vec()
}

#[test]
fn grey_rgb_and_sixteen_bits() {
    let folder = tempfile::tempdir().unwrap();
    let data: Vec<u8> = (0..18).map(|k| k * 10).collect();
    write(&folder.path().join("grey"), "sub/b.png", &png(3, 2, L8, &data[6..12]));
    write(&folder.path().join("grey"), "sub/a.png", &png(3, 2, L8, &data[..6]));
    write(&folder.path().join("grey"), "README.md", b"text");
    let set = load(&folder.path().join("grey"), grey(256)).unwrap();
    assert_eq!(levels(&set), (0..12).map(|k| k * 10).collect::<Vec<u16>>());
    let set = load(&folder.path().join("grey"), grey(16)).unwrap();
    assert_eq!(levels(&set), (0..12).map(|k| k * 10 / 16).collect::<Vec<u16>>());

    write(&folder.path().join("rgb"), "a.png", &png(3, 2, Rgb8, &data));
    write(&folder.path().join("rgb"), "b.png", &png(3, 2, L8, &data[..6]));
    let rgb = load(&folder.path().join("rgb"), Files::new(ImageShape::new(2, 3, 3), 256)).unwrap();
    let grey_as_rgb = (0..6).flat_map(|k| [k * 10; 3]);
    assert_eq!(levels(&rgb), (0..18).map(|k| k * 10).chain(grey_as_rgb).collect::<Vec<u16>>());

    let wide: Vec<u8> = [0u16, 1, 300, 40_000, 65_535, 9].iter().flat_map(|k| k.to_ne_bytes()).collect();
    let path = write(folder.path(), "wide.png", &png(3, 2, L16, &wide));
    assert_eq!(levels(&load(&path, grey(65536)).unwrap()), [0, 1, 300, 40_000, 65_535, 9]);
}

#[test]
fn a_jpeg() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = Vec::new();
    let mut encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut bytes, 100);
    encoder.encode(&[200; 6], 3, 2, L8).unwrap();
    let path = write(folder.path(), "a.jpg", &bytes);
    // The coefficients of a constant block are whole numbers, so that nothing is lost but one rounding.
    assert!(levels(&load(&path, grey(256)).unwrap()).iter().all(|k| k.abs_diff(200) <= 1));
    for cut in [2, 20, bytes.len() / 2, bytes.len() - 1] {
        let path = write(folder.path(), "a.jpg", &bytes[..cut]);
        refused(load(&path, grey(256)), &path, &["a.jpg"]);
    }
}

#[test]
fn random_crops_from_a_tar() {
    let folder = tempfile::tempdir().unwrap();
    let large: Vec<u8> = (0..40).collect();
    let entries = [("x/b.png", png(8, 5, L8, &large)), ("x/a.png", png(3, 2, L8, &large[..6]))];
    let path = write(folder.path(), "x.tar.gz", &gz(&tar(&entries)));
    let set = load(&path, grey(256).random_crops(5)).unwrap();
    assert_eq!(set.batch(&[0.into()]).unwrap(), [0, 1, 2, 3, 4, 5]);
    let at = |epoch| set.batch(&[Visit { index: 1, epoch }]).unwrap();
    for epoch in 0..20 {
        let (c, corner) = (at(epoch), at(epoch)[0]);
        assert!(corner % 8 <= 5 && corner / 8 <= 3);
        assert_eq!(c, [0, 1, 2, 8, 9, 10].map(|k| k + corner));
    }
    assert!((0..20).any(|epoch| at(epoch) != at(0)));
    refused(load(&path, grey(256)), &path, &["x/b.png: shape", "5x8x1", "2x3x1"]);
    let small = Files::new(ImageShape::new(3, 3, 1), 256).random_crops(5);
    refused(load(&path, small), &path, &["x/a.png: shape", "2x3x1", "at least 3x3x1"]);
}

#[test]
fn damage() {
    let folder = tempfile::tempdir().unwrap();
    let data: Vec<u8> = (0..24).collect();
    let refuse = |bytes: &[u8], files: Files, parts: &[&str]| {
        let path = write(folder.path(), "a.png", bytes);
        refused(load(&path, files), &path, parts);
    };
    let whole = png(3, 2, L8, &data[..6]);
    (0..whole.len()).for_each(|cut| refuse(&whole[..cut], grey(256), &["a.png"]));
    refuse(&[whole.clone(), vec![0]].concat(), grey(256), &["bytes after its end"]);
    let mut flipped = whole.clone();
    flipped[45] ^= 0xff;
    refuse(&flipped, grey(256), &["damaged image"]);
    refuse(b"GIF89a and so on", grey(256), &["GIF8", "PNG or JPEG"]);
    refuse(&png(2, 3, L8, &data[..6]), grey(256), &["3x2x1", "2x3x1"]);
    refuse(&png(3, 2, Rgb8, &data[..18]), grey(256), &["Rgb8", "grey"]);
    refuse(&png(3, 2, Rgba8, &data), Files::new(ImageShape::new(2, 3, 3), 256), &["transparency"]);
    refuse(&whole, grey(1000), &["a.png: levels: found 256, expected at least 1000"]);
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    refused(load(&empty, grey(256)), &empty, &["no image"]);
}
