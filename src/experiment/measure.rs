//! The estimates of a likelihood, one after the other.

use super::budget::{self, Kind};
use super::journal::{Journal, Subject};
use crate::data::table::Table;
use crate::data::{Images, Labels, Rows, Visit};
use crate::error::Result;
use crate::files::json_value;
use crate::likelihood::{Each, ImageRecord, OdeEstimate, Record, Summary, collected};
use crate::model::Model;
use crate::progress::Progress;
use crate::result::{Estimate, VLB, ode_name};
use crate::run::Observer;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Instant;

/// The estimates, and what each found for each row: as JSON has it, and as a table.
#[derive(Default)]
pub(super) struct Found {
    pub(super) estimates: Vec<Estimate>,
    pub(super) records: serde_json::Map<String, serde_json::Value>,
    pub(super) table: String,
}

/// Measures the first `count` rows of a subject.
///
/// # Errors
/// Whatever stops an estimate.
pub(super) fn rows(
    subject: &Subject<'_>,
    model: &Model,
    count: usize,
    observer: &mut dyn Observer,
) -> Result<Found> {
    match subject.rows {
        Rows::Images(held_out) => images(subject, model, held_out, count, observer),
        Rows::Table(held_out) => table(subject, model, &held_out.rows.truncated(count), observer),
    }
}

/// The VLB draws noise and levels, once, and solves nothing.
const OF_VLB: Kind = Kind { draws: Some(1), solved: false };

/// A series of estimates that someone watches.
struct Series<'a> {
    subject: &'a Subject<'a>,
    model: &'a Model,
    journal: Journal,
    unit: &'static str,
    /// The numbers of a row, where it has units.
    dims: Option<usize>,
    observer: &'a mut dyn Observer,
    found: Found,
}

