//! IDX, as MNIST is published.

use crate::make::{bz2, gz, refused, write};
use flate2::Compression;
use flate2::write::GzEncoder;
use idode::data::{Depth, ImageSet, ImageSource, Labels, Split, StreamedSet, idx};
use idode::error::Result;
use std::io::Write;
use std::path::Path;

fn file(magic: u32, dims: &[u32], data: &[u8]) -> Vec<u8> {
    let header = std::iter::once(&magic).chain(dims).flat_map(|n| n.to_be_bytes());
    header.chain(data.iter().copied()).collect()
}

fn load(path: &Path, depth: Depth) -> Result<StreamedSet> {
    idx::load(path, "mnist", Split::Train, depth)
}

fn bytes() -> Depth {
    Depth::of(256).unwrap()
}

#[test]
fn images_and_labels_as_mnist_names_them() {
    let folder = tempfile::tempdir().unwrap();
    let data: Vec<u8> = (0..2 * 784).map(|i| (i % 251) as u8).collect();
    let plain = file(0x0803, &[2, 28, 28], &data);
    let labels = write(folder.path(), "train-labels-idx1-ubyte.gz", &gz(&file(0x0801, &[2], &[7, 3])));
    for (name, bytes_of_it) in
        [("images.gz", gz(&plain)), ("images", plain.clone()), ("images.bz2", bz2(&plain))]
    {
        let images = write(folder.path(), name, &bytes_of_it);
        assert_eq!(idx::shape(&images).unwrap().to_string(), "28x28x1");
        let set = load(&images, bytes()).unwrap();
        assert_eq!((set.images(), set.shape().to_string(), set.labels()), (2, "28x28x1".into(), None));
        let set = set.with_labels(Labels::new("labels", idx::labels(&labels).unwrap(), 10).unwrap()).unwrap();
        assert_eq!(set.labels().unwrap().values(), [7, 3]);
        let levels = ImageSet::collect(&set).unwrap();
        assert!(levels.pixels().iter().zip(&data).all(|(a, b)| *a == u16::from(*b)));
    }
    // Labels for images and images for labels.
    let images = folder.path().join("images");
    refused(load(&labels, bytes()), &labels, &["shape: found [2]", "3 or 4 axes"]);
    refused(idx::labels(&images), &images, &["shape: found [2, 28, 28]", "1 axis"]);
    let missing = folder.path().join("missing");
    let line = idx::labels(&missing).unwrap_err().to_string();
    assert!(line.starts_with(&format!("{}: cannot read", missing.display())), "{line}");
}

#[test]
fn levels_are_merged_as_asked() {
    let folder = tempfile::tempdir().unwrap();
    let data: Vec<u8> = (0..=255).collect();
    let path = write(folder.path(), "x", &file(0x0803, &[1, 16, 16], &data));
    for used in [2u32, 16, 100] {
        let set = load(&path, Depth::reduced(256, used).unwrap()).unwrap();
        assert_eq!(set.grid().levels(), used);
        let expected: Vec<u16> = (0..256).map(|k| (k * used / 256) as u16).collect();
        assert_eq!(ImageSet::collect(&set).unwrap().pixels(), expected);
    }
    // A dark file is merged too, and not taken as it is.
    let path = write(folder.path(), "dark", &file(0x0803, &[1, 1, 2], &[3, 15]));
    let set = load(&path, Depth::reduced(256, 16).unwrap()).unwrap();
    assert_eq!(set.batch(&[0.into()]).unwrap(), [0, 0]);
    refused(load(&path, Depth::of(15).unwrap()), &path, &["image 0 of 1: value 1: found 15", "below 15"]);
}

#[test]
fn every_type_of_the_format() {
    let folder = tempfile::tempdir().unwrap();
    let values = [0i16, 1, 127, 100];
    let cases: [(u32, Vec<u8>); 6] = [
        (0x0803, values.iter().map(|&k| k as u8).collect()),
        (0x0903, values.iter().map(|&k| k as u8).collect()),
        (0x0b03, values.iter().flat_map(|k| k.to_be_bytes()).collect()),
        (0x0c03, values.iter().flat_map(|&k| i32::from(k).to_be_bytes()).collect()),
        (0x0d03, values.iter().flat_map(|&k| f32::from(k).to_be_bytes()).collect()),
        (0x0e03, values.iter().flat_map(|&k| f64::from(k).to_be_bytes()).collect()),
    ];
    for (magic, data) in cases {
        let path = write(folder.path(), "x", &file(magic, &[1, 2, 2], &data));
        let set = load(&path, bytes()).unwrap();
        assert_eq!(set.batch(&[0.into()]).unwrap(), [0, 1, 127, 100], "{magic:#x}");
    }
    let path = write(folder.path(), "x", &file(0x0903, &[1, 1, 1], &[0xff]));
    refused(load(&path, bytes()), &path, &["value 0: found -1", "a whole number from 0 to 65535"]);
}

#[test]
fn corruption() {
    let folder = tempfile::tempdir().unwrap();
    let refuse = |bytes_of_it: &[u8], parts: &[&str]| {
        let path = write(folder.path(), "x", bytes_of_it);
        refused(load(&path, bytes()), &path, parts);
    };
    let whole = file(0x0803, &[2, 2, 2], &[0; 8]);
    refuse(&whole[..20], &["image 1 of 2", "truncated"]);
    refuse(&[whole.clone(), vec![0]].concat(), &["more bytes than the header says"]);
    refuse(&gz(&whole)[..30], &["corrupt"]);
    refuse(&[gz(&whole), vec![7; 9]].concat(), &[]);
    refuse(&file(0x0a03, &[2, 2, 2], &[0; 32]), &["magic number"]);
    refuse(&file(0x0803, &[0, 2, 2], &[]), &["shape: found [0, 2, 2]", "at least one image"]);
    refuse(&file(0x0803, &[2, 2, 0], &[]), &["shape: found [2, 2, 0]", "sides of 1 to 65536"]);
    refuse(&file(0x0803, &[1, 70000, 1], &[]), &["shape: found [1, 70000, 1]", "sides of 1 to 65536"]);
}

/// A small file that unpacks to far too much is an error, and not memory.
#[test]
fn a_file_that_unpacks_to_far_too_much_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(&file(0x0803, &[4800, 256, 256], &[])).unwrap();
    let zeros = vec![0; 1 << 20];
    (0..300).for_each(|_| packer.write_all(&zeros).unwrap());
    let path = write(folder.path(), "images.gz", &packer.finish().unwrap());
    refused(load(&path, bytes()), &path, &["more than 500 times as many"]);
}
