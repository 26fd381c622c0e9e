//! The one room that writes: every file and folder of the program is made, replaced and removed here, so that a crash
//! leaves the old content or the new, never half of either.
//!
//! What is reported as written is on the disk, its entry in the folder too: a power cut keeps it.

#[cfg(any(test, feature = "testkit"))]
#[doc(hidden)]
pub mod fault_injection;
mod lock;

pub(crate) use lock::Lock;

use crate::error::{Error, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes `bytes` to a temporary file beside `path`, forces them to the disk and renames.
///
/// # Errors
/// If the file cannot be written; `path` then holds what it held before.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> Result<()> {
    Staged::write(path, bytes)?.commit()
}

/// Reads a whole JSON file, which should hold what `expected` says.
///
/// # Errors
/// If it cannot be read, or holds something else.
pub(crate) fn read_json<T: DeserializeOwned>(path: &Path, expected: &str) -> Result<T> {
    let text = fs::read(path).map_err(Error::io(path, "read"))?;
    serde_json::from_slice(&text)
        .map_err(|error| Error::format(path, format!("line {}", error.line()), error, expected))
}

/// What a JSON file at `path` is to hold, in one line.
///
/// # Errors
/// If JSON cannot hold it.
pub(crate) fn json(path: &Path, content: &impl Serialize) -> Result<String> {
    serde_json::to_string(content).map_err(|error| not_json(path, &error))
}

/// What a JSON file at `path` is to hold, indented, with an end of line.
///
/// # Errors
/// If JSON cannot hold it.
pub(crate) fn indented_json(path: &Path, content: &impl Serialize) -> Result<String> {
    let text = serde_json::to_string_pretty(content).map_err(|error| not_json(path, &error))?;
    Ok(text + "\n")
}

/// What a JSON file at `path` is to hold, as a part of it.
///
/// # Errors
/// If JSON cannot hold it.
pub(crate) fn json_value(path: &Path, content: &impl Serialize) -> Result<Value> {
    json(path, content)?.parse().map_err(|error| not_json(path, &error))
}

fn not_json(path: &Path, error: &serde_json::Error) -> Error {
    Error::format(path, "content", error, "values that JSON can hold")
}

/// A line that is a JSON object with fields, with one more before them.
pub(crate) fn with_first_field(name: &str, value: &str, line: &str) -> String {
    format!("{{\"{name}\":{},{}", Value::from(value), &line[1..])
}

/// Content that is on the disk beside its place, under a temporary name: [`commit`](Self::commit) puts it there; dropped
/// before, it is removed.
#[derive(Debug)]
pub(crate) struct Staged {
    path: PathBuf,
    temporary: PathBuf,
    /// Open and locked, which tells others that whoever writes it is alive; none once it is in place.
    file: Option<File>,
}

impl Staged {
    /// Writes `bytes` to a temporary file beside `path` and forces them to the disk.
    ///
    /// # Errors
    /// If that cannot be done; nothing is left of it then.
    pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<Self> {
        let temporary = temporary(path);
        let mut staged = Self { path: path.to_owned(), temporary, file: None };
        staged.fill(bytes).map_err(Error::io(path, "write"))?;
        Ok(staged)
    }

    fn fill(&mut self, bytes: &[u8]) -> io::Result<()> {
        let file = create(&self.temporary)?;
        // On a file system without locks, what a dead process left stays.
        let _ = file.try_lock();
        let file = self.file.insert(file);
        write(file, bytes)?;
        sync(file)
    }

    /// Puts the content in its place.
    ///
    /// # Errors
    /// If that cannot be done; what was there before stays.
    pub(crate) fn commit(mut self) -> Result<()> {
        moved(&self.temporary, &self.path).map_err(Error::io(&self.path, "write"))?;
        self.file = None;
        synced_folder_of(&self.path).map_err(Error::io(&self.path, "write"))
    }

    /// Puts the content in its place and what was there into the place `kept`, in the same folder.
    ///
    /// # Errors
    /// If that cannot be done; what was there before is in one of the two places then.
    pub(crate) fn commit_keeping(self, kept: &Path) -> Result<()> {
        moved(&self.path, kept).map_err(Error::io(kept, "write"))?;
        self.commit()
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            // The first error is the one to report; a temporary file that cannot be removed now is removed later.
            let _ = removed(&self.temporary);
        }
    }
}

/// A file that lines are added to.
#[derive(Debug)]
pub(crate) struct Appended {
    path: PathBuf,
    file: File,
}

impl Appended {
    /// Opens `path`, and makes an empty file if nothing is there.
    ///
    /// # Errors
    /// If that cannot be done.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let is_new = !path.exists();
        let file = allowed().and_then(|()| OpenOptions::new().create(true).append(true).open(path));
        let entered = if is_new { file.and_then(|file| synced_folder_of(path).map(|()| file)) } else { file };
        Ok(Self { path: path.to_owned(), file: entered.map_err(Error::io(path, "write"))? })
    }

    /// Adds bytes at the end.
    ///
    /// # Errors
    /// If they cannot be written.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> Result<()> {
        write(&mut self.file, bytes).map_err(Error::io(&self.path, "write"))
    }

    /// Forces everything that was added to the disk.
    ///
    /// # Errors
    /// If the system cannot.
    pub(crate) fn sync(&mut self) -> Result<()> {
        sync(&self.file).map_err(Error::io(&self.path, "write"))
    }
}

