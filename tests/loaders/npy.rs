//! NumPy arrays of images.

use crate::make::{npy, refused, write, zip};
use idode::data::{Depth, ImageSet, ImageSource, Split, StreamedSet, npy as loader};
use idode::error::Result;
use std::path::Path;
use zip::CompressionMethod::{Deflated, Stored};

fn load(path: &Path, key: Option<&str>, levels: u32) -> Result<StreamedSet> {
    loader::load(path, key, "toy", Split::Train, Depth::of(levels)?)
}

fn levels(set: Result<StreamedSet>) -> Vec<u16> {
    ImageSet::collect(&set.unwrap()).unwrap().pixels().to_vec()
}

#[test]
fn npy_and_npz_of_any_integers() {
    let folder = tempfile::tempdir().unwrap();
    let small: Vec<u8> = (0..12).collect();
    let path = write(folder.path(), "a.npy", &npy("|u1", "False", "(2, 2, 1, 3)", &small));
    let set = load(&path, None, 256).unwrap();
    assert_eq!((set.images(), set.shape().to_string()), (2, "2x1x3".into()));
    assert_eq!(levels(Ok(set)), (0..12).collect::<Vec<u16>>());
    let wide: Vec<u8> = [1000u16, 2, 65535, 4].iter().flat_map(|k| k.to_be_bytes()).collect();
    let path = write(folder.path(), "b.npy", &npy(">u2", "False", "(1, 2, 2)", &wide));
    assert_eq!(levels(load(&path, None, 65536)), [1000, 2, 65535, 4]);
    let arrays = [("labels.npy", vec![1, 2]), ("images.npy", npy("|u1", "False", "(3, 2, 2)", &small))];
    for method in [Stored, Deflated] {
        let path = write(folder.path(), "c.npz", &zip(&arrays, method));
        assert_eq!(levels(load(&path, Some("images"), 12)), (0..12).collect::<Vec<u16>>());
    }
    let merged = loader::load(&path, None, "toy", Split::Train, Depth::reduced(65536, 256).unwrap());
    assert_eq!(levels(merged), [3, 0, 255, 0]);
}

#[test]
fn damage() {
    let folder = tempfile::tempdir().unwrap();
    let small: Vec<u8> = (0..12).collect();
    let whole = npy("|u1", "False", "(3, 2, 2)", &small);
    let refuse = |bytes: &[u8], parts: &[&str]| {
        let path = write(folder.path(), "d.npy", bytes);
        refused(load(&path, None, 256), &path, parts);
    };
    (0..whole.len()).for_each(|cut| refuse(&whole[..cut], &["d.npy"]));
    refuse(&whole[..whole.len() - 1], &["image 2 of 3"]);
    refuse(&[whole.clone(), vec![0]].concat(), &["more bytes than the header says"]);
    refuse(b"\x89PNG\r\n\x1a\n", &["magic number", "x93NUMPY"]);
    refuse(&npy("|u1", "True", "(3, 2, 2)", &small), &["fortran_order False"]);
    refuse(&npy("<f4", "False", "(3, 2, 2)", &[0; 48]), &["integers"]);
    refuse(&npy("|O", "False", "(3, 2, 2)", &small), &["integers"]);
    refuse(&npy("|u1", "False", "(12,)", &small), &["3 or 4 axes"]);
    refuse(&npy("|u1", "False", "(0, 2, 2)", &[]), &["no image"]);
    refuse(&npy("|u1", "False", "(9999999999, 99999, 99999)", &small), &["2^48"]);
    refuse(&npy("|u1", "False", "(1, 99999, 99999)", &small), &["2^28"]);
    refuse(&npy("|i1", "False", "(1, 1, 2)", &[0, 255]), &["value 1", "-1"]);
    let mut version = whole.clone();
    version[6] = 9;
    refuse(&version, &["version 9"]);
    let path = write(folder.path(), "high.npy", &whole);
    refused(load(&path, None, 11), &path, &["image 2 of 3: value 3", "found 11", "below 11"]);
    let arrays = [("a.npy", whole.clone()), ("b.npy", whole)];
    let path = write(folder.path(), "two.npz", &zip(&arrays, Stored));
    refused(load(&path, None, 256), &path, &["a, b", "one array"]);
    refused(load(&path, Some("c"), 256), &path, &["a, b", "one called c"]);
}
