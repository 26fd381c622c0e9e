//! Time samplers: how often training visits each gamma.

mod adaptive;
mod cosine;
mod diagnostics;
mod importance;
mod log_normal;
mod losses;
mod straight_path;
mod stratified;
mod tabulated;
#[cfg(test)]
mod tests;
mod uniform;

pub use adaptive::{Adaptive, BinWeights};
pub use cosine::Cosine;
pub use diagnostics::{BinReport, Diagnostics};
pub use importance::Importance;
pub use log_normal::{LogNormal, LogNormalConfig};
pub use losses::{BinLosses, Losses};
pub use stratified::Stratified;
pub use tabulated::Tabulated;
pub use uniform::Uniform;

use crate::error::{Error, Result};
use crate::level::{Gamma, GammaRange};
use rand::RngCore;
use std::fmt::Debug;

/// The built-in time samplers: name, formula of the density, reference. `stratified` wraps any.
pub const BUILT_IN: &[(&str, &str, &str)] = &[
    ("uniform", "pdf = 1 / (gamma_max - gamma_min)", "arXiv 2107.00630"),
    ("importance", "pdf proportional to the likelihood's weight 1 / (2 a^2)", "arXiv 2305.03935"),
    ("cosine", "pdf proportional to 1 / cosh(gamma/2)", "arXiv 2102.09672"),
    ("log_normal", "gamma/2 ~ N(mean, std^2), cut to the range", "arXiv 2206.00364"),
    ("stratified", "u_i = frac(u_0 + i/n) through any quantile", "arXiv 2107.00630"),
];

/// A density on `[gamma_min, gamma_max]`.
///
/// # Laws
/// - `normalized`: `pdf` integrates to 1 over the range, and is positive inside it;
/// - `inverse`: `quantile` inverts the cumulative distribution of `pdf`;
/// - `ends`: `quantile(0)` and `quantile(1)` are the range's ends, and no draw leaves it;
/// - `unbiased`: weights `1 / pdf` leave a known integral unbiased;
/// - `value_stability`: the same seed gives the same draws, bit for bit;
/// - `adaptation`: all of this holds whatever was observed, and the range stays;
/// - `resume`: a sampler that restores a state is the one that wrote it, and one without a state learns nothing.
pub trait TimeSampler: Debug + Send {
    /// The range of the density.
    fn range(&self) -> GammaRange;

    /// The density at `gamma`, per unit of gamma.
    fn pdf(&self, gamma: Gamma) -> f64;

    /// The gamma below which a fraction `u` of the draws lies, `u` in `[0, 1]`.
    fn quantile(&self, u: f64) -> Gamma;

    /// `count` numbers in `[0, 1)`, each uniform, that [`TimeSamplerExt::draw`] puts through
    /// [`quantile`](Self::quantile): independent unless a wrapper such as a stratified one couples them.
    fn uniforms(&mut self, count: usize, rng: &mut dyn RngCore) -> Vec<f64> {
        (0..count).map(|_| rand::Rng::r#gen(rng)).collect()
    }

    /// Tells the sampler the per-row loss measured at `gamma`, in nats per unit of gamma.
    /// Adaptive samplers learn from it; the others ignore it.
    fn observe(&mut self, gamma: Gamma, loss: f64) {
        let _ = (gamma, loss);
    }

    /// What it has learned, for a checkpoint; `None` for a sampler that learns nothing.
    fn state(&self) -> Option<String> {
        None
    }

    /// Takes up what [`state`](Self::state) gave.
    ///
    /// # Errors
    /// If it is not what this sampler writes.
    fn restore(&mut self, state: &str) -> Result<()> {
        Err(Error::value("time sampler's state", state, "none: this sampler learns nothing"))
    }
}

/// What every sampler can do, derived from its density.
pub trait TimeSamplerExt: TimeSampler {
    /// `count` levels for one optimizer step (over all of its accumulation steps).
    fn draw(&mut self, count: usize, rng: &mut dyn RngCore) -> Vec<Gamma> {
        self.uniforms(count, rng).into_iter().map(|u| self.quantile(u)).collect()
    }
}

impl<T: TimeSampler + ?Sized> TimeSamplerExt for T {}

impl<T: TimeSampler + ?Sized> TimeSampler for Box<T> {
    fn range(&self) -> GammaRange {
        (**self).range()
    }
    fn pdf(&self, gamma: Gamma) -> f64 {
        (**self).pdf(gamma)
    }
    fn quantile(&self, u: f64) -> Gamma {
        (**self).quantile(u)
    }
    fn uniforms(&mut self, count: usize, rng: &mut dyn RngCore) -> Vec<f64> {
        (**self).uniforms(count, rng)
    }
    fn observe(&mut self, gamma: Gamma, loss: f64) {
        (**self).observe(gamma, loss);
    }
    fn state(&self) -> Option<String> {
        (**self).state()
    }
    fn restore(&mut self, state: &str) -> Result<()> {
        (**self).restore(state)
    }
}

/// `gamma`, kept in the range; exactly the range's ends at `u = 0` and `u = 1`.
fn within(range: GammaRange, u: f64, gamma: f64) -> Gamma {
    if u <= 0.0 {
        range.min()
    } else if u >= 1.0 {
        range.max()
    } else {
        Gamma(gamma.clamp(range.min().0, range.max().0))
    }
}
