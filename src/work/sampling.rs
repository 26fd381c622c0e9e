//! Samples of a trained run, with or without their log-density.

use crate::data::{ImageSet, Split};
use crate::error::Result;
use crate::files::write_atomically;
use crate::model::Model;
use crate::picture;
use crate::progress::Progress;
use crate::registry::Registry;
use crate::run::RunFolder;
use crate::sample::{Agreement, SampleRecord};
use std::path::PathBuf;

/// Draws samples from a trained run, writes `samples.png` and gives its path.
///
/// # Errors
/// A run without a checkpoint that can be used.
pub fn sample(
    run: &RunFolder,
    registry: &Registry,
    count: u64,
    progress: &mut dyn Progress,
) -> Result<PathBuf> {
    let model = Model::of(run, registry.clone())?;
    progress.begin("sampling", "images", 0, count);
    let pixels = model.sample(count as usize, progress)?;
    progress.end();
    draw(run, &model, pixels)
}

/// The same with the log-density of each sample from the same solve, which `samples.csv` holds with what its way
/// back to the prior misses; gives the largest misses too.
///
/// # Errors
/// As [`sample`], and if the file cannot be written.
pub fn sample_with_log_prob(
    run: &RunFolder,
    registry: &Registry,
    count: u64,
    progress: &mut dyn Progress,
) -> Result<(PathBuf, PathBuf, Agreement)> {
    let model = Model::of(run, registry.clone())?;
    progress.begin("sampling", "images", 0, count);
    let (pixels, records) = model.sample_with_log_prob(count as usize, progress)?;
    progress.end();
    let table = run.sample_densities();
    write_atomically(&table, csv(&records).as_bytes())?;
    let agreement = Agreement::of(records.iter().map(|record| record.back));
    Ok((draw(run, &model, pixels)?, table, agreement))
}

fn draw(run: &RunFolder, model: &Model, pixels: Vec<u16>) -> Result<PathBuf> {
    let set = ImageSet::new(run.recipe().data.name(), Split::Test, model.shape(), model.grid()?, pixels)?;
    picture::grid(&set)?.write(&run.samples())?;
    Ok(run.samples())
}

/// A line for each sample; nothing where its way back failed.
fn csv(records: &[SampleRecord]) -> String {
    let number = |value: f64| if value.is_finite() { value.to_string() } else { String::new() };
    let line = |record: &SampleRecord| {
        let SampleRecord { index, log_prob, evaluations, back } = record;
        let [log_prob, state, density] = [*log_prob, back.state, back.log_density_nats].map(number);
        format!("{index},{log_prob},{evaluations},{state},{density}\n")
    };
    let header = "index,log_prob_nats,evaluations,way_back_state,way_back_log_prob_nats\n";
    header.to_owned() + &records.iter().map(line).collect::<String>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::WayBack;

    #[test]
    fn a_line_a_sample() {
        let record = |index, log_prob, state| SampleRecord {
            index,
            log_prob,
            evaluations: 80,
            back: WayBack { state, log_density_nats: 2.0 * state },
        };
        let found = csv(&[record(0, -12.5, 0.25), record(1, 3.0, f64::NAN)]);
        let lines = [
            "index,log_prob_nats,evaluations,way_back_state,way_back_log_prob_nats",
            "0,-12.5,80,0.25,0.5",
            "1,3,80,,",
        ];
        assert_eq!(found.lines().collect::<Vec<_>>(), lines);
    }
}
