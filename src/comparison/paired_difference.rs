//! Two runs, or a run and a published figure, on the same data.

use super::{Measured, Reference, Unit};
use crate::error::{Error, Result};
use crate::math::Moments;
use crate::result::DataRecord;
use serde::Serialize;
use serde_json::Value;

/// Everything that was compared.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The data of the first run, which are those of every other.
    pub data: DataRecord,
    /// Each later run against the first.
    pub differences: Vec<PairedDifference>,
    /// Each run against each published figure.
    pub references: Vec<ReferenceDifference>,
}

/// The difference of two runs in one estimate, over the images that have a value in both.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PairedDifference {
    /// The estimate.
    pub estimate: String,
    /// The run that the other is compared with.
    pub baseline: String,
    /// The other.
    pub run: String,
    /// What the numbers are in.
    pub unit: Unit,
    /// The baseline's mean.
    pub baseline_value: f64,
    /// The other's mean.
    pub value: f64,
    /// The other's mean less the baseline's: below 0 where the other is better.
    pub difference: f64,
    /// The paired standard error of the difference, `sd(b - a) / sqrt(n)`; NaN of fewer than two images.
    pub standard_error: f64,
    /// What the standard error were if the images were not the same, `sqrt((sd(a)^2 + sd(b)^2) / n)`.
    pub unpaired_standard_error: f64,
    /// The images that have a value in both, `n`.
    pub images: usize,
    /// The images of those on which the other is better.
    pub better: usize,
    /// The images without a value in one of them.
    pub left_out: usize,
    /// The pairs of values, the baseline's first.
    #[serde(skip)]
    pub pairs: Vec<(f64, f64)>,
}

/// The difference of a run to a published figure, which has no images and no standard error.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReferenceDifference {
    /// The estimate.
    pub estimate: String,
    /// The published figure's name.
    pub reference: String,
    /// Where it was published.
    pub source: String,
    /// The run.
    pub run: String,
    /// What the numbers are in.
    pub unit: Unit,
    /// The published figure, as it was rounded.
    pub published_value: f64,
    /// The run's mean.
    pub value: f64,
    /// The run's mean less the published figure.
    pub difference: f64,
    /// The standard error of the run's mean alone.
    pub standard_error: f64,
    /// The images of the run that have a value.
    pub images: usize,
    /// Those that have none.
    pub left_out: usize,
}

impl Comparison {
    /// Each later run against the first and every run against each published figure, in every estimate that all have or in
    /// `estimate` alone. A run is the list of its estimates.
    ///
    /// # Errors
    /// No run, nothing to compare one with, or an estimate that is not there; and as [`PairedDifference::of`] and [`ReferenceDifference::of`].
    pub fn of(runs: &[Vec<Measured>], estimate: Option<&str>, references: &[Reference]) -> Result<Self> {
        let Some((first, later)) =
            runs.split_first().filter(|(_, later)| !(later.is_empty() && references.is_empty()))
        else {
            return Err(Error::value("runs", runs.len(), "two or more, or one and a published figure"));
        };
        let names = match estimate {
            Some(name) => vec![name],
            None => common(first, later),
        };
        let mut differences = Vec::new();
        for name in &names {
            for run in later {
                differences.push(PairedDifference::of(named(first, name)?, named(run, name)?)?);
            }
        }
        if !later.is_empty() && names.is_empty() {
            return Err(Error::value("estimates", "none that every run has", has(first)));
        }
        let mut to_references = Vec::new();
        for reference in references {
            for run in runs {
                let own = named(run, estimate.unwrap_or(reference.estimate))?;
                to_references.push(ReferenceDifference::of(reference, own)?);
            }
        }
        let data = named(first, first.first().map_or("", |measured| &measured.bound.estimate))?.data.clone();
        Ok(Self { data, differences, references: to_references })
    }
}

/// The estimates of a run that all the others have.
fn common<'m>(first: &'m [Measured], later: &[Vec<Measured>]) -> Vec<&'m str> {
    let mut names = Vec::new();
    for measured in first {
        let name = measured.bound.estimate.as_str();
        if later.iter().all(|run| named(run, name).is_ok()) {
            names.push(name);
        }
    }
    names
}

fn named<'m>(run: &'m [Measured], name: &str) -> Result<&'m Measured> {
    run.iter()
        .find(|measured| measured.bound.estimate == name)
        .ok_or_else(|| Error::value("estimate", format!("\"{name}\""), has(run)))
}

/// The estimates of a run, as what is expected.
fn has(run: &[Measured]) -> String {
    let mut names = Vec::with_capacity(run.len());
    for measured in run {
        names.push(measured.bound.estimate.as_str());
    }
    let whose = run.first().map_or("a run", |measured| &measured.run);
    format!("one that {whose} has: {}", names.join(", "))
}

