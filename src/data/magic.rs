//! What a file is, by its first bytes: so that one that cannot be used is refused as what it is.

const NAMES: &[(&[u8], &str)] = &[
    (b"\x89PNG", "a PNG"),
    (b"\xff\xd8\xff", "a JPEG"),
    (b"GIF8", "a GIF"),
    (b"BM", "a BMP"),
    (b"II*\0", "a TIFF"),
    (b"MM\0*", "a TIFF"),
    (b"qoif", "a QOI image"),
    (b"P5", "a PGM"),
    (b"P6", "a PPM"),
    (b"\xff\x0a", "a JPEG XL image"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL image"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 image"),
    (b"\x93NUM", "an array of NumPy (.npy)"),
    (b"\x89HDF", "an HDF5 file"),
    (b"PAR1", "a Parquet file"),
    (b"PK", "a zip"),
    (b"\x1f\x8b", "a gzip file"),
    (b"BZh", "a bzip2 file"),
    (b"\xfd7zXZ\0", "an xz file"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard file"),
    (b"\x04\x22\x4d\x18", "an LZ4 file"),
    (b"\x5d\0\0", "an LZMA file"),
    (b"LZIP", "an lzip file"),
    (b"\x1f\x9d", "a file of compress (.Z)"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!", "a RAR archive"),
    (b"%PDF", "a PDF"),
    (b"<", "a page or text in XML"),
];

/// What the file that starts so is, with its article, or else its first bytes.
pub(crate) fn name(start: &[u8]) -> String {
    match (start, NAMES.iter().find(|(magic, _)| start.starts_with(magic))) {
        ([], _) => "an empty file".to_owned(),
        (_, Some((_, name))) => (*name).to_owned(),
        ([b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..], _) => "a WebP image".to_owned(),
        ([_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', ..], _) => "an AVIF image".to_owned(),
        ([_, _, _, _, b'f', b't', b'y', b'p', ..], _) => "a HEIF image or a video (ftyp)".to_owned(),
        _ => {
            let start = start.get(..4).unwrap_or(start).escape_ascii();
            format!("a file that starts with {start}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named() {
        assert_eq!(name(b"GIF89a"), "a GIF");
        assert_eq!(name(b"RIFF\x10\0\0\0WEBPVP8 "), "a WebP image");
        assert_eq!(name(b"\0\0\0\x1cftypheic"), "a HEIF image or a video (ftyp)");
        assert_eq!(name(b"\x01\x1b[31m"), "a file that starts with \\x01\\x1b[3");
        assert_eq!(name(b""), "an empty file");
    }
}
