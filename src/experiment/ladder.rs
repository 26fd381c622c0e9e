//! The ladder of bounds of a run: every bound on the same images.

use crate::config::{Data, Evaluation, Recipe};
use crate::data::{Labels, Rows, TwoPixel, Visit};
use crate::dequantization::nats_to_bits_per_dim;
use crate::error::{Error, Result};
use crate::files::{indented_json, write_atomically};
use crate::ladder::{IMMSE, Ladder, Rung, violations};
use crate::model::Model;
use crate::plot;
use crate::progress::Progress;
use crate::result::{DataRecord, VLB, ode_name};
use crate::run::{Observer, Phase, RunFolder, Watched};

/// Importance samples of the rungs, where the recipe names none.
const IMPORTANCE_SAMPLES: [u64; 4] = [1, 2, 5, 20];

/// Measures a trained run by every bound on the first rows of `held_out` that its recipe measures, and writes `ladder.json` and `ladder.png`;
/// the run's folder is locked.
///
/// # Errors
/// A run of a table, whatever stops an estimate, or a file that cannot be written.
pub(super) fn measured(
    run: &RunFolder,
    model: &Model,
    held_out: &Rows,
    observer: &mut dyn Observer,
) -> Result<Ladder> {
    let recipe = model.recipe();
    let Rows::Images(images) = held_out else {
        return Err(Error::value("ladder", "a run of a table", "one of images, which are dequantized"));
    };
    let count = recipe.evaluation.images.map_or(held_out.rows(), |n| held_out.rows().min(n as usize));
    let pixels = images.source().batch(&(0..count).map(Visit::from).collect::<Vec<_>>())?;
    let labels = images.labels().map(Labels::values).map_or(&[][..], |labels| &labels[..count]);
    let rungs = rungs(model, (&pixels, labels, count), observer)?;
    let exact = exact(recipe, &pixels);
    let (name, split) = held_out.name();
    let found = Ladder {
        data: DataRecord { name, split: split.to_string(), fingerprint: held_out.fingerprint()? },
        step: model.step(),
        seed: recipe.evaluation.seed,
        precision: recipe.evaluation.precision,
        violations: violations(&rungs, exact.as_deref()),
        exact: exact.map(|all| all.iter().sum::<f64>() / all.len() as f64),
        rungs,
    };
    found.violations.iter().for_each(|line| observer.message(line));
    let path = run.ladder();
    write_atomically(&path, indented_json(&path, &found)?.as_bytes())?;
    plot::ladder(&found)?.write(&run.ladder_plot())?;
    Ok(found)
}

/// An estimate of so many images that someone watches, under the name of its phase.
fn watched<R>(
    phase: &str,
    total: u64,
    observer: &mut dyn Observer,
    estimate: impl FnOnce(&mut dyn Progress) -> Result<R>,
) -> Result<R> {
    observer.start(&Phase { name: phase, unit: "images", done: 0, total })?;
    let found = estimate(&mut Watched::new(&mut *observer))?;
    observer.end()?;
    Ok(found)
}

/// Every bound on these images.
fn rungs(
    model: &Model,
    (pixels, labels, count): (&[u16], &[u16], usize),
    observer: &mut dyn Observer,
) -> Result<Vec<Rung>> {
    let evaluation = &model.recipe().evaluation;
    let (dims, total) = (model.shape().dims(), count as u64);
    let mut rungs = Vec::new();
    let vlb = watched("VLB", total, observer, |progress| model.vlb(pixels, labels, progress))?.records;
    let bits = |nats: f64| nats_to_bits_per_dim(nats, dims);
    rungs.push(Rung {
        integrals: vlb.iter().map(|record| bits(record.diffusion_nats)).collect(),
        ..Rung::new(VLB, 1, vlb.iter().map(|record| record.bits_per_dim).collect())
    });
    let immse = watched("I-MMSE", total, observer, |progress| model.immse(pixels, labels, progress))?.records;
    rungs.push(Rung {
        integrals: immse.iter().map(|record| bits(record.integral_nats)).collect(),
        ..Rung::new(IMMSE, 1, immse.iter().map(|record| record.bits_per_dim).collect())
    });
    let samples = match &evaluation.ladder[..] {
        [] => &IMPORTANCE_SAMPLES[..],
        named => named,
    };
    for (name, dequantizer) in model.dequantizers()? {
        for &k in samples {
            let name = ode_name(&name);
            let own =
                model.clone().with_evaluation(Evaluation { importance_samples: k, ..evaluation.clone() });
            let ode = watched(&format!("{name}, K = {k}"), total, observer, |progress| {
                own.ode(pixels, labels, &*dequantizer, progress)
            })?;
            let values = ode.records.iter().map(|record| record.bits_per_dim).collect();
            let probe_bias = ode.probe_noise.map(|noise| noise.bias_bound);
            rungs.push(Rung { probe_bias, ..Rung::new(&name, k, values) });
        }
    }
    Ok(rungs)
}

/// `-log2 P / d` of each image, where the data's own probabilities are known.
fn exact(recipe: &Recipe, pixels: &[u16]) -> Option<Vec<f64>> {
    if recipe.data != Data::TwoPixel {
        return None;
    }
    let truth = TwoPixel::new();
    pixels.chunks_exact(2).map(|row| truth.log2_prob(row).map(|bits| -0.5 * bits)).collect()
}
