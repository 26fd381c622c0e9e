//! What is measured while a run trains.

use super::field_error::FieldError;
use super::limits::{count, seed};
use serde::{Deserialize, Serialize};

/// Measurements of the averaged weights while they are trained, on rows that are not trained on.
///
/// No data set of a recipe has a third split, and the test split is for the result alone: what is chosen by it is fitted to it.
/// So the rows come from the **training** split: a permutation drawn from `seed` gives its first `images`, and training sees the
/// others only. The columns of a table are scaled by what is left, too.
///
/// With this section the model that a run measures and samples at its end, and that is exported, is the best by the VLB of
/// these rows, `checkpoints/best.safetensors`; training goes on from `last.safetensors` as ever.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Validation {
    /// Steps from one measurement to the next: 1000. There is one after the last step in any case.
    pub every: u64,
    /// The rows that are held back: 256.
    pub images: u64,
    /// The seed of which rows they are, and of every draw: 0. Each measurement has the same draws.
    pub seed: u64,
    /// Noise levels a row for the VLB: 16.
    pub vlb_levels: u64,
    /// The first so many of the rows, measured by the ODE too, with the evaluation's first dequantizer: 64; none with 0.
    pub ode_images: u64,
    /// Equal steps of the ODE's solver: 10. So few are for comparing one measurement with the next, not for a result.
    pub ode_steps: u64,
    /// Training ends after so many measurements in a row without a better VLB; without it, it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patience: Option<u64>,
}

impl Default for Validation {
    fn default() -> Self {
        Self {
            every: 1000,
            images: 256,
            seed: 0,
            vlb_levels: 16,
            ode_images: 64,
            ode_steps: 10,
            patience: None,
        }
    }
}

impl Validation {
    pub(super) fn check(&self) -> Result<(), FieldError> {
        count("every", self.every)?;
        count("images", self.images)?;
        seed("seed", self.seed)?;
        count("vlb_levels", self.vlb_levels)?;
        if self.ode_images > self.images {
            let expected = format!("0 to {}, as images has it", self.images);
            return Err(FieldError::new("ode_images", self.ode_images.to_string(), expected));
        }
        count("ode_steps", self.ode_steps)?;
        self.patience.map_or(Ok(()), |patience| count("patience", patience))
    }

    /// Whether a measurement follows step `step` of `last`.
    pub(crate) fn is_due(&self, step: u64, last: u64) -> bool {
        step.is_multiple_of(self.every) || step == last
    }
}
