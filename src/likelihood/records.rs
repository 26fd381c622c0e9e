//! What an evaluation gives: a record an image, and their mean with its standard error.

use crate::result::Estimate;
use crate::solver::{Failure, RowReport, RowStatus};
use serde::{Serialize, Serializer};

/// Whether an image has a value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum ImageStatus {
    /// It has.
    Finished,
    /// One of its draws failed, so it has none.
    Failed {
        /// The first draw that failed.
        draw: usize,
        /// Why.
        #[serde(serialize_with = "in_words")]
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
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ImageRecord {
    /// The index of the image.
    pub index: usize,
    /// The bound, in bits/dim; NaN where a draw failed.
    pub bits_per_dim: f64,
    /// The same in nats, where the rows are no images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nats_per_row: Option<f64>,
    /// Evaluations of the right-hand side, over all draws.
    pub evaluations: u64,
    /// Whether it has a value.
    #[serde(flatten)]
    pub status: ImageStatus,
    /// The evaluation's seed; with the index and the number of a draw it names every random number:
    /// see [`DrawKey`](super::DrawKey).
    pub seed: u64,
    /// The number of draws, numbered from 0.
    pub draws: usize,
}

/// The variational bound of one image.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct VlbRecord {
    /// The index of the image.
    pub index: usize,
    /// The sum of the three terms, in bits/dim; NaN where the network's output is not finite.
    pub bits_per_dim: f64,
    /// The same in nats, where the rows are no images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nats_per_row: Option<f64>,
    /// `-log P(x | z0)` in nats, of one draw of `z0`.
    pub reconstruction_nats: f64,
    /// `KL(q(z1 | x) || prior)` in nats.
    pub prior_nats: f64,
    /// The diffusion term in nats, from stratified levels.
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

impl Summary {
    /// The summary of `(bits_per_dim, evaluations)` an image, `None` where it has no value.
    pub(super) fn of(records: impl Iterator<Item = (Option<f64>, u64)> + Clone) -> Self {
        let all = records.clone().count();
        let values = records.clone().filter_map(|(value, _)| value);
        let images = values.clone().count();
        let n = images as f64;
        let mean = values.clone().sum::<f64>() / n;
        let squares: f64 = values.map(|value| (value - mean).powi(2)).sum();
        Self {
            bits_per_dim: mean,
            standard_error: if images < 2 { f64::NAN } else { (squares / (n - 1.0) / n).sqrt() },
            images,
            failures: all - images,
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

    #[test]
    fn a_failure_says_where_and_why() {
        let report = RowReport {
            status: RowStatus::Failed(Failure::StepLimit),
            t: -2.5,
            evaluations: 61,
            accepted: 7,
            rejected: 3,
        };
        let record = ImageRecord {
            index: 4,
            bits_per_dim: f64::NAN,
            nats_per_row: None,
            evaluations: 61,
            status: ImageStatus::of([&report]),
            seed: 0,
            draws: 1,
        };
        let json = serde_json::to_value(record).expect("plain numbers");
        assert_eq!(json["status"], "failed");
        assert_eq!(json["reason"], "the step limit is reached");
        assert_eq!((json["gamma"].as_f64(), json["steps"].as_u64()), (Some(-2.5), Some(10)));
    }
}
