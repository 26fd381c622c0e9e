//! A density of training times that is fitted to the measured losses while training, so that their variance is least.
//!
//! With `L(gamma)` the loss of a row per unit of gamma, `L / pdf` is unbiased for any density, and its variance is least
//! for `pdf` proportional to `sqrt(E[L^2 | gamma])`. The density is constant in each of 40 bins, and its mass there
//!
//! `m_i = 0.9 r_i / sum_j r_j + 0.1 / 40`, `r_i = sqrt((s_i + w_i s / n) / (n_i + w_i))`, `w_i = 1 / (n_i + 1)`,
//!
//! with `n_i` and `s_i` the count and the sum of squares of the bin's losses, its last 1,000 or so, and `n` and `s` their
//! sums over all bins: a bin with few losses is drawn to the others, and a weight `1 / pdf` is at most ten times the
//! uniform density's. All but the formula of `r_i` is [`Adaptive`]'s.
//!
//! # Reference
//! arXiv 2107.00630 (variance minimisation, there by a learned schedule); the optimum is that of importance sampling.

use idode::registry::{Entry, NoSettings, Registry};
use idode::solver::OdeState;
use idode::time::{Adaptive, BinLosses, BinWeights};

/// In proportion to the root of the mean squared loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LeastVariance;

/// The fitted density; uniform before any loss.
pub type Fitted = Adaptive<LeastVariance>;

impl BinWeights for LeastVariance {
    fn weights(&self, bins: &[BinLosses]) -> Vec<f64> {
        let total = |f: fn(&BinLosses) -> f64| bins.iter().map(f).sum::<f64>().max(f64::MIN_POSITIVE);
        let mean_square = total(|bin| bin.squares) / total(|bin| bin.count);
        let root = |bin: &BinLosses| {
            let weight = 1.0 / (bin.count + 1.0);
            ((bin.squares + weight * mean_square) / (bin.count + weight)).sqrt()
        };
        bins.iter().map(root).collect()
    }
}

/// Adds the name `fitted`.
pub fn register<Y: OdeState>(registry: &mut Registry<Y>) {
    let entry = Entry { formula: "pdf ~ sqrt(E[loss^2 | gamma])", reference: "arXiv 2107.00630" };
    registry.add_time_sampler("fitted", entry, |_: NoSettings, with| {
        Ok(Fitted::new(LeastVariance, with.inputs.range))
    });
}

#[cfg(test)]
mod tests;
