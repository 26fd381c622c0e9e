//! The ladder of bounds: one model's likelihood by every bound that there is, on the same images, and whether they stand in the order that
//! they must.
//!
//! | rung | what it is on average, in bits/dim |
//! |---|---|
//! | `vlb` | the variational bound of the diffusion's stochastic process: no lower than the data's entropy |
//! | `immse` | the same by the information-estimation identity, computed another way: [`Evaluator::immse`](crate::likelihood::Evaluator::immse) |
//! | `ode_...`, `K` | the `K`-sample bound on the ODE's likelihood with a dequantizer: falls as `K` grows, to the model's own likelihood, and no lower than the data's entropy |
//!
//! The ODE and the stochastic process are two models that share a network, so nothing orders their rungs. What must hold in expectation, and
//! is tested by differences image by image within [`SLACK`] standard errors:
//!
//! - of one dequantizer, more importance samples are no worse (arXiv 1509.00519, theorem 1);
//! - no rung is below the exact value, where the data's own probabilities are known (Gibbs' inequality);
//! - `vlb` and `immse` have the same integral over noise levels.
//!
//! Random probes make a rung of `K > 1` too good, by at most [`Rung::probe_bias`]: see [`ProbeNoise`](crate::likelihood::ProbeNoise).

#[cfg(test)]
mod tests;

use crate::math::Moments;
use crate::result::{DataRecord, VLB};
use crate::tensor::Precision;
use serde::Serialize;

/// The name of the rung of the information-estimation identity.
pub const IMMSE: &str = "immse";

/// So many standard errors of a difference are no violation.
pub const SLACK: f64 = 3.0;

/// One bound on the same images as all others.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rung {
    /// The estimate, as results call it.
    pub name: String,
    /// `K` of the K-sample bound; 1 for the others.
    pub importance_samples: u64,
    /// The mean over images, in bits/dim.
    pub bits_per_dim: f64,
    /// Its standard error over images; NaN of fewer than two.
    pub standard_error: f64,
    /// The images in the mean.
    pub images: usize,
    /// By how much, at most, random probes make it too good, in bits/dim; nothing where they do not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe_bias: Option<f64>,
    /// The value of each image; NaN where it has none.
    #[serde(skip)]
    pub values: Vec<f64>,
    /// The integral over noise levels of each image, in bits/dim, where it is a sum with one.
    #[serde(skip)]
    pub integrals: Vec<f64>,
}

/// All of them, and what does not hold.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Ladder {
    /// The data.
    pub data: DataRecord,
    /// The training step of the parameters.
    pub step: u64,
    /// The seed of the draws.
    pub seed: u64,
    /// What the products of its rungs were made in; written where it is not `f32`.
    #[serde(skip_serializing_if = "Precision::is_f32")]
    pub precision: Precision,
    /// The rungs, in the order in which they were measured.
    pub rungs: Vec<Rung>,
    /// The least value that any model can have on average on these images, where the data's probabilities are known, in bits/dim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exact: Option<f64>,
    /// What must hold and does not, a line each.
    pub violations: Vec<String>,
}

impl Rung {
    /// A rung of these values.
    pub fn new(name: &str, importance_samples: u64, values: Vec<f64>) -> Self {
        let mut finite = values.clone();
        finite.retain(|value| value.is_finite());
        let moments = Moments::of(&finite);
        Self {
            name: name.to_owned(),
            importance_samples,
            bits_per_dim: moments.mean,
            standard_error: moments.standard_error(),
            images: moments.count,
            probe_bias: None,
            values,
            integrals: Vec::new(),
        }
    }

    /// Its name with its `K`.
    pub fn label(&self) -> String {
        match self.importance_samples {
            1 => self.name.clone(),
            k => format!("{}, K = {k}", self.name),
        }
    }
}

/// The mean difference `a - b` over images that have both, and its standard error.
fn difference(a: &[f64], b: &[f64]) -> (f64, f64) {
    let mut differences = Vec::with_capacity(a.len());
    for (a, b) in a.iter().zip(b) {
        if (a - b).is_finite() {
            differences.push(a - b);
        }
    }
    let moments = Moments::of(&differences);
    (moments.mean, moments.standard_error())
}

/// What must hold of rungs on the same images and does not, a line each; `exact` has each image's own `-log2 P / d`.
pub fn violations(rungs: &[Rung], exact: Option<&[f64]>) -> Vec<String> {
    let mut lines = Vec::new();
    for (i, rung) in rungs.iter().enumerate() {
        let looser = rungs[..i]
            .iter()
            .filter(|other| other.name == rung.name && other.importance_samples < rung.importance_samples);
        if let Some(looser) = looser.max_by_key(|other| other.importance_samples) {
            let (worse, error) = difference(&rung.values, &looser.values);
            if worse > SLACK * error {
                lines.push(format!(
                    "{}: K = {} is worse than K = {} by {worse:.4} +- {error:.4} bits/dim",
                    rung.name, rung.importance_samples, looser.importance_samples
                ));
            }
        }
        if let Some(exact) = exact {
            let (above, error) = difference(&rung.values, exact);
            if -above > SLACK * error {
                let below = -above;
                lines.push(format!(
                    "{}: below the exact value by {below:.4} +- {error:.4} bits/dim, which no bound can be",
                    rung.label()
                ));
            }
        }
    }
    let named = |name: &str| rungs.iter().find(|rung| rung.name == name);
    if let (Some(vlb), Some(immse)) = (named(VLB), named(IMMSE)) {
        let (apart, error) = difference(&immse.integrals, &vlb.integrals);
        if apart.abs() > SLACK * error {
            lines.push(format!(
                "{IMMSE}: its integral over noise levels is {apart:+.4} +- {error:.4} bits/dim from that of {VLB}"
            ));
        }
    }
    lines
}
