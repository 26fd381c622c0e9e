//! The noise as `idode train` trains it: one step after each of the model's.

use crate::{Learned, Learner};
use idode::dequantization::{Dequantizer, Draw, TrainingStep};
use idode::error::{Error, Result};
use idode::level::Level;
use idode::number::Positive;
use idode::positive;
use idode::train::AdamWConfig;
use rand::RngCore;

/// How the noise is trained.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Training {
    /// Its learning rate over the model's: 0.3.
    pub rate: Positive,
    /// The decay of the moving average of its parameters: 0.99.
    pub ema: f64,
}

impl Default for Training {
    fn default() -> Self {
        Self { rate: positive!(0.3), ema: 0.99 }
    }
}

/// A learned dequantizer in training with the model; draws are from the moving average of its parameters.
#[derive(Debug)]
pub struct WithModel {
    learner: Learner,
    average: Learned,
    rate: f64,
}

impl WithModel {
    /// Training of `dequantizer` from where it stands.
    pub fn new(dequantizer: Learned, training: Training) -> Self {
        let settings = AdamWConfig { ema: training.ema, weight_decay: 0.0, ..AdamWConfig::default() };
        let average = dequantizer.clone();
        Self { learner: Learner::new(dequantizer, settings), average, rate: training.rate.get() }
    }

    /// The dequantizer as it stands, with the moving average of its parameters.
    pub fn learned(&self) -> &Learned {
        &self.average
    }
}

impl Dequantizer for WithModel {
    fn level(&self) -> Level {
        self.average.level()
    }

    fn draw(&self, row: &[u16], rng: &mut dyn RngCore) -> Draw {
        self.average.draw(row, rng)
    }

    fn learn(&mut self, step: &TrainingStep<'_>, rng: &mut dyn RngCore) -> Result<()> {
        self.learner.step(step.images, self.rate * step.rate, rng, step.score)?;
        self.average = self.learner.averaged();
        Ok(())
    }

    /// A checkpoint of its own in hexadecimal digits.
    fn state(&self) -> Option<String> {
        let bytes = self.learner.encode().ok()?;
        Some(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    fn restore(&mut self, state: &str) -> Result<()> {
        let digits = |pair: &[u8]| {
            let text = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
            u8::from_str_radix(text, 16).ok()
        };
        let bytes: Option<Vec<u8>> = state.as_bytes().chunks(2).map(digits).collect();
        let bytes = bytes.ok_or_else(|| {
            let found: String = state.chars().take(40).collect();
            Error::value("dequantizer's state", found, "the hexadecimal digits of a checkpoint")
        })?;
        self.learner.restore(&bytes)?;
        self.average = self.learner.averaged();
        Ok(())
    }
}
