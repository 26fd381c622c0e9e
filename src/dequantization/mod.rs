//! Dequantizers: from pixels to the ODE's starting point, with the price of the way.
//!
//! For any `q(z0 | x)`, `log P(x) >= E_q[log p(z0) + log P(x | z0) - log q(z0 | x)]`, where `p` is
//! the model's density at the start level (arXiv 2305.03935, dequantization).

mod bound;
mod gaussian;
mod in_bin;
mod per_coordinate;
mod start;
#[cfg(test)]
mod tests;
mod training_step;
mod truncated_normal;
mod uniform;

pub use bound::{k_sample_bound, mean_of_draws, nats_to_bits_per_dim};
pub use gaussian::{Gaussian, decode, decode_row, log_decoder};
pub use in_bin::{BinDensity, InBin};
pub use per_coordinate::PerCoordinate;
pub use start::{StartConfig, gamma_of_half_bin};
pub use training_step::TrainingStep;
pub use truncated_normal::TruncatedNormal;
pub use uniform::{UNIFORM_TAU, UniformBin};

use crate::error::{Error, Result};
use crate::level::Level;
use rand::RngCore;
use std::fmt::Debug;

/// The built-in dequantizers: name, formula, reference.
pub const BUILT_IN: &[(&str, &str, &str)] = &[
    ("uniform", "z0 = alpha (x + u), u ~ U[-1/L, 1/L)", "arXiv 1511.01844"),
    ("truncated_normal", "z0 = alpha x + sigma eps, eps ~ N(0, 1) cut to the bin", "arXiv 2305.03935"),
    ("gaussian", "z0 = alpha x + sigma eps, with the softmax decoder P(x | z0)", "arXiv 2305.03935"),
];

/// How much of a bin draws stay inside: off its edges, where rounding could leave the bin. Fewer
/// than one draw in 1e9 is moved, by less than 1e-9 of a bin.
const INSIDE: f64 = 1.0 - 1e-10;

/// One draw of `z0` for one image.
#[derive(Clone, Debug, PartialEq)]
pub struct Draw {
    /// The starting point `z0`, in the units of `z` at the start level.
    pub z: Vec<f64>,
    /// `log q(z0 | x)` in nats, a density over `z`.
    pub log_q: f64,
    /// `log P(x | z0)` in nats: 0 where the support of `q` stays inside the pixels' bins.
    pub log_decoder: f64,
}

/// A distribution `q(z0 | x)` at the start level of the ODE.
///
/// One that treats every coordinate alike implements [`PerCoordinate`] and gets this trait.
///
/// A row is one whole image, as grey levels `0..levels` in the model's order, so that a learned,
/// image-conditional `q` fits.
///
/// # Laws
/// - `normalized`: `exp(log_q)` integrates to 1 over `z`, and is the density of the draws;
/// - `entropy`: [`entropy`](Self::entropy), where it is given, is `-E log q`;
/// - `bound`: for an exact density, `E[log p + log P(x | z) - log q] <= log P(x)`;
/// - `more_draws`: more draws only tighten the K-sample bound, and never past `log P(x)`;
/// - `reproducible`: the same seed gives the same draw, bit for bit;
/// - `resume`: one that restores a state is the one that wrote it, and one without a state learns nothing.
pub trait Dequantizer: Debug + Send + Sync {
    /// The level at which the ODE starts.
    fn level(&self) -> Level;

    /// Draws `z0` for one image.
    fn draw(&self, row: &[u16], rng: &mut dyn RngCore) -> Draw;

    /// The entropy `-E log q` of a row of `dims` dimensions in nats, where it has a closed form
    /// that does not depend on the image.
    fn entropy(&self, dims: usize) -> Option<f64> {
        let _ = dims;
        None
    }

    /// Learns from a step of the model, where the dequantizer is trained with it; the others do nothing.
    ///
    /// # Errors
    /// Images or a score that cannot be learned from; then nothing was changed.
    fn learn(&mut self, step: &TrainingStep<'_>, rng: &mut dyn RngCore) -> Result<()> {
        let _ = (step, rng);
        Ok(())
    }

    /// What it has learned, for a checkpoint; `None` for a dequantizer that learns nothing.
    fn state(&self) -> Option<String> {
        None
    }

    /// Takes up what [`state`](Self::state) gave.
    ///
    /// # Errors
    /// If it is not what this dequantizer writes.
    fn restore(&mut self, state: &str) -> Result<()> {
        let found: String = state.chars().take(40).collect();
        Err(Error::value("dequantizer's state", found, "none: this dequantizer learns nothing"))
    }
}

impl Dequantizer for Box<dyn Dequantizer> {
    fn level(&self) -> Level {
        (**self).level()
    }
    fn draw(&self, row: &[u16], rng: &mut dyn RngCore) -> Draw {
        (**self).draw(row, rng)
    }
    fn entropy(&self, dims: usize) -> Option<f64> {
        (**self).entropy(dims)
    }
    fn learn(&mut self, step: &TrainingStep<'_>, rng: &mut dyn RngCore) -> Result<()> {
        (**self).learn(step, rng)
    }
    fn state(&self) -> Option<String> {
        (**self).state()
    }
    fn restore(&mut self, state: &str) -> Result<()> {
        (**self).restore(state)
    }
}

/// What is shared learns nothing.
impl Dequantizer for std::sync::Arc<dyn Dequantizer> {
    fn level(&self) -> Level {
        (**self).level()
    }
    fn draw(&self, row: &[u16], rng: &mut dyn RngCore) -> Draw {
        (**self).draw(row, rng)
    }
    fn entropy(&self, dims: usize) -> Option<f64> {
        (**self).entropy(dims)
    }
}
