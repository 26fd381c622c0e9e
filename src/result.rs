//! What evaluations found: of a finished run, as `result.json` holds it, and after each stage, as `stages.json` does.

use crate::budget::Budget;
use crate::dequantization::nats_to_bits_per_dim;
use crate::error::Result;
use crate::files::{indented_json, read_json, write_atomically};
use crate::progress::null_is_nan;
use crate::tensor::Precision;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// The name of the VLB among the estimates.
pub(crate) const VLB: &str = "vlb";

/// The name of the ODE's estimate with a dequantizer: `ode_truncated_normal`, ...; of rows that are no images, without one: `ode`.
pub(crate) fn ode_name(dequantizer: &str) -> String {
    match dequantizer {
        "" => "ode".to_owned(),
        _ => format!("ode_{dequantizer}"),
    }
}

/// One estimate of the likelihood.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// `vlb`, or `ode_` and the name of a dequantizer.
    pub name: String,
    /// The mean over images, in bits/dim.
    #[serde(deserialize_with = "null_is_nan")]
    pub bits_per_dim: f64,
    /// The standard error of that mean over images, in bits/dim.
    #[serde(deserialize_with = "null_is_nan")]
    pub standard_error: f64,
    /// The mean in nats a row of the user's units, for rows that are no images: a negative log-density, or with columns on a grid the
    /// negative logarithm of a density of some and a probability of the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nats_per_row: Option<f64>,
    /// The standard error of that mean over rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nats_per_row_standard_error: Option<f64>,
    /// The number of images, or rows, in the mean.
    pub images: u64,
    /// The images that have no value and are not in the mean.
    #[serde(default)]
    pub failures: u64,
    /// Evaluations of the network per image.
    pub evaluations_per_image: f64,
    /// How long it took, where it was measured just now: what is written is the same whenever that is.
    #[serde(skip)]
    pub seconds: f64,
    /// The parts of its uncertainty, where they were asked for: in nats a row where the estimate is, else in bits/dim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
}

impl Estimate {
    /// The same of rows of `dims` numbers, in their units.
    pub(crate) fn of_rows(self, dims: usize) -> Self {
        let per_bit = dims as f64 * std::f64::consts::LN_2;
        let nats = |bits: f64| Some(bits * per_bit);
        let (nats_per_row, nats_per_row_standard_error) =
            (nats(self.bits_per_dim), nats(self.standard_error));
        let budget = self.budget.map(|budget| budget.times(per_bit));
        Self { nats_per_row, nats_per_row_standard_error, budget, ..self }
    }

    /// What its value and its budget are in.
    pub fn unit(&self) -> &'static str {
        if self.nats_per_row.is_some() { "nats/row" } else { "bits/dim" }
    }
}

/// A model so simple that every trained one must beat it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// What it is, in words.
    pub name: String,
    /// Its value on the same rows, in bits/dim.
    pub bits_per_dim: f64,
    /// The same in nats a row of the user's units, for rows that are no images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nats_per_row: Option<f64>,
}

impl Baseline {
    /// A value in bits/dim.
    pub(crate) fn bits(name: &str, bits_per_dim: f64) -> Self {
        Self { name: name.to_owned(), bits_per_dim, nats_per_row: None }
    }

    /// A value in nats a row of `dims` numbers.
    pub(crate) fn nats(name: &str, nats_per_row: f64, dims: usize) -> Self {
        let bits_per_dim = nats_to_bits_per_dim(nats_per_row, dims);
        Self { name: name.to_owned(), bits_per_dim, nats_per_row: Some(nats_per_row) }
    }
}

/// The images that were measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DataRecord {
    /// The data set's name.
    pub name: String,
    /// The split: "test".
    pub split: String,
    /// What tells this data set from every other: count, shape, levels, hash.
    pub fingerprint: serde_json::Value,
}

/// The content of `result.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The images.
    pub data: DataRecord,
    /// The training step of the parameters.
    pub step: u64,
    /// The seed of the evaluation's draws.
    pub seed: u64,
    /// What the products of the estimates were made in; written where it is not `f32`.
    #[serde(default, skip_serializing_if = "Precision::is_f32")]
    pub precision: Precision,
    /// The same of training.
    #[serde(default, skip_serializing_if = "Precision::is_f32")]
    pub training_precision: Precision,
    /// The simplest model on the same images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Baseline>,
    /// The estimates, in the order in which they were made.
    pub estimates: Vec<Estimate>,
    /// The model after each stage of a recipe with several.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<StageRecord>,
}

impl Outcome {
    /// Whether every image has a value in every estimate.
    pub fn is_whole(&self) -> bool {
        self.estimates.iter().all(|estimate| estimate.failures == 0)
    }

    /// Writes `result.json`, all of it or nothing.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        write_atomically(path, indented_json(path, self)?.as_bytes())
    }

    /// Reads a `result.json`.
    ///
    /// # Errors
    /// If the file cannot be read, or is not one.
    pub fn read(path: &Path) -> Result<Self> {
        read_json(path, "a result")
    }
}

