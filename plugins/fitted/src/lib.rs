//! A density of training times that is fitted to the measured losses while training, so that their variance is least.
//!
//! With `L(gamma)` the loss of a row per unit of gamma, `L / pdf` is unbiased for any density, and its variance is least
//! for `pdf` proportional to `sqrt(E[L^2 | gamma])`. The density is constant in each of [`BINS`] bins, and its mass there
//!
//! `m_i = 0.9 r_i / sum_j r_j + 0.1 / BINS`, `r_i = sqrt((s_i + w_i s / n) / (n_i + w_i))`, `w_i = 1 / (n_i + 1)`,
//!
//! with `n_i` and `s_i` the count and the sum of squares of the bin's losses, its last 1,000 or so, and `n` and `s` their
//! sums over all bins: a bin with few losses is drawn to the others, and a weight `1 / pdf` is at most ten times the
//! uniform density's. `pdf` and `quantile` always belong together, so the loss stays unbiased whatever was observed.
//!
//! # Reference
//! arXiv 2107.00630 (variance minimisation, there by a learned schedule); the optimum is that of importance sampling.

mod diagnostics;

pub use diagnostics::{BinReport, Diagnostics};

use idode::error::{Error, Result};
use idode::level::{Gamma, GammaRange};
use idode::registry::{Entry, NoSettings, Registry};
use idode::solver::OdeState;
use idode::time::TimeSampler;

/// The number of bins.
pub const BINS: usize = 40;

/// The fitted density; uniform before any loss.
#[derive(Clone, Debug)]
pub struct Fitted {
    range: GammaRange,
    /// Of each bin: decayed count, sum and sum of squares of its losses.
    bins: [[f64; 3]; BINS],
}

impl Fitted {
    /// The uniform density on `range`, before any loss.
    pub fn new(range: GammaRange) -> Self {
        Self { range, bins: [[0.0; 3]; BINS] }
    }

    /// The bin of a level.
    fn bin(&self, gamma: Gamma) -> usize {
        ((self.range.fraction(gamma) * BINS as f64) as usize).min(BINS - 1)
    }

    /// The mass of each bin: all alike before any loss.
    fn masses(&self) -> [f64; BINS] {
        let [n, s] = [0, 2].map(|i| self.bins.iter().map(|bin| bin[i]).sum::<f64>().max(f64::MIN_POSITIVE));
        let roots = self.bins.map(|[k, _, q]| ((q + s / n / (k + 1.0)) / (k + 1.0 / (k + 1.0))).sqrt());
        let scale = 0.9 / roots.iter().sum::<f64>();
        roots.map(|root| scale * root + 0.1 / BINS as f64)
    }
}

impl TimeSampler for Fitted {
    fn range(&self) -> GammaRange {
        self.range
    }

    fn pdf(&self, gamma: Gamma) -> f64 {
        self.masses()[self.bin(gamma)] * BINS as f64 / self.range.width()
    }

    fn quantile(&self, u: f64) -> Gamma {
        let masses = self.masses();
        let below = |i: usize| masses[..i].iter().sum::<f64>();
        let i = (1..BINS).take_while(|&i| below(i) <= u).count();
        let fraction = (i as f64 + (u - below(i)) / masses[i]) / BINS as f64;
        if u < 1.0 && fraction < 1.0 { self.range.at(fraction) } else { self.range.max() }
    }

    fn observe(&mut self, gamma: Gamma, loss: f64) {
        if (loss * loss).is_finite() {
            let [count, sum, square] = self.bins[self.bin(gamma)].map(|old| 0.999 * old);
            self.bins[self.bin(gamma)] = [count + 1.0, sum + loss, square + loss * loss];
        }
    }

    fn state(&self) -> Option<String> {
        Some(self.bins.as_flattened().iter().map(f64::to_string).collect::<Vec<_>>().join(" "))
    }

    fn restore(&mut self, state: &str) -> Result<()> {
        let read: Vec<f64> = state.split(' ').flat_map(str::parse).filter(|x: &f64| x.is_finite()).collect();
        let (bins, rest) = read.as_chunks();
        let bins = bins.try_into().ok().filter(|_| rest.is_empty());
        self.bins = bins.ok_or_else(|| Error::value("time sampler's state", state, "120 finite numbers"))?;
        Ok(())
    }
}

/// Adds the name `fitted`.
pub fn register<Y: OdeState>(registry: &mut Registry<Y>) {
    let entry = Entry { formula: "pdf ~ sqrt(E[loss^2 | gamma])", reference: "arXiv 2107.00630" };
    registry.add_time_sampler("fitted", entry, |_: NoSettings, with| Ok(Fitted::new(with.inputs.range)));
}

#[cfg(test)]
mod tests;
