//! `metrics.jsonl`: a line per logged training step, continued after a resume.

use super::Observer;
use crate::error::{Error, Result};
use crate::files::{Appended, write_atomically};
use crate::progress::StepMetrics;
use std::path::{Path, PathBuf};

/// The open file, to which lines are appended.
#[derive(Debug)]
pub struct MetricsLog {
    path: PathBuf,
    file: Appended,
    last: Option<StepMetrics>,
}

impl MetricsLog {
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
                let is_last = last.as_ref().is_some_and(|last: &StepMetrics| last.step == step);
                match parse(path, index, line) {
                    // What follows the last line that counts may be anything.
                    _ if is_last => break,
                    Ok(metrics) if metrics.step > step => break,
                    Ok(metrics) => last = Some(metrics),
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
    pub fn last(&self) -> Option<&StepMetrics> {
        self.last.as_ref()
    }

    /// Appends a line.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn append(&mut self, metrics: &StepMetrics) -> Result<()> {
        let line = serde_json::to_string(metrics)
            .map_err(|error| Error::format(&self.path, "content", error, "values that JSON can hold"))?;
        self.file.add((line + "\n").as_bytes())
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
    pub fn read(path: &Path) -> Result<Vec<StepMetrics>> {
        let bytes = std::fs::read(path).map_err(Error::io(path, "read"))?;
        whole_lines(&bytes).enumerate().map(|(index, line)| parse(path, index, line)).collect()
    }
}

/// The lines that end, without their ends.
fn whole_lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split_inclusive(|&byte| byte == b'\n').filter_map(|line| line.strip_suffix(b"\n"))
}

fn parse(path: &Path, index: usize, line: &[u8]) -> Result<StepMetrics> {
    serde_json::from_slice(line)
        .map_err(|error| Error::format(path, format!("line {}", index + 1), error, "the metrics of a step"))
}

/// Writes `metrics.jsonl`: a line every so many steps, of each step that was passed over, or measured on validation rows, and of each that has a checkpoint, which is then on
/// the disk before it.
#[derive(Debug)]
pub struct MetricsWriter {
    log: MetricsLog,
    every: u64,
    /// The last step, until its line is written.
    last: Option<StepMetrics>,
}

impl MetricsWriter {
    /// Goes on with a file.
    pub fn new(log: MetricsLog, every: u64) -> Self {
        Self { log, every, last: None }
    }
}

impl Observer for MetricsWriter {
    fn step(&mut self, step: &StepMetrics) -> Result<()> {
        if step.step.is_multiple_of(self.every) || step.loss.is_nan() || step.validation.is_some() {
            self.last = None;
            return self.log.append(step);
        }
        self.last = Some(step.clone());
        Ok(())
    }

    fn checkpoint(&mut self, step: u64) -> Result<()> {
        if let Some(last) = self.last.take_if(|last| last.step == step) {
            self.log.append(&last)?;
        }
        self.log.sync()
    }
}
