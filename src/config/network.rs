//! The network of a recipe.

use super::by_name::by_name;
use super::fault::Fault;
use super::limits::{count, fraction};
pub use crate::nn::Attention;
use serde::{Deserialize, Serialize};

/// The network, by name.
#[derive(Clone, Debug, PartialEq)]
pub enum Network {
    /// `"unet"`: the paper's U-Net at constant resolution, for images.
    Unet(Unet),
    /// `"mlp"`: a multilayer perceptron, for points and toys.
    Mlp(Mlp),
}

/// Settings of the U-Net.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Unet {
    /// Channels of every residual block: 32.
    pub width: usize,
    /// Residual blocks on the way in, and one more on the way out: 2.
    pub blocks: usize,
    /// Where self-attention is: `"middle"`.
    pub attention: Attention,
    /// The probability with which a hidden unit is dropped in training: 0.
    pub dropout: f64,
    /// Exponents `k` of the base-2 Fourier features `sin(2^k 2 pi z)` and `cos(2^k 2 pi z)` that are
    /// appended to the input, `[]` for none. Without it `[n - 1, n]` with `n = round(log2(L / 2))` for
    /// `L` grey levels, about a turn a level: the paper's `[6, 7]` for 256.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fourier: Option<Vec<i32>>,
    /// Whether the features fade with noise: false, as in the paper. Those of the MLP always do.
    pub fading: bool,
    /// Whether training computes the inside of each residual block again in the backward pass instead of keeping it:
    /// false. The numbers are the same; it takes a third longer and spares most of the activations' memory.
    pub checkpoint: bool,
}

/// Settings of the multilayer perceptron.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Mlp {
    /// Units of a hidden layer: 128.
    pub width: usize,
    /// Hidden layers: 3.
    pub depth: usize,
    /// Exponents of the Fourier features of the input, as for the U-Net.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fourier: Option<Vec<i32>>,
}

impl Default for Unet {
    fn default() -> Self {
        Self {
            width: 32,
            blocks: 2,
            attention: Attention::default(),
            dropout: 0.0,
            fourier: None,
            fading: false,
            checkpoint: false,
        }
    }
}

impl Default for Mlp {
    fn default() -> Self {
        Self { width: 128, depth: 3, fourier: None }
    }
}

by_name!(Network { ; Unet(Unet), Mlp(Mlp) });

impl Network {
    pub(super) fn check(&self) -> Result<(), Fault> {
        match self {
            Self::Unet(unet) => {
                count("width", unet.width as u64)?;
                count("blocks", unet.blocks as u64)?;
                fraction("dropout", unet.dropout)?;
                exponents(unet.fourier.as_deref().unwrap_or_default())
            }
            Self::Mlp(mlp) => {
                count("width", mlp.width as u64)?;
                count("depth", mlp.depth as u64)?;
                exponents(mlp.fourier.as_deref().unwrap_or_default())
            }
        }
    }
}

fn exponents(fourier: &[i32]) -> Result<(), Fault> {
    match fourier.iter().position(|k| !(-4..=16).contains(k)) {
        Some(i) => Err(Fault::new(format!("fourier[{i}]"), fourier[i].to_string(), "-4 to 16")),
        None => Ok(()),
    }
}
