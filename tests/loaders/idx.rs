//! IDX, as MNIST is published.

use crate::make::{gz, refused, write};
use idode::data::{ImageSource, Split, idx};
use idode::pixels::PixelGrid;

fn file(magic: u32, dims: &[u32], data: &[u8]) -> Vec<u8> {
    let header = std::iter::once(&magic).chain(dims).flat_map(|n| n.to_be_bytes());
    header.chain(data.iter().copied()).collect()
}

#[test]
fn images_and_labels_as_mnist_names_them() {
    let folder = tempfile::tempdir().unwrap();
    let data: Vec<u8> = (0..2 * 784).map(|i| (i % 251) as u8).collect();
    let images = gz(&file(0x0803, &[2, 28, 28], &data));
    let images = write(folder.path(), "train-images-idx3-ubyte.gz", &images);
    let labels = write(folder.path(), "train-labels-idx1-ubyte.gz", &gz(&file(0x0801, &[2], &[7, 3])));
    let grid = PixelGrid::new(256).unwrap();
    let set = idx::read_images(&images, Some(&labels), "mnist", Split::Train, grid).unwrap();
    assert_eq!((set.images(), set.shape().to_string()), (2, "28x28x1".into()));
    assert_eq!(set.labels(), Some(&[7, 3][..]));
    assert!(set.pixels().iter().zip(&data).all(|(a, b)| *a == u16::from(*b)));

    // Labels for images and images for labels.
    let swapped = idx::read_images(&labels, None, "mnist", Split::Train, grid);
    refused(swapped, &labels, &["axes", "[2]", "3 or 4 axes"]);
    refused(idx::read_images(&images, Some(&images), "mnist", Split::Train, grid), &images, &["1 axis"]);
    let missing = folder.path().join("missing");
    let line = idx::read(&missing).unwrap_err().to_string();
    assert!(line.starts_with(&format!("{}: cannot read", missing.display())), "{line}");
}

#[test]
fn damage() {
    let folder = tempfile::tempdir().unwrap();
    let refuse = |bytes: &[u8], parts: &[&str]| {
        let path = write(folder.path(), "x", bytes);
        refused(idx::read(&path), &path, parts);
    };
    let whole = file(0x0803, &[2, 2, 2], &[0; 8]);
    refuse(&whole[..20], &["found 4", "expected 8"]);
    refuse(&[whole.clone(), vec![0]].concat(), &["more than 8"]);
    refuse(&gz(&whole)[..30], &["damaged"]);
    refuse(&[gz(&whole), vec![7; 9]].concat(), &[]);
    refuse(&file(0x0d03, &[2, 2, 2], &[0; 32]), &["magic number"]);
}
