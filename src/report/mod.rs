//! A run as one page for people: `idode report RUN`.
//!
//! The page is one HTML file that loads nothing from elsewhere. It is made of the files of the run's folder, and of the held-out rows, which
//! the recipe names; what is not there yet, or cannot be read, is said in its place. Whatever comes from a file is text and nothing else.

mod html;
mod levels;
mod numbers;
mod rows;
mod samples;
mod source;

use crate::error::Result;
use crate::files::write_atomically;
use crate::registry::Registry;
use crate::run::RunFolder;
use html::Html;
use source::Source;
use std::path::{Path, PathBuf};

/// Writes the page of a run to `out`, and gives its path: without `out`, `report.html` in the run's folder.
///
/// # Errors
/// A file of the run that is corrupt, or a page that cannot be written.
pub fn report(run: &RunFolder, registry: &Registry, out: Option<&Path>) -> Result<PathBuf> {
    let path = out.map_or_else(|| run.report(), Path::to_owned);
    write_atomically(&path, page(run, registry)?.as_bytes())?;
    Ok(path)
}

/// The page of a run.
///
/// # Errors
/// A file of the run that is corrupt.
pub fn page(run: &RunFolder, registry: &Registry) -> Result<String> {
    let name = run.root().file_name().unwrap_or(run.root().as_os_str()).to_string_lossy().into_owned();
    let source = Source::read(run, registry)?;
    let body = Html::all(&[
        numbers::head(&name, &source),
        section("What was trained", numbers::what(&source)),
        section("Training", numbers::curves(&source)),
        section("Likelihood", numbers::estimates(&source)),
        section("Ladder of bounds", numbers::ladder(&source)),
        section("Samples and data", samples::section(&source)),
        section("Best and worst", rows::best_and_worst(&source)?),
        section("Losses over noise levels", levels::section(&source)?),
        section("Time and memory", numbers::cost(&source)),
        section("Recipe", Html::tag("pre", Html::text(&run.recipe().to_toml()?))),
    ]);
    Ok(Html::page(&format!("{name}: a run of idode"), &body))
}

fn section(title: &'static str, content: Html) -> Html {
    Html::tag("section", Html::all(&[Html::tag("h2", Html::text(title)), content]))
}
