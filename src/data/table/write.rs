//! Tables to files.

use crate::error::{Error, Result};
use crate::files::write_atomically;
use std::path::Path;

/// Writes rows as CSV with a header, all of the file or nothing; reading a number back gives the same bits.
///
/// # Errors
/// Unless `values` is a whole number of rows of `columns.len() >= 1` values, or if the file cannot be written.
pub fn write_csv(path: &Path, columns: &[String], values: &[f64]) -> Result<()> {
    rows(path, columns.len(), values)?;
    let mut writer = csv::WriterBuilder::new().from_writer(Vec::new());
    let unwritable = |error: csv::Error| Error::format(path, "content", error, "what CSV can hold");
    writer.write_record(columns).map_err(unwritable)?;
    for row in values.chunks_exact(columns.len()) {
        let cells: Vec<String> = row.iter().map(|&value| shortest(value)).collect();
        writer.write_record(&cells[..]).map_err(unwritable)?;
    }
    let bytes = writer.into_inner().map_err(|error| Error::io(path, "write")(error.into_error()))?;
    write_atomically(path, &bytes)
}

/// Writes rows as a `.npy` of doubles in row-major order, all of the file or nothing.
///
/// # Errors
/// As [`write_csv`].
pub fn write_npy(path: &Path, columns: usize, values: &[f64]) -> Result<()> {
    let rows = rows(path, columns, values)?;
    let mut header = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': ({rows}, {columns}), }}");
    // The values begin at a multiple of 64 bytes: after the magic number, two bytes of version, two of length.
    header += &" ".repeat(63 - (10 + header.len()) % 64);
    header += "\n";
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend_from_slice(&(header.len() as u16).to_le_bytes());
    bytes.extend_from_slice(header.as_bytes());
    bytes.reserve(8 * values.len());
    for value in values {
        bytes.extend_from_slice(&value.to_le_bytes());
    }
    write_atomically(path, &bytes)
}

/// The number of rows.
fn rows(path: &Path, columns: usize, values: &[f64]) -> Result<usize> {
    if columns == 0 || !values.len().is_multiple_of(columns) {
        let expected = format!("a multiple of {columns} columns, at least one");
        return Err(Error::format(path, "number of values", values.len(), expected));
    }
    Ok(values.len() / columns)
}

/// The fewest digits that give the number back.
fn shortest(value: f64) -> String {
    let text = format!("{value:?}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}
