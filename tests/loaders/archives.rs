//! Archives whose entries point outside, or are no files.

use crate::make::{gz, png, refused, tar, tar_link, write, zip};
use idode::data::image_files::{self, Files};
use idode::data::{ImageShape, Split, StreamedSet};
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
    let picture = png(2, 1, L8, &[1, 2]);
    for name in OUTSIDE {
        let entries = [("fine.png", picture.clone()), (name, picture.clone())];
        let shown = format!("{name:?}");
        let path = write(folder.path(), "x.tar", &tar(&entries));
        refused(load(&path), &path, &["entry name", &shown]);
        let path = write(folder.path(), "x.tar.gz", &gz(&tar(&entries)));
        refused(load(&path), &path, &["entry name", &shown]);
        let path = write(folder.path(), "x.zip", &zip(&entries, Stored));
        refused(load(&path), &path, &["entry name"]);
    }
    let inside = [("./x/fine.png", picture)];
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
fn a_damaged_zip_is_refused() {
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
