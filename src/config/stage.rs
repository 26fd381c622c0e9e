//! One stage of training.

use super::by_name::by_name;
use super::field_error::FieldError;
use super::limits::{at_most, count, fraction, not_negative, positive};
use super::objective::Objective;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A stage: an objective, its optimizer and its length. Stages run in order, each from where the
/// one before ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Stage {
    /// What is minimised: `"first_order"`.
    pub objective: Objective,
    /// Optimizer steps: 1000.
    pub steps: u64,
    /// Images of one accumulation step: 128.
    pub batch: u64,
    /// Accumulation steps of one optimizer step: 1.
    pub accumulation: u64,
    /// The learning rate after the warm-up: 2e-4.
    pub learning_rate: f64,
    /// Steps over which the rate grows linearly from 0: 0.
    pub warmup: u64,
    /// What the rate does after the warm-up: `"constant"`.
    pub decay: Decay,
    /// AdamW's decay of the first moment: 0.9.
    pub beta1: f64,
    /// AdamW's decay of the second moment: 0.99.
    pub beta2: f64,
    /// AdamW's epsilon: 1e-8.
    pub epsilon: f64,
    /// AdamW's decoupled weight decay, on weights but not on biases and norm scales: 0.01.
    pub weight_decay: f64,
    /// The decay of the exponential moving average of the parameters: 0.9999.
    pub ema: f64,
    /// The largest global norm of a gradient, or `{ quantile = 0.99, window = 1000 }`: the quantile of the norms of so many
    /// last steps; without it gradients are not clipped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip: Option<Clip>,
    /// What follows a loss or a gradient that is not finite: `"stop"`, or `"skip"`, which passes the step over without an
    /// update (it counts as one of the stage) and says so.
    pub on_non_finite: OnNonFinite,
}

/// What follows a loss or a gradient that is not finite.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnNonFinite {
    /// The end of training.
    #[default]
    Stop,
    /// The next step.
    Skip,
}

/// What limits the norm of a gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Clip {
    /// A number.
    Norm(f64),
    /// A table: a quantile of the norms so far.
    Quantile(Quantile),
}

/// Settings of clipping by a running quantile.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quantile {
    /// The part of the norms that is not clipped: 0.99.
    pub quantile: f64,
    /// The last so many steps: 1000.
    pub window: u64,
}

impl Default for Quantile {
    fn default() -> Self {
        Self { quantile: 0.99, window: 1000 }
    }
}

impl Serialize for Clip {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Norm(norm) => norm.serialize(serializer),
            Self::Quantile(quantile) => quantile.serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Clip {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl<'de> Visitor<'de> for Reader {
            type Value = Clip;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a number, or a table with a quantile and a window")
            }
            fn visit_f64<E: de::Error>(self, norm: f64) -> Result<Clip, E> {
                Ok(Clip::Norm(norm))
            }
            fn visit_i64<E: de::Error>(self, norm: i64) -> Result<Clip, E> {
                Ok(Clip::Norm(norm as f64))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Clip, A::Error> {
                Quantile::deserialize(MapAccessDeserializer::new(map)).map(Clip::Quantile)
            }
        }
        deserializer.deserialize_any(Reader)
    }
}

/// What the learning rate does after the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Decay {
    /// `"constant"`: nothing.
    #[default]
    Constant,
    /// `"cosine"`: half a cosine down to `final_rate` of its value at the stage's last step.
    Cosine(Cosine),
}

/// Settings of the cosine decay.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cosine {
    /// The rate at the end, as a fraction of the learning rate: 0.
    pub final_rate: f64,
}

by_name!(Decay { Constant; Cosine(Cosine) });

impl Default for Stage {
    fn default() -> Self {
        Self {
            objective: Objective::default(),
            steps: 1000,
            batch: 128,
            accumulation: 1,
            learning_rate: 2e-4,
            warmup: 0,
            decay: Decay::default(),
            beta1: 0.9,
            beta2: 0.99,
            epsilon: 1e-8,
            weight_decay: 0.01,
            ema: 0.9999,
            clip: None,
            on_non_finite: OnNonFinite::default(),
        }
    }
}

impl Stage {
    pub(super) fn check(&self) -> Result<(), FieldError> {
        self.objective.check().map_err(|error| error.under("objective"))?;
        count("steps", self.steps)?;
        count("batch", self.batch)?;
        count("accumulation", self.accumulation)?;
        positive("learning_rate", self.learning_rate)?;
        if self.warmup > self.steps {
            let expected = format!("at most the stage's {} steps", self.steps);
            return Err(FieldError::new("warmup", self.warmup.to_string(), expected));
        }
        if let Decay::Cosine(Cosine { final_rate }) = self.decay
            && !(0.0..=1.0).contains(&final_rate)
        {
            return Err(FieldError::new("decay.final_rate", final_rate.to_string(), "0 to 1"));
        }
        fraction("beta1", self.beta1)?;
        fraction("beta2", self.beta2)?;
        positive("epsilon", self.epsilon)?;
        not_negative("weight_decay", self.weight_decay)?;
        fraction("ema", self.ema)?;
        match self.clip {
            None => Ok(()),
            Some(Clip::Norm(norm)) => positive("clip", norm),
            Some(Clip::Quantile(Quantile { quantile, window })) => {
                positive("clip.quantile", quantile)?;
                fraction("clip.quantile", quantile)?;
                count("clip.window", window)?;
                // Every norm of the window is in every checkpoint.
                at_most("clip.window", window, 100_000)
            }
        }
    }
}
