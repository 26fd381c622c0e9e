//! Parameterizations: what the network regresses, `F = a eps + b z`.
//!
//! theory: with `F* = E[F | z]`, everything else follows from the pair `(a, b)` of the level.

mod data;
mod ext;
mod noise;
mod score;
mod velocity;

pub use data::Data;
pub use ext::{Conversion, DivergenceCoefficients, ParameterizationExt, Regression, SecondOrder, ThirdOrder};
pub use noise::Noise;
pub use score::Score;
pub use velocity::Velocity;

use crate::level::Level;
use std::fmt::Debug;

/// The built-in parameterizations: name, formula, reference.
pub const BUILT_IN: &[(&str, &str, &str)] = &[
    (
        "velocity",
        "F = (p alpha x + (p + 1/2) sigma eps) / N, N = hypot(p alpha, (p + 1/2) sigma)",
        "arXiv 2305.03935",
    ),
    ("noise", "F = eps", "arXiv 2006.11239"),
    ("data", "F = x = (z - sigma eps) / alpha", "arXiv 2107.00630"),
    ("score", "F = -eps / sigma", "arXiv 2011.13456"),
];

/// The pair `(a, b)` of `F = a eps + b z` at one level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine {
    /// `a`, the coefficient of the noise `eps`; never 0.
    pub noise: f64,
    /// `b`, the coefficient of the state `z`.
    pub state: f64,
}

/// What the network regresses.
///
/// # Laws
/// - `formula`: `a eps + b z` is what the paper says the network regresses, in terms of `(x, eps)`;
/// - `solvable`: `a` is not 0, both numbers are finite, and the input scale is positive;
/// - `round_trip`: noise, data and score recovered from the exact `F` are the exact ones;
/// - `drift`: the ODE's drift of the exact noise equals the schedule's own;
/// - `invariance`: the VLB and the ODE's log-density of exact data are those of every other parameterization;
/// - `second_order`: `sigma dF*/dz = (a + b sigma) I - Cov(F | z) / a`;
/// - `third_order`: `sigma^2 grad tr dF*/dz = E[|F - F*|^2 (F - F*) | z] / a^2`;
/// - `second_order_bound`: a first-order error `delta` moves the minimiser of the second-order loss by
///   `|delta|^2 / |a|`, see [`bounds::second_order`](crate::bounds::second_order);
/// - `third_order_bound`: the third order's error is within
///   [`bounds::third_order`](crate::bounds::third_order).
///
/// All but the first follow from the pair, so that they fail where it cannot be computed with: two terms that
/// cancel, a pair that changes from call to call.
pub trait Parameterization: Debug + Send + Sync {
    /// The regression target `F = a eps + b z` at `level`.
    fn target(&self, level: &Level) -> Affine;

    /// What `z` is multiplied with before the network sees it (EDM's `c_in`).
    fn input_scale(&self, level: &Level) -> f64 {
        let _ = level;
        1.0
    }
}

macro_rules! forward {
    ($($pointer:ty),*) => {$(
        impl<P: Parameterization + ?Sized> Parameterization for $pointer {
            fn target(&self, level: &Level) -> Affine {
                (**self).target(level)
            }
            fn input_scale(&self, level: &Level) -> f64 {
                (**self).input_scale(level)
            }
        }
    )*};
}
forward!(&P, Box<P>, std::sync::Arc<P>);
