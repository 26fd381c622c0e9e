//! A data set on disk takes no more memory the larger it is.
#![allow(clippy::unwrap_used, clippy::panic)]

use idode::data::{Depth, ImageSource, Split, idx, npy};
use peak_alloc::PeakAlloc;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

const SIDE: usize = 64;

/// An IDX file of so many images.
fn idx_file(path: &Path, images: usize) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    file.write_all(&[0, 0, 8, 3]).unwrap();
    for n in [images, SIDE, SIDE] {
        file.write_all(&(n as u32).to_be_bytes()).unwrap();
    }
    (0..images).for_each(|i| file.write_all(&[(i % 251) as u8; SIDE * SIDE]).unwrap());
}

/// A `.npy` of so many images, the first axis fastest.
fn npy_file(path: &Path, images: usize) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    let text = format!("{{'descr': '|u1', 'fortran_order': True, 'shape': ({images}, {SIDE}, {SIDE}), }}\n");
    file.write_all(b"\x93NUMPY\x01\x00").unwrap();
    file.write_all(&(text.len() as u16).to_le_bytes()).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    let column: Vec<u8> = (0..images).map(|i| (i % 251) as u8).collect();
    (0..SIDE * SIDE).for_each(|_| file.write_all(&column).unwrap());
}

/// The peak of reading a set of so many images, in bytes above what was in use before.
fn peak(path: &Path, load: &dyn Fn(&Path) -> idode::error::Result<idode::data::StreamedSet>) -> usize {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let set = load(path).unwrap();
    assert_eq!(set.batch(&[(set.images() - 1).into()]).unwrap()[7], ((set.images() - 1) % 251) as u16);
    set.fingerprint().unwrap();
    MEMORY.peak_usage() - before
}

#[test]
fn a_large_set_takes_the_memory_of_a_small_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x");
    let depth = Depth::of(256).unwrap();
    let load = |path: &Path| idx::load(path, "toy", Split::Train, depth);
    // 4 MiB and 40 MiB: besides one image and buffers of 2 MiB, 24 bytes an image.
    for images in [1_000, 10_000] {
        idx_file(&path, images);
        let peak = peak(&path, &load);
        assert!(peak < 3 << 20, "{images} images, {peak} bytes");
    }
    let load = |path: &Path| npy::load(path, None, "toy", Split::Train, depth);
    // 80 MiB, of which 64 MiB are turned at once.
    npy_file(&path, 20_000);
    let peak = peak(&path, &load);
    assert!(peak < 72 << 20, "{peak} bytes");
}
