//! What an evaluation gives: a record an image, and their mean with its standard error.

use super::each::Record;
use crate::dequantization::nats_to_bits_per_dim;
use crate::math::Moments;
use crate::progress::{null_is_nan, null_is_some_nan};
use crate::result::Estimate;
use crate::solver::{Failure, RowReport, RowStatus};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Whether an image has a value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum ImageStatus {
    /// It has.
    Finished,
    /// One of its draws failed, so it has none.
    Failed {
        /// The first draw that failed.
        draw: usize,
        /// Why.
        #[serde(serialize_with = "in_words", deserialize_with = "from_words")]
        reason: Failure,
        /// The level that it reached.
        gamma: f64,
        /// The steps that it tried.
        steps: u32,
    },
}

fn in_words<S: Serializer>(failure: &Failure, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(failure)
}

fn from_words<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Failure, D::Error> {
    named(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

/// The failure that these words are of.
fn named(words: &str) -> Result<Failure, String> {
    let known = [Failure::NonFinite, Failure::StepLimit, Failure::StepTooSmall];
    let named = known.iter().find(|failure| failure.to_string() == words);
    named.copied().ok_or_else(|| format!("\"{words}\", no reason of a failure"))
}

impl ImageStatus {
    /// The status of an image by its draws' reports.
    pub(super) fn of<'r>(draws: impl IntoIterator<Item = &'r RowReport>) -> Self {
        let failed = draws.into_iter().enumerate().find_map(|(draw, report)| match report.status {
            RowStatus::Finished => None,
            RowStatus::Failed(reason) => {
                let steps = report.accepted + report.rejected;
                Some(Self::Failed { draw, reason, gamma: report.t, steps })
            }
        });
        failed.unwrap_or(Self::Finished)
    }

    /// Whether it has a value.
    pub fn finished(&self) -> bool {
        matches!(self, Self::Finished)
    }
}

/// The ODE's bound on one image.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(into = "Fields", try_from = "Fields")]
pub struct ImageRecord {
    /// The index of the image.
    pub index: usize,
    /// The bound, in bits/dim; NaN where a draw failed.
    pub bits_per_dim: f64,
    /// The same in nats, where the rows are no images.
    pub nats_per_row: Option<f64>,
    /// The standard error of the bound over the image's own draws, in bits/dim; of one bound there is none.
    pub standard_error: Option<f64>,
    /// The first draw's log-density with other probes, less its own, in nats, where that is measured: see [`ProbeNoise`].
    pub probe_difference_nats: Option<f64>,
    /// Evaluations of the right-hand side, over all draws.
    pub evaluations: u64,
    /// Whether it has a value.
    pub status: ImageStatus,
    /// The evaluation's seed; with the index and the number of a draw it names every random number:
    /// see [`DrawKey`](super::DrawKey).
    pub seed: u64,
    /// The number of draws, numbered from 0.
    pub draws: usize,
}

/// [`ImageRecord`] as it is written: those of its status are fields among the others.
#[derive(Serialize, Deserialize)]
#[serde(rename = "ImageRecord")]
struct Fields {
    index: usize,
    #[serde(deserialize_with = "null_is_nan")]
    bits_per_dim: f64,
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "null_is_some_nan")]
    nats_per_row: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    standard_error: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    probe_difference_nats: Option<f64>,
    evaluations: u64,
    status: Word,
    #[serde(skip_serializing_if = "Option::is_none")]
    draw: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gamma: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    steps: Option<u32>,
    seed: u64,
    draws: usize,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Finished,
    Failed,
}

impl From<ImageRecord> for Fields {
    fn from(record: ImageRecord) -> Self {
        let (status, failed) = match record.status {
            ImageStatus::Finished => (Word::Finished, None),
            ImageStatus::Failed { draw, reason, gamma, steps } => {
                (Word::Failed, Some((draw, reason, gamma, steps)))
            }
        };
        Self {
            index: record.index,
            bits_per_dim: record.bits_per_dim,
            nats_per_row: record.nats_per_row,
            standard_error: record.standard_error,
            probe_difference_nats: record.probe_difference_nats,
            evaluations: record.evaluations,
            status,
            draw: failed.map(|(draw, ..)| draw),
            reason: failed.map(|(_, reason, ..)| reason.to_string()),
            gamma: failed.map(|(_, _, gamma, _)| gamma),
            steps: failed.map(|(.., steps)| steps),
            seed: record.seed,
            draws: record.draws,
        }
    }
}

