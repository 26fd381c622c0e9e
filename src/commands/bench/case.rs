//! The networks that are timed.

use crate::error::{Error, Result};
use crate::nn::UNetConfig;
use std::num::NonZeroU16;

/// A network and a batch whose times can be compared between machines and frameworks.
///
/// Each is the paper's U-Net: attention in the middle, Fourier features 6 and 7, dropout 0.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Case {
    pub(super) name: &'static str,
    /// The side of an image.
    pub(super) side: usize,
    /// The network's width and blocks.
    pub(super) width: usize,
    pub(super) blocks: usize,
    /// The rows of a step.
    pub(super) batch: usize,
    /// How often each figure is timed after its warm-up.
    pub(super) repeats: usize,
}

impl Case {
    /// Every case; `full` is the paper's network for CIFAR-10.
    pub(crate) const ALL: [Self; 3] = [
        Self { name: "s", side: 8, width: 64, blocks: 4, batch: 64, repeats: 7 },
        Self { name: "m", side: 32, width: 64, blocks: 4, batch: 16, repeats: 7 },
        Self { name: "full", side: 32, width: 128, blocks: 32, batch: 4, repeats: 3 },
    ];

    /// The case of a name.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn named(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|case| case.name == name);
        found.ok_or_else(|| Error::value("case", name, "s, m or full"))
    }

    /// The same network with a batch of `rows` images.
    #[must_use]
    pub(crate) fn with_batch(self, rows: NonZeroU16) -> Self {
        Self { batch: usize::from(rows.get()), ..self }
    }

    pub(super) fn config(self) -> UNetConfig {
        UNetConfig { blocks: self.blocks, ..UNetConfig::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_found_by_name() {
        for case in Case::ALL {
            assert_eq!(Case::named(case.name).unwrap(), case);
        }
        let error = Case::named("xl").unwrap_err().to_string();
        assert_eq!(error, "case = xl: expected s, m or full");
    }
}
