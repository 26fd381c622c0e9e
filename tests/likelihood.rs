//! The likelihood chain against closed forms: dequantize, solve, prior; the VLB; sampling.

#![allow(clippy::unwrap_used)]

#[path = "likelihood/bounds.rs"]
mod bounds;
#[path = "likelihood/chain.rs"]
mod chain;
#[path = "likelihood/conditions.rs"]
mod conditions;
#[path = "likelihood/densities.rs"]
mod densities;
#[path = "device.rs"]
mod device;
#[path = "likelihood/divergence.rs"]
mod divergence;
#[path = "likelihood/failures.rs"]
mod failures;
#[path = "likelihood/fixed_terms.rs"]
mod fixed_terms;
#[path = "likelihood/gaussian.rs"]
mod gaussian;
#[path = "likelihood/immse.rs"]
mod immse;
#[path = "likelihood/sampling.rs"]
mod sampling;
#[path = "likelihood/states.rs"]
mod states;
#[path = "likelihood/variational.rs"]
mod variational;
