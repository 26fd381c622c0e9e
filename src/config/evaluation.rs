//! How a trained model is measured and sampled.

use super::by_name::by_name;
use super::field_error::FieldError;
use super::limits::{count, not_negative, positive, seed};
use super::named::Named;
use super::unnamed::Unnamed;
use crate::tensor::Precision;
use serde::{Deserialize, Serialize};

/// The ODE's solver and how it steps; shared by evaluation and sampling.
#[derive(Clone, Debug, PartialEq)]
pub enum Stepping {
    /// `"adaptive"`: the error estimate chooses each row's step.
    Adaptive(Adaptive),
    /// `"fixed"`: equal steps in gamma.
    Fixed(Fixed),
}

by_name!(Stepping { ; Adaptive(Adaptive), Fixed(Fixed) });

/// Settings of adaptive stepping.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Adaptive {
    /// Relative tolerance of the state: 1e-5.
    pub relative: f64,
    /// Absolute tolerance of the state: 1e-5.
    pub absolute: f64,
    /// Absolute tolerance of the log-density, in nats per step: 1e-3.
    pub log_density: f64,
    /// Steps, accepted and rejected, after which a row fails: 10000.
    pub max_steps: u64,
    /// What turns an error into the next step: `"pi"`.
    pub controller: Controller,
}

/// What turns an error into the next step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Controller {
    /// Proportional and integral.
    #[default]
    Pi,
    /// Integral alone.
    Integral,
    /// As `scipy.integrate.RK45` has it.
    Scipy,
}

/// Settings of fixed steps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Fixed {
    /// Steps over the range: 100.
    pub steps: u64,
}

/// How the ODE's divergence is computed.
#[derive(Clone, Debug, PartialEq)]
pub enum Divergence {
    /// `"exact"`: one derivative a dimension.
    Exact,
    /// `"hutchinson"`: an unbiased estimate from random probes, fixed over a solve.
    Hutchinson(Hutchinson),
    /// `"hutch++"`: the trace along a basis from each row's first evaluation, and Hutchinson's estimate of the rest.
    HutchPlusPlus(HutchPlusPlus),
    /// `"blocks"`: one probe for all pixels that are a stride apart, with random signs; unbiased.
    Blocks(Blocks),
    /// `"program"`: a program's own, which a recipe cannot compute.
    Program(Unnamed),
}

by_name!(Divergence {
    Exact;
    Hutchinson(Hutchinson), #[serde(rename = "hutch++")] HutchPlusPlus(HutchPlusPlus), Blocks(Blocks),
    Program(Unnamed)
});

impl Default for Divergence {
    fn default() -> Self {
        Self::Hutchinson(Hutchinson::default())
    }
}

/// Settings of Hutchinson's estimator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Hutchinson {
    /// What a probe's entries are: `"rademacher"`.
    pub probe: Probe,
    /// Probes a row: 1.
    pub probes: u64,
}

/// Settings of Hutch++.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct HutchPlusPlus {
    /// Products of the Jacobian an evaluation, half of them for the basis; at least 2: 12.
    pub products: u64,
}

/// Settings of probing by blocks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Blocks {
    /// How far apart the pixels of a block are, down and across: 2. That makes `stride^2` products a channel.
    pub stride: u64,
}

/// The distribution of a probe's entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Probe {
    /// -1 or 1.
    #[default]
    Rademacher,
    /// Standard normal.
    Gaussian,
}

/// How the likelihood of the held-out images is measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Evaluation {
    /// The seed of every draw: 0.
    pub seed: u64,
    /// Images of a batch: 64.
    pub batch: u64,
    /// The first so many images; without it, all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub images: Option<u64>,
    /// The first so many of them measured after each stage of a recipe with several: 64.
    pub stage_images: u64,
    /// Noise levels an image, stratified over the range, for the VLB: 32.
    pub vlb_levels: u64,
    /// Single draws that are averaged, each a bound of its own: 1.
    pub draws: u64,
    /// `K` of the K-sample bound, `ln(1/K sum p/q)`: 1.
    pub importance_samples: u64,
    /// The ODE's solver: `"dormand_prince"`.
    pub solver: Named,
    /// How it steps: `"adaptive"`.
    pub stepping: Stepping,
    /// How the divergence is computed: `"hutchinson"`; for rows of at most 64 numbers `"exact"`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub divergence: Option<Divergence>,
    /// What the products of everything that is measured are made in, of samples and of validation too: `"f32"`.
    #[serde(skip_serializing_if = "Precision::is_f32")]
    pub precision: Precision,
    /// Whether each estimate's error is taken apart, on a subset that is measured again: `false`. See [`budget`](crate::budget).
    #[serde(skip_serializing_if = "is_false")]
    pub budget: bool,
    /// The numbers of importance samples at which every bound is measured beside the estimates, rising: none. See [`ladder`](crate::ladder).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ladder: Vec<u64>,
    /// One estimate each: `["truncated_normal", "uniform", "gaussian"]`; of rows of numbers, which are measured as they are, `[]`.
    pub dequantizers: Vec<Named>,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// How samples are drawn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sample {
    /// The seed of the prior's draws: 0.
    pub seed: u64,
    /// Images: 64.
    pub count: u64,
    /// The ODE's solver: `"dormand_prince"`.
    pub solver: Named,
    /// How it steps: `"adaptive"`.
    pub stepping: Stepping,
}

