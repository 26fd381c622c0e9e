//! Archives whose entries point outside, or are no files.

use crate::make::{bz2, gz, png, refused, tar, tar_announced, tar_link, tar_v7, write, xz, zip};
use idode::data::image_files::{self, Files};
use idode::data::{ImageSet, ImageShape, ImageSource, Split, StreamedSet};
use idode::error::Result;
use image::ExtendedColorType::L8;
use std::path::Path;
use zip::CompressionMethod::Stored;

const OUTSIDE: [&str; 5] = ["../a.png", "x/../../a.png", "/tmp/a.png", "..\\a.png", "C:\\a.png"];

fn load(path: &Path) -> Result<StreamedSet> {
    image_files::load(path, "toy", Split::Train, Files::new(ImageShape::new(1, 2, 1), 256))
}

#[test]
fn entries_that_point_outside_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let image = png(2, 1, L8, &[1, 2]);
    for name in OUTSIDE {
        let entries = [("fine.png", image.clone()), (name, image.clone())];
        let shown = format!("{name:?}");
        let path = write(folder.path(), "x.tar", &tar(&entries));
        refused(load(&path), &path, &["entry name", &shown]);
        let path = write(folder.path(), "x.tar.gz", &gz(&tar(&entries)));
        refused(load(&path), &path, &["entry name", &shown]);
        let path = write(folder.path(), "x.zip", &zip(&entries, Stored));
        refused(load(&path), &path, &["entry name"]);
    }
    // A separator of another system is one.
    let path = write(folder.path(), "x.zip", &zip(&[("x\\fine.png", image.clone())], Stored));
    assert_eq!(load(&path).unwrap().images(), 1);
    let inside = [("./x/fine.png", image)];
    assert!(load(&write(folder.path(), "x.tar", &tar(&inside))).is_ok());
}

#[test]
fn links_and_special_files_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (kind, what) in [
        (tar::EntryType::Symlink, "a link"),
        (tar::EntryType::Link, "a link"),
        (tar::EntryType::Fifo, "a special file"),
    ] {
        let path = write(folder.path(), "x.tar", &tar_link("a.png", "/etc/passwd", kind));
        refused(load(&path), &path, &["a.png", what, "plain file"]);
    }
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    writer.add_symlink("a.png", "/etc/passwd", options).unwrap();
    let path = write(folder.path(), "x.zip", &writer.finish().unwrap().into_inner());
    refused(load(&path), &path, &["a.png", "a link"]);
}

#[test]
fn a_corrupt_zip_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let whole = zip(&[("a.png", png(2, 1, L8, &[1, 2]))], Stored);
    assert!(load(&write(folder.path(), "x.zip", &whole)).is_ok());
    for cut in 0..whole.len() {
        let path = write(folder.path(), "x.zip", &whole[..cut]);
        refused(load(&path), &path, &[]);
    }
    // One bit of the stored file: the checksum tells.
    let mut flipped = whole;
    flipped[60] ^= 1;
    let path = write(folder.path(), "x.zip", &flipped);
    refused(load(&path), &path, &["a.png"]);
}

fn pixels(loaded: Result<StreamedSet>) -> Vec<u16> {
    ImageSet::collect(&loaded.unwrap()).unwrap().pixels().to_vec()
}

