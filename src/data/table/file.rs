//! The file of a table.

use std::path::PathBuf;

/// A CSV file, a `.npy`, or an array of a `.npz`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableFile {
    /// The file.
    pub path: PathBuf,
    /// The array of a `.npz`; without it there must be one alone.
    pub key: Option<String>,
}

impl TableFile {
    /// The file at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), key: None }
    }
}
