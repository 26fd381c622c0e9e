//! The likelihood chain against closed forms: dequantize, solve, prior; the VLB; sampling.

#![allow(clippy::unwrap_used)]

#[path = "likelihood/bounds.rs"]
mod bounds;
#[path = "likelihood/chain.rs"]
mod chain;
#[path = "device.rs"]
mod device;
#[path = "likelihood/divergence.rs"]
mod divergence;
#[path = "likelihood/failures.rs"]
mod failures;
#[path = "likelihood/gaussian.rs"]
mod gaussian;
#[path = "likelihood/sampling.rs"]
mod sampling;
#[path = "likelihood/states.rs"]
mod states;
#[path = "likelihood/variational.rs"]
mod variational;
