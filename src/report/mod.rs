//! A run as one page for people: `idode report RUN`.
//!
//! The page is one HTML file that loads nothing from elsewhere. It is made of the files of the run's folder, and of the held-out rows, which
//! the recipe names; what is not there yet, or cannot be read, is said in its place. Whatever comes from a file is text and nothing else.

mod html;
mod levels;
mod numbers;
mod rows;

use crate::data::{ImageSet, Rows, Visit};
use crate::error::{Error, Result};
use crate::experiment::Experiment;
use crate::files::write_atomically;
use crate::nn::count;
use crate::picture::{self, Png};
use crate::registry::{ComputeDevice, Registry};
use crate::result::Outcome;
use crate::run::{MetricsLog, RunFolder};
use dfdx::prelude::Cpu;
use html::Html;
use std::path::{Path, PathBuf};

/// So many held-out images stand beside the samples.
const SHOWN: usize = 64;

/// Writes the page of a run to `out`, and gives its path: without `out`, `report.html` in the run's folder.
///
/// # Errors
/// A file of the run that is damaged, or a page that cannot be written.
pub fn report(run: &RunFolder, registry: &Registry, out: Option<&Path>) -> Result<PathBuf> {
    let path = out.map_or_else(|| run.report(), Path::to_owned);
    write_atomically(&path, page(run, registry)?.as_bytes())?;
    Ok(path)
}

/// What a page is made of.
struct Source<'a> {
    run: &'a RunFolder,
    outcome: Option<Outcome>,
    metrics: Vec<crate::progress::StepMetrics>,
    /// The rows that were measured, or why they cannot be shown.
    held_out: Result<Rows>,
}

/// The page of a run.
///
/// # Errors
/// A file of the run that is damaged.
pub fn page(run: &RunFolder, registry: &Registry) -> Result<String> {
    let outcome = if run.result().exists() { Some(Outcome::read(&run.result())?) } else { None };
    let metrics = if run.metrics().exists() { MetricsLog::read(&run.metrics())? } else { Vec::new() };
    let experiment = Experiment::named(&Cpu::default(), run.recipe(), registry);
    let held_out = match &experiment {
        Ok(experiment) => experiment.rows_to_measure(),
        Err(_) => Err(Error::value("recipe", "parts of a program", "names that the registry has")),
    };
    let held_out = held_out.and_then(|rows| same(rows, outcome.as_ref()));
    let parameters = experiment.and_then(|experiment| parameters(&experiment)).ok();
    let source = Source { run, outcome, metrics, held_out };
    let name = run.root().file_name().unwrap_or(run.root().as_os_str()).to_string_lossy().into_owned();
    let body = Html::all([
        numbers::head(&name, &source),
        section("What was trained", numbers::what(&source, parameters)),
        section("Training", numbers::curves(&source)?),
        section("Likelihood", numbers::estimates(&source)),
        section("Ladder of bounds", numbers::ladder(&source)),
        section("Samples and data", samples(&source)),
        section("Best and worst", rows::best_and_worst(&source)?),
        section("Losses over noise levels", levels::section(&source)?),
        section("Time and memory", numbers::cost(&source, parameters)),
        section("Recipe", Html::tag("pre", Html::text(run.recipe().to_toml()?))),
    ]);
    Ok(Html::page(&format!("{name}: a run of idode"), &body))
}

fn section(title: &'static str, content: Html) -> Html {
    Html::tag("section", Html::all([Html::tag("h2", Html::text(title)), content]))
}

/// What is not there, and why.
fn missing(why: impl ToString) -> Html {
    Html::of_class("p", "missing", Html::text(why))
}

/// A picture, or why there is none.
fn picture(png: Result<Png>, shows: &str, caption: &str) -> Html {
    match png {
        Ok(png) => Html::picture(&png, shows, caption),
        Err(error) => missing(format!("{shows}: {error}")),
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

fn parameters<D: ComputeDevice>(experiment: &Experiment<D>) -> Result<u64> {
    Ok(count(&experiment.untrained()?) as u64)
}

/// The images of these indices in one picture.
fn grid(images: &crate::data::Images, indices: &[usize]) -> Result<Png> {
    let source = images.source();
    let pixels = source.batch(&indices.iter().map(|&index| Visit::from(index)).collect::<Vec<_>>())?;
    picture::grid(&ImageSet::new(source.name(), source.split(), source.shape(), source.grid(), pixels)?)
}

fn samples(source: &Source<'_>) -> Html {
    let path = source.run.samples();
    let drawn = match path.exists() {
        true => picture(Png::read(&path), "samples", "Samples of the model."),
        false => missing("no samples yet: idode sample draws them"),
    };
    match &source.held_out {
        Ok(Rows::Images(images)) => {
            let first: Vec<usize> = (0..images.source().images().min(SHOWN)).collect();
            let caption = format!("The first {} held-out images.", first.len());
            let data = picture(grid(images, &first), "held-out images", &caption);
            Html::of_class("div", "pair", Html::all([drawn, data]))
        }
        // A corner plot has both.
        Ok(Rows::Table(_)) => drawn,
        Err(error) => Html::all([drawn, missing(format!("the data cannot be shown: {error}"))]),
    }
}
