//! Corrupt files of every kind: bits flipped, bytes replaced, pieces lost, doubled and moved, ends cut. Whatever is read, there is no panic, and an
//! error is one line. `fuzz/` goes on from here, for those with nightly.

#[path = "../fuzz/readers.rs"]
mod readers;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use readers::{READERS, Reader};
use std::fs;
use std::io::{Cursor, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

/// Corrupt files of each kind.
const EACH: usize = 250;

fn npy(descr: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), data].concat()
}

fn zip(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        writer.start_file(*name, zip::write::SimpleFileOptions::default()).expect("an entry");
        writer.write_all(bytes).expect("an entry");
    }
    writer.finish().expect("a zip").into_inner()
}

fn tar(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        builder.append_data(&mut header, name, &bytes[..]).expect("an entry");
    }
    builder.into_inner().expect("a tar")
}

fn picture(format: image::ImageFormat) -> Vec<u8> {
    let picture = image::RgbImage::from_fn(4, 4, |x, y| image::Rgb([x as u8 * 50, y as u8 * 60, 9]));
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).expect("a picture");
    bytes.into_inner()
}

/// A pickle of one image and its label, as CIFAR-10 has them: protocol 2.
fn pickle() -> Vec<u8> {
    let mut bytes =
        b"\x80\x02}q\x00(X\x06\x00\x00\x00labelsq\x01]q\x02K\x03aX\x04\x00\x00\x00dataq\x03".to_vec();
    bytes.extend(b"cnumpy.core.multiarray\n_reconstruct\nq\x04cnumpy\nndarray\nq\x05K\x00\x85q\x06c_codecs\nencode\nq\x07");
    bytes.extend(b"X\x01\x00\x00\x00bX\x06\x00\x00\x00latin1\x86Rq\x08\x87Rq\x09(K\x01K\x01M\x00\x0c\x86u.");
    bytes
}

/// What a small run has written.
fn run(file: &str) -> Vec<u8> {
    use idode::prelude::Silent;
    use std::sync::OnceLock;
    static RUN: OnceLock<tempfile::TempDir> = OnceLock::new();
    let folder = RUN.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let text = "data.name = 'two_pixel'\nnetwork = { name = 'mlp', width = 32, depth = 1 }\n[[stage]]\nsteps = 2\nbatch = 4\n\
                    [evaluation]\nimages = 2\nvlb_levels = 2\nstepping = { name = 'fixed', steps = 1 }\n\
                    [sample]\ncount = 1\nstepping = { name = 'fixed', steps = 1 }";
        let recipe = idode::config::Recipe::parse("r.toml", text).expect("a recipe");
        let destination = idode::experiment::Destination::at(folder.path().join("run"));
        idode::commands::train(&recipe, &Default::default(), &destination, &mut Silent).expect("a run");
        folder
    });
    fs::read(folder.path().join("run").join(file)).expect("a file of the run")
}

/// A whole file of each kind.
fn whole(kind: &str) -> Vec<u8> {
    let pixels: Vec<u8> = (0..96).collect();
    let images = || npy("|u1", "(2, 4, 4, 3)", &pixels);
    let reals: Vec<u8> = (0..12).flat_map(|i| f64::from(i * i % 7).to_le_bytes()).collect();
    let pictures =
        || [("a/1.png", picture(image::ImageFormat::Png)), ("a/2.jpg", picture(image::ImageFormat::Jpeg))];
    match kind {
        "npy" => images(),
        "npz" => zip(&[("a.npy", images()), ("b.npy", images())]),
        "idx" => [&[0, 0, 8, 3, 0, 0, 0, 6, 0, 0, 0, 4, 0, 0, 0, 4][..], &pixels].concat(),
        "idx_labels" => [&[0, 0, 8, 1, 0, 0, 0, 96][..], &pixels].concat(),
        "png" => picture(image::ImageFormat::Png),
        "jpeg" => picture(image::ImageFormat::Jpeg),
        "tar" => tar(&pictures()),
        "zip" => zip(&pictures()),
        "pickle" => tar(&[("cifar-10-batches-py/test_batch", pickle())]),
        "safetensors" => run("checkpoints/last.safetensors"),
        "flax" => {
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/reference/checkpoint.flax");
            // Its first arrays are enough to be corrupted; what is cut off is one more corruption.
            fs::read(path).expect("a checkpoint")[..20_000].to_vec()
        }
        "csv" => b"a,b,c\n1,2,3\n4.5,-6e3,7\n\"8\",9,10\n".to_vec(),
        "table_npz" => zip(&[("a.npy", npy("<f8", "(4, 3)", &reals))]),
        "toml" => run("recipe.toml"),
        "json" => run("result.json"),
        "jsonl" => run("metrics.jsonl"),
        other => unreachable!("no file of {other}"),
    }
}

