//! The data set of a recipe, and the noise levels it asks for.

use super::by_name::by_name;
use super::source::Source;
use crate::error::Result;
use crate::level::GammaRange;
use serde::{Deserialize, Serialize};

/// The data set, by name.
#[derive(Clone, Debug, PartialEq)]
pub enum Data {
    /// `"digits"`: 1,797 handwritten digits of 8x8 pixels and 17 grey levels, embedded in the crate.
    Digits,
    /// `"two_pixel"`: two pixels of 256 levels from a fixed mixture whose entropy is known exactly.
    TwoPixel,
}

by_name!(Data { Digits, TwoPixel; });

impl Data {
    /// The number of grey levels of a pixel.
    pub fn levels(&self) -> u32 {
        match self {
            Self::Digits => 17,
            Self::TwoPixel => 256,
        }
    }
}

/// The range of noise levels, within `[-100, 100]`; an end that is left out has its default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Range {
    /// The least noise: `-2 ln(3.0187 L)` for `L` grey levels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gamma_min: Option<f64>,
    /// The most noise: 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gamma_max: Option<f64>,
}

impl Range {
    /// The range for pixels of `levels` grey levels.
    pub(super) fn of(&self, levels: u32, source: &Source) -> Result<GammaRange> {
        let default = GammaRange::for_levels(levels);
        let min = self.gamma_min.unwrap_or(default.min().0);
        let max = self.gamma_max.unwrap_or(default.max().0);
        let (key, found, other) = match (self.gamma_min, self.gamma_max) {
            (Some(_), _) => ("range.gamma_min", min, format!("below gamma_max = {max}")),
            (None, _) => ("range.gamma_max", max, format!("above gamma_min = {min}")),
        };
        for (key, end) in [("range.gamma_min", min), ("range.gamma_max", max)] {
            if !(-100.0..=100.0).contains(&end) {
                return Err(source.error(key, end, "a noise level from -100 to 100"));
            }
        }
        GammaRange::new(min, max).map_err(|_| source.error(key, found, format!("a noise level {other}")))
    }
}
