//! The noise.

use super::{Affine, Parameterization};
use crate::level::Level;

/// Noise: `F = eps`, so `a = 1`, `b = 0`.
///
/// # Reference
/// Ho et al. 2020, arXiv 2006.11239, section 3.2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Noise;

impl Parameterization for Noise {
    fn target(&self, _: &Level) -> Affine {
        Affine { noise: 1.0, state: 0.0 }
    }
}