/// A few of the things that happen to files.
fn corrupted(whole: &[u8], rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = whole.to_vec();
    for _ in 0..rng.gen_range(1..4) {
        if bytes.is_empty() {
            break;
        }
        let at = rng.gen_range(0..bytes.len());
        let length = rng.gen_range(1..=(bytes.len() - at).min(16));
        match rng.gen_range(0..7) {
            0 => bytes[at] ^= 1 << rng.gen_range(0..8),
            1 => bytes[at] = rng.r#gen(),
            2 => bytes[at] = [0, 0xff, 0x7f, 0x80][rng.gen_range(0..4)],
            3 => drop(bytes.drain(at..at + length)),
            4 => {
                let piece = bytes[at..at + length].to_vec();
                let to = rng.gen_range(0..=bytes.len());
                drop(bytes.splice(to..to, piece));
            }
            5 => bytes[at..at + length].fill(0xff),
            _ => bytes.truncate(at),
        }
    }
    bytes
}

fn check(kind: &str, read: Reader) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join(match kind {
        "png" => "a.png",
        "jpeg" => "a.jpg",
        other => other,
    });
    let whole = whole(kind);
    let (mut rng, mut refused) = (ChaCha8Rng::seed_from_u64(17), 0);
    for number in 0..EACH {
        fs::write(&path, corrupted(&whole, &mut rng)).expect("a file");
        let found = catch_unwind(AssertUnwindSafe(|| read(&path)));
        assert!(found.is_ok(), "{kind}, corruption {number}: a panic");
        if let Ok(Err(error)) = found {
            let line = error.to_string();
            assert!(
                !line.contains(char::is_control) && !line.is_empty(),
                "{kind}, corruption {number}: {line:?}"
            );
            refused += 1;
        }
    }
    assert!(refused > EACH / 20, "{kind}: only {refused} of {EACH} were refused");
}

#[test]
fn no_corruption_makes_a_reader_panic() {
    for (kind, read) in READERS {
        check(kind, read);
    }
}

/// Whole files are read, so that what is corrupted is what was good.
#[test]
fn whole_files_are_read() {
    // A pickle needs all 10,000 images of its batch, and the Flax file is cut.
    let cut = ["pickle", "flax"];
    for (kind, read) in READERS.into_iter().filter(|(kind, _)| !cut.contains(kind)) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(match kind {
            "png" => "a.png",
            "jpeg" => "a.jpg",
            other => other,
        });
        fs::write(&path, whole(kind)).expect("a file");
        let found = read(&path);
        assert!(found.is_ok(), "{kind}: {found:?}");
    }
}

/// Each reader has a fuzz target of its name.
#[test]
fn every_reader_has_its_target() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).expect("a manifest");
    for (kind, _) in READERS {
        let target = fs::read_to_string(folder.join(format!("fuzz_targets/{kind}.rs"))).expect("a target");
        assert!(target.contains(&format!("target::run(\"{kind}\", bytes)")), "{kind}");
        assert!(manifest.contains(&format!("name = \"{kind}\"\n")), "{kind}");
    }
}
