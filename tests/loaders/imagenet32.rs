//! ImageNet-32: the folder or tar of PNG files of the old release, the batches of the new one.

use crate::make::{self, block, gz, npy, pixels, png, refused, tar, write, zip};
use idode::data::imagenet32::{self, Release};
use idode::data::{ImageSet, ImageSource, Split};
use image::ExtendedColorType::Rgb8;
use zip::CompressionMethod::{Deflated, Stored};

fn png_of(index: usize) -> Vec<u8> {
    let data: Vec<u8> = pixels(index).into_iter().map(|k| k as u8).collect();
    png(32, 32, Rgb8, &data)
}

fn batch_npz(images: &[usize]) -> Vec<u8> {
    let n = images.len();
    let arrays = [
        ("data.npy", npy("|u1", "False", &format!("({n}, 3072)"), &block(images))),
        ("labels.npy", npy("<i8", "False", &format!("({n},)"), &vec![0; 8 * n])),
        ("mean.npy", npy("|u1", "False", "(3072,)", &[0; 3072])),
    ];
    zip(&arrays, Deflated)
}

#[test]
fn the_old_release_as_folder_tar_and_zip() {
    let folder = tempfile::tempdir().unwrap();
    let files: Vec<(String, Vec<u8>)> =
        [2, 0, 1].map(|i| (format!("valid_32x32/{:05}.png", i + 1), png_of(i))).into();
    let entries: Vec<(&str, Vec<u8>)> = files.iter().map(|(n, b)| (n.as_str(), b.clone())).collect();
    files.iter().for_each(|(name, bytes)| drop(write(&folder.path().join("folder"), name, bytes)));
    let paths = [
        folder.path().join("folder"),
        write(folder.path(), "valid_32x32.tar", &tar(&entries)),
        write(folder.path(), "valid_32x32.tar.gz", &gz(&tar(&entries))),
        write(folder.path(), "valid_32x32.zip", &zip(&entries, Stored)),
    ];
    for path in paths {
        let set = imagenet32::load(&path, Release::Old, Split::Validation, 256).unwrap();
        assert_eq!((set.name(), set.images()), ("imagenet32_old", 3));
        let expected: Vec<u16> = (0..3).flat_map(pixels).collect();
        assert_eq!(ImageSet::collect(&set).unwrap().pixels(), expected, "{}", path.display());
    }
}

#[test]
fn the_new_release_as_npz_and_pickles() {
    let folder = tempfile::tempdir().unwrap();
    for batch in [10, 2, 1, 3, 4, 5, 6, 7, 8, 9] {
        let images = [batch - 1, batch + 19];
        let name = format!("train_data_batch_{batch}");
        write(&folder.path().join("npz"), &format!("{name}.npz"), &batch_npz(&images));
        write(&folder.path().join("pickle"), &name, &make::pickle(&images, 3072));
    }
    let expected: Vec<u16> = (0..10).flat_map(|b| [pixels(b), pixels(b + 20)].concat()).collect();
    let mut prints = Vec::new();
    for form in ["npz", "pickle"] {
        let set = imagenet32::load(folder.path().join(form), Release::New, Split::Train, 256).unwrap();
        assert_eq!((set.name(), set.images()), ("imagenet32_new", 20));
        assert_eq!(ImageSet::collect(&set).unwrap().pixels(), expected);
        prints.push(set.fingerprint().unwrap());
    }
    assert_eq!(prints[0], prints[1]);
    let entries = [("val_data.npz", batch_npz(&[7]))];
    let zipped = write(folder.path(), "Imagenet32_val_npz.zip", &zip(&entries, Stored));
    let val = imagenet32::load(&zipped, Release::New, Split::Validation, 256).unwrap();
    assert_eq!(val.batch(&[0.into()]).unwrap(), pixels(7));
    assert!(imagenet32::load(&zipped, Release::New, Split::Test, 256).is_err());
}

#[test]
fn the_releases_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join("old"), "00001.png", &png_of(0));
    write(&folder.path().join("new"), "val_data", &make::pickle(&[1], 3072));
    let load = |release, form| {
        let set = imagenet32::load(folder.path().join(form), release, Split::Validation, 256).unwrap();
        (set.name().to_string(), set.fingerprint().unwrap())
    };
    let (old, new) = (load(Release::Old, "old"), load(Release::New, "new"));
    assert_ne!(old.0, new.0);
    assert!(old.1.require_same(&new.1).unwrap_err().to_string().contains("sha256"));
    let (train, validation) = (Split::Train, Split::Validation);
    assert_ne!(Release::Old.published_images(train), Release::New.published_images(train));
    assert_ne!(Release::Old.published_images(validation), Release::New.published_images(validation));
}

#[test]
fn corruption() {
    let folder = tempfile::tempdir().unwrap();
    let load = |path: &std::path::Path| imagenet32::load(path, Release::New, Split::Validation, 256);
    let whole = batch_npz(&[1, 2]);
    let batch = folder.path().join("npz");
    for cut in (0..whole.len()).step_by(211) {
        write(&batch, "val_data.npz", &whole[..cut]);
        refused(load(&batch), &batch, &["val_data.npz"]);
    }
    let wide = npy("|u1", "False", "(2, 3071)", &block(&[1, 2])[..6142]);
    write(&batch, "val_data.npz", &zip(&[("data.npy", wide)], Stored));
    refused(load(&batch), &batch, &["data.npy: shape", "[2, 3071]", "3072"]);
    write(&batch, "val_data.npz", &zip(&[("labels.npy", vec![])], Stored));
    refused(load(&batch), &batch, &["no array data"]);
    let missing = folder.path().join("missing");
    (1..10).for_each(|b| drop(write(&missing, &format!("train_data_batch_{b}.npz"), &batch_npz(&[b]))));
    let train = imagenet32::load(&missing, Release::New, Split::Train, 256);
    refused(train, &missing, &["no train_data_batch_10", "10 of them"]);
}
