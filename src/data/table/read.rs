//! Tables from files of any format.

use super::{Choice, Table, TableFile, csv, npy};
use crate::error::{Error, Result};

impl Table {
    /// Reads the chosen columns of a CSV file, a `.npy` or an array of a `.npz`, whichever the content is.
    ///
    /// A first line of CSV with a cell that is no number is a header, unless `header` says whether it is one. Where
    /// there is none, and in arrays, columns are called "0", "1", ... Other columns may hold anything.
    ///
    /// # Errors
    /// If the file cannot be read or is no table; if it lacks a column or has it twice; if it has no row, or one with more or
    /// fewer cells; or if a chosen cell is no finite number. The message names the cell's line (CSV, counted from 1) or row
    /// (arrays, counted from 0), and its column.
    pub fn read(file: &TableFile, header: Option<bool>, choice: &Choice) -> Result<Self> {
        let bytes = std::fs::read(&file.path).map_err(Error::io(&file.path, "read"))?;
        let array = bytes.starts_with(b"\x93NUMPY");
        let archive = bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06");
        if let (Some(key), false) = (&file.key, archive) {
            return Err(Error::format(
                &file.path,
                format!("array \"{key}\""),
                "no .npz",
                "one, as a key is given",
            ));
        }
        match (array || archive, header) {
            (true, Some(true)) => Err(Error::format(
                &file.path,
                "header",
                "an array of numbers",
                "CSV, as a header is asked for",
            )),
            (true, _) => npy::read(file, bytes, choice),
            (false, _) => csv::read(&file.path, &bytes, header, choice),
        }
    }
}
