//! Densities of times that follow the measured losses.

use super::{BinLosses, Diagnostics, Losses, TimeSampler};
use crate::density::Histogram;
use crate::error::Result;
use crate::level::{Gamma, GammaRange};
use std::fmt::Debug;

/// How often each bin of noise levels is visited, from the losses measured there: the one formula of an [`Adaptive`]
/// sampler.
///
/// ```
/// use idode::level::GammaRange;
/// use idode::time::{Adaptive, BinLosses, BinWeights, TimeSampler};
///
/// /// In proportion to the mean loss, and as often as all others where there is none yet.
/// #[derive(Debug)]
/// struct MeanLoss;
///
/// impl BinWeights for MeanLoss {
///     fn weights(&self, bins: &[BinLosses]) -> Vec<f64> {
///         bins.iter().map(|bin| if bin.count > 0.0 { bin.mean() } else { 1.0 }).collect()
///     }
/// }
///
/// let mut times = Adaptive::new(MeanLoss, GammaRange::for_levels(256));
/// let (low, high) = (times.range().at(0.1), times.range().at(0.9));
/// times.observe(low, 3.0);
/// times.observe(high, 1.0);
/// assert!(times.pdf(low) > 2.0 * times.pdf(high));
/// ```
pub trait BinWeights: Debug + Send {
    /// The number of bins: 40.
    const BINS: usize = 40;

    /// What a loss counts after each later one of its bin: 0.999, so that a bin remembers its last 1,000 or so.
    const MEMORY: f64 = 0.999;

    /// The part of the draws that stays uniform: 0.1, so that a weight `1 / pdf` is at most ten times the uniform
    /// density's.
    const UNIFORM: f64 = 0.1;

    /// The weight of every bin, up to a factor. One that is negative or no number counts as 0.
    fn weights(&self, bins: &[BinLosses]) -> Vec<f64>;
}

/// A density, constant in each of `n` equal bins, that follows the losses measured so far: with the rule's weights `r_i`,
/// the mass of a bin is `m_i = (1 - u) r_i / sum_j r_j + u / n`, `u` the part that stays uniform.
///
/// `pdf` and `quantile` always belong together, so a loss over the density stays unbiased whatever was observed. What was
/// learned is in the checkpoints: a resumed run draws what the uninterrupted one would have drawn, bit for bit.
#[derive(Clone, Debug)]
pub struct Adaptive<R> {
    rule: R,
    losses: Losses,
    density: Histogram,
}

impl<R: BinWeights> Adaptive<R> {
    /// The density of `rule` on `range`, before any loss.
    pub fn new(rule: R, range: GammaRange) -> Self {
        let losses = Losses::new(range, R::BINS, R::MEMORY);
        Self { density: density(&rule, &losses), rule, losses }
    }

    /// The losses that it goes by.
    pub fn losses(&self) -> &Losses {
        &self.losses
    }

    /// The mass of each bin.
    pub fn masses(&self) -> &[f64] {
        self.density.masses()
    }

    /// What the density in use is worth, by the losses that were measured.
    pub fn diagnostics(&self) -> Diagnostics {
        Diagnostics::new(&self.losses, |gamma| self.pdf(gamma))
    }
}

/// The density that a rule makes of losses.
fn density<R: BinWeights>(rule: &R, losses: &Losses) -> Histogram {
    let ends = [losses.range().min().0, losses.range().max().0];
    let ruled = Histogram::new(ends, &rule.weights(losses.bins()));
    let uniform = R::UNIFORM / ruled.masses().len() as f64;
    let masses: Vec<f64> = ruled.masses().iter().map(|mass| (1.0 - R::UNIFORM) * mass + uniform).collect();
    Histogram::new(ends, &masses)
}

impl<R: BinWeights> TimeSampler for Adaptive<R> {
    fn range(&self) -> GammaRange {
        self.losses.range()
    }

    fn pdf(&self, gamma: Gamma) -> f64 {
        self.density.pdf(gamma.0)
    }

    fn quantile(&self, u: f64) -> Gamma {
        Gamma(self.density.quantile(u))
    }

    fn observe(&mut self, gamma: Gamma, loss: f64) {
        self.losses.observe(gamma, loss);
        self.density = density(&self.rule, &self.losses);
    }

    fn state(&self) -> Option<String> {
        Some(self.losses.state())
    }

    fn restore(&mut self, state: &str) -> Result<()> {
        self.losses.restore(state)?;
        self.density = density(&self.rule, &self.losses);
        Ok(())
    }
}
