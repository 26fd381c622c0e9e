//! The score.

use super::{Affine, Parameterization};
use crate::level::Level;

/// Score: `F = -eps / sigma`, whose conditional mean is `grad log q(z)`, so `a = -1/sigma`, `b = 0`.
///
/// # Reference
/// Song et al. 2021, arXiv 2011.13456, section 3.3 (denoising score matching).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Score;

impl Parameterization for Score {
    fn target(&self, level: &Level) -> Affine {
        Affine { noise: -1.0 / level.sigma(), state: 0.0 }
    }
}