impl TryFrom<Fields> for ImageRecord {
    type Error = String;

    fn try_from(fields: Fields) -> Result<Self, String> {
        let missing = |name: &str| format!("missing field `{name}`");
        let status = match fields.status {
            Word::Finished => ImageStatus::Finished,
            Word::Failed => ImageStatus::Failed {
                draw: fields.draw.ok_or_else(|| missing("draw"))?,
                reason: named(&fields.reason.ok_or_else(|| missing("reason"))?)?,
                gamma: fields.gamma.ok_or_else(|| missing("gamma"))?,
                steps: fields.steps.ok_or_else(|| missing("steps"))?,
            },
        };
        Ok(Self {
            index: fields.index,
            bits_per_dim: fields.bits_per_dim,
            nats_per_row: fields.nats_per_row,
            standard_error: fields.standard_error,
            probe_difference_nats: fields.probe_difference_nats,
            evaluations: fields.evaluations,
            status,
            seed: fields.seed,
            draws: fields.draws,
        })
    }
}

/// The variational bound of one image.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct VlbRecord {
    /// The index of the image.
    pub index: usize,
    /// The sum of the three terms, in bits/dim; NaN where the network's output is not finite.
    #[serde(deserialize_with = "null_is_nan")]
    pub bits_per_dim: f64,
    /// The same in nats, where the rows are no images.
    #[serde(default, skip_serializing_if = "Option::is_none", deserialize_with = "null_is_some_nan")]
    pub nats_per_row: Option<f64>,
    /// `-log P(x | z0)` in nats, of one draw of `z0`.
    #[serde(deserialize_with = "null_is_nan")]
    pub reconstruction_nats: f64,
    /// `KL(q(z1 | x) || prior)` in nats.
    #[serde(deserialize_with = "null_is_nan")]
    pub prior_nats: f64,
    /// The diffusion term in nats, from stratified levels.
    #[serde(deserialize_with = "null_is_nan")]
    pub diffusion_nats: f64,
    /// Evaluations of the network.
    pub evaluations: u64,
    /// The evaluation's seed.
    pub seed: u64,
}

/// The mean of the images that have a value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// The mean over images, in bits/dim; NaN of none.
    pub bits_per_dim: f64,
    /// The standard error of that mean over images, in bits/dim; NaN of fewer than two.
    pub standard_error: f64,
    /// The images in the mean.
    pub images: usize,
    /// The images that have no value and are NOT in the mean: unless this is 0, the mean is that
    /// of the images the solver could finish, which need not be typical.
    pub failures: usize,
    /// Evaluations per image, over all images.
    pub evaluations_per_image: f64,
}

impl Record for ImageRecord {
    fn index(&self) -> usize {
        self.index
    }
    fn value(&self) -> Option<f64> {
        self.status.finished().then_some(self.bits_per_dim)
    }
    fn evaluations(&self) -> u64 {
        self.evaluations
    }
    fn standard_error(&self) -> Option<f64> {
        self.standard_error
    }
    fn status(&self) -> String {
        match self.status {
            ImageStatus::Finished => RowStatus::Finished,
            ImageStatus::Failed { reason, .. } => RowStatus::Failed(reason),
        }
        .to_string()
    }
}

impl Record for VlbRecord {
    fn index(&self) -> usize {
        self.index
    }
    fn value(&self) -> Option<f64> {
        Some(self.bits_per_dim).filter(|bits| bits.is_finite())
    }
    fn evaluations(&self) -> u64 {
        self.evaluations
    }
    fn status(&self) -> String {
        let status = if self.bits_per_dim.is_finite() {
            RowStatus::Finished
        } else {
            RowStatus::Failed(Failure::NonFinite)
        };
        status.to_string()
    }
}

