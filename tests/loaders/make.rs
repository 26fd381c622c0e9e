//! Makes files in the formats that data sets are published in.

use flate2::{Compression, write::GzEncoder};
use idode::error::Error;
use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};

/// A 32x32 image, one channel after another; no two indices give the same.
pub(crate) fn planes(index: usize) -> Vec<u8> {
    (0..3072).map(|j| (index * 31 + j * 7 + j / 1024 * 50 + j / 32) as u8).collect()
}

/// The same image with the channels of a pixel side by side.
pub(crate) fn pixels(index: usize) -> Vec<u16> {
    let planes = planes(index);
    (0..1024).flat_map(|p| [0, 1, 2].map(|c| u16::from(planes[c * 1024 + p]))).collect()
}

/// Rows of images as one block.
pub(crate) fn block(indices: &[usize]) -> Vec<u8> {
    indices.iter().flat_map(|&i| planes(i)).collect()
}

pub(crate) fn gz(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn bz2(plain: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn xz(plain: &[u8]) -> Vec<u8> {
    let options = lzma_rust2::XzOptions::with_preset(0);
    let mut writer = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
    writer.write_all(plain).unwrap();
    writer.finish().unwrap()
}

pub(crate) fn tar(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (name, bytes) in entries {
        let mut header = tar::Header::new_gnu();
        // Straight into the field: the builder itself refuses names that point outside.
        header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        builder.append(&header, &bytes[..]).unwrap();
    }
    builder.into_inner().unwrap()
}

/// A tar as Unix V7 wrote it: no magic, no kind of entry; a folder's name ends with a slash.
pub(crate) fn tar_v7(entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, content) in entries {
        let mut header = [0; 512];
        header[..name.len()].copy_from_slice(name.as_bytes());
        header[100..107].copy_from_slice(b"0000644");
        header[124..135].copy_from_slice(format!("{:011o}", content.len()).as_bytes());
        header[148..156].fill(b' ');
        let sum: u32 = header.iter().map(|&b| u32::from(b)).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        bytes.extend(header);
        bytes.extend(content);
        bytes.resize(bytes.len().next_multiple_of(512), 0);
    }
    bytes.resize(bytes.len() + 1024, 0);
    bytes
}

/// A tar of one entry of `kind` with the content `about`, and then `entries`.
pub(crate) fn tar_announced(kind: u8, about: &[u8], entries: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_path("about").unwrap();
    header.set_entry_type(tar::EntryType::new(kind));
    header.set_size(about.len() as u64);
    header.set_cksum();
    builder.append(&header, about).unwrap();
    let mut bytes = builder.into_inner().unwrap();
    bytes.truncate(bytes.len() - 1024);
    bytes.extend(tar(entries));
    bytes
}

pub(crate) fn tar_link(name: &str, target: &str, kind: tar::EntryType) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_size(0);
    builder.append_link(&mut header, name, target).unwrap();
    builder.into_inner().unwrap()
}

pub(crate) fn zip(entries: &[(&str, Vec<u8>)], method: zip::CompressionMethod) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        let options = zip::write::SimpleFileOptions::default().compression_method(method);
        writer.start_file(*name, options).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// A `.npy` as NumPy writes it, padded to a multiple of 64.
pub(crate) fn npy(descr: &str, order: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let mut text = format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}");
    while (10 + text.len() + 1) % 64 != 0 {
        text.push(' ');
    }
    text.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((text.len() as u16).to_le_bytes());
    bytes.extend(text.as_bytes());
    bytes.extend(data);
    bytes
}

/// A batch of CIFAR-10 as Python 2 pickled it with protocol 2; labels are the indices modulo 10.
pub(crate) fn pickle(images: &[usize], values: u16) -> Vec<u8> {
    pickle_labelled(images, values, |i| (i % 10) as u8)
}

