//! What a run's files hold of one estimate.

use crate::error::{Error, Result};
use crate::progress::null_is_nan;
use crate::result::{DataRecord, Outcome, VLB};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// What a number bounds the likelihood by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bound {
    /// The estimate's name: see [`Estimate::name`](crate::result::Estimate::name).
    pub estimate: String,
    /// `K` of the K-sample bound; 1 for the VLB.
    pub importance_samples: u64,
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.importance_samples {
            1 => f.write_str(&self.estimate),
            k => write!(f, "{} with {k} importance samples", self.estimate),
        }
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
    /// Bits/dim of each image by its index; NaN where it has no value.
    pub images: BTreeMap<u64, f64>,
}

/// An image's part of `records.json` that all kinds of records have.
#[derive(Deserialize)]
struct Record {
    index: u64,
    #[serde(deserialize_with = "null_is_nan")]
    bits_per_dim: f64,
}

impl Measured {
    /// Every estimate of a run, in the order of its `result.json`; `run` is what it is called and `importance_samples` the
    /// `K` of its ODE's bounds.
    ///
    /// # Errors
    /// A file that cannot be read or holds something else, or an estimate without records.
    pub fn read(run: &str, result: &Path, records: &Path, importance_samples: u64) -> Result<Vec<Self>> {
        let outcome = Outcome::read(result)?;
        let text = std::fs::read_to_string(records).map_err(Error::io(records, "read"))?;
        let mut all: BTreeMap<String, Value> = serde_json::from_str(&text).map_err(|error| {
            Error::format(records, format!("line {}", error.line()), error, "records of images")
        })?;
        let of = |name: String| {
            let found = all.remove(&name).unwrap_or(Value::Null);
            let images = images(found).map_err(|found| {
                Error::format(records, &name, found, "a record for each image, by its index")
            })?;
            let k = if name == VLB { 1 } else { importance_samples };
            let bound = Bound { estimate: name, importance_samples: k };
            Ok(Self { run: run.to_owned(), data: outcome.data.clone(), bound, images })
        };
        outcome.estimates.into_iter().map(|estimate| estimate.name).map(of).collect()
    }

    /// The images that have a value.
    pub(super) fn values(&self) -> impl Iterator<Item = f64> + Clone + '_ {
        self.images.values().copied().filter(|value| value.is_finite())
    }
}

/// The images of an estimate: a list of records, or a table that has it under `records`.
fn images(mut found: Value) -> std::result::Result<BTreeMap<u64, f64>, String> {
    let list = match found.get_mut("records") {
        Some(list) => list.take(),
        None => found,
    };
    if list.is_null() {
        return Err("no records".to_owned());
    }
    let records: Vec<Record> = serde_json::from_value(list).map_err(|error| error.to_string())?;
    let count = records.len();
    let images: BTreeMap<u64, f64> = records.into_iter().map(|r| (r.index, r.bits_per_dim)).collect();
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
            let images = images(value).unwrap();
            assert_eq!(images.keys().copied().collect::<Vec<_>>(), [0, 3]);
            assert!(images[&0] == 1.5 && images[&3].is_nan());
        }
        assert_eq!(images(Value::Null), Err("no records".to_owned()));
        let twice = serde_json::json!([{"index": 1, "bits_per_dim": 1.5}, {"index": 1, "bits_per_dim": 2}]);
        assert_eq!(images(twice), Err("an index twice".to_owned()));
        assert_eq!(images(serde_json::json!([{"index": 1}])), Err("missing field `bits_per_dim`".to_owned()));
    }
}
