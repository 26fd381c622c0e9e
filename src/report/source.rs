//! What a page is made of.

use crate::data::{ImageSet, Images, Rows, Visit};
use crate::error::{Error, Result};
use crate::experiment::Experiment;
use crate::nn::count;
use crate::plot::{self, Png};
use crate::progress::StepMetrics;
use crate::registry::Registry;
use crate::result::Outcome;
use crate::run::{MetricsLog, RunFolder};
use dfdx::prelude::Cpu;

/// The files of a run, and what its recipe names.
pub(super) struct Source<'a> {
    pub(super) run: &'a RunFolder,
    pub(super) outcome: Option<Outcome>,
    pub(super) metrics: Vec<StepMetrics>,
    /// The rows that were measured, or why they cannot be shown.
    pub(super) held_out: Result<Rows>,
    /// The number of parameters, where the registry has the network.
    pub(super) parameters: Option<u64>,
}

impl<'a> Source<'a> {
    /// Reads what there is.
    ///
    /// # Errors
    /// A file of the run that is corrupt.
    pub(super) fn read(run: &'a RunFolder, registry: &Registry) -> Result<Self> {
        let outcome = if run.result().exists() { Some(Outcome::read(&run.result())?) } else { None };
        let metrics = if run.metrics().exists() { MetricsLog::read(&run.metrics())? } else { Vec::new() };
        let experiment = Experiment::named(&Cpu::default(), run.recipe(), registry);
        let held_out = match &experiment {
            Ok(experiment) => experiment.held_out(),
            Err(_) => Err(Error::value("recipe", "parts of a program", "names that the registry has")),
        };
        let held_out = held_out.and_then(|rows| same(rows, outcome.as_ref()));
        let network = experiment.and_then(|experiment| experiment.fresh());
        let parameters = network.ok().map(|network| count(&network) as u64);
        Ok(Self { run, outcome, metrics, held_out, parameters })
    }
}

/// The rows, if they are those of the result.
fn same(rows: Rows, outcome: Option<&Outcome>) -> Result<Rows> {
    match outcome {
        Some(outcome) if rows.fingerprint()? != outcome.data.fingerprint => {
            Err(Error::value("held-out rows", "others now", "those of result.json"))
        }
        _ => Ok(rows),
    }
}

/// The images of these indices in one picture.
pub(super) fn grid(images: &Images, indices: &[usize]) -> Result<Png> {
    let source = images.source();
    let mut visits = Vec::with_capacity(indices.len());
    for &index in indices {
        visits.push(Visit::from(index));
    }
    let pixels = source.batch(&visits)?;
    plot::grid(&ImageSet::new(source.name(), source.split(), source.shape(), source.grid(), pixels)?)
}
