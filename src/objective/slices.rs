//! Which directions an objective looks along.

use serde::{Deserialize, Serialize};

/// One random direction a row, or all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Slices {
    /// One Rademacher probe: the objective's mean over probes is the exact one.
    #[default]
    Probe,
    /// Every unit vector, for few dimensions.
    Exact,
}

impl Slices {
    /// The number of directions in `dims` dimensions.
    pub(super) fn count(self, dims: usize) -> usize {
        match self {
            Self::Probe => 1,
            Self::Exact => dims,
        }
    }
}
