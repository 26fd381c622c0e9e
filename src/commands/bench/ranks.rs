//! The timing of a training step that several processes share.

use super::Case;
use super::measure::{Training, median};
use crate::communicator::Ranks;
use crate::config;
use crate::error::Result;
use crate::nn::{DynNetwork, Network, count};
use crate::registry::ComputeDevice;
use crate::tensor::Precision;
use serde::Serialize;
use std::fmt;

/// A training step by several ranks, and by one of them: medians, in seconds, of repeats after a warm-up.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct RanksReport {
    /// The case's name.
    pub case: String,
    /// What products were made in.
    pub precision: Precision,
    /// The network's parameters.
    pub params: usize,
    /// The rows of a step, of all ranks together.
    pub batch: usize,
    /// The ranks.
    pub ranks: usize,
    /// The threads of each.
    pub threads: usize,
    /// One training step by all ranks.
    pub step_s: f64,
    /// The share of it that rank 0 spends in sums, with waiting for others.
    pub sum_share: f64,
    /// The bytes that each rank adds.
    pub sum_bytes: u64,
    /// The same step by one rank, while the others wait.
    pub alone_s: f64,
    /// `alone_s / (ranks step_s)`.
    pub efficiency: f64,
}

/// Measures a network on a case's batch, which is dealt to the ranks.
pub(super) fn measure<D: ComputeDevice>(
    ranks: &Ranks,
    case: Case,
    network: DynNetwork<f32, D>,
    precision: Precision,
) -> Result<RanksReport> {
    let (device, size, params) = (network.device().clone(), ranks.size(), count(&network));
    let training = || Training::new(case, network.clone(), config::Objective::FirstOrder, (size, precision));
    let mut alone_s = f64::NAN;
    if ranks.is_first() {
        let mut training = training()?;
        alone_s = median(case, &device, &mut || {
            ranks.alive()?;
            training.step()
        })?;
    }
    ranks.barrier()?;
    let mut training = training()?;
    let engine = device.gradient_sum(ranks)?;
    training.trainer = training.trainer.with_ranks(ranks.clone())?.with_gradient_sum(engine);
    let (before, mut steps, mut seconds) = (ranks.spent(), 0, 0.0);
    let step_s = median(case, &device, &mut || {
        let begun = std::time::Instant::now();
        training.step()?;
        (steps, seconds) = (steps + 1, seconds + begun.elapsed().as_secs_f64());
        Ok(())
    })?;
    let spent = ranks.spent();
    Ok(RanksReport {
        case: case.name.to_owned(),
        precision,
        params,
        batch: case.batch,
        ranks: size,
        threads: rayon::current_num_threads(),
        step_s,
        sum_share: (spent.seconds - before.seconds) / seconds,
        sum_bytes: (spent.bytes - before.bytes) / steps,
        alone_s,
        efficiency: alone_s / (size as f64 * step_s),
    })
}

impl fmt::Display for RanksReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { case, precision, params, batch, ranks, threads, .. } = self;
        writeln!(
            f,
            "case {case}: {params} parameters, {batch} rows, {precision}, ranks {ranks}, threads of each {threads}"
        )?;
        writeln!(f, "step             {:.3} s", self.step_s)?;
        writeln!(
            f,
            "in sums          {:.1} % of it, {} bytes a rank",
            100.0 * self.sum_share,
            self.sum_bytes
        )?;
        writeln!(f, "step, one rank   {:.3} s", self.alone_s)?;
        writeln!(f, "efficiency       {:.2}", self.efficiency)
    }
}
