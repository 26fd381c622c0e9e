//! Tables: reading them in every form, splits, units, fingerprints and writing.
#![allow(clippy::unwrap_used, clippy::panic)]

mod arrays;
mod entropy;
mod output;
mod text;
mod units;

use idode::data::table::{Choice, Table, TableFile};
use idode::error::Result;
use std::path::{Path, PathBuf};

/// Writes a file into a folder.
fn put(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}

fn names(columns: &[&str]) -> Vec<String> {
    columns.iter().map(|&name| name.to_owned()).collect()
}

fn choice(columns: &[&str], conditions: &[&str]) -> Choice {
    Choice { columns: names(columns), conditions: names(conditions) }
}

fn read(path: &Path) -> Result<Table> {
    Table::read(&TableFile::new(path), None, &Choice::default())
}

/// The error, which must be one line that begins with the file.
fn refused<T>(result: Result<T>, path: &Path) -> String {
    let Err(error) = result else { panic!("{}: accepted", path.display()) };
    let line = error.to_string();
    assert_eq!(line.lines().count(), 1, "{line}");
    let rest = line.strip_prefix(&format!("{}: ", path.display()));
    rest.unwrap_or_else(|| panic!("{line} does not name {}", path.display())).to_owned()
}
