//! The dequantizers of a recipe's evaluation that learn while the model trains.

use crate::config::{Named, Recipe};
use crate::dequantization::{Dequantizer, Lesson};
use crate::diffusion::DynDiffusion;
use crate::error::{Error, Result};
use crate::level::Gamma;
use crate::registry::Registry;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// What dequantizers have learned: each state under the [`key`] of its name and settings.
pub(crate) type States = BTreeMap<String, String>;

/// The streams of the generator from here on, below those of the probes, draw what learners draw.
const LEARNERS: u64 = 1 << 62;

/// A dequantizer's name and settings in one line: a recipe may list others when its run goes on.
fn key(named: &Named) -> Result<String> {
    serde_json::to_string(named)
        .map_err(|error| Error::value("evaluation.dequantizers", error, "settings that JSON can hold"))
}

/// The dequantizers of a recipe as they were when `states` was written, each with its name.
///
/// # Errors
/// A name, a setting or a state that cannot be used.
pub(crate) fn restored(
    recipe: &Recipe,
    registry: &Registry,
    diffusion: &DynDiffusion,
    states: &States,
) -> Result<Vec<(String, Box<dyn Dequantizer>)>> {
    let mut built = registry.dequantizers(recipe, diffusion)?;
    for ((_, dequantizer), named) in built.iter_mut().zip(&recipe.evaluation.dequantizers) {
        if let Some(state) = states.get(&key(named)?) {
            dequantizer.restore(state)?;
        }
    }
    Ok(built)
}

/// Those that learn, each with its key.
#[derive(Debug)]
pub(super) struct Learners {
    seed: u64,
    learning: BTreeMap<String, Box<dyn Dequantizer>>,
}

impl Learners {
    /// Those of a recipe that have a state.
    ///
    /// # Errors
    /// As [`restored`].
    pub(super) fn new(
        recipe: &Recipe,
        registry: &Registry,
        diffusion: &DynDiffusion,
        states: &States,
    ) -> Result<Self> {
        let keys = recipe.evaluation.dequantizers.iter().map(key);
        let built = restored(recipe, registry, diffusion, states)?;
        let mut learning = BTreeMap::new();
        for (key, (_, dequantizer)) in keys.zip(built) {
            if dequantizer.state().is_some() {
                learning.insert(key?, dequantizer);
            }
        }
        Ok(Self { seed: recipe.seed, learning })
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
        for dequantizer in self.learning.values_mut() {
            let gamma = dequantizer.level().gamma();
            dequantizer.learn(&Lesson { images, rate, score: &|z| score(gamma, z) }, &mut rng)?;
        }
        Ok(())
    }

    /// What they have learned.
    pub(super) fn states(&self) -> States {
        let states = self.learning.iter().map(|(key, learner)| Some((key.clone(), learner.state()?)));
        states.flatten().collect()
    }
}
