//! How exactly products are made.

use serde::{Deserialize, Serialize};
use std::fmt;

/// How the products of convolutions and of attention are made of numbers in `f32`; nothing else is touched by it.
///
/// `Tf32` rounds the factors of each product to 10 bits of mantissa (an error of at most `2^-11` of a factor when to the nearest) and adds
/// in `f32`, on tensor cores. It is for training; what is measured is `f32` unless someone asks.
///
/// | product | `Tf32` |
/// |---|---|
/// | 1x1 and 3x3 convolution, attention; their derivatives and backward passes | yes |
/// | dense layers, norms, sums, softmax, the optimizer | always `f32` |
///
/// Only `Cuda` in `f32` with its own kernels, on a card of compute capability 8.0 or more, has it: every other device is
/// [`Refused`]. So is a process whose environment has `NVIDIA_TF32_OVERRIDE=0`, by which NVIDIA's libraries leave it out in silence.
///
/// # Reference
/// NVIDIA, "A100 Tensor Core GPU Architecture"; cuBLAS, `CUBLAS_COMPUTE_32F_FAST_TF32`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// `"f32"`.
    #[default]
    F32,
    /// `"tf32"`.
    Tf32,
}

impl Precision {
    /// Whether it is the one that needs no word.
    pub(crate) fn is_f32(&self) -> bool {
        *self == Self::F32
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::Tf32 => "tf32",
        })
    }
}

/// A precision that cannot be had: where it was asked for, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    found: String,
}

impl Refused {
    /// `tf32` of what is found here: "on the processor".
    pub(crate) fn new(place: impl fmt::Display) -> Self {
        Self { found: format!("{} {place}", Precision::Tf32) }
    }

    /// What would do.
    pub const EXPECTED: &str =
        "f32; tf32 is of a CUDA device with this crate's kernels, of compute capability 8.0 or more, in f32";

    /// What was asked for, and where.
    pub fn found(&self) -> &str {
        &self.found
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: expected {}", self.found, Self::EXPECTED)
    }
}

impl std::error::Error for Refused {}
