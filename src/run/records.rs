//! `records.jsonl`: what an evaluation has found so far, row by row, so that one that was ended goes on.
//!
//! The first line says what is measured: records of another checkpoint, of other data or of other settings are never mixed with these. Each
//! other line is an estimate's record of a row; a last line says that the evaluation has ended. Lines are added some at a time and forced
//! to the disk, so a process that is killed loses those alone that it had not yet handed over.

use super::place::Shard;
use super::recipe_diff::between;
use crate::error::{Error, Result};
use crate::files::{Appended, json, with_first_field, write_atomically};
use crate::result::DataRecord;
use litemap::LiteMap;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// What is measured: the first line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Header {
    /// The version of idode.
    pub(crate) version: String,
    /// The SHA-256 of the checkpoint: see [`Checkpoint::sha256`](crate::train::Checkpoint::sha256).
    pub(crate) checkpoint: String,
    /// Its training step.
    pub(crate) step: u64,
    /// The data.
    pub(crate) data: DataRecord,
    /// The seed of the draws.
    pub(crate) seed: u64,
    /// Every setting that a record depends on.
    pub(crate) settings: toml::Value,
    /// Of a part of the rows: which, and how many rows the whole has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) shard: Option<(Shard, usize)>,
}

impl Header {
    /// The first of what it says, but for the shard, that is not the same, in words.
    fn difference(&self, other: &Self) -> Option<String> {
        let differ = [
            (self.version != other.version, "version of idode"),
            (self.checkpoint != other.checkpoint || self.step != other.step, "checkpoint"),
            (self.data != other.data, "data set"),
            (self.seed != other.seed, "seed"),
        ];
        let first = differ.into_iter().find_map(|(differs, what)| differs.then(|| what.to_owned()));
        let key = || between("", Some(&self.settings), Some(&other.settings)).map(|(key, ..)| key);
        first.or_else(key)
    }
}

/// A line but the first: a record, or the last.
#[derive(Deserialize)]
struct Line {
    estimate: Option<String>,
    index: Option<usize>,
    finished: Option<bool>,
}

/// The last line.
#[derive(Serialize)]
struct Finished {
    finished: bool,
}

/// The lines of estimates, in the order in which these were begun, by the indices of their rows.
type Rows = Vec<(String, LiteMap<usize, String>)>;

/// What a file holds.
struct Stored {
    header: Header,
    rows: Rows,
    finished: bool,
    /// The bytes up to the end of the last whole line.
    whole: usize,
}

impl Stored {
    /// Reads a file, but for a last line that was cut short; nothing where not even the first is whole.
    ///
    /// # Errors
    /// If the file cannot be read, or an earlier line holds something else.
    fn read(path: &Path, bytes: &[u8]) -> Result<Option<Self>> {
        let mut lines = bytes.split_inclusive(|&byte| byte == b'\n').filter(|line| line.ends_with(b"\n"));
        let refused = |number: usize, error: serde_json::Error, expected: &str| {
            let expected = format!("{expected} (remove the file to measure anew)");
            Error::format(path, format!("line {number}"), error, expected)
        };
        let Some(first) = lines.next() else { return Ok(None) };
        let header = serde_json::from_slice(first)
            .map_err(|error| refused(1, error, "what the records of an evaluation are of"))?;
        let mut stored = Self { header, rows: Rows::new(), finished: false, whole: first.len() };
        for (index, line) in lines.enumerate() {
            let unfit = |error| refused(index + 2, error, "a record of an estimate");
            match serde_json::from_slice(line).map_err(unfit)? {
                Line { estimate: Some(estimate), index: Some(row), .. } => {
                    let text = String::from_utf8_lossy(line).trim_end().to_owned();
                    if of(&mut stored.rows, &estimate).insert(row, text).is_some() {
                        let found = format!("row {row} of {estimate} again");
                        let expected = "each once (remove the file to measure anew)";
                        return Err(Error::format(path, format!("line {}", index + 2), found, expected));
                    }
                }
                Line { finished: Some(finished), .. } => stored.finished = finished,
                _ => return Err(unfit(serde_json::Error::custom("neither a record nor the last line"))),
            }
            stored.whole += line.len();
        }
        Ok(Some(stored))
    }
}

