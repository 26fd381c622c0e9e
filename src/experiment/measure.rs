//! The estimates of a run's likelihood, one after the other.

use crate::data::table::Table;
use crate::data::{Images, Labels, Visit};
use crate::error::{Error, Result};
use crate::likelihood::Summary;
use crate::model::Model;
use crate::result::{Estimate, VLB, ode_name};
use crate::run::{Observer, Phase, RunFolder, Watched};
use serde::Serialize;
use std::time::Instant;

/// The estimates, and what each found for each row.
pub(super) struct Found {
    pub(super) estimates: Vec<Estimate>,
    pub(super) records: serde_json::Map<String, serde_json::Value>,
}

/// A series of estimates that someone watches.
struct Series<'a> {
    run: &'a RunFolder,
    unit: &'static str,
    /// The numbers of a row, where it has units.
    dims: Option<usize>,
    rows: usize,
    observer: &'a mut dyn Observer,
    found: Found,
}

impl<'a> Series<'a> {
    fn new(
        run: &'a RunFolder,
        (unit, dims, rows): (&'static str, Option<usize>, usize),
        observer: &'a mut dyn Observer,
    ) -> Self {
        let found = Found { estimates: Vec::new(), records: serde_json::Map::new() };
        Self { run, unit, dims, rows, observer, found }
    }

    /// Makes one estimate; `phase` is what it is called meanwhile.
    fn add<R: Serialize>(
        &mut self,
        name: String,
        phase: &str,
        estimate: impl FnOnce(&mut dyn Observer) -> Result<(Summary, R)>,
    ) -> Result<()> {
        self.observer.start(&Phase { name: phase, unit: self.unit, done: 0, total: self.rows as u64 })?;
        let started = Instant::now();
        let (summary, records) = estimate(&mut *self.observer)?;
        self.observer.end()?;
        if summary.failures > 0 {
            let (failed, all) = (summary.failures, summary.failures + summary.images);
            let text =
                format!("{name}: {failed} of {all} {} have no value and are not in the mean", self.unit);
            self.observer.message(&text);
        }
        let estimate = summary.estimate(&name, started.elapsed().as_secs_f64());
        self.found.estimates.push(match self.dims {
            Some(dims) => estimate.of_rows(dims),
            None => estimate,
        });
        let records = serde_json::to_value(records).map_err(|error| {
            Error::format(self.run.records(), "content", error, "values that JSON can hold")
        })?;
        self.found.records.insert(name, records);
        Ok(())
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
    let mut series = Series::new(run, ("images", None, count), observer);
    series.add(VLB.to_owned(), "VLB", |observer| {
        let vlb = model.vlb(&pixels, labels, &mut Watched::new(observer))?;
        Ok((vlb.summary, vlb.records))
    })?;
    for (name, dequantizer) in model.dequantizers()? {
        let phase = format!("ODE, {}", name.replace('_', " "));
        let name = ode_name(&name);
        series.add(name.clone(), &phase, |observer| {
            let ode = model.ode(&pixels, labels, &*dequantizer, &mut Watched::new(observer))?;
            if let Some(noise) = &ode.probe_noise {
                observer.message(&format!(
                    "{name}: random probes make the K-sample bound too good by at most {:.4} bits/dim",
                    noise.bias_bound
                ));
            }
            Ok((ode.summary, ode))
        })?;
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
    let mut series = Series::new(run, ("rows", Some(rows.columns().len()), rows.rows()), observer);
    series.add(VLB.to_owned(), "VLB", |observer| {
        let vlb = model.vlb_of_density(rows, &mut Watched::new(observer))?;
        Ok((vlb.summary, vlb.records))
    })?;
    series.add(ode_name(""), "ODE", |observer| {
        let ode = model.density(rows, &mut Watched::new(observer))?;
        Ok((ode.summary, ode))
    })?;
    Ok(series.found)
}
