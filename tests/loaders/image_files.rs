//! Folders and archives of image files.

use crate::make::{gz, png, raw_png, refused, tar, write};
use idode::data::image_files::{self, Files};
use idode::data::{ImageSet, ImageShape, ImageSource, Split, StreamedSet, Visit};
use idode::error::Result;
use image::ExtendedColorType::{L8, L16, La8, La16, Rgb8, Rgb16, Rgba8, Rgba16};
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
fn corruption() {
    let folder = tempfile::tempdir().unwrap();
    let data: Vec<u8> = (0..24).collect();
    let refuse = |bytes: &[u8], files: Files, parts: &[&str]| {
        let path = write(folder.path(), "a.png", bytes);
        refused(load(&path, files), &path, parts);
    };
    let whole = png(3, 2, L8, &data[..6]);
    (0..whole.len()).for_each(|cut| refuse(&whole[..cut], grey(256), &["a.png"]));
    refuse(&[whole.clone(), vec![1]].concat(), grey(256), &["1 bytes after its end"]);
    let mut flipped = whole.clone();
    flipped[45] ^= 0xff;
    refuse(&flipped, grey(256), &["corrupt image"]);
    refuse(b"GIF89a and so on", grey(256), &["found a GIF", "PNG or JPEG"]);
    refuse(b"RIFF\x04\0\0\0WEBPVP8 ", grey(256), &["found a WebP image", "PNG or JPEG"]);
    refuse(b"", grey(256), &["found an empty file", "PNG or JPEG"]);
    refuse(&png(2, 3, L8, &data[..6]), grey(256), &["3x2x1", "2x3x1"]);
    refuse(&whole, grey(1000), &["a.png: levels: found 256, expected at least 1000"]);
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    refused(load(&empty, grey(256)), &empty, &["no image"]);
}

/// The levels of one file, for a set of `channels`.
fn read(folder: &Path, bytes: &[u8], channels: usize, levels: u32) -> Result<Vec<u16>> {
    let path = write(folder, "a.png", bytes);
    let set = load(&path, Files::new(ImageShape::new(2, 3, channels), levels))?;
    Ok(ImageSet::collect(&set)?.pixels().to_vec())
}

/// Each value followed by `more`, as the bytes of an image of `bytes` a value.
fn beside(values: &[u16], colours: usize, more: &[u16], bytes: usize) -> Vec<u8> {
    let pixel = |pixel: &[u16]| [pixel, more].concat();
    let all = values.chunks(colours).flat_map(pixel);
    all.flat_map(|k| if bytes == 1 { vec![k as u8] } else { k.to_ne_bytes().to_vec() }).collect()
}

#[test]
fn what_loses_nothing_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let grey: Vec<u16> = (0..6).map(|k| k * 40).collect();
    let colour: Vec<u16> = (0..18).map(|k| k * 14).collect();
    let three = |values: &[u16]| values.iter().flat_map(|&k| [k; 3]).collect::<Vec<u16>>();
    let get = |bytes: &[u8], channels, levels| read(folder.path(), bytes, channels, levels).unwrap();
    // Alpha that is opaque, of 8 and of 16 bits.
    assert_eq!(get(&png(3, 2, Rgba8, &beside(&colour, 3, &[255], 1)), 3, 256), colour);
    assert_eq!(get(&png(3, 2, La8, &beside(&grey, 1, &[255], 1)), 1, 256), grey);
    assert_eq!(get(&png(3, 2, La8, &beside(&grey, 1, &[255], 1)), 3, 256), three(&grey));
    let (wide, wide_grey): (Vec<u16>, Vec<u16>) =
        (colour.iter().map(|k| k * 250 + 1).collect(), grey.iter().map(|k| k * 300 + 7).collect());
    assert_eq!(get(&png(3, 2, Rgba16, &beside(&wide, 3, &[65535], 2)), 3, 65536), wide);
    assert_eq!(get(&png(3, 2, La16, &beside(&wide_grey, 1, &[65535], 2)), 1, 65536), wide_grey);
    // Grey that is stored as colours.
    assert_eq!(get(&png(3, 2, Rgb8, &beside(&three(&grey), 3, &[], 1)), 1, 256), grey);
    assert_eq!(get(&png(3, 2, Rgba8, &beside(&three(&grey), 3, &[255], 1)), 1, 256), grey);
    assert_eq!(get(&png(3, 2, Rgb16, &beside(&three(&wide_grey), 3, &[], 2)), 1, 65536), wide_grey);
    // Palettes of 1, 4 and 8 bits, plain, opaque, and of greys; a colour that would be transparent and is not there.
    let palette: Vec<u8> = (0..16u8).flat_map(|i| [i * 16, 255 - i, i]).collect();
    let pixels = |places: [usize; 6]| -> Vec<u16> {
        places.iter().flat_map(|i| palette[3 * i..3 * i + 3].iter().map(|&b| b.into())).collect()
    };
    let four_bits: [&[u8]; 2] = [&[0x0f, 0x30], &[0x12, 0xe0]];
    let plain: &[(&[u8; 4], &[u8])] = &[(b"PLTE", &palette)];
    let opaque: &[(&[u8; 4], &[u8])] = &[(b"PLTE", &palette), (b"tRNS", &[255; 16])];
    for about in [plain, opaque] {
        let bytes = raw_png((3, 2), (4, 3), [about, &[]], &four_bits);
        assert_eq!(get(&bytes, 3, 256), pixels([0, 15, 3, 1, 2, 14]));
    }
    let one_bit = raw_png((3, 2), (1, 3), [plain, &[]], &[&[0b0100_0000], &[0b1110_0000]]);
    assert_eq!(get(&one_bit, 3, 256), pixels([0, 1, 0, 1, 1, 1]));
    let greys: Vec<u8> = (0..=255).flat_map(|i| [i; 3]).collect();
    let eight_bits: [&[u8]; 2] = [&[0, 40, 80], &[120, 160, 200]];
    assert_eq!(get(&raw_png((3, 2), (8, 3), [&[(b"PLTE", &greys)], &[]], &eight_bits), 1, 256), grey);
    assert_eq!(get(&raw_png((3, 2), (8, 0), [&[(b"tRNS", &[0, 41])], &[]], &eight_bits), 1, 256), grey);
}

