//! The log-densities of samples, as rows.

use crate::error::Result;
use crate::files::write_atomically;
use crate::run::{Observer, RunFolder};
use crate::sample::{Agreement, SampleRecord};

/// Writes `sample_densities.csv` and says what the ways back miss; nothing of no samples.
///
/// # Errors
/// If the file cannot be written.
pub(super) fn write(run: &RunFolder, records: &[SampleRecord], observer: &mut dyn Observer) -> Result<()> {
    if records.is_empty() {
        return Ok(());
    }
    write_atomically(&run.sample_densities(), csv(records).as_bytes())?;
    let Agreement { state, log_density_nats, samples, failures } =
        Agreement::of(records.iter().map(|record| record.back));
    let failed = if failures > 0 { format!("; of {failures} it failed") } else { String::new() };
    observer.message(&format!(
        "the way back of {samples} samples misses their prior draws by at most {state:.1e} and their log-density by {log_density_nats:.1e} nats{failed}"
    ));
    Ok(())
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
