//! Tables as NumPy arrays of two axes, of floats or integers, in either order of values and bytes.

use super::rows::{Builder, Table};
use super::{Choice, TableFile};
use crate::data::checked_read::read_at_most;
use crate::data::npy::{Dictionary, dictionary};
use crate::data::zip;
use crate::error::{Error, Result};
use half::f16;
use std::io::{Cursor, Read};
use std::path::Path;

/// Reads the table in the content of a `.npy`, or in the array of a `.npz` that the file's key names.
pub(super) fn read(file: &TableFile, bytes: Vec<u8>, choice: &Choice) -> Result<Table> {
    let path = &file.path;
    if bytes.starts_with(b"\x93NUMPY") {
        return table(path, "array", &mut &bytes[..], choice);
    }
    let (mut found, mut others) = (None, Vec::new());
    zip::for_each(path, "", &mut Cursor::new(bytes), &mut |entry, reader| {
        let array = entry.strip_suffix(".npy").unwrap_or(entry).to_owned();
        if found.is_none() && file.key.as_ref().is_none_or(|key| *key == array) {
            found = Some(table(path, &array, reader, choice)?);
        }
        others.push(array);
        Ok(())
    })?;
    let arrays = if others.is_empty() { "none".to_owned() } else { others.join(", ") };
    match (found, &file.key) {
        (Some(_), None) if others.len() > 1 => {
            Err(Error::format(path, "arrays", arrays, "one array, or a key that names one"))
        }
        (Some(table), _) => Ok(table),
        (None, key) => {
            let expected = key.as_ref().map_or("an array".to_owned(), |key| format!("one called {key}"));
            Err(Error::format(path, "arrays", arrays, expected))
        }
    }
}

fn table(path: &Path, entry: &str, reader: &mut dyn Read, choice: &Choice) -> Result<Table> {
    let Dictionary { descr, column_major, shape } = dictionary(path, entry, reader)?;
    let Some(number) = Number::parse(&descr) else {
        let expected = "numbers: f2, f4, f8, or integers of 1 to 8 bytes";
        return Err(Error::format(path, format!("{entry}: descr"), format!("\"{descr}\""), expected));
    };
    let [rows, columns] = shape[..] else {
        let found = format!("{shape:?}");
        return Err(Error::format(path, format!("{entry}: shape"), found, "two axes (row, column)"));
    };
    let size = rows.checked_mul(columns).and_then(|n| n.checked_mul(number.bytes)).filter(|&n| n < 1 << 48);
    let Some(size) = size else {
        return Err(Error::format(
            path,
            format!("{entry}: shape"),
            format!("{shape:?}"),
            "fewer than 2^48 bytes",
        ));
    };
    let names: Vec<String> = (0..columns).map(|j| j.to_string()).collect();
    let mut builder = Builder::new(path, "row", &names, choice)?;
    let values = read_at_most(path, &format!("{entry}: values"), reader, size as u64)?;
    if values.len() != size {
        let found = format!("{} bytes", values.len());
        let expected = format!("{size}, for {rows} x {columns} of \"{descr}\"");
        return Err(Error::format(path, format!("{entry}: values"), found, expected));
    }
    for row in 0..rows {
        builder.push(row, |column| {
            let index = if column_major { column * rows + row } else { row * columns + column };
            let value = number.decode(&values[index * number.bytes..(index + 1) * number.bytes]);
            if value.is_finite() { Ok(value) } else { Err(value.to_string()) }
        })?;
    }
    builder.finish()
}

/// A type of numbers as NumPy names it: `<f8`, `>f4`, `|u1`, ...
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Number {
    kind: u8,
    bytes: usize,
    big_endian: bool,
}

impl Number {
    fn parse(descr: &str) -> Option<Self> {
        let (order, code) = match descr.as_bytes() {
            [order @ (b'|' | b'<' | b'>' | b'='), code @ ..] => (*order, code),
            code => (b'<', code),
        };
        let (kind, bytes) = match code {
            b"b1" => (b'u', 1),
            [kind @ (b'u' | b'i'), bytes @ (b'1' | b'2' | b'4' | b'8')] => (*kind, bytes - b'0'),
            [b'f', bytes @ (b'2' | b'4' | b'8')] => (b'f', bytes - b'0'),
            _ => return None,
        };
        Some(Self { kind, bytes: usize::from(bytes), big_endian: order == b'>' })
    }

    /// The value of `self.bytes` bytes; integers beyond 2^53 are rounded.
    fn decode(self, bytes: &[u8]) -> f64 {
        let mut wide = [0; 8];
        for (i, &byte) in bytes.iter().enumerate() {
            wide[if self.big_endian { self.bytes - 1 - i } else { i }] = byte;
        }
        let bits = u64::from_le_bytes(wide);
        let unused = 64 - 8 * self.bytes as u32;
        match (self.kind, self.bytes) {
            (b'f', 2) => f16::from_bits(bits as u16).to_f64(),
            (b'f', 4) => f64::from(f32::from_bits(bits as u32)),
            (b'f', _) => f64::from_bits(bits),
            (b'i', _) => ((bits << unused) as i64 >> unused) as f64,
            _ => bits as f64,
        }
    }
}