#[test]
fn every_kind_of_tar_packed_in_every_way_holds_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let files = [("x/b.png", png(2, 1, L8, &[3, 4])), ("x/a.png", png(2, 1, L8, &[1, 2]))];
    let with_folder = [("x/", Vec::new()), files[0].clone(), files[1].clone()];
    let long = format!("{}/{}.png", "d".repeat(90), "e".repeat(90));
    let mut gnu = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    for (name, bytes) in [("x/b.png", &files[0].1), (&long, &files[1].1)] {
        header.set_size(bytes.len() as u64);
        header.set_cksum();
        gnu.append_data(&mut header, name, &bytes[..]).unwrap();
    }
    let path = format!("path={long}\n");
    let record = |text: &str| format!("{} {text}", text.len() + 4);
    let attributes = [record(&path), "30 mtime=1700000000.123456789\n".to_owned()].concat();
    let pax = tar_announced(b'x', attributes.as_bytes(), &[("cut", files[1].1.clone()), files[0].clone()]);
    let global = tar_announced(b'g', b"19 comment=whatever\n", &files);
    let ustar = {
        let mut builder = tar::Builder::new(Vec::new());
        for (name, bytes) in &files {
            let mut header = tar::Header::new_ustar();
            header.set_path(name).unwrap();
            header.set_size(bytes.len() as u64);
            header.set_cksum();
            builder.append(&header, &bytes[..]).unwrap();
        }
        builder.into_inner().unwrap()
    };
    let (forwards, backwards) = ([1, 2, 3, 4], [1, 2, 3, 4]);
    for (kind, tar, expected) in [
        ("v7", tar_v7(&files), forwards),
        ("v7 with a folder", tar_v7(&with_folder), forwards),
        ("ustar", ustar, forwards),
        ("gnu", gnu.into_inner().unwrap(), backwards),
        ("pax", pax, backwards),
        ("pax, global", global, forwards),
    ] {
        for (end, bytes) in
            [("tar", tar.clone()), ("tar.gz", gz(&tar)), ("tar.bz2", bz2(&tar)), ("tar.xz", xz(&tar))]
        {
            let path = write(folder.path(), &format!("x.{end}"), &bytes);
            assert_eq!(pixels(load(&path)), expected, "{kind}, {end}");
        }
    }
    // Two streams, one after the other, as parallel packers write them.
    let tar = tar_v7(&files);
    for pack in [gz, bz2, xz] {
        let path = write(folder.path(), "x", &[pack(&tar[..700]), pack(&tar[700..])].concat());
        assert_eq!(pixels(load(&path)), forwards);
    }
}

#[test]
fn packed_archives_that_are_cut_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let tar = tar_v7(&[("a.png", png(2, 1, L8, &[1, 2]))]);
    for whole in [gz(&tar), bz2(&tar), xz(&tar)] {
        for cut in 0..whole.len() {
            let path = write(folder.path(), "x.tar", &whole[..cut]);
            refused(load(&path), &path, &[]);
        }
    }
}

#[test]
fn other_archives_are_refused_as_what_they_are() {
    let folder = tempfile::tempdir().unwrap();
    for (bytes, found) in [
        (&b"\x28\xb5\x2f\xfd\x24\x00"[..], "a Zstandard file"),
        (b"7z\xbc\xaf\x27\x1c\0\x04", "a 7z archive"),
        (b"Rar!\x1a\x07\x00", "a RAR archive"),
        (b"\x04\x22\x4d\x18\x64", "an LZ4 file"),
        (b"\x1f\x9d\x90", "a file of compress (.Z)"),
    ] {
        let path = write(folder.path(), "x.tar.zst", bytes);
        refused(load(&path), &path, &[&format!("found {found}"), "a PNG or JPEG"]);
    }
    let zipped = zip(&[("a.png", png(2, 1, L8, &[1, 2]))], Stored);
    let path = write(folder.path(), "x.zip.gz", &gz(&zipped));
    refused(load(&path), &path, &["found a zip packed again (gz)"]);
}

