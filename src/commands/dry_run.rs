//! What a recipe would cost, from its network alone.

use crate::config::{self, Recipe};
use crate::error::Result;
use crate::need::{self, Bytes, Need, available, taped};
use crate::nn::{Counted, Network, Operations, count};
use crate::objective::TraceEstimator;
use crate::registry::device::{check_precision, on_device, open};
use crate::registry::{ComputeDevice, NetworkPlan, Registry};
use crate::tensor::{Convolution, Kernels};
use dfdx::prelude::*;
use std::fmt;
use std::time::{Duration, Instant};

/// What one stage would cost.
#[derive(Clone, Debug, PartialEq)]
pub struct StageCost {
    /// Optimizer steps.
    pub steps: u64,
    /// Images of one accumulation step.
    pub batch: u64,
    /// Accumulation steps of one optimizer step.
    pub accumulation: u64,
    /// Bytes of activations and of their gradients in one accumulation step.
    pub activation_bytes: u64,
    /// Floating-point operations of one optimizer step, in forward passes of the network: see [`DryRun`].
    pub operations: u64,
}

/// What a recipe would cost.
///
/// A backward pass counts as two forward passes, a derivative along a direction as one more, a second derivative along two as
/// three more: a first-order step is 3 forward passes of each image, a second-order one 8 (6 with one probe).
#[derive(Clone, Debug, PartialEq)]
pub struct DryRun {
    /// The network, in words.
    pub network: String,
    /// The number of parameters.
    pub parameters: u64,
    /// Operations of the forward pass of one image.
    pub operations: Operations,
    /// Each stage.
    pub stages: Vec<StageCost>,
    /// What numbers of the recipe ask for of the host's memory, at least.
    pub needs: Vec<Need>,
    /// The memory that there is, where the system tells.
    pub available: Option<u64>,
    /// Floating-point operations a second of this machine's matrix products in `f32`, measured just now.
    pub rate: f64,
}

impl DryRun {
    /// Bytes of the parameters, their gradients, both moments and the moving average.
    pub fn state_bytes(&self) -> u64 {
        5 * 4 * self.parameters
    }

    /// Seconds of one optimizer step at the measured rate: a lower bound, since nothing reaches it throughout.
    pub fn seconds(&self, stage: &StageCost) -> f64 {
        stage.operations as f64 / self.rate
    }
}

/// Builds the network of a recipe and counts; reads no data and writes nothing.
///
/// # Errors
/// A recipe that cannot be used, or whose image shape is only in its data.
pub fn dry_run(recipe: &Recipe, registry: &Registry) -> Result<DryRun> {
    let recipe = recipe.resolved()?;
    registry.check(&recipe)?;
    let shape = recipe.row_shape()?;
    let plan = registry.network(&recipe, shape)?;
    need::check(&recipe, &[need::of_network(&plan)], available())?;
    on_device!(open(recipe.device)?, device => measure(&recipe, &plan, &device))
}

fn measure<D: ComputeDevice>(recipe: &Recipe, plan: &NetworkPlan, device: &D) -> Result<DryRun> {
    check_precision(device, recipe, "precision", recipe.precision)?;
    check_precision(device, recipe, "evaluation.precision", recipe.evaluation.precision)?;
    let network = plan.fresh(recipe.seed, device)?;
    let operations = network.operations();
    let stages = recipe.stage.iter().map(|stage| StageCost {
        steps: stage.steps,
        batch: stage.batch,
        accumulation: stage.accumulation,
        activation_bytes: (2 * 4 * taped(&stage.objective) * operations.activations)
            .saturating_mul(stage.batch),
        operations: (passes(&stage.objective) * operations.total())
            .saturating_mul(stage.batch)
            .saturating_mul(stage.accumulation),
    });
    Ok(DryRun {
        network: plan.description().to_owned(),
        parameters: count(&network) as u64,
        operations,
        stages: stages.collect(),
        needs: need::of_recipe(recipe, network.dims(), operations.activations),
        available: available(),
        rate: matrix_product_rate(network.device()),
    })
}

