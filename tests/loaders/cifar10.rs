//! CIFAR-10: binary and python archives, packed and unpacked.

use crate::make::{self, gz, pixels, refused, tar, write};
use idode::data::{ImageSet, ImageSource, Split, StreamedSet, cifar10};
use std::path::Path;

fn binary(images: &[usize]) -> Vec<u8> {
    images.iter().flat_map(|&i| [vec![(i % 10) as u8], make::planes(i)].concat()).collect()
}

/// The parts in the order of the published archive, which is not that of their numbers.
fn parts(make: &dyn Fn(&[usize]) -> Vec<u8>, end: &str) -> Vec<(String, Vec<u8>)> {
    let folder = if end.is_empty() { "cifar-10-batches-py" } else { "cifar-10-batches-bin" };
    let numbers = [4, 3, 2, 5, 1];
    let mut parts = vec![
        (format!("{folder}/readme.html"), b"<html>".to_vec()),
        (format!("{folder}/test_batch{end}"), make(&[20, 21])),
    ];
    parts.extend(numbers.map(|n| (format!("{folder}/data_batch_{n}{end}"), make(&[2 * n - 2, 2 * n - 1]))));
    parts
}

fn archive(parts: &[(String, Vec<u8>)]) -> Vec<u8> {
    tar(&parts.iter().map(|(n, b)| (n.as_str(), b.clone())).collect::<Vec<_>>())
}

fn levels(set: &StreamedSet) -> Vec<u16> {
    ImageSet::collect(set).unwrap().pixels().to_vec()
}

#[test]
fn all_four_forms_give_the_same_images() {
    let folder = tempfile::tempdir().unwrap();
    let mut prints = Vec::new();
    for (form, parts) in [("bin", parts(&binary, ".bin")), ("py", parts(&|i| make::pickle(i, 3072), ""))] {
        let packed = write(folder.path(), &format!("cifar-10-{form}.tar.gz"), &gz(&archive(&parts)));
        for (name, bytes) in &parts {
            write(&folder.path().join(form), name, bytes);
        }
        for path in [packed, folder.path().join(form)] {
            let train = cifar10::load(&path, Split::Train, 256).unwrap();
            let test = cifar10::load(&path, Split::Test, 256).unwrap();
            assert_eq!((train.name(), train.images(), test.images()), ("cifar10", 10, 2));
            assert_eq!(levels(&train), (0..10).flat_map(pixels).collect::<Vec<_>>());
            assert_eq!(test.batch(&[1.into()]).unwrap(), pixels(21));
            prints.push(train.fingerprint().unwrap());
        }
    }
    assert!(prints.iter().all(|p| *p == prints[0]) && prints[0].images == 10);
}

#[test]
fn fewer_levels() {
    let folder = tempfile::tempdir().unwrap();
    let path = write(folder.path(), "cifar.tar", &archive(&parts(&binary, ".bin")));
    let set = cifar10::load(&path, Split::Test, 32).unwrap();
    assert_eq!(set.grid().levels(), 32);
    let expected: Vec<u16> = [20, 21].into_iter().flat_map(pixels).map(|k| k >> 3).collect();
    assert_eq!(levels(&set), expected);
    assert!(cifar10::load(&path, Split::Test, 257).is_err());
}

fn test_batch(
    folder: &Path,
    name: &str,
    bytes: &[u8],
) -> (std::path::PathBuf, idode::error::Result<StreamedSet>) {
    let path = folder.join("corrupt");
    let _ = std::fs::remove_dir_all(&path);
    write(&path, name, bytes);
    let loaded = cifar10::load(&path, Split::Test, 256);
    (path, loaded)
}

