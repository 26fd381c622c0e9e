//! The operations of a case's network one by one, by each way that a CUDA device has: `bench --kernels`. On a processor none has several.

use super::Case;
use super::machine::Machine;
use super::measure::{matrix_rate, median};
use crate::error::Result;
use crate::nn::GROUPS;
use crate::registry::ComputeDevice;
use crate::tensor::choices::Candidate;
use crate::tensor::cuda::candidates::{candidates, errors_of, taken, with, without_cudnn};
use crate::tensor::operation::{Norm, Operation, Work};
use crate::tensor::trial::Trial;
use crate::tensor::{Kernels, Real};
use dfdx::prelude::*;
use serde::Serialize;
use std::fmt;

/// The numbers whose copy gives the bandwidth of memory: 256 MiB.
const COPIED: usize = 1 << 26;

/// The times of each operation by each candidate, and what the machine could do.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct KernelsReport {
    /// The device's name, where the driver tells.
    pub device: Option<String>,
    /// The case's name.
    pub case: String,
    /// The rows of an operation.
    pub batch: usize,
    /// The rate of a matrix product in `f32`, 1e9 operations a second.
    pub matmul_gflops: f64,
    /// What a copy reads and writes, 1e9 bytes a second.
    pub bandwidth_gbs: f64,
    /// The library that one of the candidates is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
    /// An operation and a candidate each.
    pub kernels: Vec<Timed>,
}

/// An operation by one candidate. Seconds are the least of the case's repeats, after a run that does not count; bytes or operations are those
/// that a forward pass cannot do without, two for each multiplication and addition of a direct convolution.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Timed {
    pub operation: String,
    pub shape: String,
    pub candidate: &'static str,
    /// Whether networks on this device take it.
    pub taken: bool,
    /// Of two rows against the portable operations in `f64`, forward and backward, as a part of the largest entry; nothing if it failed.
    pub error: Option<f64>,
    /// The largest error that is no bug.
    pub bound: f64,
    pub forward_s: f64,
    /// With the backward pass, where there is one.
    pub forward_backward_s: Option<f64>,
    /// The forward pass's part of the rate, or of the bandwidth. An algorithm with fewer operations than the definition can have more than 1.
    pub share: f64,
    /// `rate` or `bandwidth`.
    pub share_of: &'static str,
}

/// Times every operation of a case.
pub(super) fn measure(case: Case, device: &Cuda) -> Result<KernelsReport> {
    device.enable_cache();
    let (matmul_gflops, bandwidth_gbs) = (matrix_rate(case, device)?, bandwidth(case, device)?);
    let mut kernels = Vec::new();
    for operation in operations(case) {
        let (all, taken) = (candidates(device, operation), taken(device, operation));
        let errors = errors_of(device, operation, &all).unwrap_or_else(|| vec![None; all.len()]);
        for (candidate, error) in all.into_iter().zip(errors) {
            // What failed on two rows has no times.
            let times = error.map(|_| match operation.is_double() {
                true => times::<f64>(case, device, operation, candidate),
                false => times::<f32>(case, device, operation, candidate),
            });
            let (forward_s, forward_backward_s) = times.unwrap_or((f64::NAN, None));
            let (share, share_of) = match operation.work(case.batch) {
                Work::Operations(count) => (count / forward_s / (matmul_gflops * 1e9), "rate"),
                Work::Bytes(count) => (count / forward_s / (bandwidth_gbs * 1e9), "bandwidth"),
            };
            kernels.push(Timed {
                operation: operation.name(),
                shape: operation.shape(),
                candidate: candidate.name(),
                taken: candidate == taken,
                error,
                bound: operation.bound(),
                forward_s,
                forward_backward_s,
                share,
                share_of,
            });
        }
        device.empty_cache();
    }
    let (name, batch) = (device.name(), case.batch);
    Ok(KernelsReport {
        device: name,
        case: case.name.to_owned(),
        batch,
        matmul_gflops,
        bandwidth_gbs,
        missing: without_cudnn(device),
        kernels,
    })
}

