//! Training: gradients by name, AdamW with a moving average, and the loop over steps.

mod checkpoint;
mod clip;
mod gradients;
mod optimizer;
mod precision;
mod rate;
mod score;
mod state;
mod step_losses;
#[cfg(test)]
mod tests;
mod trainer;

pub use checkpoint::{Best, Checkpoint, CheckpointState, encode};
pub use clip::QuantileClip;
pub use gradients::{GradientSet, GradientSum};
pub use optimizer::{AdamW, AdamWConfig};
pub use rate::{Rate, RateDecay};
pub use score::network_score;
pub use trainer::{StepReport, TermReport, Trainer, TrainerConfig};
