//! The settings of the networks that are built in.

use super::Named;
pub use crate::nn::Attention;
use serde::{Deserialize, Serialize};

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

/// A network's settings as the recipe has them, by name.
macro_rules! named {
    ($($settings:ident: $name:literal),*) => {$(
        impl From<$settings> for Named {
            fn from(settings: $settings) -> Self {
                // Plain numbers, names and lists: TOML holds them.
                let settings = super::ser::to_table(&settings).unwrap_or_default();
                Self { name: $name.to_owned(), settings }
            }
        }
    )*};
}

named!(Unet: "unet", Mlp: "mlp");
