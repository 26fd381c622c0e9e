//! The ladder of bounds of a run: every bound on the same images.

use super::source::{Source, labels};
use crate::config::{Data, Evaluation, Recipe};
use crate::data::{ImageSource, TwoPixel, Visit};
use crate::dequantization::nats_to_bits_per_dim;
use crate::error::{Error, Result};
use crate::files::write_atomically;
use crate::ladder::{IMMSE, Ladder, Rung, violations};
use crate::model::Model;
use crate::picture;
use crate::progress::Progress;
use crate::registry::Registry;
use crate::result::{DataRecord, VLB, ode_name};
use crate::run::RunFolder;

/// Importance samples of the rungs, where the recipe names none.
const IMPORTANCE_SAMPLES: [u64; 4] = [1, 2, 5, 20];

/// Measures a trained run by every bound and writes `ladder.json` and `ladder.png`: the VLB, the information-estimation identity, and the ODE
/// with each dequantizer of the recipe at every `K` of `evaluation.ladder`, or 1, 2, 5 and 20.
///
/// # Errors
/// A run of a table, or without a checkpoint that can be used, or whose folder another process writes in.
pub fn ladder(run: &RunFolder, registry: &Registry, progress: &mut dyn Progress) -> Result<Ladder> {
    let _lock = run.lock()?;
    measured(run, &Model::of(run, registry.clone())?, progress)
}

/// [`ladder`] of a run whose folder is locked.
pub(super) fn measured(run: &RunFolder, model: &Model, progress: &mut dyn Progress) -> Result<Ladder> {
    let recipe = run.recipe();
    let held_out = super::data::held_out(recipe)?;
    super::data::check_same(run, &held_out)?;
    let Source::Images(images) = &held_out else {
        return Err(Error::value("ladder", "a run of a table", "one of images, which are dequantized"));
    };
    let count = recipe.evaluation.images.map_or(images.images(), |n| images.images().min(n as usize));
    let pixels = images.batch(&(0..count).map(Visit::from).collect::<Vec<_>>())?;
    let labels = labels(recipe, &**images).map_or(&[][..], |labels| &labels[..count]);
    let rungs = rungs(model, (&pixels, labels, count), progress)?;
    let exact = exact(recipe, &pixels);
    let (name, split) = held_out.name();
    let found = Ladder {
        data: DataRecord { name, split: split.to_string(), fingerprint: held_out.fingerprint()? },
        step: model.step(),
        seed: recipe.evaluation.seed,
        violations: violations(&rungs, exact.as_deref()),
        exact: exact.map(|all| all.iter().sum::<f64>() / all.len() as f64),
        rungs,
    };
    found.violations.iter().for_each(|line| progress.message(line));
    let path = run.ladder();
    let mut text = serde_json::to_string_pretty(&found)
        .map_err(|error| Error::format(&path, "content", error, "values that JSON can hold"))?;
    text.push('\n');
    write_atomically(&path, text.as_bytes())?;
    picture::ladder(&found)?.write(&run.ladder_picture())?;
    Ok(found)
}

/// Every bound on these images.
fn rungs(
    model: &Model,
    (pixels, labels, count): (&[u16], &[u16], usize),
    progress: &mut dyn Progress,
) -> Result<Vec<Rung>> {
    let evaluation = &model.recipe().evaluation;
    let (dims, total) = (model.shape().dims(), count as u64);
    let mut rungs = Vec::new();
    progress.begin("VLB", "images", 0, total);
    let vlb = model.vlb(pixels, labels, progress)?.records;
    progress.end();
    let bits = |nats: f64| nats_to_bits_per_dim(nats, dims);
    rungs.push(Rung {
        integrals: vlb.iter().map(|record| bits(record.diffusion_nats)).collect(),
        ..Rung::new(VLB, 1, vlb.iter().map(|record| record.bits_per_dim).collect())
    });
    progress.begin("I-MMSE", "images", 0, total);
    let immse = model.immse(pixels, labels, progress)?.records;
    progress.end();
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
            progress.begin(&format!("{name}, K = {k}"), "images", 0, total);
            let own = Evaluation { importance_samples: k, ..evaluation.clone() };
            let ode = model.with_evaluation(own).ode(pixels, labels, &*dequantizer, progress)?;
            progress.end();
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