#[test]
fn what_would_be_lost_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let grey: Vec<u8> = (0..6).map(|k| k * 40).collect();
    let refuse = |bytes: &[u8], channels, levels, parts: &[&str]| {
        refused(read(folder.path(), bytes, channels, levels), &folder.path().join("a.png"), parts);
    };
    let transparent = ["transparency", "expected an image without transparency"];
    let mut rgba = vec![255; 24];
    rgba[4 * 4 + 3] = 254;
    let place = "a.png: pixel at row 1, column 1: found transparency";
    refuse(&png(3, 2, Rgba8, &rgba), 3, 256, &[place, transparent[1]]);
    refuse(&png(3, 2, Rgba8, &rgba), 1, 256, &transparent);
    let la16: Vec<u8> =
        [9u16, 65535, 9, 255, 9, 65535].repeat(2).iter().flat_map(|k| k.to_ne_bytes()).collect();
    refuse(&png(3, 2, La16, &la16), 1, 65536, &["row 0, column 1", transparent[1]]);
    let rows: Vec<&[u8]> = grey.chunks(3).collect();
    // The grey level 80 is transparent; the third colour of a palette is, half.
    refuse(&raw_png((3, 2), (8, 0), [&[(b"tRNS", &[0, 80])], &[]], &rows), 1, 256, &["row 0, column 2"]);
    let palette: &[(&[u8; 4], &[u8])] = &[(b"PLTE", &[7; 12]), (b"tRNS", &[255, 255, 128])];
    refuse(&raw_png((3, 2), (8, 3), [palette, &[]], &[&[0, 1, 3], &[3, 2, 2]]), 3, 256, &["row 1, column 1"]);
    // A colour in a grey set, in colour and by palette.
    let mut rgb = [50; 18];
    rgb[3 * 3 + 1] = 51;
    let colour = ["pixel at row 1, column 0: found a colour", "expected a grey image"];
    refuse(&png(3, 2, Rgb8, &rgb), 1, 256, &colour);
    let palette: &[(&[u8; 4], &[u8])] = &[(b"PLTE", &[9, 9, 9, 9, 9, 8])];
    refuse(&raw_png((3, 2), (8, 3), [palette, &[]], &[&[0, 0, 0], &[1, 0, 0]]), 1, 256, &colour);
    // Frames of an animation.
    let frames: &[(&[u8; 4], &[u8])] = &[(b"acTL", &[0, 0, 0, 2, 0, 0, 0, 0])];
    refuse(&raw_png((3, 2), (8, 0), [frames, &[]], &rows), 1, 256, &["an animation (APNG)"]);
}

#[test]
fn rows_that_are_missing_in_a_png_are_noticed() {
    let folder = tempfile::tempdir().unwrap();
    // Two rows are promised. The chunks are whole, and their checksums right.
    let bytes = raw_png((3, 2), (8, 0), [&[], &[]], &[&[1, 2, 3]]);
    refused(read(folder.path(), &bytes, 1, 256), &folder.path().join("a.png"), &["corrupt image"]);
}

#[test]
fn companions_are_passed_over_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let image = png(3, 2, L8, &[1, 2, 3, 4, 5, 6]);
    let names = [
        "Thumbs.db",
        "x/desktop.ini",
        ".DS_Store",
        "__MACOSX/._0.png",
        "README.MD",
        "LICENSE",
        "labels.tsv",
        "x/.hidden.png",
    ];
    let mut entries: Vec<(&str, Vec<u8>)> = names.map(|name| (name, b"no image".to_vec())).to_vec();
    entries.push(("x/0.png", image.clone()));
    entries.iter().for_each(|(name, bytes)| drop(write(&folder.path().join("x"), name, bytes)));
    for path in [folder.path().join("x"), write(folder.path(), "x.tar", &tar(&entries))] {
        let set = load(&path, grey(256)).unwrap();
        assert_eq!((set.images(), set.passed_over()), (1, names.len()), "{}", path.display());
    }
    // What is no companion stops the set, as what it is.
    entries.push(("x/1.gif", b"GIF89a".to_vec()));
    let path = write(folder.path(), "y.tar", &tar(&entries));
    refused(load(&path, grey(256)), &path, &["x/1.gif: found a GIF"]);
}

#[test]
fn two_files_of_one_name_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let image = png(3, 2, L8, &[1, 2, 3, 4, 5, 6]);
    for again in ["a.png", "./a.png"] {
        let path = write(folder.path(), "x.tar", &tar(&[("a.png", image.clone()), (again, image.clone())]));
        refused(load(&path, grey(256)), &path, &["entries: found two called ", "expected each name once"]);
    }
}