/// The lines of an estimate.
fn of<'r>(rows: &'r mut Rows, estimate: &str) -> &'r mut LiteMap<usize, String> {
    let at = rows.iter().position(|(name, _)| name == estimate).unwrap_or_else(|| {
        rows.push((estimate.to_owned(), LiteMap::new()));
        rows.len() - 1
    });
    &mut rows[at].1
}

/// The open file, to which records are added.
#[derive(Debug)]
pub(crate) struct RecordsLog {
    path: PathBuf,
    rows: Rows,
    file: Appended,
}

impl RecordsLog {
    /// Opens the file for an evaluation, and says what became of the records in it: they are gone on from, or, where they are of
    /// something else, begun anew. Those of an evaluation that has ended are begun anew too; those of a shard have not ended before they
    /// are merged.
    ///
    /// # Errors
    /// If the file cannot be read or written, or a line but the last holds something else.
    pub(crate) fn open(path: &Path, header: &Header) -> Result<(Self, Option<String>)> {
        let bytes = match std::fs::read(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            read => read.map_err(Error::io(path, "read"))?,
        };
        let stored = Stored::read(path, &bytes)?;
        // What has ended has been put where it belongs.
        let stored = stored.filter(|stored| !stored.finished);
        let other = stored.as_ref().and_then(|stored| stored.header.difference(header));
        let said = other.map(|what| format!("{}: records of another {what}: begun anew", path.display()));
        let kept = stored.filter(|stored| said.is_none() && stored.header.shard == header.shard);
        let Some(Stored { rows, whole, .. }) = kept else {
            write_atomically(path, &lines(path, header, &Rows::new())?)?;
            let log = Self { path: path.to_owned(), rows: Rows::new(), file: Appended::open(path)? };
            return Ok((log, said));
        };
        if whole < bytes.len() {
            write_atomically(path, &bytes[..whole])?;
        }
        let count: usize = rows.iter().map(|(_, rows)| rows.len()).sum();
        let said = (count > 0).then(|| format!("{}: goes on after {count} records", path.display()));
        let file = Appended::open(path)?;
        Ok((Self { path: path.to_owned(), rows, file }, said))
    }

    /// The records of an estimate so far, in the order of their rows.
    ///
    /// # Errors
    /// If they are of another kind.
    pub(crate) fn records<R: DeserializeOwned>(&self, estimate: &str) -> Result<Vec<R>> {
        let rows = self.rows.iter().find(|(name, _)| name == estimate).map(|(_, rows)| rows);
        let Some(rows) = rows else { return Ok(Vec::new()) };
        let mut records = Vec::with_capacity(rows.len());
        for (index, text) in rows.iter() {
            let record = serde_json::from_slice(text.as_bytes());
            records.push(record.map_err(|error| self.refused(*index, estimate, &error))?);
        }
        Ok(records)
    }

    fn refused(&self, index: usize, estimate: &str, error: &serde_json::Error) -> Error {
        let what = format!("row {index} of {estimate}");
        Error::format(&self.path, what, error, "a record of this estimate")
    }

