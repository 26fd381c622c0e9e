//! What was measured.

use crate::tensor::Precision;
use serde::Serialize;
use std::fmt;

/// The figures of one case: medians, in seconds, of repeats after a warm-up.
///
/// A share is the operations of the network's definition (two for each multiplication and addition of a direct
/// convolution) over the time, as a part of the rate of a large matrix product measured in the same process. An algorithm with
/// fewer operations than the definition can have a share above 1.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct BenchReport {
    /// The case's name.
    pub case: String,
    /// What the products of steps and right-hand sides were made in.
    pub precision: Precision,
    /// The network's parameters.
    pub params: usize,
    /// The rows of a step.
    pub batch: usize,
    /// One training step: first-order loss, backward pass, AdamW and moving average.
    pub train_step_s: f64,
    /// One training step whose loss has the trace term too, estimated with one probe.
    pub train_step_second_order_s: f64,
    /// The right-hand side of the ODE.
    pub drift_s: f64,
    /// The right-hand side and the divergence with one probe.
    pub drift_divergence_s: f64,
    /// The rate of a matrix product in `f32` on all threads, 1e9 operations a second.
    pub matmul_gflops: f64,
    /// The share of that rate that `train_step` reaches, three forward passes being counted.
    pub train_step_share: f64,
    /// The share of that rate that `drift_divergence` reaches, two forward passes being counted.
    pub drift_divergence_share: f64,
    /// The largest memory that the process held until the training steps were done, where the system tells.
    pub peak_rss_mib: Option<f64>,
    /// The device's name, or the processor's, where the system tells.
    pub device: Option<String>,
    /// What fewer bytes were free on the device after these steps than before the network was there: dfdx keeps every buffer that was once
    /// needed, so it is the peak, if nobody else is on the card. Nothing on the host.
    pub peak_device_mib: Option<f64>,
}

impl fmt::Display for BenchReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "case {}: {} parameters, {} rows, {}",
            self.case, self.params, self.batch, self.precision
        )?;
        if let Some(device) = &self.device {
            writeln!(f, "device                   {device}")?;
        }
        writeln!(
            f,
            "train_step               {:.3} s  ({:.2} of the machine's rate)",
            self.train_step_s, self.train_step_share
        )?;
        writeln!(f, "train_step_second_order  {:.3} s", self.train_step_second_order_s)?;
        writeln!(f, "drift                    {:.3} s", self.drift_s)?;
        writeln!(
            f,
            "drift_divergence         {:.3} s  ({:.2} of the machine's rate)",
            self.drift_divergence_s, self.drift_divergence_share
        )?;
        writeln!(f, "matrix product           {:.0} GFLOP/s", self.matmul_gflops)?;
        match self.peak_rss_mib {
            Some(mib) => writeln!(f, "peak memory, training    {mib:.0} MiB"),
            None => writeln!(f, "peak memory, training    not told by this system"),
        }?;
        match self.peak_device_mib {
            Some(mib) => writeln!(f, "on the device            {mib:.0} MiB"),
            None => Ok(()),
        }
    }
}
