//! Dequantizers that treat every coordinate alike, as one small trait.

use super::{Dequantizer, Draw};
use crate::level::Level;
use rand::RngCore;
use std::fmt::Debug;

/// A dequantizer that draws every coordinate by itself, in the same way.
///
/// Whoever implements it gets [`Dequantizer`]: `log q` and the decoder's term are sums over
/// coordinates, drawn in the row's order. `k` is a grey level, below the number of levels.
///
/// # Laws
/// - `normalized`: `exp(log_density)` integrates to 1 over `z`;
/// - `entropy`: [`entropy_per_dim`](Self::entropy_per_dim) is the integral of `-q log q`;
/// - `support`: a draw has a finite log-density, and stays in its bin wherever
///   [`log_decoder`](Self::log_decoder) is 0.
pub trait PerCoordinate: Debug + Send + Sync {
    /// The level at which the ODE starts.
    fn start(&self) -> Level;

    /// Draws `z0` of one coordinate whose grey level is `k`.
    fn draw_one(&self, k: u16, rng: &mut dyn RngCore) -> f64;

    /// `log q(z | k)` in nats, a density over `z`; minus infinity outside the support.
    fn log_density(&self, k: u16, z: f64) -> f64;

    /// `log P(k | z)` in nats: 0 where the support of `q` stays inside the bins.
    fn log_decoder(&self, k: u16, z: f64) -> f64 {
        let _ = (k, z);
        0.0
    }

    /// The entropy of one coordinate in nats, `-E log q`.
    fn entropy_per_dim(&self) -> f64;
}

impl<T: PerCoordinate> Dequantizer for T {
    fn level(&self) -> Level {
        self.start()
    }

    fn draw(&self, row: &[u16], rng: &mut dyn RngCore) -> Draw {
        let mut draw = Draw { z: Vec::with_capacity(row.len()), log_q: 0.0, log_decoder: 0.0 };
        for &k in row {
            let z = self.draw_one(k, rng);
            draw.log_q += self.log_density(k, z);
            draw.log_decoder += self.log_decoder(k, z);
            draw.z.push(z);
        }
        draw
    }

    fn entropy(&self, dims: usize) -> Option<f64> {
        Some(dims as f64 * self.entropy_per_dim())
    }
}