    /// Adds records of an estimate, each with the index of its row, and forces them to the disk.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn add<R: Serialize>(&mut self, estimate: &str, records: &[(usize, R)]) -> Result<()> {
        let mut text = String::new();
        for (index, record) in records {
            let line = with_first_field("estimate", estimate, &json(&self.path, record)?);
            text.push_str(&line);
            text.push('\n');
            of(&mut self.rows, estimate).insert(*index, line);
        }
        self.file.add(text.as_bytes())?;
        self.file.sync()
    }

    /// Puts the records of a file in order, with a last line that says that the evaluation has ended.
    ///
    /// # Errors
    /// If the file is none of records, or cannot be read or written.
    pub(crate) fn finish(path: &Path) -> Result<()> {
        let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
        let Some(Stored { header, rows, .. }) = Stored::read(path, &bytes)? else {
            return Err(Error::format(path, "first line", "nothing", "what the records are of"));
        };
        let mut bytes = lines(path, &header, &rows)?;
        bytes.extend(json(path, &Finished { finished: true })?.bytes().chain([b'\n']));
        write_atomically(path, &bytes)
    }

    /// Adds the records in other files to those in `path`, which are of a whole evaluation: what shards had before they were ended. Files of
    /// something else, and what cannot be read, count as empty.
    ///
    /// # Errors
    /// If the file at `path` holds something else, or cannot be read or written.
    pub(crate) fn gather(path: &Path, header: &Header, others: &[PathBuf]) -> Result<()> {
        let mut rows = Self::open(path, header)?.0.rows;
        for other in others {
            let stored = std::fs::read(other).ok().and_then(|bytes| Stored::read(other, &bytes).ok()?);
            let Some(stored) = stored.filter(|stored| stored.header.difference(header).is_none()) else {
                continue;
            };
            for (estimate, more) in stored.rows {
                let own = of(&mut rows, &estimate);
                for (row, line) in more {
                    own.insert(row, line);
                }
            }
        }
        write_atomically(path, &lines(path, header, &rows)?)
    }

    /// Begins the file of a shard with what the records of the whole at `whole` have of it.
    ///
    /// # Errors
    /// If they are of something else, or a file cannot be read or written.
    pub(crate) fn deal(whole: &Path, path: &Path, header: &Header) -> Result<()> {
        let Some((shard, count)) = header.shard else { return Ok(()) };
        let bytes = std::fs::read(whole).map_err(Error::io(whole, "read"))?;
        let stored = Stored::read(whole, &bytes)?.filter(|stored| stored.header.difference(header).is_none());
        let mut rows = stored.map_or_else(Rows::new, |stored| stored.rows);
        rows.iter_mut().for_each(|(_, rows)| rows.retain(|row, _| shard.has(*row, count)));
        write_atomically(path, &lines(path, header, &rows)?)
    }

    /// Joins shards into the records of a whole evaluation of `count` rows by these estimates, and writes them at `path`.
    ///
    /// # Errors
    /// A file that is no shard of this evaluation, shards that overlap or leave rows without a record, or a file that cannot be written.
    pub(crate) fn merge(
        path: &Path,
        (header, count): (&Header, usize),
        estimates: &[String],
        parts: &[PathBuf],
    ) -> Result<()> {
        let mut rows = Rows::new();
        let mut seen: Vec<(Shard, &Path)> = Vec::new();
        for part in parts {
            let bytes = std::fs::read(part).map_err(Error::io(part, "read"))?;
            let found = Stored::read(part, &bytes)?;
            let Some((Stored { header: own, rows: more, .. }, (shard, of_rows))) =
                found.and_then(|stored| stored.header.shard.map(|shard| (stored, shard)))
            else {
                return Err(Error::format(part, "first line", "no shard", "a file of idode eval --shard"));
            };
            if let Some(what) = own.difference(header) {
                let expected = "those of the run as it is now";
                return Err(Error::format(part, "records", format!("another {what}"), expected));
            }
            if of_rows != count {
                return Err(Error::format(part, "rows of the whole", of_rows, count.to_string()));
            }
            if let Some((other, _)) = seen.iter().find(|(other, _)| other.parts().1 != shard.parts().1) {
                let expected = format!("a part of {}, as {other}", other.parts().1);
                return Err(Error::format(part, "shard", shard, expected));
            }
            if let Some((_, other)) = seen.iter().find(|(other, _)| *other == shard) {
                let found = format!("{shard}, which is in {} too", other.display());
                return Err(Error::format(part, "shard", found, "each shard once"));
            }
            for estimate in estimates {
                let own = more.iter().find(|(name, _)| name == estimate).map(|(_, rows)| rows);
                let to = of(&mut rows, estimate);
                for row in shard.rows(count) {
                    let Some(line) = own.and_then(|own| own.get(&row)) else {
                        let found = format!("no record of row {row}");
                        let expected = format!("one of each row: idode eval --shard {shard} goes on");
                        return Err(Error::format(part, estimate, found, expected));
                    };
                    to.insert(row, line.clone());
                }
            }
            seen.push((shard, part));
        }
        let of_all = seen.first().map_or(1, |(shard, _)| shard.parts().1);
        if let Some(missing) = Shard::all(of_all).find(|shard| seen.iter().all(|(other, _)| other != shard)) {
            let found = format!("{} of them, without {missing}", seen.len());
            return Err(Error::format(path, "shards", found, "every part of the whole"));
        }
        write_atomically(path, &lines(path, header, &rows)?)
    }
}

/// The first line and those of the rows, in order.
fn lines(path: &Path, header: &Header, rows: &Rows) -> Result<Vec<u8>> {
    let mut text = json(path, header)? + "\n";
    for (_, rows) in rows {
        for line in rows.values() {
            text.push_str(line);
            text.push('\n');
        }
    }
    Ok(text.into_bytes())
}

#[cfg(test)]
mod tests;
