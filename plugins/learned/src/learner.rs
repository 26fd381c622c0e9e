//! Training: the gradient of the likelihood's bound in the noise.

use crate::Learned;
use crate::network::{PatchNet, pairs};
use crate::noise::BinNoise;
use dfdx::prelude::{Backward, Cpu, HasShape, SumTo, Trace};
use idode::error::{Error, Result};
use idode::tensor::Kernels;
use idode::train::{AdamW, AdamWConfig, Checkpoint, CheckpointState, GradientSet, encode};
use rand::distributions::Open01;
use rand::{Rng, RngCore};
use std::f64::consts::LN_2;
use std::path::Path;

/// A dequantizer in training.
///
/// With `z = z(u; phi)`, `u` uniform, the bound `B = E_q[log p(z) - log q(z | k)]` has the gradient
///
/// `dB/dphi = E_u[score(z) dz/dphi - d/dphi log q(z(u; phi))]`, `score(z) = grad_z log p(z)`,
///
/// and `score` at the start level is what the diffusion model predicts, `-eps^/sigma_0`: one call of the model a step,
/// and no ODE. Alternated with the model's own steps, both follow one bound. What the gradient says is off by as much as
/// the model's score differs from its ODE's; the bound that is reported holds for any noise.
#[derive(Debug)]
pub struct Learner {
    /// The dequantizer as it stands.
    pub dequantizer: Learned,
    optimizer: AdamW<f32, Cpu>,
    settings: AdamWConfig,
}

/// One step in numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LearnReport {
    /// The mean of `-log q` over the batch, in bits/dim: the entropy of the noise over `z`.
    pub entropy: f64,
    /// The norm of the gradient of the bound in bits/dim.
    pub gradient_norm: f64,
}

impl Learner {
    /// Training of `dequantizer` from where it stands.
    pub fn new(dequantizer: Learned, settings: AdamWConfig) -> Self {
        let optimizer = AdamW::new(&dequantizer.network);
        Self { dequantizer, optimizer, settings }
    }

    /// One step on whole images at learning rate `rate`. `score` gives `grad_z log p(z)` of rows of `z` at the
    /// dequantizer's level: see [`network_score`](idode::train::network_score).
    ///
    /// # Errors
    /// Levels that are no whole images, whatever `score` says, and a score that is not finite; then nothing was changed.
    pub fn step(
        &mut self,
        images: &[u16],
        rate: f64,
        rng: &mut dyn RngCore,
        score: impl FnOnce(&[f64]) -> Result<Vec<f64>>,
    ) -> Result<LearnReport> {
        let Learned { grid, shape, .. } = self.dequantizer;
        if images.is_empty() || !images.len().is_multiple_of(shape.dims()) {
            let expected = format!("whole images of {} numbers", shape.dims());
            return Err(Error::value("images", format!("{} numbers", images.len()), expected));
        }
        let patches = PatchNet::patches(shape, &grid.centres(images));
        let output = self.dequantizer.network.apply(patches.leaky_traced());
        let (spread, half) = (self.dequantizer.initial_spread(), self.dequantizer.half_bin());
        let (mut draws, mut z, mut entropy) = (Vec::with_capacity(images.len()), Vec::new(), 0.0);
        for (&k, raw) in images.iter().zip(pairs(&output)) {
            let noise = BinNoise::new(raw, spread);
            let position = noise.at(rng.sample(Open01));
            z.push(self.dequantizer.middle(k) + half * position.v);
            entropy += half.ln() - position.log_density;
            draws.push((noise, position));
        }
        let scores = score(&z)?;
        if scores.len() != z.len() || scores.iter().any(|score| !score.is_finite()) {
            let expected = format!("{} finite numbers", z.len());
            return Err(Error::value("score", format!("{} numbers", scores.len()), expected));
        }
        let bits = 1.0 / (images.len() as f64 * LN_2);
        let gradient = draws.iter().zip(scores).flat_map(|((noise, position), score)| {
            noise.gradient(*position, score * half).map(|number| (bits * number) as f32)
        });
        let gradient = Cpu::default().upload(&gradient.collect::<Vec<f32>>(), *output.shape());
        // A sum whose gradient in the output is the one above.
        let gradients =
            GradientSet::of(&self.dequantizer.network, (output * gradient).sum::<(), _>().backward());
        let norm = gradients.norm().map_err(|name| Error::value(name, "no number", "a finite gradient"))?;
        self.optimizer.update(&mut self.dequantizer.network, &gradients, norm, rate, &self.settings);
        Ok(LearnReport { entropy: entropy * bits, gradient_norm: norm })
    }

    /// The dequantizer with the moving average of its parameters.
    pub fn averaged(&mut self) -> Learned {
        let network = self.optimizer.averaged(&self.dequantizer.network);
        Learned { network, ..self.dequantizer }
    }

    /// Everything that training needs to go on, as a checkpoint's bytes.
    ///
    /// # Errors
    /// If a checkpoint cannot hold it.
    pub fn encode(&self) -> Result<Vec<u8>> {
        let steps = self.optimizer.steps();
        let state = CheckpointState {
            network: self.dequantizer.describe(),
            step: steps,
            stage_step: steps,
            optimizer_step: steps,
            ..CheckpointState::default()
        };
        encode(&self.dequantizer.network, &self.optimizer, &state)
    }

    /// Takes up what [`encode`](Self::encode) gave.
    ///
    /// # Errors
    /// Unless it is whole, and of noise for the same images from the same level; then nothing was changed.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<()> {
        let checkpoint = Checkpoint::parse(Path::new("learned noise"), bytes)?;
        checkpoint.check_network(&self.dequantizer.describe())?;
        let mut network = self.dequantizer.network.clone();
        checkpoint.load("parameters", &mut network)?;
        self.optimizer = checkpoint.optimizer(&network)?;
        self.dequantizer.network = network;
        Ok(())
    }
}
