//! Checkpoints of the paper's published code: Flax's msgpack files, and safetensors with the same names.
//!
//! A file is a [`Tree`] of named [`Array`]s. [`TrainState`] is what the published code keeps in one: `step`,
//! `params`, `ema_params` and `opt_state`. Our networks have the same parameter names below `score_model/`, and the
//! same numbers in the same order: a convolution's kernel is `[height, width, in, out]` there and
//! `(height * width * in, out)` here.
//!
//! # Reference
//! Flax documentation, `flax.serialization`; optax documentation, `optax.adamw`.

mod array;
mod decode;
mod encode;
mod file;
mod network;
mod safetensors;
mod state;
mod tree;

pub use array::Array;
pub(crate) use network::{collect, load};
pub use state::{Arrays, Moments, TrainState};
pub use tree::Tree;
