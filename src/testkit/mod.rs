//! Conformance: every law of every trait as a function, and as a test suite.
//!
//! The laws are stated at the traits, under the same names. Each is a function that takes its subject and
//! returns a [`Verdict`]: a [`Violation`] is one line that names the law, the level or the problem, what was found and
//! what was expected. A suite is one `#[test]` a law:
//!
//! ```
//! use idode::level::Level;
//! use idode::parameterization::{Affine, Parameterization};
//!
//! #[derive(Debug)]
//! struct Mine;
//!
//! impl Parameterization for Mine {
//!     fn target(&self, level: &Level) -> Affine {
//!         let ratio = level.sigma() / level.alpha();
//!         Affine { noise: level.alpha() + level.sigma() * ratio, state: -ratio }
//!     }
//! }
//!
//! idode::testkit::parameterization_suite!(mine, Mine, |level: &Level, x, eps| {
//!     level.alpha() * eps - level.sigma() * x
//! });
//! # fn main() {}
//! ```
//!
//! Subjects are checked at fixed or seeded draws, so that a verdict is the same on every run. Statistical laws
//! allow [`statistics::SIGMAS`] standard errors.

pub mod built_in;
pub mod command_line;
pub mod dequantizer;
pub mod network;
pub mod parameterization;
pub mod per_coordinate;
pub mod quadrature;
pub mod schedule;
pub mod solver;
pub mod statistics;
pub mod strategies;
mod suite;
pub mod time;
mod violation;

#[doc(inline)]
pub use crate::{command_line_suite, dequantizer_suite, network_suite, parameterization_suite};
#[doc(inline)]
pub use crate::{per_coordinate_suite, schedule_suite, solver_suite, time_sampler_suite};
pub use violation::{Law, Verdict, Violation};

use crate::level::GammaRange;

/// The levels that schedules and parameterizations are checked at unless a test says otherwise: -20
/// to 10, beyond the paper's -13.3 to 5 on both sides.
pub fn usual_range() -> GammaRange {
    GammaRange::new(-20.0, 10.0).unwrap_or(GammaRange::for_levels(256))
}