impl<'a> Series<'a> {
    fn new(
        (subject, model): (&'a Subject<'a>, &'a Model),
        (unit, dims, rows): (&'static str, Option<usize>, usize),
        observer: &'a mut dyn Observer,
    ) -> Result<Self> {
        let journal = Journal::open(subject, model, rows, observer)?;
        let table = "estimate,index,value,standard_error,evaluations,status\n".to_owned();
        let found = Found { table, ..Found::default() };
        Ok(Self { subject, model, journal, unit, dims, observer, found })
    }

    /// Makes one estimate; `each` gives its records with a model's settings, `of` what is kept of all of them, and `phase` is what it is
    /// called meanwhile. With it, if the recipe asks for one, its error budget. Gives what is kept; of a shard nothing.
    fn add<R: Record + Serialize + DeserializeOwned, F: Serialize>(
        &mut self,
        (name, phase, kind): (&str, &str, Kind),
        each: &dyn Fn(&Model, Each<'_, R>) -> Result<()>,
        of: &dyn Fn(Vec<R>) -> Result<F>,
    ) -> Result<Option<F>> {
        let started = Instant::now();
        let records = self
            .journal
            .fill((name, phase, self.unit), &mut *self.observer, &mut |rows| each(self.model, rows))?;
        if self.journal.is_of_a_shard() {
            return Ok(None);
        }
        let summary = Summary::of_records(&records);
        if summary.failures > 0 {
            let (failed, all) = (summary.failures, summary.failures + summary.images);
            let text =
                format!("{name}: {failed} of {all} {} have no value and are not in the mean", self.unit);
            self.observer.message(&text);
        }
        let mut found = summary.estimate(name, started.elapsed().as_secs_f64());
        let evaluation = &self.model.recipe().evaluation;
        let bits = |records: &[R]| -> Vec<f64> {
            records.iter().map(|record| record.value().unwrap_or(f64::NAN)).collect()
        };
        if evaluation.budget {
            let again = |model: &Model, rows, progress: &mut dyn Progress| {
                Ok(bits(&collected(rows, progress, &mut |rows| each(model, rows))?))
            };
            let values = bits(&records);
            found.budget = Some(budget::of(name, kind, &values, self.model, &again, &mut *self.observer)?);
        }
        let found = match self.dims {
            Some(dims) => found.of_rows(dims),
            None => found,
        };
        budget::said(&found, evaluation).iter().for_each(|line| self.observer.message(line));
        self.found.estimates.push(found);
        let per_bit = self.dims.map_or(1.0, |dims| dims as f64 * std::f64::consts::LN_2);
        self.found.table.extend(records.iter().map(|record| line(name, record, per_bit)));
        let kept = of(records)?;
        let value = json_value(&self.subject.place.records(), &kept)?;
        self.found.records.insert(name.to_owned(), value);
        Ok(Some(kept))
    }
}

/// A record as a line of a table, its value in bits/dim times `per_bit`; what there is none of is empty.
fn line<R: Record>(name: &str, record: &R, per_bit: f64) -> String {
    let number = |bits: Option<f64>| {
        bits.filter(|bits| bits.is_finite()).map_or_else(String::new, |bits| (bits * per_bit).to_string())
    };
    let [value, error] = [record.value(), record.standard_error()].map(number);
    format!("{name},{},{value},{error},{},{}\n", record.index(), record.evaluations(), record.status())
}

/// The VLB, and the ODE's bound with each dequantizer, of the first `count` images.
///
/// # Errors
/// Images that cannot be read, or whatever stops an estimate.
fn images(
    subject: &Subject<'_>,
    model: &Model,
    images: &Images,
    count: usize,
    observer: &mut dyn Observer,
) -> Result<Found> {
    let visits: Vec<Visit> = (0..count).map(Visit::from).collect();
    let pixels = &images.source().batch(&visits)?;
    let labels = images.labels().map(Labels::values).map_or(&[][..], |labels| &labels[..count]);
    let mut series = Series::new((subject, model), ("images", None, count), observer)?;
    series.add((VLB, "VLB", OF_VLB), &|model, rows| model.each_vlb(pixels, labels, rows), &Ok)?;
    for (name, dequantizer) in model.dequantizers()? {
        let phase = format!("ODE, {}", name.replace('_', " "));
        let name = ode_name(&name);
        let kind = Kind { draws: Some(model.recipe().evaluation.draws), solved: true };
        let each =
            |model: &Model, rows: Each<'_, ImageRecord>| model.each_ode(pixels, labels, &*dequantizer, rows);
        let ode = series.add((&name, &phase, kind), &each, &|records| model.ode_of(records))?;
        if let Some(noise) = ode.and_then(|ode| ode.probe_noise) {
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
fn table(subject: &Subject<'_>, model: &Model, rows: &Table, observer: &mut dyn Observer) -> Result<Found> {
    let count = rows.rows();
    let dims = Some(rows.columns().len());
    let mut series = Series::new((subject, model), ("rows", dims, count), observer)?;
    series.add((VLB, "VLB", OF_VLB), &|model, own| model.each_vlb_of_density(rows, own), &Ok)?;
    // Nothing is drawn of rows without a grid.
    let drawn = model.schema().is_some_and(|schema| !schema.grid().is_empty());
    let kind = Kind { draws: drawn.then_some(model.recipe().evaluation.draws), solved: true };
    let of = |records| Ok(OdeEstimate::of(records, None));
    series.add((&ode_name(""), "ODE", kind), &|model, own| model.each_density(rows, own), &of)?;
    Ok(series.found)
}

/// The estimates of a model's rows, by name.
///
/// # Errors
/// A dequantizer that cannot be used.
pub(super) fn names(model: &Model) -> Result<Vec<String>> {
    let ode: Vec<String> = match model.schema() {
        Some(_) => vec![ode_name("")],
        None => model.dequantizers()?.iter().map(|(name, _)| ode_name(name)).collect(),
    };
    Ok(std::iter::once(VLB.to_owned()).chain(ode).collect())
}
