//! Where a PNG ends, and which way up it says it is.
//!
//! The decoder of images stops at the last row; an orientation may come after it, and so may an end that is missing.
//!
//! # Reference
//! W3C, "Portable Network Graphics (PNG) Specification", third edition, sections 5 (chunks) and 11.3.4.5 (eXIf).

use flate2::Crc;

const SIGNATURE: usize = 8;

/// A PNG up to its last chunk.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Chunks<'a> {
    /// The bytes up to its end.
    pub(crate) length: usize,
    /// The content of its chunk `eXIf`, if it has one.
    pub(crate) exif: Option<&'a [u8]>,
}

/// Reads a PNG chunk by chunk, up to `IEND`.
///
/// # Errors
/// What it is instead of a PNG with an end.
pub(crate) fn chunks(bytes: &[u8]) -> Result<Chunks<'_>, String> {
    let (mut at, mut exif) = (SIGNATURE, None);
    loop {
        let (kind, content, length) = chunk(bytes.get(at..).unwrap_or(&[])).ok_or("a truncated file")?;
        at += length;
        match kind {
            b"eXIf" => {
                let mut crc = Crc::new();
                crc.update(&bytes[at - length + 4..at - 4]);
                if bytes[at - 4..at] != crc.sum().to_be_bytes() {
                    return Err("a corrupt image (the checksum of eXIf)".into());
                }
                exif.get_or_insert(content);
            }
            // Its first four bytes are the number of frames.
            b"acTL" if !content.starts_with(&[0, 0, 0, 1]) => return Err("an animation (APNG)".into()),
            b"IEND" => return Ok(Chunks { length: at, exif }),
            _ => {}
        }
    }
}

/// The kind, content and whole length of the chunk at the start of `bytes`.
fn chunk(bytes: &[u8]) -> Option<(&[u8; 4], &[u8], usize)> {
    let content = usize::try_from(u32::from_be_bytes(*bytes.first_chunk()?)).ok()?;
    let length = content.checked_add(12)?;
    let whole = bytes.get(..length)?;
    Some((whole[4..].first_chunk()?, &whole[8..length - 4], length))
}
