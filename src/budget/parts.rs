//! The parts of an estimate's uncertainty.

use super::Components;
use crate::math::Moments;
use serde::{Deserialize, Serialize};

/// How much of a subset is measured again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Design {
    /// Images, the first of those that were measured.
    pub images: usize,
    /// Draws of each.
    pub draws: usize,
    /// Sets of probes of each draw.
    pub probes: usize,
}

impl Default for Design {
    fn default() -> Self {
        Self { images: 64, draws: 4, probes: 4 }
    }
}

impl Design {
    /// The same without what does not vary: `drawn` says whether anything is drawn of an image, `probed` whether the divergence
    /// has probes.
    #[must_use]
    pub fn of(self, drawn: bool, probed: bool) -> Self {
        let only = |count, varies| if varies { count } else { 1 };
        Self { draws: only(self.draws, drawn), probes: only(self.probes, probed), ..self }
    }
}

/// Where an estimate's uncertainty comes from, in the unit of the estimate: nats a row where it is in nats, bits/dim otherwise.
///
/// The first three parts are standard errors of the mean, `sqrt(a / n)`, `sqrt(b / (n m))` and `sqrt(c / (n m))` of the
/// [module](crate::budget)'s components. What cannot be known, as where every image of the subset failed, is nothing and `null`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Budget {
    /// The part of the choice of images; not known of one.
    pub data: Option<f64>,
    /// The part of the draws of an image: the dequantizer's, or the noise and levels of the VLB.
    pub dequantization: Option<f64>,
    /// The part of the divergence's random probes: 0 where there are none.
    pub probe: Option<f64>,
    /// By how much the mean changes under tolerances ten times smaller, with its sign; not known where none of those solves
    /// ended, 0 where there is no solver.
    pub solver: Option<f64>,
    /// The root of the sum of their squares; not known where a part is not.
    pub total: Option<f64>,
    /// The images of the subset that the draws', probes' and solver's parts were measured on.
    pub images: u64,
    /// The draws of each, on which their part was measured.
    pub draws: u64,
    /// The sets of probes of each draw, on which their part was measured.
    pub probes: u64,
    /// The parts whose variance was estimated below 0, and is taken as 0.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub negative: Vec<String>,
    /// Where the solver's part is above the others: how many times tolerances must be ten times smaller for the next change to be
    /// below them, if that was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finer: Option<u32>,
}

/// The estimate's own values, over which the data's part is measured.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Spread {
    /// Images with a value.
    pub images: usize,
    /// The variance over images of their values; NaN of fewer than two.
    pub variance: f64,
    /// Draws of each, that its value is the mean of.
    pub draws: usize,
}

impl Spread {
    /// The spread of values, each the mean of `draws`; one that is not finite is left out.
    pub(crate) fn of(values: &[f64], draws: usize) -> Self {
        let mut finite = values.to_vec();
        finite.retain(|value| value.is_finite());
        let moments = Moments::of(&finite);
        Self { images: moments.count, variance: moments.variance, draws: draws.max(1) }
    }
}

impl Budget {
    /// The parts of an estimate with this spread, whose draws and probes vary like this; `solver` is the change of its mean.
    pub(crate) fn new(spread: Spread, components: Components, design: Design, solver: Option<f64>) -> Self {
        let (images, draws) = (spread.images as f64, spread.draws as f64);
        let data = spread.variance - (components.dequantization + components.probe) / draws;
        let mut negative = Vec::new();
        let mut part = |name: &str, variance: f64, count: f64| {
            if variance < 0.0 {
                negative.push(name.to_owned());
            }
            (!variance.is_nan()).then(|| (variance.max(0.0) / count).sqrt())
        };
        let data = part("data", data, images);
        let dequantization = part("dequantization", components.dequantization, images * draws);
        let probe = part("probe", components.probe, images * draws);
        let (images, draws, probes) = (components.images as u64, design.draws as u64, design.probes as u64);
        let parts = Self {
            data,
            dequantization,
            probe,
            solver,
            total: None,
            images,
            draws,
            probes,
            negative,
            finer: None,
        };
        let known = data.and(dequantization).and(probe);
        let total = known.and(solver).map(|solver| parts.random().hypot(solver));
        Self { total, ..parts }
    }

    /// What of the total is not the solver's: the root of the sum of the other parts' squares, as far as they are known.
    pub fn random(&self) -> f64 {
        let mut total = 0.0_f64;
        for part in [self.data, self.dequantization, self.probe] {
            total = total.hypot(part.unwrap_or(0.0));
        }
        total
    }

    /// Whether the solver's part is above all the others together: the tolerances then decide what is reported.
    pub(crate) fn is_of_the_solver(&self) -> bool {
        self.solver.is_some_and(|solver| solver.abs() > self.random())
    }

    /// The same in another unit, of which this one has `factor`.
    #[must_use]
    pub(crate) fn times(self, factor: f64) -> Self {
        let of = |part: Option<f64>| part.map(|part| factor * part);
        Self {
            data: of(self.data),
            dequantization: of(self.dequantization),
            probe: of(self.probe),
            solver: of(self.solver),
            total: of(self.total),
            ..self
        }
    }
}

/// The mean of the differences `later - earlier`, over those that both have; nothing of none.
pub(super) fn change(earlier: &[f64], later: &[f64]) -> Option<f64> {
    let mut differences = Vec::with_capacity(later.len());
    for (earlier, later) in earlier.iter().zip(later) {
        if (later - earlier).is_finite() {
            differences.push(later - earlier);
        }
    }
    let moments = Moments::of(&differences);
    (moments.count > 0).then_some(moments.mean)
}
