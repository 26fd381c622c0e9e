//! Where an evaluation is written, by what it measures.

use super::RunFolder;
use crate::error::{Error, Result};
use crate::files::{self, Lock};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// A part of the rows of an evaluation: those with the indices `part - 1`, `part - 1 + of`, `part - 1 + 2 of`, ...
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    part: usize,
    of: usize,
}

impl Shard {
    /// Part `part`, counted from 1, of `of`.
    ///
    /// # Errors
    /// Unless `1 <= part <= of`.
    pub fn new(part: usize, of: usize) -> Result<Self> {
        match (1..=of).contains(&part) {
            true => Ok(Self { part, of }),
            false => Err(Error::value("shard", format!("{part}/{of}"), "a part from 1 on, such as 2/3")),
        }
    }

    /// Which part, counted from 1, of how many.
    pub(crate) fn parts(self) -> (usize, usize) {
        (self.part, self.of)
    }

    /// Its rows of `count`.
    pub(crate) fn rows(self, count: usize) -> impl Iterator<Item = usize> {
        (self.part - 1..count).step_by(self.of)
    }

    /// Whether a row, of `count`, is one of them.
    pub(super) fn has(self, row: usize, count: usize) -> bool {
        let first = self.part - 1;
        (first..count).contains(&row) && (row - first).is_multiple_of(self.of)
    }

    /// The parts of one whole.
    pub(super) fn all(of: usize) -> impl Iterator<Item = Self> {
        (1..=of).map(move |part| Self { part, of })
    }
}

/// As it is typed.
impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.part, self.of)
    }
}

impl FromStr for Shard {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let numbers =
            text.split_once('/').and_then(|(part, of)| Some((part.parse().ok()?, of.parse().ok()?)));
        let (part, of) =
            numbers.ok_or_else(|| Error::value("shard", text, "a part of how many, such as 2/3"))?;
        Self::new(part, of)
    }
}

/// What an evaluation writes into the folder of a run: its own rows have `result.json`, `records.json`, `records.csv` and
/// `records.jsonl`; a shard of them `shard.2-of-3.jsonl`; other data, by their name, `result.NAME.json` and so on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    root: PathBuf,
    name: Option<String>,
    shard: Option<Shard>,
}

impl Place {
    fn file(&self, what: &str, extension: &str) -> PathBuf {
        self.root.join(match &self.name {
            Some(name) => format!("{what}.{name}.{extension}"),
            None => format!("{what}.{extension}"),
        })
    }

    /// What was found.
    pub fn result(&self) -> PathBuf {
        self.file("result", "json")
    }

    /// What was found for each row, by estimate.
    pub fn records(&self) -> PathBuf {
        self.file("records", "json")
    }

    /// The same as a table.
    pub fn table(&self) -> PathBuf {
        self.file("records", "csv")
    }

    /// The records as they came, from which an evaluation that was ended goes on.
    pub fn log(&self) -> PathBuf {
        match self.shard {
            Some(Shard { part, of }) => self.file("shard", &format!("{part}-of-{of}.jsonl")),
            None => self.file("records", "jsonl"),
        }
    }

    /// Takes the right to measure here; where another process has it, that is what is found.
    ///
    /// # Errors
    /// If the lock cannot be written.
    pub(crate) fn try_lock(&self) -> Result<std::result::Result<Lock, String>> {
        let log = self.log();
        let name = log.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let lock = Lock::attempt(&self.root, &lock_of(name))?;
        let mut own = vec![log.clone(), self.records(), self.table()];
        if self.shard.is_none() {
            own.push(self.result());
        }
        if lock.is_ok() {
            files::remove_abandoned(&self.root, &|name| {
                own.iter().any(|own| own.file_name().is_some_and(|own| own == name))
            });
        }
        Ok(lock.map_err(|holder| match holder {
            Some(process) => format!("process {process}, which measures it"),
            None => "another process, which measures it".to_owned(),
        }))
    }

    /// Takes the right to measure here.
    ///
    /// # Errors
    /// As [`try_lock`](Self::try_lock), and if another process has it.
    pub(crate) fn lock(&self) -> Result<Lock> {
        let expected = "one that no other process measures";
        self.try_lock()?.map_err(|found| Error::format(&self.root, "run folder", found, expected))
    }
}

/// The lock of a file of records.
fn lock_of(name: &str) -> String {
    format!(".{name}.lock")
}

impl RunFolder {
    /// Where the run's own rows are measured.
    pub(crate) fn place(&self) -> Place {
        Place { root: self.root.clone(), name: None, shard: None }
    }

    /// Where a shard of the run's own rows is measured.
    pub(crate) fn place_of_shard(&self, shard: Shard) -> Place {
        Place { shard: Some(shard), ..self.place() }
    }

    /// Where a rank measures its shard, for as long as all ranks measure.
    pub(crate) fn place_of_rank(&self, shard: Shard) -> Place {
        Place { name: Some("rank".to_owned()), ..self.place_of_shard(shard) }
    }

    /// Where other data are measured.
    pub(crate) fn place_of_data(&self, name: &str) -> Place {
        Place { name: Some(name.to_owned()), ..self.place() }
    }

    /// The files of shards, by their names.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub(crate) fn shards(&self) -> Result<Vec<PathBuf>> {
        self.shards_named("shard.")
    }

    /// The same of those that ranks measure, or measured before they were ended.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub(crate) fn shards_of_ranks(&self) -> Result<Vec<PathBuf>> {
        self.shards_named("shard.rank.")
    }

    /// Removes the files of ranks that nobody measures any more, and those of their locks.
    ///
    /// # Errors
    /// If one cannot be removed.
    pub(crate) fn remove_shards_of_ranks(&self, shards: &[PathBuf]) -> Result<()> {
        for shard in shards {
            let name = shard.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let lock = self.root.join(lock_of(name));
            for path in [shard, &lock].into_iter().filter(|path| path.exists()) {
                files::remove(path)?;
            }
        }
        Ok(())
    }

    fn shards_named(&self, start: &str) -> Result<Vec<PathBuf>> {
        let unreadable = || Error::io(&self.root, "read");
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.root).map_err(unreadable())? {
            let path = entry.map_err(unreadable())?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let shard = name.strip_prefix(start).and_then(|name| name.strip_suffix(".jsonl"));
            if shard.is_some_and(|shard| shard.replace("-of-", "/").parse::<Shard>().is_ok()) {
                found.push(path);
            }
        }
        found.sort();
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shards_deal_every_row_once() {
        let mut dealt: Vec<usize> = Shard::all(3).flat_map(|shard| shard.rows(10)).collect();
        assert_eq!("2/3".parse::<Shard>().unwrap().rows(10).collect::<Vec<_>>(), [1, 4, 7]);
        dealt.sort_unstable();
        assert!(dealt.iter().copied().eq(0..10));
        assert_eq!(Shard::new(5, 5).unwrap().rows(3).count(), 0);
        for text in ["0/3", "4/3", "1", "1/0", "a/b", "-1/2", ""] {
            let line = text.parse::<Shard>().unwrap_err().to_string();
            assert!(line.starts_with(&format!("shard = {text}: expected a part ")), "{line}");
        }
    }
}
