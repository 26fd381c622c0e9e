//! IDX files, plain or gzipped: the format of MNIST.

use crate::error::{Error, Result};
use std::io::Read;
use std::path::Path;

/// The sizes and the bytes of an IDX file of unsigned bytes.
///
/// `path` names the file in errors; `bytes` is its content, gzipped or not.
///
/// # Errors
/// If the file is truncated, longer than its header says, or of another type.
///
/// # Reference
/// The format's description on the MNIST page: two zero bytes, the type (8 for unsigned bytes), the number
/// of dimensions, each size as four big-endian bytes, and the data in row-major order.
pub fn read_idx(path: &Path, bytes: &[u8]) -> Result<(Vec<usize>, Vec<u8>)> {
    let mut unpacked = Vec::new();
    let bytes = if bytes.starts_with(&[0x1f, 0x8b]) {
        flate2::read::GzDecoder::new(bytes).read_to_end(&mut unpacked).map_err(Error::io(path, "unpack"))?;
        &unpacked
    } else {
        bytes
    };
    let truncated = |needed: usize| {
        Error::format(path, "length", format!("{} bytes", bytes.len()), format!("at least {needed}"))
    };
    let magic = bytes.get(..4).ok_or_else(|| truncated(4))?;
    if magic[..3] != [0, 0, 8] || magic[3] == 0 {
        return Err(Error::format(path, "magic number", format!("{magic:02x?}"), "[00, 00, 08, dimensions]"));
    }
    let header = 4 + 4 * usize::from(magic[3]);
    let sizes: Vec<usize> = bytes
        .get(4..header)
        .ok_or_else(|| truncated(header))?
        .chunks_exact(4)
        .map(|size| size.iter().fold(0, |n, &byte| (n << 8) | usize::from(byte)))
        .collect();
    let expected = sizes.iter().try_fold(1usize, |n, &size| n.checked_mul(size));
    let data = &bytes[header..];
    if expected != Some(data.len()) {
        let expected = expected.map_or("fewer".into(), |n| n.to_string());
        let found = format!("{} bytes of data", data.len());
        return Err(Error::format(path, format!("sizes {sizes:?}"), found, format!("{expected} bytes")));
    }
    Ok((sizes, data.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(bytes: &[u8]) -> String {
        read_idx(Path::new("a.idx"), bytes).unwrap_err().to_string()
    }

    #[test]
    fn reads_what_the_header_says() {
        let file = [0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 1, 7, 9];
        assert_eq!(read_idx(Path::new("a"), &file).unwrap(), (vec![2, 1], vec![7, 9]));
    }

    #[test]
    fn damage_is_one_line() {
        assert_eq!(message(&[0, 0]), "a.idx: length: found 2 bytes, expected at least 4");
        assert!(
            message(&[0, 0, 9, 1, 0, 0, 0, 0]).starts_with("a.idx: magic number: found [00, 00, 09, 01]")
        );
        assert_eq!(message(&[0, 0, 8, 2, 0]), "a.idx: length: found 5 bytes, expected at least 12");
        let short = message(&[0, 0, 8, 1, 0, 0, 0, 3, 1]);
        assert_eq!(short, "a.idx: sizes [3]: found 1 bytes of data, expected 3 bytes");
        assert!(message(&[0, 0, 8, 1, 0, 0, 0, 0, 1]).contains("found 1 bytes of data, expected 0 bytes"));
        assert!(message(&[0x1f, 0x8b, 8, 0, 1]).starts_with("a.idx: cannot unpack: "));
    }
}
