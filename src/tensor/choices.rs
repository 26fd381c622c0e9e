//! Which of several ways computes an operation, and what was chosen on a device.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A way to compute an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Candidate {
    /// The device's own kernels; 3x3 convolution by Winograd's F(4x4, 3x3).
    Own,
    /// 3x3 convolution by NVIDIA's cuDNN, where it is installed.
    Cudnn,
    /// 3x3 convolution as own kernels that gather patches, and one product.
    Patches,
    /// dfdx's public operations.
    Portable,
}

#[cfg(feature = "cuda")]
impl Candidate {
    /// In the order of what they are thought to take: cuDNN gathers patches too, but not in memory.
    pub(crate) const ALL: [Self; 4] = [Self::Own, Self::Cudnn, Self::Patches, Self::Portable];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Own => "own",
            Self::Cudnn => "cudnn",
            Self::Patches => "patches",
            Self::Portable => "portable",
        }
    }
}

/// What computes each operation, by its shape in words, on the devices of a name: where a choice was made by time, another process may make
/// another, and give other bits.
#[doc(hidden)]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choices {
    pub(crate) device: String,
    pub(crate) operations: BTreeMap<String, Candidate>,
}

impl Choices {
    /// Whether nothing was chosen yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }
}
