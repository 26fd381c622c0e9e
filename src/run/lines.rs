//! A file of lines that are of training steps, continued after a resume.

use crate::error::{Error, Result};
use crate::files::{Appended, json, write_atomically};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};

/// What a line of such a file is.
pub trait Stepped: Serialize + DeserializeOwned {
    /// What it is, in words.
    const IS: &'static str;

    /// The training step that it is of.
    fn step(&self) -> u64;
}

/// The open file, to which lines are appended.
#[derive(Debug)]
pub struct StepLog<T> {
    path: PathBuf,
    file: Appended,
    last: Option<T>,
}

impl<T: Stepped> StepLog<T> {
    /// Opens the file for a run that continues after `step` (0 for a new one). Lines up to that step are kept byte for
    /// byte; those of later steps, which will be trained again, are dropped, and so is whatever a crash left after them.
    ///
    /// # Errors
    /// If the file cannot be read or written, or an earlier line holds something else.
    pub fn open(path: &Path, step: u64) -> Result<Self> {
        let mut last = None;
        if path.exists() {
            let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
            let mut kept = 0;
            for (index, line) in whole_lines(&bytes).enumerate() {
                let is_last = last.as_ref().is_some_and(|last: &T| last.step() == step);
                match parse::<T>(path, index, line) {
                    // What follows the last line that counts may be anything.
                    _ if is_last => break,
                    Ok(found) if found.step() > step => break,
                    Ok(found) => last = Some(found),
                    Err(error) => return Err(error),
                }
                kept += line.len() + 1;
            }
            if kept < bytes.len() {
                write_atomically(path, &bytes[..kept])?;
            }
        }
        Ok(Self { path: path.to_owned(), file: Appended::open(path)?, last })
    }

    /// The last line that was kept when the file was opened.
    pub fn last(&self) -> Option<&T> {
        self.last.as_ref()
    }

    /// Appends a line.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn append(&mut self, line: &T) -> Result<()> {
        self.file.add((json(&self.path, line)? + "\n").as_bytes())
    }

    /// Forces every line to the disk.
    ///
    /// # Errors
    /// If the system cannot.
    pub fn sync(&mut self) -> Result<()> {
        self.file.sync()
    }

    /// Reads every line but a last one that a crash cut short.
    ///
    /// # Errors
    /// If the file cannot be read, or an earlier line holds something else.
    pub fn read(path: &Path) -> Result<Vec<T>> {
        let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
        whole_lines(&bytes).enumerate().map(|(index, line)| parse(path, index, line)).collect()
    }
}

/// The lines that end, without their ends.
fn whole_lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split_inclusive(|&byte| byte == b'\n').filter_map(|line| line.strip_suffix(b"\n"))
}

fn parse<T: Stepped>(path: &Path, index: usize, line: &[u8]) -> Result<T> {
    serde_json::from_slice(line)
        .map_err(|error| Error::format(path, format!("line {}", index + 1), error, T::IS))
}