/// A forward pass by a candidate, and one with a backward pass.
fn times<E: Real>(case: Case, device: &Cuda, operation: Operation, candidate: Candidate) -> (f64, Option<f64>)
where
    Cuda: Kernels<E>,
{
    let trial = Trial::<E, Cuda>::new(device, operation, case.batch);
    let portable = candidate == Candidate::Portable;
    with(candidate, || trial.times(portable, case.repeats, &|| device.finish()))
}

/// What the case's network computes, and what others and solvers do.
fn operations(case: Case) -> Vec<Operation> {
    let (side, channels) = ([case.side; 2], case.width);
    let positions = case.side * case.side;
    let conv = |size, inputs| Operation::Convolution { size, side, inputs, channels, out: channels };
    let normed = |inputs, jvp: bool| {
        let norm = Norm { groups: GROUPS / inputs, swish: true };
        Operation::NormConvolution { side, inputs, channels, out: channels, norm, dropout: !jvp, jvp }
    };
    let norm =
        |swish, jvp| Operation::GroupNorm { side, channels, norm: Norm { groups: GROUPS, swish }, jvp };
    let attention = |jvp| Operation::Attention { tokens: positions, channels, jvp };
    let mut all = vec![
        conv(3, 1),
        conv(1, 1),
        conv(1, 2),
        normed(1, false),
        normed(2, false),
        normed(1, true),
        normed(2, true),
        norm(true, false),
        norm(true, true),
        norm(false, false),
        attention(false),
        attention(true),
        Operation::Dropout { numbers: positions * channels },
        Operation::Update { numbers: positions * channels },
        Operation::AveragePool { side, channels },
        Operation::Upsample { side, channels },
    ];
    // Rows of data have three channels.
    all.extend(Operation::of_numbers(3 * positions));
    all
}

/// 1e9 bytes a second of a copy, read and written.
fn bandwidth(case: Case, device: &Cuda) -> Result<f64> {
    let x: Tensor<(usize,), f32, Cuda> = device.ones_like(&(COPIED,));
    let seconds = median(case, device, &mut || {
        // A negation reads a number and writes one; the new tensor's memory is not set before.
        drop(-x.clone());
        Ok(())
    })?;
    Ok((2 * COPIED * size_of::<f32>()) as f64 / seconds / 1e9)
}

impl fmt::Display for KernelsReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { case, batch, matmul_gflops, bandwidth_gbs, .. } = self;
        let name = self.device.as_deref().map_or(String::new(), |name| format!(" on {name}"));
        writeln!(f, "case {case}: {batch} rows{name}")?;
        writeln!(f, "matrix product {matmul_gflops:.0} GFLOP/s, copies {bandwidth_gbs:.0} GB/s")?;
        let width = |text: fn(&Timed) -> &str| self.kernels.iter().map(|k| text(k).len()).max().unwrap_or(0);
        let (of, shape) = (width(|k| &k.operation), width(|k| &k.shape));
        writeln!(
            f,
            "{:of$}  {:shape$}  candidate    error  forward, ms  and backward  share of",
            "operation", "shape"
        )?;
        for kernel in &self.kernels {
            let error = match kernel.error {
                Some(error) => format!("{error:.1e}"),
                None => "failed".to_owned(),
            };
            let ms = |seconds: f64| format!("{:.3}", 1e3 * seconds);
            writeln!(
                f,
                "{:of$}  {:shape$}  {:9} {error:>8}  {:>11}  {:>12}  {:>5.2} {}{}",
                kernel.operation,
                kernel.shape,
                kernel.candidate,
                ms(kernel.forward_s),
                kernel.forward_backward_s.map_or("-".to_owned(), ms),
                kernel.share,
                kernel.share_of,
                if kernel.taken { ", taken" } else { "" },
            )?;
        }
        if let Some(missing) = &self.missing {
            writeln!(f, "cudnn: not among the candidates: {missing}")?;
        }
        writeln!(
            f,
            "errors: of two rows, against the portable operations in f64, as a part of the largest entry"
        )
    }
}
