//! The estimates of a run's likelihood, one after the other.

use super::budget::{self, Kind, Values};
use crate::data::table::Table;
use crate::data::{Images, Labels, Visit};
use crate::error::{Error, Result};
use crate::likelihood::Summary;
use crate::model::Model;
use crate::progress::Progress;
use crate::result::{Estimate, VLB, ode_name};
use crate::run::{Observer, Phase, RunFolder, Watched};
use serde::Serialize;
use std::time::Instant;

/// The estimates, and what each found for each row.
pub(super) struct Found {
    pub(super) estimates: Vec<Estimate>,
    pub(super) records: serde_json::Map<String, serde_json::Value>,
}

/// The VLB draws noise and levels, once, and solves nothing.
const OF_VLB: Kind = Kind { draws: Some(1), solved: false };

/// A series of estimates that someone watches.
struct Series<'a> {
    run: &'a RunFolder,
    model: &'a Model,
    unit: &'static str,
    /// The numbers of a row, where it has units.
    dims: Option<usize>,
    rows: usize,
    observer: &'a mut dyn Observer,
    found: Found,
}

impl<'a> Series<'a> {
    fn new(
        (run, model): (&'a RunFolder, &'a Model),
        (unit, dims, rows): (&'static str, Option<usize>, usize),
        observer: &'a mut dyn Observer,
    ) -> Self {
        let found = Found { estimates: Vec::new(), records: serde_json::Map::new() };
        Self { run, model, unit, dims, rows, observer, found }
    }

    /// Makes one estimate, of so many rows with a model's settings; `phase` is what it is called meanwhile. With it, if the recipe asks
    /// for one, its error budget. Gives what was found for each row.
    fn add<R: Serialize + Values>(
        &mut self,
        name: &str,
        phase: &str,
        kind: Kind,
        estimate: impl Fn(&Model, usize, &mut dyn Progress) -> Result<(Summary, R)>,
    ) -> Result<R> {
        self.observer.start(&Phase { name: phase, unit: self.unit, done: 0, total: self.rows as u64 })?;
        let started = Instant::now();
        let (summary, records) = estimate(self.model, self.rows, &mut Watched::new(&mut *self.observer))?;
        self.observer.end()?;
        if summary.failures > 0 {
            let (failed, all) = (summary.failures, summary.failures + summary.images);
            let text =
                format!("{name}: {failed} of {all} {} have no value and are not in the mean", self.unit);
            self.observer.message(&text);
        }
        let mut found = summary.estimate(name, started.elapsed().as_secs_f64());
        let evaluation = &self.model.recipe().evaluation;
        if evaluation.budget {
            let again = |model: &Model, rows, progress: &mut dyn Progress| {
                estimate(model, rows, progress).map(|(_, records)| records.values())
            };
            let values = records.values();
            found.budget = Some(budget::of(name, kind, &values, self.model, again, &mut *self.observer)?);
        }
        let found = match self.dims {
            Some(dims) => found.of_rows(dims),
            None => found,
        };
        budget::said(&found, evaluation).iter().for_each(|line| self.observer.message(line));
        self.found.estimates.push(found);
        let text = serde_json::to_value(&records).map_err(|error| {
            Error::format(self.run.records(), "content", error, "values that JSON can hold")
        })?;
        self.found.records.insert(name.to_owned(), text);
        Ok(records)
    }
}

/// The VLB, and the ODE's bound with each dequantizer, of the first `count` images.
///
/// # Errors
/// Images that cannot be read, or whatever stops an estimate.
pub(super) fn images(
    run: &RunFolder,
    model: &Model,
    images: &Images,
    count: usize,
    observer: &mut dyn Observer,
) -> Result<Found> {
    let visits: Vec<Visit> = (0..count).map(Visit::from).collect();
    let pixels = images.source().batch(&visits)?;
    let labels = images.labels().map(Labels::values).map_or(&[][..], |labels| &labels[..count]);
    let dims = model.shape().dims();
    let first = |rows: usize| (&pixels[..rows * dims], labels.get(..rows).unwrap_or_default());
    let mut series = Series::new((run, model), ("images", None, count), observer);
    series.add(VLB, "VLB", OF_VLB, |model, rows, progress| {
        let (pixels, labels) = first(rows);
        let vlb = model.vlb(pixels, labels, progress)?;
        Ok((vlb.summary, vlb.records))
    })?;
    for (name, dequantizer) in model.dequantizers()? {
        let phase = format!("ODE, {}", name.replace('_', " "));
        let name = ode_name(&name);
        let kind = Kind { draws: Some(model.recipe().evaluation.draws), solved: true };
        let ode = series.add(&name, &phase, kind, |model, rows, progress| {
            let (pixels, labels) = first(rows);
            let ode = model.ode(pixels, labels, &*dequantizer, progress)?;
            Ok((ode.summary, ode))
        })?;
        if let Some(noise) = &ode.probe_noise {
            series.observer.message(&format!(
                "{name}: random probes make the K-sample bound too good by at most {:.4} bits/dim",
                noise.bias_bound
            ));
        }
    }
    Ok(series.found)
}

/// The VLB and the ODE's log-density of rows of a table.
///
/// # Errors
/// Whatever stops an estimate.
pub(super) fn table(
    run: &RunFolder,
    model: &Model,
    rows: &Table,
    observer: &mut dyn Observer,
) -> Result<Found> {
    let count = rows.rows();
    let mut series = Series::new((run, model), ("rows", Some(rows.columns().len()), count), observer);
    series.add(VLB, "VLB", OF_VLB, |model, count, progress| {
        let vlb = model.vlb_of_density(&rows.truncated(count), progress)?;
        Ok((vlb.summary, vlb.records))
    })?;
    // Nothing is drawn of rows without a grid.
    let drawn = model.schema().is_some_and(|schema| !schema.grid().is_empty());
    let kind = Kind { draws: drawn.then_some(model.recipe().evaluation.draws), solved: true };
    series.add(&ode_name(""), "ODE", kind, |model, count, progress| {
        let ode = model.density(&rows.truncated(count), progress)?;
        Ok((ode.summary, ode))
    })?;
    Ok(series.found)
}
