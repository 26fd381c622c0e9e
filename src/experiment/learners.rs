//! The dequantizers of a recipe's evaluation that learn while the model trains.

use crate::dequantization::{Dequantizer, TrainingStep};
use crate::error::Result;
use crate::level::Gamma;
use crate::model::{Parts, States, key};
use litemap::LiteMap;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// The streams of the generator from here on, below those of the probes, draw what learners draw.
const LEARNERS: u64 = 1 << 62;

/// Those that learn, each with its key.
#[derive(Debug)]
pub(super) struct Learners {
    seed: u64,
    learning: LiteMap<String, Box<dyn Dequantizer>>,
}

impl Learners {
    /// Those of a recipe that have a state.
    ///
    /// # Errors
    /// As [`Parts::dequantizers`].
    pub(super) fn new(parts: &Parts, states: &States) -> Result<Self> {
        let keys = parts.recipe.evaluation.dequantizers.iter().map(key);
        let built = parts.dequantizers(states)?;
        let mut learning = LiteMap::new();
        for (key, (_, dequantizer)) in keys.zip(built) {
            if dequantizer.state().is_some() {
                learning.insert(key?, dequantizer);
            }
        }
        Ok(Self { seed: parts.recipe.seed, learning })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.learning.is_empty()
    }

    /// One step of each after the model's step of stream `stream`; `score` is the model's.
    ///
    /// # Errors
    /// Whatever one of them says.
    pub(super) fn learn(
        &mut self,
        stream: u64,
        images: &[u16],
        rate: f64,
        score: impl Fn(Gamma, &[f64]) -> Result<Vec<f64>>,
    ) -> Result<()> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        rng.set_stream(stream | LEARNERS);
        for (_, dequantizer) in self.learning.iter_mut() {
            let gamma = dequantizer.level().gamma();
            dequantizer.learn(&TrainingStep { images, rate, score: &|z| score(gamma, z) }, &mut rng)?;
        }
        Ok(())
    }

    /// What they have learned.
    pub(super) fn states(&self) -> States {
        let mut states = States::new();
        for (key, learner) in self.learning.iter() {
            if let Some(state) = learner.state() {
                states.insert(key.clone(), state);
            }
        }
        states
    }
}