#[test]
fn names_and_attributes_of_any_length_are_not_read() {
    let folder = tempfile::tempdir().unwrap();
    let files = [("a.png", png(2, 1, L8, &[1, 2]))];
    // 0.2 MB each; a header of the same kind may ask for gigabytes.
    let path = write(folder.path(), "x.tar", &tar_announced(b'L', &[b'n'; 200_000], &files));
    refused(load(&path), &path, &["a file's name: found more than 65536 bytes"]);
    let path = write(folder.path(), "x.tar", &tar_announced(b'x', &[b'n'; 2_000_000], &files));
    refused(load(&path), &path, &["a file's attributes: found more than 1048576 bytes"]);
    let path = write(folder.path(), "x.tar", &tar_announced(b'x', b"12 no equals\n", &files));
    refused(load(&path), &path, &["attributes: found another form"]);
    let path = write(folder.path(), "x.tar", &tar_announced(b'x', b"12 size=999\n", &files));
    refused(load(&path), &path, &["entry a.png: size: found 999"]);
    let path = write(folder.path(), "x.tar", &tar_announced(b'x', b"22 GNU.sparse.major=1\n", &files));
    refused(load(&path), &path, &["a.png", "a sparse file"]);
    let path = write(folder.path(), "x.tar", &tar_announced(b'L', b"b.png\0", &[]));
    refused(load(&path), &path, &["found a name or attributes alone"]);
    // What links point to is passed over, however long.
    let path = write(folder.path(), "x.tar", &tar_announced(b'K', &[b'n'; 200_000], &files));
    assert_eq!(pixels(load(&path)), [1, 2]);
}

#[test]
fn what_names_say_to_a_terminal_is_shown_and_not_obeyed() {
    let folder = tempfile::tempdir().unwrap();
    let name = "\x1b]0;owned\x07\x1b[2J\u{202e}.gif";
    let entries = [(name, b"GIF89a".to_vec())];
    for (file, bytes) in [("x.tar", tar(&entries)), ("x.zip", zip(&entries, Stored))] {
        let path = write(folder.path(), file, &bytes);
        let line = load(&path).unwrap_err().to_string();
        assert!(line.chars().all(|c| !c.is_control() && c != '\u{202e}'), "{line:?}");
        assert!(line.contains("\\u{1b}]0;owned\\u{7}") && line.contains("found a GIF"), "{line}");
    }
}

/// A zip of these entries whose directory has another name for one of them: as many bytes.
fn renamed(entries: &[(&str, Vec<u8>)], from: &str, to: &str) -> Vec<u8> {
    let mut bytes = zip(entries, Stored);
    let places: Vec<usize> =
        (0..bytes.len() - from.len()).filter(|&at| bytes[at..].starts_with(from.as_bytes())).collect();
    places.into_iter().for_each(|at| bytes[at..at + to.len()].copy_from_slice(to.as_bytes()));
    bytes
}

#[test]
fn no_entry_of_a_zip_is_lost_without_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let files = [("a.png", png(2, 1, L8, &[1, 2])), ("b.png", png(2, 1, L8, &[3, 4]))];
    let refuse = |bytes: &[u8], parts: &[&str]| {
        let path = write(folder.path(), "x.zip", bytes);
        refused(load(&path), &path, parts);
    };
    refuse(&renamed(&files, "b.png", "a.png"), &["zip: found two entries called a.png", "each name once"]);
    // The directory without its second record: as many entries as it says, and one less than there are.
    let whole = zip(&files, Stored);
    let records: Vec<usize> = (0..whole.len()).filter(|&at| whole[at..].starts_with(b"PK\x01\x02")).collect();
    let end = whole.windows(4).rposition(|w| w == b"PK\x05\x06").unwrap();
    let mut short = [&whole[..records[1]], &whole[end..]].concat();
    let at = records[1];
    (short[at + 8], short[at + 10]) = (1, 1);
    let size = (records[1] - records[0]) as u32;
    short[at + 12..at + 16].copy_from_slice(&size.to_le_bytes());
    refuse(&short, &["zip directory", "missing from central directory"]);
    // Every flipped byte of the directory: all images, or one line.
    for at in records[0]..whole.len() {
        for flip in [1, 0x40, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            let path = write(folder.path(), "x.zip", &bytes);
            match load(&path) {
                Ok(set) => assert_eq!(set.images(), 2, "byte {at} flipped by {flip}"),
                Err(error) => assert_eq!(error.to_string().lines().count(), 1),
            }
        }
    }
}