/// A model at the end of a stage, measured on the same images with the same draws as every other stage's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StageRecord {
    /// The stage, counted from 0.
    pub stage: usize,
    /// What it minimised, by name.
    pub objective: String,
    /// The last step of the stage, over all stages.
    pub step: u64,
    /// The dequantizer; empty for rows that are no images.
    pub dequantizer: String,
    /// The number of images in the mean.
    pub images: u64,
    /// The images that have no value and are not in the mean.
    #[serde(default)]
    pub failures: u64,
    /// The ODE's bound in bits/dim.
    #[serde(deserialize_with = "null_is_nan")]
    pub bits_per_dim: f64,
    /// Its standard error over images.
    #[serde(deserialize_with = "null_is_nan")]
    pub standard_error: f64,
    /// Evaluations of the network per image.
    pub evaluations_per_image: f64,
}

/// The number of images in a mean, in words: of how many, where some have no value.
pub(crate) fn images(images: u64, failures: u64) -> String {
    if failures == 0 { images.to_string() } else { format!("{images} of {}", images + failures) }
}

impl std::fmt::Display for StageRecord {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // A single image tells nothing of its error.
        let error = match self.standard_error {
            error if error.is_nan() => String::new(),
            error => format!(" +- {error:.4}"),
        };
        write!(
            f,
            "stage {} ({}), step {}: {} {:.4}{error} bits/dim, {:.1} evaluations/image, {} images",
            self.stage,
            self.objective,
            self.step,
            ode_name(&self.dequantizer),
            self.bits_per_dim,
            self.evaluations_per_image,
            images(self.images, self.failures)
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
        read_json(path, "records of stages")
    }

    /// Writes every record of a run, all of it or nothing.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub(crate) fn write(records: &[Self], path: &Path) -> Result<()> {
        write_atomically(path, indented_json(path, &records)?.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comes_back_equal_under_the_promised_names() {
        let estimate = Estimate {
            name: ode_name("truncated_normal"),
            bits_per_dim: 1.93,
            standard_error: 0.0125,
            nats_per_row: None,
            nats_per_row_standard_error: None,
            images: 297,
            failures: 0,
            evaluations_per_image: 98.5,
            seconds: 12.25,
            budget: None,
        };
        let fingerprint = serde_json::json!({ "count": 297 });
        let outcome = Outcome {
            data: DataRecord { name: "digits".into(), split: "test".into(), fingerprint },
            step: 1400,
            seed: 0,
            precision: Precision::Tf32,
            training_precision: Precision::F32,
            baseline: Some(Baseline::bits("independent pixels", 2.364)),
            estimates: vec![estimate],
            stages: Vec::new(),
        };
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("result.json");
        outcome.write(&path).unwrap();
        let mut written = outcome;
        written.estimates[0].seconds = 0.0;
        assert_eq!(Outcome::read(&path).unwrap(), written);
        let value: serde_json::Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(value["data"]["split"], "test");
        assert_eq!(value["precision"], "tf32");
        assert!(value.get("training_precision").is_none());
        let names: Vec<&String> = value["estimates"][0].as_object().unwrap().keys().collect();
        let promised =
            ["bits_per_dim", "evaluations_per_image", "failures", "images", "name", "standard_error"];
        assert_eq!(names, promised);
        assert_eq!(value["estimates"][0]["name"], "ode_truncated_normal");
    }

    #[test]
    fn a_stage_measured_on_one_image_says_no_error() {
        let two = StageRecord {
            stage: 1,
            objective: "first_order".into(),
            step: 24,
            dequantizer: "uniform".into(),
            images: 2,
            failures: 0,
            bits_per_dim: 2.5,
            standard_error: 0.125,
            evaluations_per_image: 7.0,
        };
        let said =
            "stage 1 (first_order), step 24: ode_uniform 2.5000 +- 0.1250 bits/dim, 7.0 evaluations/image";
        assert_eq!(two.to_string(), format!("{said}, 2 images"));
        let one = StageRecord { images: 1, standard_error: f64::NAN, ..two };
        assert_eq!(one.to_string(), format!("{}, 1 images", said.replace(" +- 0.1250", "")));
    }

    /// A budget is in the unit of its estimate.
    #[test]
    fn a_budget_of_rows_is_in_nats_and_comes_back_equal() {
        let summary = crate::likelihood::Summary {
            bits_per_dim: 1.0,
            standard_error: 0.5,
            images: 2,
            failures: 0,
            evaluations_per_image: 1.0,
        };
        let budget = Budget {
            data: None,
            dequantization: Some(1.0),
            probe: Some(0.0),
            solver: Some(-2.0),
            total: None,
            images: 1,
            draws: 4,
            probes: 1,
            negative: vec!["data".into()],
            finer: None,
        };
        let estimate = Estimate { budget: Some(budget), ..summary.estimate("ode", 0.0) }.of_rows(3);
        let per_bit = 3.0 * std::f64::consts::LN_2;
        let found = estimate.budget.as_ref().unwrap();
        assert_eq!(
            (found.data, found.dequantization, found.solver),
            (None, Some(per_bit), Some(-2.0 * per_bit))
        );
        assert_eq!((estimate.unit(), estimate.nats_per_row), ("nats/row", Some(per_bit)));
        let text = serde_json::to_string(&estimate).unwrap();
        assert_eq!(serde_json::from_str::<Estimate>(&text).unwrap(), estimate);
    }
}
