//! What class each image is of, wherever files say it.

use crate::make::{self, block, npy, png, refused, tar, write, zip};
use idode::data::image_files::{self, Files};
use idode::data::imagenet32::{self, Release};
use idode::data::{ImageSet, ImageShape, ImageSource, Split, StreamedSet, cifar10, npy as arrays};
use idode::error::Result;
use image::ExtendedColorType::L8;
use std::path::Path;
use zip::CompressionMethod::Stored;

fn of(set: &dyn ImageSource) -> (Vec<u16>, usize) {
    let labels = set.labels().unwrap();
    (labels.values().to_vec(), labels.classes())
}

#[test]
fn labels_of_cifar10() {
    let folder = tempfile::tempdir().unwrap();
    let binary =
        |images: [usize; 2]| images.iter().flat_map(|&i| [vec![i as u8], make::planes(i)].concat()).collect();
    for batch in 1..=5 {
        // In the order of batches, whatever that of files.
        let images = [10 - 2 * batch, 11 - 2 * batch];
        let bytes: Vec<u8> = binary(images);
        write(&folder.path().join("bin"), &format!("data_batch_{batch}.bin"), &bytes);
        write(&folder.path().join("py"), &format!("data_batch_{batch}"), &make::pickle(&images, 3072));
    }
    for form in ["bin", "py"] {
        let set = cifar10::load(folder.path().join(form), Split::Train, 256).unwrap();
        assert_eq!(of(&set), (vec![8, 9, 6, 7, 4, 5, 2, 3, 0, 1], 10), "{form}");
        assert_eq!(ImageSet::collect(&set).unwrap().labels(), set.labels());
    }
    let high = folder.path().join("high");
    write(&high, "test_batch", &make::pickle_labelled(&[1, 2], 3072, |i| 9 + i as u8));
    let line = cifar10::load(&high, Split::Test, 256).unwrap_err().to_string();
    assert!(line.contains("label of image 0 = 10: expected 0 to 9"), "{line}");
}

#[test]
fn labels_of_imagenet32() {
    let folder = tempfile::tempdir().unwrap();
    let load = |form: &str| {
        imagenet32::load(folder.path().join(form), Release::New, Split::Validation, 256).unwrap()
    };
    let batch = |labels: [u16; 2]| {
        let labels: Vec<u8> = labels.iter().flat_map(|&k| i64::from(k).to_le_bytes()).collect();
        let arrays = [
            ("labels.npy", npy("<i8", "False", "(2,)", &labels)),
            ("data.npy", npy("|u1", "False", "(2, 3072)", &block(&[0, 1]))),
        ];
        zip(&arrays, Stored)
    };
    // Published labels count from 1.
    write(&folder.path().join("npz"), "val_data.npz", &batch([1000, 1]));
    assert_eq!(of(&load("npz")), (vec![999, 0], 1000));
    write(&folder.path().join("py"), "val_data", &make::pickle_labelled(&[4, 6], 3072, |i| i as u8));
    assert_eq!(of(&load("py")), (vec![3, 5], 1000));
    // Others are none of the published ones.
    write(&folder.path().join("zero"), "val_data.npz", &batch([0, 1]));
    assert_eq!(load("zero").labels(), None);
    let few = zip(
        &[
            ("labels.npy", npy("|u1", "False", "(1,)", &[1])),
            ("data.npy", npy("|u1", "False", "(2, 3072)", &block(&[0, 1]))),
        ],
        Stored,
    );
    let path = folder.path().join("few");
    write(&path, "val_data.npz", &few);
    let loaded = imagenet32::load(&path, Release::New, Split::Validation, 256);
    refused(loaded, &path, &["val_data.npz: labels: found 1, expected 2, one per image"]);
}

#[test]
fn labels_of_arrays() {
    let folder = tempfile::tempdir().unwrap();
    let column = npy("<i8", "False", "(3, 1)", &[4u64, 0, 65535].map(u64::to_le_bytes).concat());
    let arrays_of_it = [("y.npy", column.clone()), ("x.npy", npy("|u1", "False", "(3, 1, 1)", &[1, 2, 3]))];
    let path = write(folder.path(), "a.npz", &zip(&arrays_of_it, Stored));
    assert_eq!(arrays::labels(&path, Some("y")).unwrap(), [4, 0, 65535]);
    assert_eq!(arrays::labels(write(folder.path(), "y.npy", &column), None).unwrap(), [4, 0, 65535]);
    refused(arrays::labels(&path, Some("x")), &path, &["x.npy: shape: found [3, 1, 1]", "1 axis"]);
    let path = write(
        folder.path(),
        "y.npy",
        &npy("<f4", "False", "(2,)", &[1f32, 1.5].map(f32::to_le_bytes).concat()),
    );
    refused(arrays::labels(&path, None), &path, &["value 1: found 1.5"]);
    let long = npy("|u1", "False", "(99999999999,)", &[0; 5]);
    let path = write(folder.path(), "y.npy", &long);
    refused(arrays::labels(&path, None), &path, &["truncated"]);
}

fn load(path: &Path, classes: &[&str]) -> Result<StreamedSet> {
    let files =
        Files::new(ImageShape::new(1, 2, 1), 256).classes(classes.iter().map(|&c| c.to_owned()).collect());
    image_files::load(path, "toy", Split::Train, files)
}

#[test]
fn a_folder_is_a_class() {
    let folder = tempfile::tempdir().unwrap();
    let image = |k: u8| png(2, 1, L8, &[k, k]);
    let entries = [
        ("train/dog/1.png", image(1)),
        ("train/cat/3.png", image(3)),
        ("train/cat/2.png", image(2)),
        ("train/.cache/9.png", image(9)),
        ("train/README", b"text".to_vec()),
    ];
    entries.iter().for_each(|(name, bytes)| drop(write(&folder.path().join("x"), name, bytes)));
    for path in [
        folder.path().join("x"),
        folder.path().join("x/train"),
        write(folder.path(), "x.tar", &tar(&entries)),
    ] {
        assert_eq!(image_files::classes(&path).unwrap(), ["cat", "dog"]);
        let set = load(&path, &["cat", "dog"]).unwrap();
        assert_eq!(ImageSet::collect(&set).unwrap().pixels(), [2, 2, 3, 3, 1, 1]);
        assert_eq!(of(&set), (vec![0, 0, 1], 2));
        // Another split may lack a class; its labels stay those of the list.
        assert_eq!(of(&load(&path, &["bird", "dog", "cat"]).unwrap()), (vec![2, 2, 1], 3));
        refused(load(&path, &["cat"]), &path, &["dog/1.png: class: found dog", "one of the 1 classes"]);
    }
    let flat = folder.path().join("flat");
    write(&flat, "1.png", &image(1));
    refused(image_files::classes(&flat), &flat, &["1.png: found an image in no sub-folder"]);
    refused(load(&flat, &["cat"]), &flat, &["1.png: class: found no sub-folder"]);
    let empty = folder.path().join("empty");
    std::fs::create_dir(&empty).unwrap();
    refused(image_files::classes(&empty), &empty, &["classes: found no image"]);
}
