//! Times in proportion to a weight.

use super::TimeSampler;
use super::straight_path::StraightPathLaw;
use super::tabulated::{NAME, Tabulated};
use crate::density::positive;
use crate::error::Result;
use crate::level::{Gamma, GammaRange};
use crate::math::{sigmoid, softplus};

/// Importance: a density proportional to a weight of the loss, so that a row's loss divided by
/// its density has that weight removed.
///
/// With the likelihood's weight `1/(2 a^2)` of a parameterization (nats per unit of gamma) the
/// loss of every row is `Z |F - F^|^2`. The inverse is chosen by itself:
/// - weight proportional to `sigmoid(-gamma)` (VP, velocity): `ln sigma^2` is uniform,
///   `Z = c ln(sigma_1^2 / sigma_0^2)`;
/// - weight proportional to `sigmoid(-gamma/2)^2` (straight path, velocity): `sigma - ln sigma` is
///   uniform, inverted by Lambert's W, `Z = 2c ((sigma_0 - ln sigma_0) - (sigma_1 - ln sigma_1))`;
/// - any other weight: a tabulated inverse, see [`Tabulated`].
///
/// # Reference
/// arXiv 2305.03935 (importance sampling of the time); the closed forms are ours.
#[derive(Clone, Debug)]
pub struct Importance {
    range: GammaRange,
    normalizer: f64,
    law: Law,
}

#[derive(Clone, Debug)]
enum Law {
    VariancePreserving { below: f64, above: f64 },
    StraightPath(StraightPathLaw),
    Tabulated(Tabulated),
}

/// Where the weight is compared with the closed forms, and how closely.
const SAMPLES: u32 = 64;
const MATCH: f64 = 1e-10;

impl Importance {
    /// The density on `range` proportional to `weight`.
    ///
    /// # Errors
    /// Unless `weight` is positive and finite wherever it is evaluated.
    pub fn for_weight(range: GammaRange, weight: impl Fn(Gamma) -> f64 + Send + Sync) -> Result<Self> {
        let mut samples = Vec::new();
        for i in 0..=SAMPLES {
            let gamma = range.at(f64::from(i) / f64::from(SAMPLES));
            samples.push((gamma.0, positive(NAME, gamma.0, weight(gamma))?));
        }
        let (min, max) = (range.min().0, range.max().0);
        if let Some(scale) = constant_ratio(&samples, |g| sigmoid(-g)) {
            let (below, above) = (softplus(-min), softplus(-max));
            let law = Law::VariancePreserving { below, above };
            return Ok(Self { range, normalizer: scale * (below - above), law });
        }
        if let Some(scale) = constant_ratio(&samples, |g| sigmoid(-0.5 * g).powi(2)) {
            let law = StraightPathLaw::new(range);
            return Ok(Self { range, normalizer: scale * law.mass(), law: Law::StraightPath(law) });
        }
        let table = Tabulated::new(range, weight)?;
        Ok(Self { range, normalizer: table.normalizer(), law: Law::Tabulated(table) })
    }

    /// `Z`, the integral of the weight over the range: nats times whatever the loss counts.
    pub fn normalizer(&self) -> f64 {
        self.normalizer
    }

    /// Which inverse was chosen: "variance preserving", "straight path" or "tabulated".
    pub fn inverse(&self) -> &'static str {
        match self.law {
            Law::VariancePreserving { .. } => "variance preserving",
            Law::StraightPath(_) => "straight path",
            Law::Tabulated(_) => "tabulated",
        }
    }
}

/// The constant `c` with `weight = c * shape` at every sample, if there is one.
fn constant_ratio(samples: &[(f64, f64)], shape: impl Fn(f64) -> f64) -> Option<f64> {
    let middle = samples[samples.len() / 2];
    let scale = middle.1 / shape(middle.0);
    samples.iter().all(|&(g, w)| (w / (scale * shape(g)) - 1.0).abs() <= MATCH).then_some(scale)
}

impl TimeSampler for Importance {
    fn range(&self) -> GammaRange {
        self.range
    }

    fn pdf(&self, gamma: Gamma) -> f64 {
        match &self.law {
            Law::VariancePreserving { below, above } => sigmoid(-gamma.0) / (below - above),
            Law::StraightPath(law) => sigmoid(-0.5 * gamma.0).powi(2) / law.mass(),
            Law::Tabulated(table) => table.pdf(gamma),
        }
    }

    fn quantile(&self, u: f64) -> Gamma {
        let gamma = match &self.law {
            Law::VariancePreserving { below, above } => {
                // -ln sigma^2, a mean of two positive numbers: no digit is lost at either end.
                let s = (1.0 - u) * below + u * above;
                if s > 1.0 { -(s + (-(-s).exp()).ln_1p()) } else { -s.exp_m1().ln() }
            }
            Law::StraightPath(law) => law.quantile(u),
            Law::Tabulated(table) => return table.quantile(u),
        };
        super::within(self.range, u, gamma)
    }
}
