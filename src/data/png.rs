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
    /// The bytes of its pixels once they are decoded, by its header.
    pub(crate) decoded: u64,
}

/// Reads a PNG chunk by chunk, up to `IEND`.
///
/// # Errors
/// What it is instead of a PNG with an end.
pub(crate) fn chunks(bytes: &[u8]) -> Result<Chunks<'_>, String> {
    let (mut at, mut exif) = (SIGNATURE, None);
    let (mut header, mut transparent, mut begun): (&[u8], _, _) = (&[], false, false);
    loop {
        let (kind, content, length) = chunk(bytes.get(at..).unwrap_or(&[])).ok_or("a truncated file")?;
        at += length;
        match kind {
            b"IHDR" if header.is_empty() => header = content,
            b"tRNS" => transparent |= !begun,
            b"IDAT" => begun = true,
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
            b"IEND" => {
                return Ok(Chunks { length: at, exif, decoded: decoded(header, transparent).unwrap_or(0) });
            }
            _ => {}
        }
    }
}

/// The bytes of the pixels of a PNG with this header, of which a decoder makes whole bytes, colours of a palette, and a channel of what is
/// `transparent`; none where it is no header.
fn decoded(header: &[u8], transparent: bool) -> Option<u64> {
    let side = |at: usize| header.get(at..)?.first_chunk().map(|side| u64::from(u32::from_be_bytes(*side)));
    let channels = match header.get(9)? {
        0 => 1 + u64::from(transparent),
        2 | 3 => 3 + u64::from(transparent),
        4 => 2,
        6 => 4,
        _ => return None,
    };
    let bytes = if *header.get(8)? == 16 { 2 } else { 1 };
    Some(side(0)?.saturating_mul(side(4)?).saturating_mul(channels * bytes))
}

/// The kind, content and whole length of the chunk at the start of `bytes`.
fn chunk(bytes: &[u8]) -> Option<(&[u8; 4], &[u8], usize)> {
    let content = usize::try_from(u32::from_be_bytes(*bytes.first_chunk()?)).ok()?;
    let length = content.checked_add(12)?;
    let whole = bytes.get(..length)?;
    Some((whole[4..].first_chunk()?, &whole[8..length - 4], length))
}
