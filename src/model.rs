//! A trained run as one value: its likelihood and its samples, whatever its network's type.
//!
//! ```no_run
//! use idode::model::Model;
//!
//! let model = Model::load("runs/digits")?;
//! let nats = model.log_prob(&[0.5; 64])?;
//! let images = model.bits_per_dim(&[0; 64])?;
//! # Ok::<(), idode::error::Error>(())
//! ```

mod erased;

use crate::config::Recipe;
use crate::data::ImageShape;
use crate::dequantization::Dequantizer;
use crate::diffusion::DynDiffusion;
use crate::error::{Error, Result};
use crate::likelihood::{OdeEstimate, VlbEstimate};
use crate::pixels::PixelGrid;
use crate::progress::{Progress, Silent};
use crate::registry::{Registry, divergence, stepping};
use crate::run::RunFolder;
use crate::sample::SampleRecord;
use crate::train::Checkpoint;
use crate::work::learners::{self, States};
use crate::work::networks::{describe, with_network};
use erased::{Load, Measured, Measurement, Sampling};
use std::path::Path;

/// A trained network with everything needed to measure and to sample it.
///
/// The network has the moving average of the trained parameters.
#[derive(Debug)]
pub struct Model {
    network: Box<dyn Measured>,
    recipe: Recipe,
    registry: Registry,
    diffusion: DynDiffusion,
    shape: ImageShape,
    step: u64,
    learned: States,
}

impl Model {
    /// Loads the last checkpoint of a run whose recipe has built-in names only.
    ///
    /// # Errors
    /// If the folder is no run, or its checkpoint cannot be used.
    pub fn load(run: impl AsRef<Path>) -> Result<Self> {
        Self::of(&RunFolder::open(run.as_ref())?, Registry::default())
    }

    /// Loads the last checkpoint of a run, with the names of `registry`.
    ///
    /// # Errors
    /// As [`load`](Self::load), and if the registry lacks a name of the recipe.
    pub fn of(run: &RunFolder, registry: Registry) -> Result<Self> {
        let recipe = run.recipe().clone();
        registry.check(&recipe)?;
        let shape = crate::work::data::shape(&recipe)?;
        let path = run.last_checkpoint();
        let bytes = std::fs::read(&path).map_err(Error::io(&path, "read"))?;
        let checkpoint = Checkpoint::parse(&path, &bytes)?;
        checkpoint.check_network(&describe(&recipe, shape))?;
        let diffusion = registry.diffusion(&recipe)?;
        let network =
            with_network(&recipe, shape, Load { checkpoint: &checkpoint, diffusion: diffusion.clone() })?;
        let (step, learned) = (checkpoint.state().step, checkpoint.state().dequantizers.clone());
        let model = Self { network, recipe, registry, diffusion, shape, step, learned };
        model.dequantizers()?;
        Ok(model)
    }

    /// The recipe of the run.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// The shape of an image.
    pub fn shape(&self) -> ImageShape {
        self.shape
    }

    /// The training step of the checkpoint.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// The pixels' bins.
    ///
    /// # Errors
    /// If the recipe's number of levels is none.
    pub fn grid(&self) -> Result<PixelGrid> {
        PixelGrid::new(self.recipe.data.levels())
    }

    /// `log p(x)` of continuous data in nats, a density over `x` in `[-1, 1]^d`: row after row of `d` numbers.
    ///
    /// The ODE starts at the range's least noise, `z0 = alpha_0 x`, so
    /// `log p(x) = log p(z0) + d ln alpha_0`; a row that the solver cannot finish has NaN.
    ///
    /// # Errors
    /// If the numbers do not make whole rows.
    pub fn log_prob(&self, x: &[f64]) -> Result<Vec<f64>> {
        let start = self.diffusion.range().min();
        let log_alpha = self.diffusion.level(start).log_alpha();
        let z: Vec<f64> = x.iter().map(|x| x * log_alpha.exp()).collect();
        let rows = self.network.log_prob(&z, start, self.measurement()?)?;
        Ok(rows.iter().map(|row| row.log_density + self.shape.dims() as f64 * log_alpha).collect())
    }

