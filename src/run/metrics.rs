//! `metrics.jsonl`: a line per logged training step, continued after a resume.

use crate::error::{Error, Result};
use crate::files::write_atomically;
use crate::progress::StepMetrics;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

/// The open file, to which lines are appended.
#[derive(Debug)]
pub struct MetricsLog {
    path: PathBuf,
    file: File,
}

impl MetricsLog {
    /// Opens the file for a run that continues after `step` (0 for a new one): lines of later
    /// steps, which will be trained again, are dropped, and so is a line that a crash cut short.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub fn open(path: &Path, step: u64) -> Result<Self> {
        if path.exists() {
            let kept: Vec<StepMetrics> =
                Self::read(path)?.into_iter().filter(|metrics| metrics.step <= step).collect();
            let mut text = String::new();
            for metrics in &kept {
                text.push_str(&line(path, metrics)?);
            }
            write_atomically(path, text.as_bytes())?;
        }
        let file =
            OpenOptions::new().create(true).append(true).open(path).map_err(Error::io(path, "write"))?;
        Ok(Self { path: path.to_owned(), file })
    }

    /// Appends a line.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn append(&mut self, metrics: &StepMetrics) -> Result<()> {
        let line = line(&self.path, metrics)?;
        self.file.write_all(line.as_bytes()).map_err(Error::io(&self.path, "write"))
    }

    /// Reads every line but a last one that a crash cut short.
    ///
    /// # Errors
    /// If the file cannot be read, or an earlier line holds something else.
    pub fn read(path: &Path) -> Result<Vec<StepMetrics>> {
        let text = std::fs::read_to_string(path).map_err(Error::io(path, "read"))?;
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let lines = whole.lines().enumerate();
        lines
            .map(|(index, line)| {
                serde_json::from_str(line).map_err(|error| {
                    Error::format(path, format!("line {}", index + 1), error, "the metrics of a step")
                })
            })
            .collect()
    }
}

fn line(path: &Path, metrics: &StepMetrics) -> Result<String> {
    serde_json::to_string(metrics)
        .map(|line| line + "\n")
        .map_err(|error| Error::format(path, "content", error, "values that JSON can hold"))
}
