//! A folder that one process at a time writes in.

use super::{allowed, write};
use crate::error::{Error, Result};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Seek};
use std::path::Path;

/// The right to write in a folder: one process has it at a time, until it drops this value or ends, however it ends.
///
/// It is the operating system's lock of a file, `.lock` for the folder as a whole, which stays in the folder and holds the number of the process
/// that had the lock last: a file of a process that is gone is in nobody's way. A file system without locks guards nothing.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// The name of the file.
    pub(crate) const NAME: &str = ".lock";

    /// Takes the lock of `folder`.
    ///
    /// # Errors
    /// If another process has it, which is named, or the file cannot be written.
    pub(crate) fn take(folder: &Path) -> Result<Self> {
        Self::attempt(folder, Self::NAME)?.map_err(|holder| {
            let found = match holder {
                Some(process) => format!("process {process} at work in it"),
                None => "another process at work in it".to_owned(),
            };
            Error::format(folder, "run folder", found, "one that no other process writes in")
        })
    }

    /// Takes the lock that is the file `name` of `folder`; where another process has it, gives that one's number, if it is known.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn attempt(folder: &Path, name: &str) -> Result<std::result::Result<Self, Option<u32>>> {
        let path = folder.join(name);
        let unusable = |error| Error::io(&path, "lock")(error);
        let opened = allowed().and_then(|()| {
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)
        });
        let mut file = opened.map_err(unusable)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Ok(Err(holder(&mut file))),
            Err(TryLockError::Error(error)) if error.kind() != ErrorKind::Unsupported => {
                return Err(unusable(error));
            }
            _ => {}
        }
        let process = format!("{}\n", std::process::id());
        let emptied = allowed().and_then(|()| file.set_len(0));
        emptied.and_then(|()| write(&mut file, process.as_bytes())).map_err(unusable)?;
        Ok(Ok(Self { _file: file }))
    }
}

/// The process that a lock's file names.
fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
