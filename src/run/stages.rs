//! `stages.json`: what each stage of training left.

use crate::error::{Error, Result};
use crate::files::write_atomically;
use crate::progress::null_is_nan;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A model at the end of a stage, measured on the same images with the same draws as every other stage's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageRecord {
    /// The stage, counted from 0.
    pub stage: usize,
    /// What it minimised, by name.
    pub objective: String,
    /// The last step of the stage, over all stages.
    pub step: u64,
    /// The dequantizer.
    pub dequantizer: String,
    /// The number of images.
    pub images: u64,
    /// The ODE's bound in bits/dim.
    #[serde(deserialize_with = "null_is_nan")]
    pub bits_per_dim: f64,
    /// Its standard error over images.
    #[serde(deserialize_with = "null_is_nan")]
    pub standard_error: f64,
    /// Evaluations of the network per image.
    pub evaluations_per_image: f64,
}

impl std::fmt::Display for StageRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "stage {} ({}), step {}: ode_{} {:.4} +- {:.4} bits/dim, {:.1} evaluations/image, {} images",
            self.stage,
            self.objective,
            self.step,
            self.dequantizer,
            self.bits_per_dim,
            self.standard_error,
            self.evaluations_per_image,
            self.images
        )
    }
}

impl StageRecord {
    /// Every record of a run; none if the file is not there.
    ///
    /// # Errors
    /// If it cannot be read or holds something else.
    pub fn read(path: &Path) -> Result<Vec<Self>> {
        if !path.exists() {
            return Ok(Vec::new());
        }
        let text = std::fs::read_to_string(path).map_err(Error::io(path, "read"))?;
        serde_json::from_str(&text).map_err(|error| {
            Error::format(path, format!("line {}", error.line()), error, "records of stages")
        })
    }

    /// Writes every record of a run, all of it or nothing.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn write(records: &[Self], path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(records)
            .map_err(|error| Error::format(path, "content", error, "values that JSON can hold"))?;
        write_atomically(path, (text + "\n").as_bytes())
    }
}
