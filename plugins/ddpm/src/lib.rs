//! A U-Net with down- and up-sampling, for images of 64x64 pixels and more.
//!
//! `F(z, t) = z + conv_out(norm(up(middle(down(conv_in(features(z)))))))`. On the way down each level has `blocks` residual blocks of
//! `width * multipliers[level]` channels and ends with half the resolution (the mean of 2x2 pixels, then a 3x3 convolution); on the way up it
//! has one block more, each of which also sees the output of its counterpart, and begins with twice the resolution (the nearest pixel, then a
//! 3x3 convolution). Attention follows every block at the heights that are asked for, and stands between the two blocks in the middle. Output
//! layers start at zero, so `F = z` at first.
//!
//! # Reference
//! Ho, Jain and Abbeel, "Denoising Diffusion Probabilistic Models" (arXiv 2006.11239), appendix B; with the Fourier features of "Variational
//! Diffusion Models" (arXiv 2107.00630), appendix C, which likelihoods of fine grey levels need.

mod block;
mod network;

pub use network::DdpmUNet;

use idode::data::RowShape;
use idode::error::{Error, Result};
use idode::nn::GROUPS;
use idode::registry::{BuildNetwork, Entry, NetworkInputs, Registry};
use idode::solver::OdeState;
use idode::tensor::{Kernels, Real};
use rand::RngCore;
use serde::{Deserialize, Serialize};

/// The settings in a recipe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Channels of the first level: 64; a multiple of 32.
    pub width: usize,
    /// What each level's channels are of them, from the full resolution down: `[1, 2, 2]`.
    pub multipliers: Vec<usize>,
    /// Residual blocks of a level on the way down, and one more on the way up: 2.
    pub blocks: usize,
    /// The heights of images at which attention follows each block: `[16]`.
    pub attention: Vec<usize>,
    /// The probability with which a hidden unit is dropped in training: 0.1.
    pub dropout: f64,
    /// Exponents of the base-2 Fourier features, which fade with noise; without it about a turn a grey level.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fourier: Option<Vec<i32>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            width: 64,
            multipliers: vec![1, 2, 2],
            blocks: 2,
            attention: vec![16],
            dropout: 0.1,
            fourier: None,
        }
    }
}

impl Settings {
    /// The exponents of the Fourier features.
    fn exponents(&self, inputs: &NetworkInputs) -> Vec<i32> {
        let turn = |levels: u32| (f64::from(levels) / 2.0).log2().round() as i32;
        match (&self.fourier, inputs.levels) {
            (Some(fourier), _) => fourier.clone(),
            (None, Some(levels)) => vec![turn(levels) - 1, turn(levels)],
            (None, None) => Vec::new(),
        }
    }
}

/// The network by its name.
#[derive(Debug)]
pub struct Ddpm;

impl BuildNetwork for Ddpm {
    type Settings = Settings;
    type Network<E: Real, D: Kernels<E>> = DdpmUNet<E, D>;

    fn check(&self, settings: &Settings, inputs: &NetworkInputs) -> Result<()> {
        let RowShape::Image(image) = inputs.shape else {
            let expected = "a network for rows of numbers, such as \"mlp\"";
            return Err(Error::value("network.name", format!("\"ddpm\" for {}", inputs.shape), expected));
        };
        let Settings { width, multipliers, blocks, dropout, .. } = settings;
        if *width == 0 || !width.is_multiple_of(GROUPS) {
            let expected = format!("a multiple of {GROUPS}, the groups of group norm");
            return Err(Error::value("network.width", width, expected));
        }
        if *blocks == 0 {
            return Err(Error::value("network.blocks", blocks, "at least 1"));
        }
        if let Some(level) = multipliers.iter().position(|factor| *factor == 0) {
            return Err(Error::value(format!("network.multipliers[{level}]"), 0, "at least 1"));
        }
        let halvings = u32::try_from(multipliers.len()).unwrap_or(u32::MAX).saturating_sub(1);
        let finest = 1usize.checked_shl(halvings).unwrap_or(usize::MAX);
        let divides = |side: usize| side.is_multiple_of(finest);
        if multipliers.is_empty() || !divides(image.height) || !divides(image.width) {
            let expected = format!("1 or more, of which all but one can halve images of {image}");
            return Err(Error::value(
                "network.multipliers",
                format!("{} levels", multipliers.len()),
                expected,
            ));
        }
        match (0.0..1.0).contains(dropout) {
            true => Ok(()),
            false => Err(Error::value("network.dropout", dropout, "at least 0 and below 1")),
        }
    }

    fn build<E: Real, D: Kernels<E>>(
        &self,
        settings: &Settings,
        inputs: &NetworkInputs,
        device: &D,
        rng: &mut dyn RngCore,
    ) -> Result<DdpmUNet<E, D>> {
        self.check(settings, inputs)?;
        Ok(DdpmUNet::new(settings, &settings.exponents(inputs), inputs, device, rng))
    }
}

/// Adds the name `ddpm`.
pub fn register<Y: OdeState>(registry: &mut Registry<Y>) {
    let formula =
        "F = z + out(up(middle(down(in(features(z)))))), at half the resolution from level to level";
    registry.add_network("ddpm", Entry { formula, reference: "arXiv 2006.11239, appendix B" }, Ddpm);
}
