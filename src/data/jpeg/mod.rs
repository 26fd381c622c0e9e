//! Whether a JPEG is whole: every block of every scan, up to the marker of its end.
//!
//! Decoders show what there is and fill in the rest, so that a file of which half is missing looks like an image.
//! This reads the Huffman codes of the scans without decoding values, and so knows what is missing.
//!
//! # Reference
//! ITU-T T.81, "Digital compression and coding of continuous-tone still images", annexes B, F and G.

mod bits;
mod frame;
mod scan;

use bits::Huffman;
use frame::Frame;
use scan::{Flaw, Scan};

/// The most values of an image, and the most scans.
const MOST_VALUES: u64 = 1 << 28;
const MOST_SCANS: usize = 100;

/// A JPEG that is whole.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Whole<'a> {
    /// The bytes up to its end.
    pub(crate) length: usize,
    /// What follows `Exif` in its metadata, if there is any.
    pub(crate) exif: Option<&'a [u8]>,
}

/// Reads a JPEG from its first marker to its last.
///
/// # Errors
/// What it is instead of a whole baseline or progressive JPEG.
pub(crate) fn check(bytes: &[u8]) -> Result<Whole<'_>, String> {
    let mut reader = Reader { bytes, at: 2, ..Reader::default() };
    loop {
        let marker = reader.marker().ok_or("a truncated file (no marker of its end)")?;
        if marker == 0xd9 {
            return reader.end();
        }
        // Markers that stand alone.
        if matches!(marker, 0x01 | 0xd0..=0xd8) {
            continue;
        }
        let segment = reader.segment().ok_or("a truncated file (its headers)")?;
        reader.take_in(marker, segment)?;
    }
}

#[derive(Debug, Default)]
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
    exif: Option<&'a [u8]>,
    frame: Option<Frame>,
    /// Tables of codes: of constant parts, and of the others.
    tables: [[Option<Huffman>; 4]; 2],
    restart: usize,
    scans: usize,
}

impl<'a> Reader<'a> {
    /// The next marker; what comes before it is passed over, as decoders do.
    fn marker(&mut self) -> Option<u8> {
        loop {
            self.at += self.bytes.get(self.at..)?.iter().position(|&b| b == 0xff)?;
            self.at += self.bytes[self.at..].iter().take_while(|&&b| b == 0xff).count();
            let marker = *self.bytes.get(self.at)?;
            self.at += 1;
            if marker != 0 {
                return Some(marker);
            }
        }
    }

    /// The segment that follows a marker, by its length.
    fn segment(&mut self) -> Option<&'a [u8]> {
        let rest = self.bytes.get(self.at..)?;
        let length = usize::from(u16::from_be_bytes(*rest.first_chunk()?));
        let segment = rest.get(2..length)?;
        self.at += length;
        Some(segment)
    }

    fn take_in(&mut self, marker: u8, segment: &'a [u8]) -> Result<(), String> {
        match marker {
            0xc0..=0xc2 if self.frame.is_some() => Err("a JPEG of two frames".into()),
            0xc0..=0xc2 if Frame::values(segment) > MOST_VALUES => {
                Err("a JPEG of more than 2^28 values".into())
            }
            0xc0..=0xc2 => {
                self.frame = Some(Frame::read(segment, marker == 0xc2)?);
                Ok(())
            }
            0xc4 => self.huffman(segment).ok_or_else(|| "a corrupt table of Huffman codes".into()),
            0xc3 | 0xc7 | 0xcb | 0xcf => Err("a lossless JPEG".into()),
            0xc9 | 0xca | 0xcc | 0xcd | 0xce => Err("a JPEG with arithmetic coding".into()),
            0xc5 | 0xc6 => Err("a hierarchical JPEG".into()),
            0xdd => {
                self.restart = segment.first_chunk().map_or(0, |b| usize::from(u16::from_be_bytes(*b)));
                Ok(())
            }
            0xda => self.scan(segment),
            0xe1 => {
                if let Some(exif) = segment.strip_prefix(b"Exif\0\0") {
                    self.exif.get_or_insert(exif);
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Tables of codes: each a class and a number, 16 counts, and the symbols.
    fn huffman(&mut self, mut rest: &[u8]) -> Option<()> {
        while let [place, more @ ..] = rest {
            let counts = *more.first_chunk::<16>()?;
            let symbols = more.get(16..16 + counts.iter().map(|&n| usize::from(n)).sum::<usize>())?;
            let table = self.tables.get_mut(usize::from(place >> 4))?.get_mut(usize::from(place & 15))?;
            *table = Some(Huffman::new(counts, symbols.to_vec())?);
            rest = &more[16 + symbols.len()..];
        }
        Some(())
    }

    /// A scan: its header, and the data behind it.
    fn scan(&mut self, header: &[u8]) -> Result<(), String> {
        self.scans += 1;
        let frame = self.frame.as_mut().ok_or("a scan before its frame")?;
        if self.scans > MOST_SCANS {
            return Err(format!("more than {MOST_SCANS} scans"));
        }
        let corrupt = || format!("a corrupt header of scan {}", self.scans);
        let [count, rest @ ..] = header else { return Err(corrupt()) };
        let count = usize::from(*count);
        let (chosen, band) = rest.split_at_checked(2 * count).ok_or_else(corrupt)?;
        let mut components = Vec::new();
        for pair in chosen.chunks_exact(2) {
            let index = frame.components.iter().position(|c| c.id == pair[0]).ok_or_else(corrupt)?;
            let table = |class: usize, number: u8| self.tables[class].get(usize::from(number))?.as_ref();
            components.push((index, table(0, pair[1] >> 4), table(1, pair[1] & 15)));
        }
        let [first, last, bits, ..] = *band else { return Err(corrupt()) };
        let (band, high, low) = match frame.progressive {
            true => ((usize::from(first), usize::from(last)), bits >> 4, bits & 15),
            false => ((0, 63), 0, 0),
        };
        // Constant parts come on their own, other coefficients for one component at a time.
        let fits = !frame.progressive || band == (0, 0) || (band.0 > 0 && count == 1);
        if count == 0 || !fits || band.0 > band.1 || band.1 > 63 {
            return Err(corrupt());
        }
        let needs = (band.0 == 0 && high == 0, band.1 > 0);
        if components.iter().any(|(_, dc, ac)| needs.0 && dc.is_none() || needs.1 && ac.is_none()) {
            return Err(format!("a table of Huffman codes missing for scan {}", self.scans));
        }
        let scan = Scan { components, band, high, restart: self.restart };
        self.at = scan.read(self.bytes, self.at, frame).map_err(|flaw| match flaw {
            Flaw::Ends(group, groups) => {
                format!("a scan that ends or is corrupt after {group} of {groups} groups of blocks")
            }
            Flaw::Longer => "a corrupt scan, longer than its blocks".to_owned(),
        })?;
        for &(index, ..) in &scan.components {
            frame.note(index, band, low);
        }
        Ok(())
    }

    fn end(self) -> Result<Whole<'a>, String> {
        let frame = self.frame.as_ref().ok_or("a JPEG without an image")?;
        match frame.lacking() {
            None => Ok(Whole { length: self.at, exif: self.exif }),
            Some((component, coefficient)) => {
                Err(format!("a JPEG that lacks scans (component {component}, coefficient {coefficient})"))
            }
        }
    }
}
