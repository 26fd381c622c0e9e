//! What a stage of training left: the likelihood and its cost, measured between stages.

use super::Experiment;
use crate::data::{Labels, Rows, Visit};
use crate::error::Result;
use crate::registry::ComputeDevice;
use crate::result::StageRecord;
use crate::run::{Evaluated, Observer, RunFolder, Watched};

/// Measures the last checkpoint, at the end of stage `index`, on the first held-out images with the recipe's first
/// dequantizer, and adds it to `stages.json`. It shows what the stage did to bits/dim and to evaluations per image.
///
/// Nothing is done for a recipe of one stage, without dequantizers, or for a stage whose record is of `step`, its last.
///
/// # Errors
/// A checkpoint or data that cannot be used, a file that cannot be written, or the end that `observer` asks for.
pub(super) fn measure<D: ComputeDevice>(
    experiment: &Experiment<D>,
    run: &RunFolder,
    index: usize,
    step: u64,
    observer: &mut dyn Observer,
) -> Result<()> {
    let recipe = experiment.recipe();
    let mut records = StageRecord::read(&run.stages())?;
    if recipe.stage.len() < 2 || records.iter().any(|record| (record.stage, record.step) == (index, step)) {
        return Ok(());
    }
    // A stage that has gone on since it was measured, and what followed it.
    records.retain(|record| record.stage < index);
    let model = experiment.checkpoint(run.read_last()?)?;
    let held_out = experiment.held_out()?;
    let count = held_out.rows().min(recipe.evaluation.stage_images as usize);
    let (dequantizer, summary) = match &held_out {
        Rows::Images(images) => {
            let Some((dequantizer, start)) = model.dequantizers()?.into_iter().next() else {
                return Ok(());
            };
            let pixels = images.source().batch(&(0..count).map(Visit::from).collect::<Vec<_>>())?;
            let labels = images.labels().map(Labels::values).map_or(&[][..], |labels| &labels[..count]);
            (dequantizer, model.ode(&pixels, labels, &*start, &mut Watched::unseen(observer))?.summary)
        }
        Rows::Table(table) => (
            String::new(),
            model.density(&table.rows.truncated(count), &mut Watched::unseen(observer))?.summary,
        ),
    };
    let record = StageRecord {
        stage: index,
        objective: recipe.stage[index].objective.name().to_owned(),
        step: model.step(),
        dequantizer,
        images: summary.images as u64,
        failures: summary.failures as u64,
        bits_per_dim: summary.bits_per_dim,
        standard_error: summary.standard_error,
        evaluations_per_image: summary.evaluations_per_image,
    };
    observer.message(&record.to_string());
    records.push(record.clone());
    StageRecord::write(&records, &run.stages())?;
    observer.evaluation(Evaluated::Stage(&record))
}
