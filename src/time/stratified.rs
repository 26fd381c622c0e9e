//! Low-discrepancy draws from any density.

use super::TimeSampler;
use crate::error::Result;
use crate::level::{Gamma, GammaRange};
use rand::{Rng, RngCore};

/// Stratified draws from the density of `S`: `u_i = frac(u_0 + i/n)` with one uniform `u_0`.
///
/// Each draw alone has the density of `S`; together they cover it evenly, so the mean over them
/// varies less. `n` is the number of rows of one whole optimizer step, over all of its
/// accumulation steps. The draws come in the order of `i`, not shuffled: rows must be
/// exchangeable, as the rows of shuffled data are. Losses of one step are correlated, so a
/// standard error needs several steps.
///
/// # Reference
/// arXiv 2107.00630, appendix I.1 (low-discrepancy sampler).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stratified<S>(
    /// The sampler whose density is drawn from.
    pub S,
);

impl<S: TimeSampler> TimeSampler for Stratified<S> {
    fn range(&self) -> GammaRange {
        self.0.range()
    }

    fn pdf(&self, gamma: Gamma) -> f64 {
        self.0.pdf(gamma)
    }

    fn quantile(&self, u: f64) -> Gamma {
        self.0.quantile(u)
    }

    fn uniforms(&mut self, count: usize, rng: &mut dyn RngCore) -> Vec<f64> {
        let start: f64 = rng.r#gen();
        (0..count).map(|i| (start + i as f64 / count as f64).fract()).collect()
    }

    fn observe(&mut self, gamma: Gamma, loss: f64) {
        self.0.observe(gamma, loss);
    }

    fn state(&self) -> Option<String> {
        self.0.state()
    }

    fn restore(&mut self, state: &str) -> Result<()> {
        self.0.restore(state)
    }
}
