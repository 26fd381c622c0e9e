//! The paper's published code, number for number: every case of a folder, through the public API only.
//!
//! The folder is the one that `IDODE_REFERENCE_DIR` names, or `tests/data/reference`; `IDODE_REFERENCE_ONLY=network,loss` leaves out all but
//! cases whose names begin so. Where the published code departs
//! from its own mathematics, a test composes the departure from public pieces.

#![allow(clippy::unwrap_used)]

mod case;
mod checkpoint;
mod full_size;
mod likelihood;
mod loss;
mod network;
mod place;
mod precision;
mod refusals;
mod report;
mod sample;
mod single;
mod time;
mod trace;

use case::{Case, Result};
use place::{Numbers, Place};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The cases of a folder. A file of arrays is a case, or holds the parameters of one.
fn cases(folder: &Path) -> Result<Vec<Case>> {
    let entries = std::fs::read_dir(folder).map_err(|e| format!("{}: {e}", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<PathBuf>>>()?;
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "safetensors"));
    paths.sort();
    let (mut cases, mut others) = (Vec::new(), Vec::new());
    for path in paths {
        match Case::read(&path).map_err(|e| format!("{}: {e}", path.display()))? {
            Some(case) => cases.push(case),
            None => others.push(path),
        }
    }
    let params: BTreeSet<PathBuf> =
        cases.iter().filter_map(|case| Some(case.folder.join(case.config.params.as_ref()?))).collect();
    if let Some(other) = others.iter().find(|path| !params.contains(*path)) {
        return Err(format!("{}: neither a case nor the parameters of one", other.display()).into());
    }
    if cases.is_empty() {
        return Err(format!("{}: no case", folder.display()).into());
    }
    Ok(cases)
}

/// The cases of the folder that were asked for: all, unless `IDODE_REFERENCE_ONLY` tells how their names begin.
fn asked() -> Result<Vec<Case>> {
    let mut cases = cases(&case::folder())?;
    if let Ok(only) = std::env::var("IDODE_REFERENCE_ONLY") {
        cases.retain(|case| only.split(',').any(|start| case.name.starts_with(start)));
        if cases.is_empty() {
            return Err(format!("IDODE_REFERENCE_ONLY = {only}: no case begins so").into());
        }
    }
    Ok(cases)
}

/// A case's line: its largest error relative to the largest entry.
fn check(case: &Case, place: Place) -> Result<String> {
    match case.config.kind.as_str() {
        "network" => network::check(case, place),
        "time" => time::check(case),
        "loss" => loss::check(case, place),
        "likelihood" => likelihood::check(case, place),
        "sample" => sample::check(case, place),
        "checkpoint" => checkpoint::check(case, place),
        kind => Err(format!("unknown kind \"{kind}\"").into()),
    }
}

fn every_case_agrees_in(numbers: Numbers) {
    let mut failures = Vec::new();
    for case in asked().unwrap() {
        match check(&case, Place::of(numbers)) {
            Ok(line) => println!("{}: {line}", case.name),
            Err(error) => {
                println!("{}: FAILS\n    {error}", case.name);
                failures.push(case.name);
            }
        }
    }
    assert!(failures.is_empty(), "{failures:?}");
}

#[test]
fn every_case_agrees() {
    every_case_agrees_in(Numbers::Single);
}

#[test]
fn every_case_agrees_on_the_portable_path_in_single_precision() {
    every_case_agrees_in(Numbers::PortableSingle);
}

#[test]
fn every_case_agrees_on_the_portable_path_in_double_precision() {
    every_case_agrees_in(Numbers::PortableDouble);
}