impl Default for Adaptive {
    fn default() -> Self {
        Self {
            relative: 1e-5,
            absolute: 1e-5,
            log_density: 1e-3,
            max_steps: 10_000,
            controller: Controller::default(),
        }
    }
}

impl Default for Fixed {
    fn default() -> Self {
        Self { steps: 100 }
    }
}

impl Default for Hutchinson {
    fn default() -> Self {
        Self { probe: Probe::default(), probes: 1 }
    }
}

impl Default for HutchPlusPlus {
    fn default() -> Self {
        Self { products: 12 }
    }
}

impl Default for Blocks {
    fn default() -> Self {
        Self { stride: 2 }
    }
}

impl Divergence {
    fn check(&self) -> Result<(), FieldError> {
        match self {
            Self::Exact | Self::Program(_) => Ok(()),
            Self::Hutchinson(hutchinson) => count("probes", hutchinson.probes),
            Self::HutchPlusPlus(HutchPlusPlus { products: 1 }) => {
                Err(FieldError::new("products", "1", "2 to 1000000000"))
            }
            Self::HutchPlusPlus(settings) => count("products", settings.products),
            Self::Blocks(blocks) => count("stride", blocks.stride),
        }
        .map_err(|error| error.under("divergence"))
    }
}

impl Default for Evaluation {
    fn default() -> Self {
        Self {
            seed: 0,
            batch: 64,
            images: None,
            stage_images: 64,
            vlb_levels: 32,
            draws: 1,
            importance_samples: 1,
            solver: Named::new("dormand_prince"),
            stepping: Stepping::Adaptive(Adaptive::default()),
            divergence: None,
            precision: Precision::default(),
            budget: false,
            ladder: Vec::new(),
            dequantizers: ["truncated_normal", "uniform", "gaussian"].map(Named::new).to_vec(),
        }
    }
}

impl Default for Sample {
    fn default() -> Self {
        Self {
            seed: 0,
            count: 64,
            solver: Named::new("dormand_prince"),
            stepping: Stepping::Adaptive(Adaptive::default()),
        }
    }
}

impl Stepping {
    fn check(&self) -> Result<(), FieldError> {
        match self {
            Self::Adaptive(adaptive) => adaptive.check(),
            Self::Fixed(fixed) => count("steps", fixed.steps),
        }
        .map_err(|error| error.under("stepping"))
    }
}

impl Adaptive {
    fn check(&self) -> Result<(), FieldError> {
        not_negative("relative", self.relative)?;
        positive("absolute", self.absolute)?;
        positive("log_density", self.log_density)?;
        count("max_steps", self.max_steps)
    }
}

impl Evaluation {
    pub(super) fn check(&self) -> Result<(), FieldError> {
        seed("seed", self.seed)?;
        count("batch", self.batch)?;
        self.images.map_or(Ok(()), |images| count("images", images))?;
        count("stage_images", self.stage_images)?;
        count("vlb_levels", self.vlb_levels)?;
        count("draws", self.draws)?;
        count("importance_samples", self.importance_samples)?;
        for (i, samples) in self.ladder.iter().enumerate() {
            count(&format!("ladder[{i}]"), *samples)?;
            if self.ladder[..i].last().is_some_and(|before| before >= samples) {
                return Err(FieldError::new(
                    format!("ladder[{i}]"),
                    samples.to_string(),
                    "numbers that rise",
                ));
            }
        }
        self.stepping.check()?;
        self.divergence.iter().try_for_each(Divergence::check)?;
        for (i, dequantizer) in self.dequantizers.iter().enumerate() {
            if self.dequantizers[..i].iter().any(|earlier| earlier.name == dequantizer.name) {
                let found = format!("\"{}\" again", dequantizer.name);
                return Err(FieldError::new(format!("dequantizers[{i}]"), found, "each name once"));
            }
        }
        Ok(())
    }
}

impl Sample {
    pub(super) fn check(&self) -> Result<(), FieldError> {
        seed("seed", self.seed)?;
        if self.count > 1_000_000 {
            return Err(FieldError::new("count", self.count.to_string(), "1 to 1000000"));
        }
        count("count", self.count)?;
        self.stepping.check()
    }
}
