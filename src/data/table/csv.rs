//! Tables as text: CSV with commas, semicolons or tabs.
//!
//! # Reference
//! RFC 4180, with what programs write besides: other delimiters, a byte order mark, blank lines, spaces around cells.

use super::Choice;
use super::rows::{Builder, Table};
use crate::error::{Error, Result};
use ::csv::{ByteRecord, ReaderBuilder, Trim};
use std::path::Path;

/// What programs write for a cell without a value; a first line with these and numbers is no header.
const MISSING: [&str; 8] = ["", "na", "n/a", "null", "none", "nil", "?", "-"];

/// Reads a table from the content of the file at `path`.
pub(super) fn read(path: &Path, bytes: &[u8], header: Option<bool>, choice: &Choice) -> Result<Table> {
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let line = line_of(&bytes[..error.valid_up_to()]);
        Error::format(
            path,
            format!("line {line}"),
            "bytes that are no UTF-8",
            "CSV as UTF-8, a .npy or a .npz",
        )
    })?;
    let text = text.trim_start_matches('\u{feff}');
    let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let mut reader = ReaderBuilder::new();
    reader.delimiter(delimiter(first)).has_headers(false).flexible(true).trim(Trim::All);
    let mut reader = reader.from_reader(text.as_bytes());
    let mut lines = Lines { text: text.as_bytes(), at: 0, line: 1 };
    let mut record = ByteRecord::new();
    let mut table: Option<(usize, Builder)> = None;
    while reader
        .read_byte_record(&mut record)
        .map_err(|error| Error::format(path, "content", error.to_string().replace('\n', " "), "CSV"))?
    {
        let line = lines.of(record.position().map_or(0, |position| position.byte() as usize));
        let cells: Vec<&str> =
            record.iter().map(|cell| unquoted(std::str::from_utf8(cell).unwrap_or_default())).collect();
        let (width, builder) = match &mut table {
            Some(table) => table,
            None => {
                let is_header = header.unwrap_or_else(|| cells.iter().any(|cell| is_name(cell)));
                let name = |(i, cell): (usize, &&str)| match is_header && !cell.is_empty() {
                    true => (*cell).to_owned(),
                    false => i.to_string(),
                };
                let names: Vec<String> = cells.iter().enumerate().map(name).collect();
                let started = table.insert((names.len(), Builder::new(path, "line", &names, choice)?));
                if is_header {
                    continue;
                }
                started
            }
        };
        if cells.len() != *width {
            let found = format!("{} cells", cells.len());
            return Err(Error::format(
                path,
                format!("line {line}"),
                found,
                format!("{width}, as the first line has"),
            ));
        }
        builder.push(line, |column| match cells[column].parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(value),
            _ if cells[column].is_empty() => Err("nothing".to_owned()),
            _ => Err(format!("\"{}\"", shown(cells[column]))),
        })?;
    }
    match table {
        Some((_, builder)) => builder.finish(),
        None => Err(Error::format(path, "content", "an empty file", "a table")),
    }
}

/// A cell whose quotes were not read as such, for a space before them.
fn unquoted(cell: &str) -> &str {
    cell.strip_prefix('"').and_then(|cell| cell.strip_suffix('"')).map_or(cell, str::trim)
}

/// Whether a cell of the first line makes it a header.
fn is_name(cell: &str) -> bool {
    cell.parse::<f64>().is_err() && !MISSING.contains(&cell.to_lowercase().as_str())
}

/// A cell in a message, one line of it and not too long.
fn shown(cell: &str) -> String {
    let mut text = String::new();
    for character in cell.chars().take(40) {
        text.extend(character.escape_debug());
    }
    text
}

/// The delimiter of a line: a tab if there is one outside of quotes, else a semicolon, else a comma.
fn delimiter(line: &str) -> u8 {
    let (mut quoted, mut found) = (false, b',');
    for &byte in line.as_bytes() {
        quoted ^= byte == b'"';
        match byte {
            b'\t' if !quoted => return byte,
            b';' if !quoted => found = byte,
            _ => {}
        }
    }
    found
}

/// The line that a position just after `before` is in, counted from 1; any of the three line ends ends one.
fn line_of(before: &[u8]) -> usize {
    let mut line = 1;
    for (i, &byte) in before.iter().enumerate() {
        if byte == b'\n' || (byte == b'\r' && before.get(i + 1) != Some(&b'\n')) {
            line += 1;
        }
    }
    line
}

/// Counts lines along a text.
struct Lines<'t> {
    text: &'t [u8],
    at: usize,
    line: usize,
}

impl Lines<'_> {
    /// The line of the first cell after offset `start`, which only grows; blank lines before it are passed.
    fn of(&mut self, start: usize) -> usize {
        let blank = |byte: &&u8| matches!(byte, b'\n' | b'\r');
        let start = start + self.text[start..].iter().take_while(blank).count();
        self.line += line_of(&self.text[self.at..start]) - 1;
        self.at = start;
        self.line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiters() {
        for (line, expected) in [
            ("a,b", b','),
            ("a;b", b';'),
            ("a\tb", b'\t'),
            ("1,5;2,5", b';'),
            ("\"x;y\",b", b','),
            ("\"mass, kg\"\tb", b'\t'),
            ("alone", b','),
        ] {
            assert_eq!(delimiter(line), expected, "{line}");
        }
    }

    #[test]
    fn lines_are_counted_past_blank_ones_and_every_line_end() {
        let text = b"a\r\n\r\n1\r2\n\n3";
        let mut lines = Lines { text, at: 0, line: 1 };
        // Offsets just behind the cells before, where a reader stands.
        assert_eq!([0, 2, 6, 8].map(|start| lines.of(start)), [1, 3, 4, 6]);
    }
}