/// All passes of a step, in forward passes.
fn passes(objective: &config::Objective) -> u64 {
    let terms = objective.weights();
    let probes = terms.trace > 0.0 && terms.estimator == TraceEstimator::TwoProbes;
    // Without a gradient: the second probe of the trace; of the third order a second derivative and two first ones.
    3 * taped(objective) + 2 * u64::from(probes) + 8 * u64::from(terms.trace_gradient > 0.0)
}

/// Floating-point operations a second of a 3x3 convolution on 32x32 positions and 128 channels, for about 0.3 s.
fn matrix_product_rate<D: Kernels<f32>>(device: &D) -> f64 {
    const SIDE: usize = 32;
    const CHANNELS: usize = 128;
    let image = (2 * rayon::current_num_threads(), SIDE, SIDE, CHANNELS);
    let x: Tensor<_, f32, D> = device.ones_like(&image);
    let weight: Tensor<_, f32, D> = device.ones_like(&(9 * CHANNELS, CHANNELS));
    let operator = Convolution { size: 3, weight: &weight, bias: None };
    // Reading one number waits for a device that works behind the program's back.
    let product = || D::convolution(vec![x.clone()], &operator, None, None).sum::<Rank0, _>().as_vec();
    product();
    let (started, mut times) = (Instant::now(), 0);
    while started.elapsed() < Duration::from_millis(300) {
        product();
        times += 1;
    }
    let each = 2 * image.0 * SIDE * SIDE * 9 * CHANNELS * CHANNELS;
    f64::from(times) * each as f64 / started.elapsed().as_secs_f64()
}

impl fmt::Display for DryRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let o = &self.operations;
        writeln!(f, "{}", self.network)?;
        writeln!(f, "parameters         {}", self.parameters)?;
        writeln!(
            f,
            "state              {} (parameters, gradients, two moments, moving average)",
            bytes(self.state_bytes())
        )?;
        writeln!(
            f,
            "forward, an image  {} (convolution {}, dense {}, attention {}, norm {}, other {})",
            operations(o.total()),
            operations(o.convolution),
            operations(o.dense),
            operations(o.attention),
            operations(o.norm),
            operations(o.element_wise)
        )?;
        writeln!(f, "this machine       {}/s in convolutions of f32", operations(self.rate as u64))?;
        for (index, stage) in self.stages.iter().enumerate() {
            let seconds = self.seconds(stage);
            writeln!(
                f,
                "stage {index}            {} steps of {} x {} images; a step: {} of activations and their \
                 gradients, {}, {}; the stage: {}",
                stage.steps,
                stage.accumulation,
                stage.batch,
                bytes(stage.activation_bytes),
                operations(stage.operations),
                duration(seconds),
                duration(seconds * stage.steps as f64)
            )?;
        }
        for need in &self.needs {
            writeln!(
                f,
                "at least           {} for {} ({} = {})",
                Bytes(need.bytes),
                need.what,
                need.key,
                need.found
            )?;
        }
        match self.available {
            Some(available) => writeln!(f, "available          {}", Bytes(available.into())),
            None => Ok(()),
        }
    }
}

fn scaled(value: f64, step: f64, units: &[&str]) -> String {
    let (mut value, mut unit) = (value, 0);
    while value >= step && unit + 1 < units.len() {
        value /= step;
        unit += 1;
    }
    format!("{value:.3} {}", units[unit])
}

fn bytes(count: u64) -> String {
    scaled(count as f64, 1024.0, &["B", "KiB", "MiB", "GiB", "TiB"])
}

fn operations(count: u64) -> String {
    scaled(count as f64, 1000.0, &["FLOP", "kFLOP", "MFLOP", "GFLOP", "TFLOP", "PFLOP"])
}

fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 120.0 => format!("{s:.3} s"),
        s if s < 7200.0 => format!("{:.1} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{:.1} days", s / 86_400.0),
    }
}