impl Summary {
    /// The summary of records, in their order.
    pub fn of_records<R: Record>(records: &[R]) -> Self {
        Self::of(records.iter().map(|record| (record.value(), record.evaluations())))
    }

    /// The summary of `(bits_per_dim, evaluations)` an image, `None` where it has no value.
    pub(super) fn of(records: impl Iterator<Item = (Option<f64>, u64)> + Clone) -> Self {
        let all = records.clone().count();
        let values: Vec<f64> = records.clone().filter_map(|(value, _)| value).collect();
        let moments = Moments::of(&values);
        Self {
            bits_per_dim: moments.mean,
            standard_error: moments.standard_error(),
            images: moments.count,
            failures: all - moments.count,
            evaluations_per_image: records.map(|(_, evaluations)| evaluations as f64).sum::<f64>()
                / all as f64,
        }
    }

    /// This summary as an entry of `result.json`.
    pub fn estimate(&self, name: impl Into<String>, seconds: f64) -> Estimate {
        Estimate {
            name: name.into(),
            bits_per_dim: self.bits_per_dim,
            standard_error: self.standard_error,
            nats_per_row: None,
            nats_per_row_standard_error: None,
            images: self.images as u64,
            failures: self.failures as u64,
            evaluations_per_image: self.evaluations_per_image,
            seconds,
            budget: None,
        }
    }
}

/// What the noise of random probes does to a K-sample bound.
///
/// Each image's first draw is solved twice, with two independent probes from the same point; half
/// the squared difference is an unbiased estimate of the variance `s^2` of one log-density given
/// its draw.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ProbeNoise {
    /// `s` in nats: the root mean square over images of the probes' standard deviation.
    pub standard_deviation_nats: f64,
    /// An upper bound on the probes' part of the mean's standard error, in bits/dim:
    /// `s / sqrt(images draws) / (d ln 2)`.
    pub standard_error: f64,
    /// By how much, at most, the probes make the K-sample bound too good, in bits/dim:
    /// `s^2 / 2 / (d ln 2)`, by Jensen's inequality for normally distributed noise (`ln E e^n = s^2/2`).
    pub bias_bound: f64,
    /// The number of images that `s` was measured on.
    pub images: usize,
}

/// The ODE's bound on every image.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OdeEstimate {
    /// One record an image, in order.
    pub records: Vec<ImageRecord>,
    /// Their mean.
    pub summary: Summary,
    /// The noise of the probes; given where it biases the result, that is with random probes and
    /// more than one importance sample.
    pub probe_noise: Option<ProbeNoise>,
}

impl OdeEstimate {
    /// The estimate of these records, which are in order; `probed` has the numbers of a row and the K-sample bounds of an image, where
    /// the noise of probes was measured.
    pub(crate) fn of(records: Vec<ImageRecord>, probed: Option<(usize, usize)>) -> Self {
        let summary = Summary::of_records(&records);
        let probe_noise = probed.map(|(dims, draws)| ProbeNoise::of(&records, dims, draws));
        Self { records, summary, probe_noise }
    }
}

impl ProbeNoise {
    /// From differences between two log-densities that only their probes tell apart.
    fn of(records: &[ImageRecord], dims: usize, draws: usize) -> Self {
        let differences: Vec<f64> =
            records.iter().filter_map(|record| record.probe_difference_nats).collect();
        let n = differences.len() as f64;
        let variance = differences.iter().map(|difference| 0.5 * difference.powi(2)).sum::<f64>() / n;
        let standard_error = (variance / (records.len() * draws) as f64).sqrt();
        Self {
            standard_deviation_nats: variance.sqrt(),
            standard_error: nats_to_bits_per_dim(standard_error, dims),
            bias_bound: nats_to_bits_per_dim(0.5 * variance, dims),
            images: differences.len(),
        }
    }
}

impl VlbEstimate {
    /// The estimate of these records, which are in order.
    pub(crate) fn of(records: Vec<VlbRecord>) -> Self {
        let summary = Summary::of_records(&records);
        Self { records, summary }
    }
}

