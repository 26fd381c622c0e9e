//! The data.

use super::{Affine, Parameterization};
use crate::level::Level;

/// Data: `F = x = (z - sigma eps) / alpha`, so `a = -sigma/alpha`, `b = 1/alpha`.
///
/// # Reference
/// arXiv 2107.00630, section 3.3 (the denoising model); arXiv 2202.00512, section 4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Data;

impl Parameterization for Data {
    fn target(&self, level: &Level) -> Affine {
        Affine { noise: -level.sigma() / level.alpha(), state: 1.0 / level.alpha() }
    }
}
