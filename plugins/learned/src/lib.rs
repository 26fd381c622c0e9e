//! A learned, image-conditional dequantizer: the truncated normal of the paper, with a middle and a spread in each
//! pixel's bin that a small network reads off the image, trained together with the diffusion model to make the bound on
//! the likelihood tight.
//!
//! Coordinate `i` of an image with grey levels `k` starts at
//!
//! `z_i = alpha_0 (x_{k_i} + v_i / L)`, `v_i ~ N(m_i, s_i^2)` cut to `[-1, 1]`,
//!
//! with `x_k` the centre of the bin, `1/L` half its width, and `(m_i, s_i)` what the network says from the `3 x 3` pixels
//! around it. So `log q(z | k) = sum_i (log q_i(v_i) - ln(alpha_0 / L))` is exact, and `z` never leaves its bins: there is
//! no decoder term. Before training `m = 0` and `s = e^{gamma_0/2} L`: truncated-normal dequantization itself.
//!
//! Training climbs the bound `E_q[log p(z) - log q(z | k)]` by reparameterization: see [`Learner`].
//!
//! # Reference
//! Ho et al., "Flow++" (arXiv 1902.00275), section 3.1 (variational dequantization); arXiv 2305.03935
//! (truncated-normal dequantization).

mod file;
mod learner;
mod network;
mod noise;
#[cfg(test)]
mod tests;

pub use learner::{LearnReport, Learner, network_score};
pub use noise::BinNoise;

use idode::data::ImageShape;
use idode::dequantization::{Dequantizer, Draw};
use idode::error::{Error, Result};
use idode::level::Level;
use idode::pixels::PixelGrid;
use idode::registry::{Entry, Registry};
use idode::solver::OdeState;
use network::PatchNet;
use rand::distributions::Open01;
use rand::{Rng, RngCore};
use std::path::PathBuf;

/// The learned dequantizer of images of one shape.
#[derive(Clone, Debug)]
pub struct Learned {
    grid: PixelGrid,
    level: Level,
    shape: ImageShape,
    network: PatchNet,
}

impl Learned {
    /// An untrained one, which starts at `level`: the diffusion's own noise there, cut to the bins.
    ///
    /// # Errors
    /// If the shape has no pixels.
    pub fn new(grid: PixelGrid, level: Level, shape: ImageShape, rng: &mut dyn RngCore) -> Result<Self> {
        if shape.dims() == 0 {
            return Err(Error::value("shape", shape, "at least one pixel"));
        }
        Ok(Self { grid, level, shape, network: PatchNet::new(shape.channels, rng) })
    }

    /// The shape of the images that it was made for.
    pub fn shape(&self) -> ImageShape {
        self.shape
    }

    /// The pixels' bins.
    pub fn grid(&self) -> PixelGrid {
        self.grid
    }

    /// The noise of every coordinate of one image; `None` for a row of another length.
    pub fn noise(&self, row: &[u16]) -> Option<Vec<BinNoise>> {
        (row.len() == self.shape.dims()).then(|| {
            let raw = self.network.numbers(self.shape, &self.grid.centres(row));
            raw.iter().map(|&raw| BinNoise::new(raw, self.initial_spread())).collect()
        })
    }

    /// `log q(z | row)` in nats; minus infinity outside the image's bins.
    ///
    /// # Shapes
    /// `row` and `z`: one entry a coordinate; NaN for rows of another length.
    pub fn log_density(&self, row: &[u16], z: &[f64]) -> f64 {
        let Some(noise) = self.noise(row).filter(|noise| noise.len() == z.len()) else { return f64::NAN };
        let half = self.half_bin();
        let v = row.iter().zip(z).map(|(&k, z)| (z - self.middle(k)) / half);
        noise.iter().zip(v).map(|(noise, v)| noise.log_density(v) - half.ln()).sum()
    }

    /// The diffusion's own noise at the start level, in units of half a bin.
    fn initial_spread(&self) -> f64 {
        (0.5 * self.level.gamma().0).exp() * f64::from(self.grid.levels())
    }

    /// The middle of the bin of level `k`, in units of `z`.
    fn middle(&self, k: u16) -> f64 {
        self.level.alpha() * self.grid.centre(k)
    }

    /// Half the width of a bin, in units of `z`.
    fn half_bin(&self) -> f64 {
        0.5 * self.level.alpha() * self.grid.bin_width()
    }
}

impl Dequantizer for Learned {
    fn level(&self) -> Level {
        self.level
    }

    fn draw(&self, row: &[u16], rng: &mut dyn RngCore) -> Draw {
        let Some(noise) = self.noise(row) else {
            return Draw { z: vec![f64::NAN; row.len()], log_q: f64::NAN, log_decoder: 0.0 };
        };
        let mut draw = Draw { z: Vec::with_capacity(row.len()), log_q: 0.0, log_decoder: 0.0 };
        for (&k, noise) in row.iter().zip(noise) {
            let position = noise.at(rng.sample(Open01));
            draw.z.push(self.middle(k) + self.half_bin() * position.v);
            draw.log_q += position.log_density - self.half_bin().ln();
        }
        draw
    }
}

/// The settings of the name `learned`.
#[derive(Clone, Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// The file that [`Learned::save`] wrote, as seen from the working directory.
    parameters: PathBuf,
}

/// Adds the name `learned`.
pub fn register<Y: OdeState>(registry: &mut Registry<Y>) {
    let formula = "z0 = alpha (x + v / L), v ~ N(m, s^2) cut to [-1, 1], m and s from the image";
    let entry = Entry { formula, reference: "arXiv 1902.00275 (learned noise), arXiv 2305.03935" };
    registry.add_dequantizer("learned", entry, |settings: Settings, context| {
        let inputs = context.inputs;
        Learned::load(&settings.parameters, inputs.grid, inputs.range, &*inputs.schedule)
    });
}