/// The variational bound of every image.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VlbEstimate {
    /// One record an image, in order.
    pub records: Vec<VlbRecord>,
    /// Their mean.
    pub summary: Summary,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_counted_and_left_out() {
        let summary = Summary::of([(Some(1.0), 10), (None, 40), (Some(3.0), 10)].into_iter());
        assert_eq!((summary.bits_per_dim, summary.standard_error), (2.0, 1.0));
        assert_eq!((summary.images, summary.failures, summary.evaluations_per_image), (2, 1, 20.0));
        let nothing = Summary::of([(None, 1)].into_iter());
        assert!(nothing.bits_per_dim.is_nan() && nothing.failures == 1);
    }

    fn failed() -> ImageRecord {
        let report = RowReport {
            status: RowStatus::Failed(Failure::StepLimit),
            t: -2.5,
            evaluations: 61,
            accepted: 7,
            rejected: 3,
        };
        ImageRecord {
            index: 4,
            bits_per_dim: f64::NAN,
            nats_per_row: Some(f64::NAN),
            standard_error: None,
            probe_difference_nats: None,
            evaluations: 61,
            status: ImageStatus::of([&report]),
            seed: 0,
            draws: 1,
        }
    }

    /// What every kind of record has.
    fn seen(record: &impl Record) -> (usize, Option<f64>, u64, Option<f64>, String) {
        let (value, error) = (record.value(), record.standard_error());
        (record.index(), value, record.evaluations(), error, record.status())
    }

    #[test]
    fn records_say_what_they_are() {
        let words = "failed: the step limit is reached".to_owned();
        assert_eq!(seen(&failed()), (4, None, 61, None, words));
        let status = ImageStatus::Finished;
        let good = ImageRecord { bits_per_dim: 3.5, standard_error: Some(0.25), status, ..failed() };
        assert_eq!(seen(&good), (4, Some(3.5), 61, Some(0.25), "finished".to_owned()));
        let vlb = VlbRecord {
            index: 7,
            bits_per_dim: 2.5,
            nats_per_row: None,
            reconstruction_nats: 1.0,
            prior_nats: 1.0,
            diffusion_nats: 1.0,
            evaluations: 32,
            seed: 0,
        };
        assert_eq!(seen(&vlb), (7, Some(2.5), 32, None, "finished".to_owned()));
        let bad = VlbRecord { bits_per_dim: f64::NAN, ..vlb };
        assert_eq!(seen(&bad), (7, None, 32, None, "failed: the state is not finite".to_owned()));
    }

    /// Differences 1 and -3 of two images of three: `s^2 = (1/2 + 9/2) / 2`.
    #[test]
    fn the_noise_of_probes_is_half_of_their_differences() {
        let of = |probe_difference_nats| ImageRecord { probe_difference_nats, ..failed() };
        let noise = ProbeNoise::of(&[Some(1.0), None, Some(-3.0)].map(of), 4, 5);
        let (variance, bits) = (2.5_f64, 4.0 * std::f64::consts::LN_2);
        assert_eq!((noise.images, noise.standard_deviation_nats), (2, variance.sqrt()));
        assert!((noise.standard_error - (variance / 15.0).sqrt() / bits).abs() < 1e-15);
        assert!((noise.bias_bound - 0.5 * variance / bits).abs() < 1e-15);
    }

    #[test]
    fn a_failure_says_where_and_why() {
        let record = failed();
        let json = serde_json::to_value(record).expect("plain numbers");
        assert_eq!(json["status"], "failed");
        assert_eq!(json["reason"], "the step limit is reached");
        assert_eq!((json["gamma"].as_f64(), json["steps"].as_u64()), (Some(-2.5), Some(10)));
        // It comes back as it was written, what is not a number too.
        let text = serde_json::to_string(&record).expect("plain numbers");
        let back: ImageRecord = serde_json::from_str(&text).expect("a record");
        assert_eq!(serde_json::to_string(&back).expect("plain numbers"), text);
        assert_eq!((back.status, back.nats_per_row.is_some_and(f64::is_nan)), (record.status, true));
    }
}
