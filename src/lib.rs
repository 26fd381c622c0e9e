//! Train and measure diffusion ODEs by maximum likelihood.
//!
//! `idode` implements the techniques of "Improved Techniques for Maximum Likelihood Estimation for
//! Diffusion ODEs" (i-DODE, arXiv 2305.03935), each behind a trait, on dfdx tensors whose image
//! shape and width are known at compile time.

pub mod analytic;
pub mod bounds;
#[cfg(feature = "cli")]
pub mod cli;
pub mod config;
pub mod data;
pub mod dequantization;
pub mod diffusion;
pub mod divergence;
pub mod error;
pub mod files;
pub mod flax;
pub mod level;
pub mod likelihood;
pub mod math;
pub mod model;
pub mod nn;
pub mod objective;
pub mod parameterization;
pub mod picture;
pub mod pixels;
pub mod prelude;
pub mod progress;
pub mod registry;
pub mod result;
pub mod run;
pub mod sample;
pub mod schedule;
pub mod solver;
pub mod tensor;
pub mod time;
pub mod train;
pub mod work;
