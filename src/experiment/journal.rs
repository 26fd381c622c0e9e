//! An evaluation that goes on from its records.

use crate::config::Device;
use crate::data::Rows;
use crate::error::{Error, Result};
use crate::files::Lock;
use crate::likelihood::{Each, Record, SoFar};
use crate::model::Model;
use crate::result::DataRecord;
use crate::run::{Header, Observer, Phase, Place, RecordsLog, RunFolder, Shard, Watched};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use toml::Value;

/// The keys of a recipe that a record depends on; what the network and the data are is in their hashes.
const READ: [&str; 5] = ["range", "schedule", "parameterization", "time", "evaluation"];
/// The keys of its evaluation that no record depends on.
const UNREAD: [&str; 5] = ["images", "batch", "stage_images", "budget", "ladder"];
/// So many times in a batch records are put on the disk.
const IN_A_BATCH: usize = 8;

/// What is measured, and where it is written.
pub(super) struct Subject<'a> {
    pub(super) run: &'a RunFolder,
    pub(super) place: Place,
    pub(super) rows: &'a Rows,
    /// The part of the rows, unless it is the whole.
    pub(super) shard: Option<Shard>,
}

impl Subject<'_> {
    /// What the records of `count` rows are of.
    ///
    /// # Errors
    /// If the data cannot be read.
    pub(super) fn header(&self, model: &Model, count: usize) -> Result<Header> {
        let mut settings = toml::Table::new();
        for (key, value) in crate::config::ser::to_table(model.recipe())? {
            if READ.contains(&key.as_str()) {
                settings.insert(key, value);
            }
        }
        if let Some(evaluation) = settings.get_mut("evaluation").and_then(Value::as_table_mut) {
            UNREAD.iter().for_each(|key| drop(evaluation.remove(*key)));
        }
        // The same numbers on every GPU, others than on a processor.
        let device = if model.recipe().device == Device::Cpu { "cpu" } else { "cuda" };
        settings.insert("device".to_owned(), device.into());
        let (name, split) = self.rows.name();
        Ok(Header {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            checkpoint: model.checkpoint().to_owned(),
            step: model.step(),
            data: DataRecord { name, split: split.to_string(), fingerprint: self.rows.fingerprint()? },
            seed: model.recipe().evaluation.seed,
            settings: Value::Table(settings),
            shard: self.shard.map(|shard| (shard, count)),
        })
    }

    /// Says in the records that everything has been written.
    ///
    /// # Errors
    /// If they cannot be read or written.
    pub(super) fn finish(&self) -> Result<()> {
        RecordsLog::finish(&self.place.log())
    }
}

/// The records of a series of estimates.
pub(super) struct Journal {
    log: RecordsLog,
    rows: Vec<usize>,
    shard: Option<Shard>,
    /// So many records are put on the disk at once.
    at_once: usize,
}

impl Journal {
    /// The records of the first `count` rows, or of their part.
    ///
    /// # Errors
    /// If they cannot be read or written.
    pub(super) fn open(
        subject: &Subject<'_>,
        model: &Model,
        count: usize,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        let header = subject.header(model, count)?;
        let (log, said) = RecordsLog::open(&subject.place.log(), &header)?;
        said.iter().for_each(|said| observer.message(said));
        let rows = match subject.shard {
            Some(shard) => shard.rows(count).collect(),
            None => (0..count).collect(),
        };
        let at_once = (model.recipe().evaluation.batch as usize / IN_A_BATCH).max(1);
        Ok(Self { log, rows, shard: subject.shard, at_once })
    }

    /// Whether a part of the rows is measured.
    pub(super) fn is_of_a_shard(&self) -> bool {
        self.shard.is_some()
    }

    /// The records of an estimate, in order: those that are there, and the others, which `estimate` gives. Of the latter each is on the disk
    /// soon after it came, and all when the end is asked for.
    ///
    /// # Errors
    /// Those of `estimate`, and if records cannot be read or written.
    pub(super) fn fill<R: Record + Serialize + DeserializeOwned>(
        &mut self,
        (name, phase, unit): (&str, &str, &str),
        observer: &mut dyn Observer,
        estimate: &mut dyn FnMut(Each<'_, R>) -> Result<()>,
    ) -> Result<Vec<R>> {
        let mut found = Slots { rows: &self.rows, records: vec![None; self.rows.len()] };
        found.put(&self.log.records(name)?);
        let there: Vec<R> = found.records.iter().copied().flatten().collect();
        let missing = found.missing();
        let total = self.rows.len() as u64;
        observer.start(&Phase { name: phase, unit, done: there.len() as u64, total })?;
        let mut so_far = SoFar::default();
        so_far.add(&there, &mut Watched::new(&mut *observer))?;
        if !missing.is_empty() {
            let (log, at_once) = (&mut self.log, self.at_once);
            let mut waiting: Vec<(usize, R)> = Vec::new();
            let ended = estimate(Each {
                rows: &missing,
                take: &mut |records| {
                    waiting.extend(records.iter().map(|record| (record.index(), *record)));
                    found.put(records);
                    if waiting.len() >= at_once {
                        log.add(name, &waiting)?;
                        waiting.clear();
                    }
                    so_far.add(records, &mut Watched::new(&mut *observer))
                },
            });
            if !waiting.is_empty() && matches!(ended, Ok(()) | Err(Error::Interrupted)) {
                log.add(name, &waiting)?;
            }
            ended?;
        }
        observer.end()?;
        Ok(found.records.into_iter().flatten().collect())
    }
}

/// A place for the record of each of some rows, which rise.
struct Slots<'r, R> {
    rows: &'r [usize],
    records: Vec<Option<R>>,
}

impl<R: Record> Slots<'_, R> {
    /// Puts records into their places; those of other rows have none.
    fn put(&mut self, records: &[R]) {
        for record in records {
            if let Ok(at) = self.rows.binary_search(&record.index()) {
                self.records[at] = Some(*record);
            }
        }
    }

    /// The rows without a record.
    fn missing(&self) -> Vec<usize> {
        self.rows
            .iter()
            .zip(&self.records)
            .filter(|(_, record)| record.is_none())
            .map(|(row, _)| *row)
            .collect()
    }
}

/// The right to measure a run, as soon as whoever measures it now has ended.
///
/// # Errors
/// If the lock cannot be written, or the end is asked for meanwhile.
pub(super) fn waited_for(run: &RunFolder, observer: &mut dyn Observer) -> Result<Lock> {
    let place = run.place();
    let mut said = false;
    loop {
        match place.try_lock()? {
            Ok(lock) => return Ok(lock),
            Err(found) if !said => {
                said = true;
                observer.message(&format!("{}: waits for {found}", run.root().display()));
            }
            Err(_) if observer.stop().is_some() => return Err(Error::Interrupted),
            Err(_) => std::thread::sleep(Duration::from_millis(100)),
        }
    }
}
