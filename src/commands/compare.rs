//! Runs against each other.

use crate::comparison::{Comparison, Measured, PairedDifference, Reference};
use crate::error::Result;
use crate::plot::{self, Png};
use crate::run::RunFolder;
use std::path::PathBuf;

/// Compares measured runs with the first of them and with published figures, in one estimate or in all that they have in
/// common. Reads `result.json`, `records.json` and the recipe of each; writes nothing.
///
/// # Errors
/// A run without these files, and as [`Comparison::of`].
pub fn compare(runs: &[PathBuf], estimate: Option<&str>, references: &[Reference]) -> Result<Comparison> {
    let mut measured = Vec::with_capacity(runs.len());
    for path in runs {
        let run = RunFolder::open(path)?;
        let (k, conditions) = (run.recipe().evaluation.importance_samples, run.recipe().data.conditions());
        let name = path.display().to_string();
        measured.push(Measured::read(&name, [&run.result(), &run.records()], k, conditions)?);
    }
    Comparison::of(&measured, estimate, references)
}

/// Every image's value in later runs against those in the first; none where runs were compared with published figures only.
///
/// # Errors
/// If no image has a value in both.
pub fn scatter(comparison: &Comparison) -> Result<Option<Png>> {
    let Some(PairedDifference { baseline, unit, .. }) = comparison.differences.first() else {
        return Ok(None);
    };
    let several = comparison.differences.iter().any(|other| other.run != comparison.differences[0].run);
    let series = comparison.differences.iter().map(|difference| {
        let PairedDifference { estimate, run, pairs, .. } = difference;
        let label = if several { format!("{estimate}, {run}") } else { estimate.clone() };
        (label, pairs.clone())
    });
    let title = format!("{}, {} split: every image", comparison.data.name, comparison.data.split);
    let y = if several { "the other runs" } else { &comparison.differences[0].run };
    let axes = [format!("{baseline} ({unit})"), format!("{y} ({unit})")];
    plot::scatter(title, axes.each_ref().map(String::as_str), &series.collect::<Vec<_>>()).map(Some)
}
