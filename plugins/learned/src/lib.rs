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
//! Training climbs the bound `E_q[log p(z) - log q(z | k)]` by reparameterization: see [`Learner`]. In a recipe without a
//! file of parameters it happens with the model's own, see [`WithModel`].
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
mod with_model;

pub use learner::{LearnReport, Learner};
pub use noise::BinNoise;
pub use with_model::{Training, WithModel};

use idode::data::ImageShape;
use idode::dequantization::{Dequantizer, Draw, StartConfig};
use idode::error::{Error, Result};
use idode::level::Level;
use idode::number::Positive;
use idode::pixels::PixelGrid;
use idode::registry::{DequantizerInputs, Entry, Registry};
use idode::solver::OdeState;
use network::PatchNet;
use rand::distributions::Open01;
use rand::{Rng, RngCore, SeedableRng};
use rand_chacha::ChaCha8Rng;
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

    /// What it is made for, in one line that tells two of them apart.
    fn describe(&self) -> String {
        let (levels, gamma) = (self.grid.levels(), self.level.gamma());
        format!("learned noise for {} of {levels} levels from gamma {gamma}", self.shape)
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
#[serde(default, deny_unknown_fields)]
struct Settings {
    /// The file that [`Learned::save`] wrote, as seen from the working directory; without it the noise is trained with
    /// the model.
    parameters: Option<PathBuf>,
    /// The start level of noise that is trained with the model: by default the range's least noise.
    gamma: Option<f64>,
    /// Its learning rate over the model's.
    rate: Positive,
    /// The decay of the moving average of its parameters.
    ema: f64,
}

impl Default for Settings {
    fn default() -> Self {
        let Training { rate, ema } = Training::default();
        Self { parameters: None, gamma: None, rate, ema }
    }
}

impl Settings {
    fn build(&self, inputs: &DequantizerInputs) -> Result<Box<dyn Dequantizer>> {
        if let Some(path) = &self.parameters {
            if let Some(gamma) = self.gamma {
                return Err(Error::value("gamma", gamma, "none beside parameters: their file has the level"));
            }
            let learned = Learned::load(path, inputs.grid, inputs.range, &*inputs.schedule)?;
            return Ok(Box::new(learned));
        }
        if !(0.0..1.0).contains(&self.ema) {
            return Err(Error::value("ema", self.ema, "0 or more, below 1"));
        }
        let shape = inputs.shape.ok_or_else(|| {
            Error::value("learned", "data of an unknown shape", "data.shape = [height, width, channels]")
        })?;
        let level = inputs.start(StartConfig { gamma: self.gamma })?;
        // Its first weights are the same in every run: what it draws with them is the truncated normal.
        let mut rng = ChaCha8Rng::seed_from_u64(0);
        let fresh = Learned::new(inputs.grid, level, shape, &mut rng)?;
        Ok(Box::new(WithModel::new(fresh, Training { rate: self.rate, ema: self.ema })))
    }
}

/// Adds the name `learned`.
pub fn register<Y: OdeState>(registry: &mut Registry<Y>) {
    let formula = "z0 = alpha (x + v / L), v ~ N(m, s^2) cut to [-1, 1], m and s from the image";
    let entry = Entry { formula, reference: "arXiv 1902.00275 (learned noise), arXiv 2305.03935" };
    registry.add_dequantizer("learned", entry, |settings: Settings, with| settings.build(with.inputs));
}
