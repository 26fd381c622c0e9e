//! NumPy arrays of images.

use crate::make::{bz2, gz, npy, refused, write, xz, zip};
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

/// Images of three channels, or of one, as PyTorch keeps them: who says no shape is asked, who loads them says it.
#[test]
fn channels_that_come_first() {
    let folder = tempfile::tempdir().unwrap();
    for sides in ["(2, 3, 8, 8)", "(6, 1, 8, 8)"] {
        let path = write(folder.path(), "first.npy", &npy("|u1", "False", sides, &[0; 384]));
        refused(
            loader::shape(&path, None),
            &path,
            &["first.npy: shape: found [", "8, 8], expected channels last"],
        );
        assert!(load(&path, None, 256).is_ok());
    }
    let path = write(folder.path(), "last.npy", &npy("|u1", "False", "(2, 8, 8, 3)", &[0; 384]));
    assert_eq!(loader::shape(&path, None).unwrap().to_string(), "8x8x3");
}

#[test]
fn corruption() {
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
    refuse(b"\x89PNG\r\n\x1a\n", &["found a PNG", "x93NUMPY"]);
    refuse(&npy("|u1", "true", "(3, 2, 2)", &small), &["a dictionary of descr, fortran_order and shape"]);
    refuse(&npy("<c8", "False", "(3, 2, 2)", &[0; 96]), &["integers or floats"]);
    refuse(&npy("|O", "False", "(3, 2, 2)", &small), &["integers"]);
    refuse(&npy("|u1", "False", "(12,)", &small), &["3 or 4 axes"]);
    refuse(
        &npy("|u1", "False", "(0, 2, 2)", &[]),
        &["d.npy: shape: found [0, 2, 2], expected at least one image"],
    );
    refuse(&npy("|u1", "False", "(2, 0, 2)", &[]), &["d.npy: shape: found [2, 0, 2]", "sides of 1 to 65536"]);
    refuse(&npy("|u1", "False", "(1, 1, 65537)", &small), &["sides of 1 to 65536"]);
    refuse(&npy("|u1", "False", "(9999999999, 99999, 99999)", &small), &["2^48"]);
    refuse(&npy("|u1", "False", "(1, 60000, 60000)", &small), &["2^28"]);
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
    refused(loader::shape(&path, Some("c")), &path, &["found a, b", "one called c"]);
    refused(loader::shape(&path, None), &path, &["found a, b", "one array"]);
    let names: Vec<String> = (0..30).map(|i| format!("n{i:02}.npy")).collect();
    let many: Vec<_> = names.iter().map(|name| (&name[..], npy("|u1", "False", "(1, 1, 1)", &[0]))).collect();
    let path = write(folder.path(), "many.npz", &zip(&many, Stored));
    refused(load(&path, Some("c"), 256), &path, &["n00, n01, ", "n19, and 10 more,"]);
}

#[test]
fn columns_first_is_the_same_set() {
    let folder = tempfile::tempdir().unwrap();
    // numpy.arange(24).reshape(2, 2, 3, 2), in both orders, as bytes and as shorts.
    let rows: Vec<u16> = (0..24).collect();
    let columns: Vec<u16> =
        [0, 12, 6, 18, 2, 14, 8, 20, 4, 16, 10, 22, 1, 13, 7, 19, 3, 15, 9, 21, 5, 17, 11, 23].to_vec();
    let shape = "(2, 2, 3, 2)";
    for (descr, bytes) in [
        ("|u1", columns.iter().map(|&k| k as u8).collect::<Vec<u8>>()),
        (">u2", columns.iter().flat_map(|k| k.to_be_bytes()).collect()),
        ("<f8", columns.iter().flat_map(|&k| f64::from(k).to_le_bytes()).collect()),
    ] {
        let whole = npy(descr, "True", shape, &bytes);
        let path = write(folder.path(), "a.npy", &whole);
        let set = load(&path, None, 256).unwrap();
        assert_eq!(set.shape().to_string(), "2x3x2");
        assert_eq!(levels(Ok(set)), rows);
        for cut in [whole.len() - 1, whole.len() - bytes.len()] {
            let path = write(folder.path(), "cut.npy", &whole[..cut]);
            refused(
                load(&path, None, 256),
                &path,
                &["cut.npy: values: found a truncated file", "as the header says"],
            );
        }
        let path = write(folder.path(), "longer.npy", &[&whole[..], &[0]].concat());
        refused(load(&path, None, 256), &path, &["more bytes than the header says"]);
    }
    let path = write(
        folder.path(),
        "a.npz",
        &zip(&[("x.npy", npy("|i1", "True", "(1, 2, 1)", &[3, 255]))], Deflated),
    );
    refused(load(&path, Some("x"), 256), &path, &["x.npy: image 0 of 1: value 1: found -1"]);
}

#[test]
fn whole_floats_are_levels_and_others_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = |values: [f32; 4]| values.iter().flat_map(|x| x.to_be_bytes()).collect::<Vec<u8>>();
    let file = |values| npy(">f4", "False", "(1, 2, 2)", &bytes(values));
    let path = write(folder.path(), "a.npy", &file([0.0, 1.0, 255.0, 17.0]));
    assert_eq!(levels(load(&path, None, 256)), [0, 1, 255, 17]);
    for (value, shown) in [(0.5, "0.5"), (-1.0, "-1"), (f32::NAN, "NaN"), (1e9, "1000000000")] {
        let path = write(folder.path(), "a.npy", &file([0.0, 1.0, value, 0.0]));
        let line =
            format!("a.npy: image 0 of 1: value 2: found {shown}, expected a whole number from 0 to 65535");
        refused(load(&path, None, 256), &path, &[&line]);
    }
}

#[test]
fn a_packed_array_is_the_array() {
    let folder = tempfile::tempdir().unwrap();
    let whole = npy("|u1", "False", "(1, 2, 2)", &[1, 2, 3, 4]);
    for (name, bytes) in [("a.npy.gz", gz(&whole)), ("a.npy.bz2", bz2(&whole)), ("a.npy.xz", xz(&whole))] {
        let path = write(folder.path(), name, &bytes);
        assert_eq!(levels(load(&path, None, 256)), [1, 2, 3, 4]);
        assert_eq!(loader::shape(&path, None).unwrap().to_string(), "2x2x1");
        let path = write(folder.path(), name, &bytes[..bytes.len() - 9]);
        refused(load(&path, None, 256), &path, &[]);
    }
}
