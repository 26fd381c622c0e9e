//! Likelihoods: dequantize, solve the ODE, add the prior; and the variational bound (VLB).
//!
//! - [`ProbabilityFlow`] carries rows and their log-density along the diffusion ODE.
//! - [`Evaluator::log_prob`] is `log p(z)` of continuous data, in nats a row.
//! - [`Evaluator::bits_per_dim`] is the bound of each image with a dequantizer, in bits/dim: means of
//!   single draws, or the K-sample bound.
//! - [`Evaluator::nats_per_row`] is the negative log-density of rows that are no images, in the user's units.
//! - [`Evaluator::vlb`] is the variational bound; it needs no derivative of the network. [`Evaluator::immse`] is another way to it.
//!
//! Each estimate has a form that gives its records one by one, of chosen rows: see [`Each`].
//!
//! Every draw is named by `(seed, index, draw)` and nothing else reaches its generator
//! ([`DrawKey`]), so results do not depend on the batch size.

mod batched_network;
mod density;
mod device_field;
mod discrete;
mod draw;
mod draws;
mod each;
mod evaluator;
mod field;
mod fixed_terms;
mod flow;
mod immse;
mod records;
mod seeds;
mod state;
mod turns;
mod vlb;

pub use density::DensityRows;
pub use each::{Each, Record};
pub(crate) use each::{SoFar, collected};
pub use evaluator::Evaluator;
pub use field::{DensityDrift, Drift};
pub use fixed_terms::fixed_terms;
pub use flow::{Conditioning, ProbabilityFlow, RowDensity, States};
pub use immse::{ImmseEstimate, ImmseRecord};
pub use records::{ImageRecord, ImageStatus, OdeEstimate, ProbeNoise, Summary, VlbEstimate, VlbRecord};
pub use seeds::{DrawKey, Purpose, Replicate};
pub use state::TensorState;