impl PairedDifference {
    /// `run` less `baseline`.
    ///
    /// # Errors
    /// Unless both are the same bound on the same images of the same data: names the first thing that differs and both
    /// sides of it.
    pub fn of(baseline: &Measured, run: &Measured) -> Result<Self> {
        alike(baseline, run)?;
        let mut pairs = Vec::with_capacity(run.images.len());
        for (&a, &b) in baseline.images.values().zip(run.images.values()) {
            if a.is_finite() && b.is_finite() {
                pairs.push((a, b));
            }
        }
        let of = |value: fn(&(f64, f64)) -> f64| {
            let mut values = Vec::with_capacity(pairs.len());
            for pair in &pairs {
                values.push(value(pair));
            }
            Moments::of(&values)
        };
        let (a, b, d) = (of(|pair| pair.0), of(|pair| pair.1), of(|pair| pair.1 - pair.0));
        Ok(Self {
            estimate: run.bound.estimate.clone(),
            baseline: baseline.run.clone(),
            run: run.run.clone(),
            unit: run.unit,
            baseline_value: a.mean,
            value: b.mean,
            difference: d.mean,
            standard_error: d.standard_error(),
            unpaired_standard_error: a.standard_error().hypot(b.standard_error()),
            images: pairs.len(),
            better: pairs.iter().filter(|(a, b)| b < a).count(),
            left_out: baseline.images.len() - pairs.len(),
            pairs,
        })
    }
}

impl ReferenceDifference {
    /// `run` less a published figure.
    ///
    /// # Errors
    /// Unless both are the same kind of bound on the same split of the same data set, all of it: names the first thing that
    /// differs and both sides of it.
    pub fn of(reference: &Reference, run: &Measured) -> Result<Self> {
        reference.require(run)?;
        let values = run.values();
        let own = Moments::of(&values);
        let images = values.len();
        Ok(Self {
            estimate: run.bound.estimate.clone(),
            reference: reference.name.to_owned(),
            source: reference.source.to_owned(),
            run: run.run.clone(),
            unit: run.unit,
            published_value: reference.bits_per_dim,
            value: own.mean,
            difference: own.mean - reference.bits_per_dim,
            standard_error: own.standard_error(),
            images,
            left_out: run.images.len() - images,
        })
    }
}

/// Refuses `run` beside `baseline` unless their numbers mean the same.
fn alike(baseline: &Measured, run: &Measured) -> Result<()> {
    let Some((what, expected, found)) = differing(baseline, run) else { return Ok(()) };
    let (mut a, mut b) = (baseline.run.clone(), run.run.clone());
    if baseline.data.name != run.data.name {
        a = format!("{a} ({})", baseline.data.name);
        b = format!("{b} ({})", run.data.name);
    }
    Err(Error::value(format!("{what} of {b}"), found, format!("{expected}, as {a} has")))
}

/// The first thing that differs, and what each side has of it.
fn differing(a: &Measured, b: &Measured) -> Option<(String, String, String)> {
    if a.data.split != b.data.split {
        return Some(("split".to_owned(), a.data.split.clone(), b.data.split.clone()));
    }
    // By name, each once.
    let mut keys: Vec<&str> = Vec::new();
    for side in [a, b] {
        if let Some(print) = side.data.fingerprint.as_object() {
            for key in print.keys() {
                if let Err(at) = keys.binary_search(&key.as_str()) {
                    keys.insert(at, key);
                }
            }
        }
    }
    for key in keys {
        let (of_a, of_b) = (part(a, key), part(b, key));
        if of_a != of_b {
            return Some((format!("data's {key}"), of_a, of_b));
        }
    }
    for (what, words) in [
        ("unit", (|side| side.unit.to_string()) as fn(&Measured) -> String),
        ("bound", |side| side.bound.to_string()),
        ("images", indices),
    ] {
        let (of_a, of_b) = (words(a), words(b));
        if of_a != of_b {
            return Some((what.to_owned(), of_a, of_b));
        }
    }
    None
}

/// A part of the data's fingerprint as a message has it.
fn part(side: &Measured, key: &str) -> String {
    match side.data.fingerprint.get(key) {
        None => "nothing".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// How many images were measured, and which.
fn indices(side: &Measured) -> String {
    let mut ranges: Vec<(u64, u64)> = Vec::new();
    for &index in side.images.keys() {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == index => *last = index,
            _ => ranges.push((index, index)),
        }
    }
    let mut shown = Vec::with_capacity(ranges.len());
    for (first, last) in ranges {
        shown.push(format!("{first} to {last}"));
    }
    format!("{} (numbers {})", side.images.len(), shown.join(", "))
}