/// Makes a folder, and those above it that are not there.
///
/// # Errors
/// If one cannot be made.
pub(crate) fn create_folder(path: &Path) -> Result<()> {
    let missing = path.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.exists());
    let mut missing = missing.collect::<Vec<_>>().into_iter().rev();
    missing.try_for_each(made).map_err(Error::io(path, "create"))
}

/// Makes a folder where nothing is, in one that is there.
///
/// # Errors
/// If something is there, or it cannot be made.
#[cfg(feature = "cli")]
pub(crate) fn create_new_folder(path: &Path) -> Result<()> {
    let made = allowed().and_then(|()| fs::create_dir(path));
    made.and_then(|()| synced_folder_of(path)).map_err(Error::io(path, "create"))
}

/// Moves a file or a folder to a place where nothing is, or an empty folder, or over a file.
///
/// # Errors
/// If that cannot be done; nothing is moved then.
pub(crate) fn rename(from: &Path, to: &Path) -> Result<()> {
    moved(from, to).and_then(|()| synced_folder_of(to)).map_err(Error::io(to, "write"))
}

/// Removes a file.
///
/// # Errors
/// If it cannot be removed.
pub(crate) fn remove(path: &Path) -> Result<()> {
    removed(path).map_err(Error::io(path, "remove"))
}

/// Removes a folder and everything in it.
///
/// # Errors
/// If something cannot be removed.
pub(crate) fn remove_folder(path: &Path) -> Result<()> {
    allowed().and_then(|()| fs::remove_dir_all(path)).map_err(Error::io(path, "remove"))
}

/// Removes the temporary files that processes which are gone left in `folder`, of the files that `of` names. What cannot be
/// removed is left for another time.
pub(crate) fn remove_abandoned(folder: &Path, of: &dyn Fn(&str) -> bool) {
    for path in fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if made_of(name).is_some_and(of) && is_abandoned(&path) {
            let _ = removed(&path);
        }
    }
}

/// Whether a file is one that no process writes: whoever does holds its lock.
fn is_abandoned(path: &Path) -> bool {
    let file = path.is_file().then(|| OpenOptions::new().write(true).open(path));
    file.is_some_and(|file| file.is_ok_and(|file| file.try_lock().is_ok()))
}

/// A name in the same folder that no other process of this machine uses.
pub(crate) fn temporary(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}.tmp", std::process::id()));
    path.with_file_name(name)
}

/// The name of what a temporary file or folder was to become, if that is what `name` is.
pub(crate) fn made_of(name: &str) -> Option<&str> {
    let (target, process) = name.strip_suffix(".tmp")?.rsplit_once('.')?;
    let is_number = !process.is_empty() && process.bytes().all(|byte| byte.is_ascii_digit());
    (is_number && !target.is_empty()).then_some(target)
}

/// Where a test makes one of these fail.
fn allowed() -> io::Result<()> {
    #[cfg(any(test, feature = "testkit"))]
    fault_injection::next()?;
    Ok(())
}

fn create(path: &Path) -> io::Result<File> {
    allowed()?;
    File::create(path)
}

fn write(file: &mut File, bytes: &[u8]) -> io::Result<()> {
    let may = allowed();
    #[cfg(any(test, feature = "testkit"))]
    file.write_all(&bytes[..fault_injection::torn(&may, bytes.len())])?;
    may?;
    file.write_all(bytes)
}

fn sync(file: &File) -> io::Result<()> {
    allowed()?;
    forced(file)
}

/// A test that counts steps, or makes them fail, does without the disk's own time.
fn forced(file: &File) -> io::Result<()> {
    #[cfg(any(test, feature = "testkit"))]
    if fault_injection::are_planned() {
        return Ok(());
    }
    file.sync_all()
}

fn made(folder: &Path) -> io::Result<()> {
    allowed()?;
    match fs::create_dir(folder) {
        // Another process was faster.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.is_dir() => Ok(()),
        made => made.and_then(|()| synced_folder_of(folder)),
    }
}

fn moved(from: &Path, to: &Path) -> io::Result<()> {
    allowed()?;
    fs::rename(from, to)
}

fn removed(path: &Path) -> io::Result<()> {
    allowed()?;
    fs::remove_file(path)
}

/// Forces the entry of `path` in its folder to the disk, where the system can.
fn synced_folder_of(path: &Path) -> io::Result<()> {
    allowed()?;
    #[cfg(unix)]
    {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // A folder that may be written and not read, and file systems that have no such call.
        use io::ErrorKind::{InvalidInput, PermissionDenied, Unsupported};
        match File::open(folder).and_then(|folder| forced(&folder)) {
            Err(error) if ![InvalidInput, PermissionDenied, Unsupported].contains(&error.kind()) => {
                Err(error)
            }
            _ => Ok(()),
        }
    }
    #[cfg(not(unix))]
    {
        let _ = path;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