#[test]
fn corrupt_binary_batches() {
    let folder = tempfile::tempdir().unwrap();
    let whole = binary(&[1, 2]);
    for cut in [1, 100, 3072, 3074, whole.len() - 1] {
        let (path, loaded) = test_batch(folder.path(), "test_batch.bin", &whole[..cut]);
        refused(loaded, &path, &["test_batch.bin: image ", "3073"]);
    }
    let mut label = whole.clone();
    label[3073] = 10;
    let (path, loaded) = test_batch(folder.path(), "test_batch.bin", &label);
    refused(loaded, &path, &["image 1: label", "found 10", "0 to 9"]);
    let (path, loaded) = test_batch(folder.path(), "test_batch.bin", &[]);
    refused(loaded, &path, &["no image"]);
    let (path, loaded) = test_batch(folder.path(), "data_batch_1.bin", &whole);
    refused(loaded, &path, &["no test_batch"]);
}

#[test]
fn corrupt_pickles() {
    let folder = tempfile::tempdir().unwrap();
    let whole = make::pickle(&[1, 2], 3072);
    assert!(test_batch(folder.path(), "test_batch", &whole).1.is_ok());
    for cut in (0..whole.len()).step_by(97).chain([whole.len() - 1]) {
        let (path, loaded) = test_batch(folder.path(), "test_batch", &whole[..cut]);
        refused(loaded, &path, &["test_batch"]);
    }
    let longer = [whole.clone(), vec![0]].concat();
    let (path, loaded) = test_batch(folder.path(), "test_batch", &longer);
    refused(loaded, &path, &["after the pickle", "more bytes"]);
    // The header says 3,071 values an image, and the bytes are for 3,072.
    let (path, loaded) = test_batch(folder.path(), "test_batch", &make::pickle(&[1, 2], 3071));
    refused(loaded, &path, &["as many bytes as the array's shape and type say"]);
    let (path, loaded) = test_batch(folder.path(), "test_batch", b"GIF89a");
    refused(loaded, &path, &["test_batch: pickle byte"]);
}

#[test]
fn pickles_that_ask_for_more_than_arrays_are_refused_and_nothing_runs() {
    let folder = tempfile::tempdir().unwrap();
    let witness = folder.path().join("executed");
    let command = format!("touch {}", witness.display());
    let call = |name: &str| format!("\x02c{name}\n(U{}{command}tR.", char::from(command.len() as u8));
    for name in ["os\nsystem", "posix\nsystem", "subprocess\ncall", "builtins\neval", "__builtin__\nexec"] {
        let pickle = [vec![0x80], call(name).into_bytes()].concat();
        let (path, loaded) = test_batch(folder.path(), "test_batch", &pickle);
        refused(loaded, &path, &[&name.replace('\n', "."), "nothing was executed"]);
    }
    // The same by the opcodes of protocol 4, and by those that make instances or use other registries.
    let stack_global = b"\x80\x04\x8c\x02os\x8c\x06system\x93\x8c\x02id\x85R.";
    let others: [&[u8]; 5] = [
        b"\x80\x02(ios\nsystem\n",
        b"\x80\x02(cos\nsystem\no.",
        b"\x80\x02\x82\x01.",
        b"\x80\x02Pid\n.",
        b"\x80\x02\x81.",
    ];
    for pickle in others.into_iter().chain([&stack_global[..]]) {
        let (path, loaded) = test_batch(folder.path(), "test_batch", pickle);
        refused(loaded, &path, &["test_batch: pickle byte"]);
    }
    assert!(!witness.exists());
}

#[test]
fn a_truncated_or_lengthened_archive_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let plain = archive(&parts(&binary, ".bin"));
    let packed = gz(&plain);
    for (bytes, step) in [(&plain, 9973), (&packed, 997)] {
        // A tar without its last 1,024 zeros is still whole in content, but not as a file.
        for cut in (600..bytes.len() - 1024).step_by(step).chain([bytes.len() - 1024 - 1]) {
            let path = write(folder.path(), "cut.tar", &bytes[..cut]);
            refused(cifar10::load(&path, Split::Train, 256), &path, &[]);
        }
        let longer = [bytes.clone(), b"more".to_vec()].concat();
        let path = write(folder.path(), "longer.tar", &longer);
        refused(cifar10::load(&path, Split::Train, 256), &path, &["end of the tar"]);
    }
    let path = write(folder.path(), "no.tar", &plain[..plain.len() - 1024]);
    refused(cifar10::load(&path, Split::Train, 256), &path, &["end of the tar", "truncated"]);
}
