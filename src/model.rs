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

mod density;
mod erased;
mod learned;
mod parts;

pub(crate) use learned::{States, key};
pub(crate) use parts::{Fresh, Parts};

use crate::config::{Evaluation, Recipe};
use crate::data::table::Schema;
use crate::data::{RowShape, rows};
use crate::dequantization::Dequantizer;
use crate::divergence::Divergence;
use crate::error::{Error, Result};
use crate::likelihood::{
    Each, ImageRecord, ImmseEstimate, OdeEstimate, Replicate, VlbEstimate, VlbRecord, collected,
};
use crate::nn::{DynNetwork, Network};
use crate::pixels::PixelGrid;
use crate::progress::{Progress, Silent};
use crate::registry::device::{check_precision, on_device, open};
use crate::registry::{ComputeDevice, Registry, stepping};
use crate::run::{RunFolder, agree};
use crate::sample::{SampleRecord, Samples};
use crate::time::TimeSampler;
use crate::train::{Checkpoint, CheckpointState};
use erased::{Measured, Measurement};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// A trained network with everything needed to measure and to sample it.
///
/// The network has the moving average of the trained parameters.
#[derive(Clone, Debug)]
pub struct Model {
    network: Rc<dyn Measured>,
    parts: Parts,
    shape: RowShape,
    schema: Option<Schema>,
    step: u64,
    checkpoint: String,
    learned: States,
    replicate: Replicate,
    first_sample: usize,
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
        let parts = Parts::named(run.recipe(), &registry)?;
        let plan = registry.network(&parts.recipe, parts.shape()?)?;
        let seed = parts.recipe.seed;
        on_device!(open(parts.recipe.device)?, device => {
            run.keep_choices(&device)?;
            Self::trained(run.read_chosen()?, parts, plan.description(), || plan.fresh(seed, &device))
        })
    }

    /// A checkpoint, by its path and content, of a run of these parts, in a network that `fresh` makes and `description` describes.
    ///
    /// # Errors
    /// As [`load`](Self::load).
    pub(crate) fn trained<D: ComputeDevice>(
        (path, bytes): (PathBuf, Vec<u8>),
        parts: Parts,
        description: &str,
        fresh: impl FnOnce() -> Result<DynNetwork<f32, D>>,
    ) -> Result<Self> {
        let shape = parts.shape()?;
        let checkpoint = Checkpoint::parse(&path, &bytes)?;
        agree(&path, &checkpoint, &parts.recipe, description)?;
        let network = fresh()?;
        let precision = parts.recipe.evaluation.precision;
        check_precision(Network::device(&network), &parts.recipe, "evaluation.precision", precision)?;
        let network = erased::load(network, &checkpoint, parts.diffusion.clone())?;
        let state = checkpoint.state();
        let (step, learned, schema) = (state.step, state.dequantizers.clone(), state.schema.clone());
        let (replicate, checkpoint) = (Replicate::default(), checkpoint.sha256().to_owned());
        let model =
            Self { network, parts, shape, schema, step, checkpoint, learned, replicate, first_sample: 0 };
        model.dequantizers()?;
        Ok(model)
    }

    /// A network in training, with the moving average of its parameters.
    pub(crate) fn in_training<D: ComputeDevice>(
        average: DynNetwork<f32, D>,
        parts: Parts,
        state: &CheckpointState,
        learned: States,
    ) -> Result<Self> {
        let shape = parts.shape()?;
        let network = erased::of(average, parts.diffusion.clone());
        let (step, schema) = (state.step, state.schema.clone());
        let (replicate, checkpoint) = (Replicate::default(), String::new());
        Ok(Self { network, parts, shape, schema, step, checkpoint, learned, replicate, first_sample: 0 })
    }

    /// The same network, measured otherwise than the run's recipe says. A solver or a divergence of a program stays where `evaluation` names
    /// the same as the recipe.
    #[must_use]
    pub fn with_evaluation(self, evaluation: Evaluation) -> Self {
        Self { parts: self.parts.with_evaluation(evaluation), ..self }
    }

    /// The same with other draws or other probes: see [`Evaluator::with_replicate`](crate::likelihood::Evaluator::with_replicate).
    #[must_use]
    pub fn with_replicate(self, replicate: Replicate) -> Self {
        Self { replicate, ..self }
    }

    /// The recipe of the run.
    pub fn recipe(&self) -> &Recipe {
        &self.parts.recipe
    }

    /// The shape of a row.
    pub fn shape(&self) -> RowShape {
        self.shape
    }

    /// The columns of a table with their units, where the model is of one.
    pub fn schema(&self) -> Option<&Schema> {
        self.schema.as_ref()
    }

    /// The training step of the checkpoint.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// The SHA-256 of the checkpoint's state and tensors, in hexadecimal; empty while the network is in training.
    pub fn checkpoint(&self) -> &str {
        &self.checkpoint
    }

    /// The pixels' bins.
    ///
    /// # Errors
    /// If the rows are no images, or the recipe's number of levels is none.
    pub fn grid(&self) -> Result<PixelGrid> {
        match self.parts.recipe.data.levels() {
            Some(levels) => PixelGrid::new(levels),
            None => Err(Error::value("data", "rows of a table", "images with grey levels")),
        }
    }

    /// `log p(x)` of continuous data in nats: row after row of `d` numbers, of a table in the user's units, of images in `[-1, 1]^d`.
    ///
    /// The ODE starts at the range's least noise, `z0 = alpha_0 x'` with `x'` the scaled row, so
    /// `log p(x) = log p(z0) + d ln alpha_0 - sum ln scale`; a row that the solver cannot finish has NaN.
    ///
    /// # Errors
    /// If the numbers do not make whole rows, or the model has conditions.
    pub fn log_prob(&self, x: &[f64]) -> Result<Vec<f64>> {
        self.log_prob_given(x, &[])
    }

    /// [`log_prob`](Self::log_prob) of rows with conditions, row after row in the user's units.
    ///
    /// # Errors
    /// If the numbers do not make whole rows, or are not as many conditions for each as the model has.
    pub fn log_prob_given(&self, x: &[f64], conditions: &[f64]) -> Result<Vec<f64>> {
        let dims = self.shape.dims();
        if !x.len().is_multiple_of(dims) {
            let expected = format!("whole rows of {dims}, the network's shape");
            return Err(Error::value("x", format!("{} numbers", x.len()), expected));
        }
        let given = self.conditioning(conditions, x.len() / dims)?;
        let start = self.parts.diffusion.range().min();
        let level = self.parts.diffusion.level(start);
        let scaled = match &self.schema {
            Some(schema) => schema.scaling().forward(x),
            None => x.to_vec(),
        };
        let z: Vec<f64> = scaled.iter().map(|x| x * level.alpha()).collect();
        let rows = self.network.log_prob(&z, start, given.as_deref(), self.measurement()?)?;
        Ok(rows.iter().map(|row| row.log_density + self.log_units()).collect())
    }

    /// What the network takes for `rows` rows with these conditions, given in the user's units.
    fn conditioning(&self, conditions: &[f64], rows: usize) -> Result<Option<Vec<f64>>> {
        let names = self.schema.as_ref().map_or(&[][..], Schema::conditions);
        if conditions.len() != rows * names.len() {
            let expected = match names {
                [] => "none: the model has no conditions".to_owned(),
                _ => format!("{rows} rows of {} ({})", names.len(), names.join(", ")),
            };
            return Err(Error::value("conditions", format!("{} numbers", conditions.len()), expected));
        }
        Ok(self.schema.as_ref().and_then(|schema| rows::conditioning(schema, conditions)))
    }

    /// Levels and sampler of a VLB.
    fn times(&self) -> Result<(usize, Box<dyn TimeSampler>)> {
        Ok((self.parts.recipe.evaluation.vlb_levels as usize, self.parts.times()?))
    }

    /// A lower bound on `log P` of images in bits/dim, by the ODE with truncated-normal dequantization: grey levels,
    /// image after image. Every image has its record.
    ///
    /// # Errors
    /// If the levels do not make whole images.
    pub fn bits_per_dim(&self, pixels: &[u16]) -> Result<OdeEstimate> {
        let start = self.parts.diffusion.level(self.parts.diffusion.range().min());
        let dequantizer = crate::dequantization::TruncatedNormal::new(self.grid()?, start);
        self.ode(pixels, &[], &dequantizer, &mut Silent)
    }

    /// The ODE's bound with any dequantizer, with the settings of the recipe. `labels` has each image's class if the model is
    /// conditioned on classes, and is empty otherwise.
    ///
    /// # Errors
    /// As [`bits_per_dim`](Self::bits_per_dim), and labels that do not fit.
    pub fn ode(
        &self,
        pixels: &[u16],
        labels: &[u16],
        dequantizer: &dyn Dequantizer,
        progress: &mut dyn Progress,
    ) -> Result<OdeEstimate> {
        let images = self.images(pixels)?;
        let records =
            collected(images, progress, &mut |each| self.each_ode(pixels, labels, dequantizer, each))?;
        self.ode_of(records)
    }

    /// [`ode`](Self::ode) of chosen images, one by one: `pixels` and `labels` are of all that may be chosen from.
    ///
    /// # Errors
    /// As [`ode`](Self::ode), and those of whoever takes the records.
    pub fn each_ode(
        &self,
        pixels: &[u16],
        labels: &[u16],
        dequantizer: &dyn Dequantizer,
        each: Each<'_, ImageRecord>,
    ) -> Result<()> {
        let given = self.of_classes(labels, self.images(pixels)?)?;
        self.network.ode(pixels, dequantizer, given.as_deref(), self.measurement()?, each)
    }

    /// The estimate that these records of images, which are in order, are of.
    ///
    /// # Errors
    /// A setting of the evaluation that cannot be used.
    pub(crate) fn ode_of(&self, records: Vec<ImageRecord>) -> Result<OdeEstimate> {
        let evaluation = &self.parts.recipe.evaluation;
        let probed = evaluation.importance_samples > 1 && !self.divergence()?.is_exact();
        let probed = probed.then_some((self.shape.dims(), evaluation.draws as usize));
        Ok(OdeEstimate::of(records, probed))
    }

    /// The number of images that `pixels` are.
    fn images(&self, pixels: &[u16]) -> Result<usize> {
        let dims = self.shape.dims();
        if !pixels.len().is_multiple_of(dims) {
            let expected = format!("whole rows of {dims}, the network's shape");
            return Err(Error::value("pixels", format!("{} numbers", pixels.len()), expected));
        }
        Ok(pixels.len() / dims)
    }

    /// The VLB, at as many levels an image as the recipe has; `labels` as for [`ode`](Self::ode).
    ///
    /// # Errors
    /// As [`ode`](Self::ode).
    pub fn vlb(&self, pixels: &[u16], labels: &[u16], progress: &mut dyn Progress) -> Result<VlbEstimate> {
        let images = self.images(pixels)?;
        let records = collected(images, progress, &mut |each| self.each_vlb(pixels, labels, each))?;
        Ok(VlbEstimate::of(records))
    }

    /// [`vlb`](Self::vlb) of chosen images, one by one, as [`each_ode`](Self::each_ode) has it.
    ///
    /// # Errors
    /// As [`each_ode`](Self::each_ode).
    pub fn each_vlb(&self, pixels: &[u16], labels: &[u16], each: Each<'_, VlbRecord>) -> Result<()> {
        let given = self.of_classes(labels, self.images(pixels)?)?;
        let (grid, times) = (self.grid()?, self.times()?);
        self.network.vlb(pixels, grid, times, given.as_deref(), self.measurement()?, each)
    }

    /// The bound by the information-estimation identity, at as many levels an image as the VLB; `labels` as for [`ode`](Self::ode).
    ///
    /// # Errors
    /// As [`ode`](Self::ode).
    pub fn immse(
        &self,
        pixels: &[u16],
        labels: &[u16],
        progress: &mut dyn Progress,
    ) -> Result<ImmseEstimate> {
        let given = self.of_classes(labels, pixels.len() / self.shape.dims())?;
        let at = (self.grid()?, self.parts.recipe.evaluation.vlb_levels as usize);
        self.network.immse(pixels, at, given.as_deref(), self.measurement()?, progress)
    }

    /// Draws `count` images: grey levels, image after image; `labels` as for [`ode`](Self::ode).
    ///
    /// # Errors
    /// A model of a table, labels that do not fit, or a sample that cannot be finished by the recipe's solver.
    pub fn sample(&self, count: usize, labels: &[u16], progress: &mut dyn Progress) -> Result<Vec<u16>> {
        let (grid, given) = (self.grid()?, self.of_classes(labels, count)?);
        Ok(self.network.sample(count, given.as_deref(), self.sampling()?, progress)?.pixels(grid))
    }

    /// [`sample`](Self::sample) with the log-density of each from the same solve: of the state in `[-1, 1]^d` that its levels are
    /// decoded from, as [`log_prob`](Self::log_prob) has it.
    ///
    /// # Errors
    /// As [`sample`](Self::sample).
    pub fn sample_with_log_prob(
        &self,
        count: usize,
        labels: &[u16],
        progress: &mut dyn Progress,
    ) -> Result<(Vec<u16>, Vec<SampleRecord>)> {
        let (grid, given) = (self.grid()?, self.of_classes(labels, count)?);
        let (samples, records) = self.with_log_prob(count, given.as_deref(), progress)?;
        Ok((samples.pixels(grid), records))
    }

    fn with_log_prob(
        &self,
        count: usize,
        given: Option<&[f64]>,
        progress: &mut dyn Progress,
    ) -> Result<(Samples, Vec<SampleRecord>)> {
        let divergence = self.parts.divergence()?;
        let how = self.sampling()?;
        let (samples, back) =
            self.network.sample_with_log_density(count, given, how, divergence, progress)?;
        let records = samples.records(&back, self.log_units());
        Ok((samples, records))
    }

    /// What the log-density of a row in its units is above that of its state at the least noise, in nats: `d ln alpha_0 - sum ln scale`.
    fn log_units(&self) -> f64 {
        let level = self.parts.diffusion.level(self.parts.diffusion.range().min());
        let jacobian = self.schema.as_ref().map_or(0.0, |schema| schema.scaling().log_jacobian());
        self.shape.dims() as f64 * level.log_alpha() + jacobian
    }

    /// What the network takes for images of these classes.
    fn of_classes(&self, labels: &[u16], images: usize) -> Result<Option<Vec<f64>>> {
        let classes = if self.schema.is_some() { 0 } else { self.parts.recipe.data.conditions() };
        if classes == 0 && labels.is_empty() {
            return Ok(None);
        }
        if classes == 0 || labels.len() != images {
            let expected = match classes {
                0 => "none: the model is not conditioned on classes".to_owned(),
                _ => format!("one for each of {images} images"),
            };
            return Err(Error::value("labels", labels.len(), expected));
        }
        match labels.iter().position(|label| usize::from(*label) >= classes) {
            Some(i) => Err(Error::value(format!("labels[{i}]"), labels[i], format!("below {classes}"))),
            None => Ok(Some(rows::of_classes(labels, classes))),
        }
    }

    /// Draws `count` rows of a table, each with its conditions, all in the user's units: row after row.
    ///
    /// # Errors
    /// A model of images, other conditions than the model has, or a sample that cannot be finished by the recipe's solver.
    pub fn sample_rows(
        &self,
        count: usize,
        conditions: &[f64],
        progress: &mut dyn Progress,
    ) -> Result<Vec<f64>> {
        let Some(schema) = &self.schema else {
            return Err(Error::value("samples", format!("images of {}", self.shape), "rows of a table"));
        };
        let given = self.conditioning(conditions, count)?;
        let samples = self.network.sample(count, given.as_deref(), self.sampling()?, progress)?;
        Ok(in_units(schema, &samples))
    }

    /// [`sample_rows`](Self::sample_rows) with the log-density of each from the same solve, in nats of the user's units: of the
    /// row before columns are rounded to their grids.
    ///
    /// # Errors
    /// As [`sample_rows`](Self::sample_rows).
    pub fn sample_rows_with_log_prob(
        &self,
        count: usize,
        conditions: &[f64],
        progress: &mut dyn Progress,
    ) -> Result<(Vec<f64>, Vec<SampleRecord>)> {
        let Some(schema) = &self.schema else {
            return Err(Error::value("samples", format!("images of {}", self.shape), "rows of a table"));
        };
        let given = self.conditioning(conditions, count)?;
        let (samples, records) = self.with_log_prob(count, given.as_deref(), progress)?;
        Ok((in_units(schema, &samples), records))
    }

    /// The same whose samples are those of the seed from `first` on.
    pub(crate) fn with_first_sample(self, first: usize) -> Self {
        Self { first_sample: first, ..self }
    }

    fn sampling(&self) -> Result<erased::Sampling> {
        let Recipe { evaluation, sample, .. } = &self.parts.recipe;
        Ok(erased::Sampling {
            solver: self.parts.sample_solver()?,
            stepping: stepping(&sample.stepping)?,
            batch: evaluation.batch as usize,
            seed: sample.seed,
            first: self.first_sample,
            precision: evaluation.precision,
        })
    }

    /// The dequantizers of the recipe's evaluation, each with its name, and as the run has trained it.
    ///
    /// # Errors
    /// A name, a setting or a state that cannot be used.
    pub fn dequantizers(&self) -> Result<Vec<(String, Box<dyn Dequantizer>)>> {
        self.parts.dequantizers(&self.learned)
    }

    /// How the evaluation computes divergences.
    pub(crate) fn divergence(&self) -> Result<Box<dyn Divergence>> {
        self.parts.divergence()
    }

    fn measurement(&self) -> Result<Measurement> {
        let evaluation = &self.parts.recipe.evaluation;
        Ok(Measurement {
            solver: self.parts.solver()?,
            stepping: self.parts.stepping()?,
            divergence: self.parts.divergence()?,
            batch: evaluation.batch as usize,
            precision: evaluation.precision,
            seed: evaluation.seed,
            draws: evaluation.draws as usize,
            importance_samples: evaluation.importance_samples as usize,
            replicate: self.replicate,
        })
    }
}

/// Samples as rows of a table.
fn in_units(schema: &Schema, samples: &Samples) -> Vec<f64> {
    let mut rows = schema.scaling().inverse(&samples.data());
    schema.quantize(&mut rows);
    rows
}