    /// A lower bound on `log P` of images in bits/dim, by the ODE with truncated-normal dequantization: grey levels,
    /// image after image. Every image has its record.
    ///
    /// # Errors
    /// If the levels do not make whole images.
    pub fn bits_per_dim(&self, pixels: &[u16]) -> Result<OdeEstimate> {
        let start = self.diffusion.level(self.diffusion.range().min());
        let dequantizer = crate::dequantization::TruncatedNormal::new(self.grid()?, start);
        self.ode(pixels, &dequantizer, &mut Silent)
    }

    /// The ODE's bound with any dequantizer, with the settings of the recipe.
    ///
    /// # Errors
    /// As [`bits_per_dim`](Self::bits_per_dim).
    pub fn ode(
        &self,
        pixels: &[u16],
        dequantizer: &dyn Dequantizer,
        progress: &mut dyn Progress,
    ) -> Result<OdeEstimate> {
        self.network.ode(pixels, dequantizer, self.measurement()?, progress)
    }

    /// The VLB, at as many levels an image as the recipe has.
    ///
    /// # Errors
    /// As [`bits_per_dim`](Self::bits_per_dim).
    pub fn vlb(&self, pixels: &[u16], progress: &mut dyn Progress) -> Result<VlbEstimate> {
        let times = self.registry.time_sampler(&self.recipe, &self.diffusion)?;
        let levels = self.recipe.evaluation.vlb_levels as usize;
        self.network.vlb(pixels, self.grid()?, levels, times, self.measurement()?, progress)
    }

    /// Draws `count` images: grey levels, image after image.
    ///
    /// # Errors
    /// If a sample cannot be finished by the recipe's solver.
    pub fn sample(&self, count: usize, progress: &mut dyn Progress) -> Result<Vec<u16>> {
        self.network.sample(count, self.grid()?, self.sampling()?, progress)
    }

    /// Draws `count` images, each with `log p(x)` of the state `x` that its levels are decoded from, as
    /// [`log_prob`](Self::log_prob) has it, of the same solve; and with what the way back to the prior misses.
    ///
    /// # Errors
    /// As [`sample`](Self::sample).
    pub fn sample_with_log_prob(
        &self,
        count: usize,
        progress: &mut dyn Progress,
    ) -> Result<(Vec<u16>, Vec<SampleRecord>)> {
        let divergence = divergence(&self.recipe.evaluation.divergence, self.shape)?;
        let (samples, back) =
            self.network.sample_with_log_density(count, self.sampling()?, divergence, progress)?;
        let log_alpha = self.diffusion.level(self.diffusion.range().min()).log_alpha();
        let volume = self.shape.dims() as f64 * log_alpha;
        Ok((samples.pixels(self.grid()?), samples.records(&back, volume)))
    }

    fn sampling(&self) -> Result<Sampling> {
        let Recipe { sample, evaluation, .. } = &self.recipe;
        let solver = self.registry.sample_solver(&self.recipe)?;
        Ok((solver, stepping(&sample.stepping)?, evaluation.batch as usize, sample.seed))
    }

    /// The dequantizers of the recipe's evaluation, each with its name, and as the run has trained it.
    ///
    /// # Errors
    /// A name, a setting or a state that cannot be used.
    pub fn dequantizers(&self) -> Result<Vec<(String, Box<dyn Dequantizer>)>> {
        learners::restored(&self.recipe, &self.registry, &self.diffusion, &self.learned)
    }

    fn measurement(&self) -> Result<Measurement> {
        let evaluation = &self.recipe.evaluation;
        Ok(Measurement {
            solver: self.registry.evaluation_solver(&self.recipe)?,
            stepping: stepping(&evaluation.stepping)?,
            divergence: divergence(&evaluation.divergence, self.shape)?,
            batch: evaluation.batch as usize,
            seed: evaluation.seed,
            draws: evaluation.draws as usize,
            importance_samples: evaluation.importance_samples as usize,
        })
    }
}