/// The same with other labels.
pub(crate) fn pickle_labelled(images: &[usize], values: u16, label: impl Fn(usize) -> u8) -> Vec<u8> {
    let data = block(images);
    let mut p = b"\x80\x02}q\x01(U\x0bbatch_labelq\x02U\x15training batch 1 of 5q\x03".to_vec();
    p.extend(b"U\x06labelsq\x04]q\x05(");
    images.iter().for_each(|&i| p.extend([b'K', label(i)]));
    p.extend(b"eU\x04dataq\x06cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08");
    p.extend(b"K\x00\x85U\x01b\x87Rq\x09(K\x01M");
    p.extend((images.len() as u16).to_le_bytes());
    p.push(b'M');
    p.extend(values.to_le_bytes());
    p.extend(b"\x86cnumpy\ndtype\nq\x0aU\x02u1K\x00K\x01\x87Rq\x0b(K\x03U\x01|NNNJ\xff\xff\xff\xff");
    p.extend(b"J\xff\xff\xff\xffK\x00tb\x89T");
    p.extend((data.len() as u32).to_le_bytes());
    p.extend(data);
    p.extend(b"tbU\x09filenamesq\x0c]q\x0d(");
    images.iter().for_each(|i| p.extend([b"U\x05a.png".to_vec(), vec![b'q', 20 + *i as u8]].concat()));
    p.extend(b"eu.");
    p
}

pub(crate) fn png(width: u32, height: u32, colour: image::ExtendedColorType, data: &[u8]) -> Vec<u8> {
    use image::ImageEncoder;
    let mut bytes = Vec::new();
    image::codecs::png::PngEncoder::new(&mut bytes).write_image(data, width, height, colour).unwrap();
    bytes
}

/// A PNG of any kind: `about` are the chunks before and after the image data, `rows` the bytes of each row.
pub(crate) fn raw_png(
    (width, height): (u32, u32),
    (depth, colour): (u8, u8),
    about: [&[(&[u8; 4], &[u8])]; 2],
    rows: &[&[u8]],
) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut chunk = |kind: &[u8; 4], content: &[u8]| {
        bytes.extend((content.len() as u32).to_be_bytes());
        let mut crc = flate2::Crc::new();
        crc.update(kind);
        crc.update(content);
        bytes.extend([kind, content, &crc.sum().to_be_bytes()].concat());
    };
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[depth, colour, 0, 0, 0]].concat();
    chunk(b"IHDR", &header);
    about[0].iter().for_each(|(kind, content)| chunk(kind, content));
    let mut data = flate2::write::ZlibEncoder::new(Vec::new(), Compression::fast());
    rows.iter().for_each(|row| data.write_all(&[&[0], *row].concat()).unwrap());
    chunk(b"IDAT", &data.finish().unwrap());
    about[1].iter().for_each(|(kind, content)| chunk(kind, content));
    chunk(b"IEND", &[]);
    bytes
}

/// EXIF metadata with an orientation, in either order of bytes.
pub(crate) fn exif(orientation: u16, big_endian: bool) -> Vec<u8> {
    // Mark and 42, where the directory is, one entry: tag 0x112, a short, one of them, and its value.
    match big_endian {
        true => {
            [&b"MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01"[..], &orientation.to_be_bytes(), &[0; 6]]
                .concat()
        }
        false => {
            [&b"II\x2a\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0"[..], &orientation.to_le_bytes(), &[0; 6]]
                .concat()
        }
    }
}

/// A JPEG with metadata put after its first marker.
pub(crate) fn with_exif(jpeg: &[u8], exif: &[u8]) -> Vec<u8> {
    let length = (2 + 6 + exif.len() as u16).to_be_bytes();
    [&jpeg[..2], b"\xff\xe1", &length, b"Exif\0\0", exif, &jpeg[2..]].concat()
}

pub(crate) fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    path
}

/// Checks that the error is one line that names the file, what was found and what was expected.
#[track_caller]
pub(crate) fn refused<T>(result: Result<T, Error>, path: &Path, parts: &[&str]) {
    let Err(error) = result else { panic!("{} was accepted", path.display()) };
    let line = error.to_string();
    assert!(!line.contains('\n') && line.len() < 600, "not one line: {line}");
    assert!(line.contains(&path.display().to_string()), "names no file: {line}");
    for part in parts.iter().chain(&["found", "expected"]) {
        assert!(line.contains(part), "lacks {part:?}: {line}");
    }
}
