//! What a run's files hold of one estimate.

use crate::error::{Error, Result};
use crate::files::read_json;
use crate::progress::null_is_nan;
use crate::result::{DataRecord, Outcome, VLB};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::path::Path;

/// What a number bounds the likelihood by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The estimate's name: see [`Estimate::name`](crate::result::Estimate::name).
    pub estimate: String,
    /// `K` of the K-sample bound; 1 for the VLB.
    pub importance_samples: u64,
    /// How many numbers the likelihood is conditioned on: `log p(x | y)` is no `log p(x)`.
    pub conditions: usize,
}

/// What a value is in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Unit {
    /// Bits for each pixel's value of an image.
    #[serde(rename = "bits/dim")]
    BitsPerDim,
    /// Nats of a whole row of a table, in the units of its columns.
    #[serde(rename = "nats/row")]
    NatsPerRow,
}

impl std::fmt::Display for Unit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::BitsPerDim => "bits/dim",
            Self::NatsPerRow => "nats/row",
        })
    }
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.estimate)?;
        if self.importance_samples != 1 {
            write!(f, " with {} importance samples", self.importance_samples)?;
        }
        if self.conditions > 0 { write!(f, " given {} conditions", self.conditions) } else { Ok(()) }
    }
}

/// One estimate of one run, image by image.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// What the run is called: its folder.
    pub run: String,
    /// The data.
    pub data: DataRecord,
    /// The bound.
    pub bound: Bound,
    /// What values are in.
    pub unit: Unit,
    /// The value of each image by its index; NaN where it has none.
    pub images: BTreeMap<u64, f64>,
}

/// An image's part of `records.json` that all kinds of records have.
#[derive(Deserialize)]
struct Record {
    index: u64,
    #[serde(deserialize_with = "null_is_nan")]
    bits_per_dim: f64,
    #[serde(default)]
    nats_per_row: Option<f64>,
}

impl Measured {
    /// Every estimate of a run, in the order of its `result.json`; `run` is what it is called, `importance_samples` the
    /// `K` of its ODE's bounds and `conditions` how many its model has.
    ///
    /// # Errors
    /// A file that cannot be read or holds something else, or an estimate without records.
    pub fn read(
        run: &str,
        [result, records]: [&Path; 2],
        importance_samples: u64,
        conditions: usize,
    ) -> Result<Vec<Self>> {
        let outcome = Outcome::read(result)?;
        let mut all: Map<String, Value> = read_json(records, "records of images")?;
        let mut found = Vec::with_capacity(outcome.estimates.len());
        for estimate in outcome.estimates {
            let name = estimate.name;
            let unit = if estimate.nats_per_row.is_some() { Unit::NatsPerRow } else { Unit::BitsPerDim };
            let images = images(all.remove(&name).unwrap_or(Value::Null), unit).map_err(|found| {
                Error::format(records, &name, found, "a record for each image, by its index")
            })?;
            let importance_samples = if name == VLB { 1 } else { importance_samples };
            let bound = Bound { estimate: name, importance_samples, conditions };
            found.push(Self { run: run.to_owned(), data: outcome.data.clone(), bound, unit, images });
        }
        Ok(found)
    }

    /// The images that have a value.
    pub(super) fn values(&self) -> Vec<f64> {
        let mut values = Vec::with_capacity(self.images.len());
        for &value in self.images.values() {
            if value.is_finite() {
                values.push(value);
            }
        }
        values
    }
}

/// The images of an estimate: a list of records, or a table that has it under `records`.
fn images(mut found: Value, unit: Unit) -> std::result::Result<BTreeMap<u64, f64>, String> {
    let list = match found.get_mut("records") {
        Some(list) => list.take(),
        None => found,
    };
    if list.is_null() {
        return Err("no records".to_owned());
    }
    let records: Vec<Record> = serde_json::from_value(list).map_err(|error| error.to_string())?;
    let count = records.len();
    let mut images = BTreeMap::new();
    for record in records {
        let value = match unit {
            Unit::BitsPerDim => record.bits_per_dim,
            // JSON has null for NaN.
            Unit::NatsPerRow => record.nats_per_row.unwrap_or(f64::NAN),
        };
        images.insert(record.index, value);
    }
    if images.len() < count { Err("an index twice".to_owned()) } else { Ok(images) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_records_are_read() {
        let list = serde_json::json!([{"index": 0, "bits_per_dim": 1.5, "seed": 0}, {"index": 3, "bits_per_dim": null}]);
        let table = serde_json::json!({ "records": list, "summary": {} });
        for value in [list, table] {
            let images = images(value, Unit::BitsPerDim).unwrap();
            assert_eq!(images.keys().copied().collect::<Vec<_>>(), [0, 3]);
            assert!(images[&0] == 1.5 && images[&3].is_nan());
        }
        let rows = serde_json::json!([
            {"index": 0, "bits_per_dim": 1.5, "nats_per_row": 7.5},
            {"index": 1, "bits_per_dim": null, "nats_per_row": null}
        ]);
        let rows = images(rows, Unit::NatsPerRow).unwrap();
        assert!(rows[&0] == 7.5 && rows[&1].is_nan());
        let wrong = |value: Value| images(value, Unit::BitsPerDim).unwrap_err();
        assert_eq!(wrong(Value::Null), "no records");
        let twice = serde_json::json!([{"index": 1, "bits_per_dim": 1.5}, {"index": 1, "bits_per_dim": 2}]);
        assert_eq!(wrong(twice), "an index twice");
        assert_eq!(wrong(serde_json::json!([{"index": 1}])), "missing field `bits_per_dim`");
    }
}
