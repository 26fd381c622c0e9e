//! What a step costs on this machine: the command `bench`.

mod measure;

use crate::config::Device;
use crate::error::{Error, Result};
use crate::nn::{DynNetwork, DynamicUNet, UNetConfig};
use crate::registry::ComputeDevice;
use crate::registry::device::{on_device, open};
use measure::measure;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Serialize;
use std::fmt;
use std::num::NonZeroU16;

/// A network and a batch whose times can be compared between machines and frameworks.
///
/// Each is the paper's U-Net: attention in the middle, Fourier features 6 and 7, dropout 0.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    name: &'static str,
    /// The side of an image.
    side: usize,
    /// The network's width and blocks.
    width: usize,
    blocks: usize,
    /// The rows of a step.
    batch: usize,
    /// How often each figure is timed after its warm-up.
    repeats: usize,
}

impl Case {
    /// Every case; `full` is the paper's network for CIFAR-10.
    pub const ALL: [Self; 3] = [
        Self { name: "s", side: 8, width: 64, blocks: 4, batch: 64, repeats: 7 },
        Self { name: "m", side: 32, width: 64, blocks: 4, batch: 16, repeats: 7 },
        Self { name: "full", side: 32, width: 128, blocks: 32, batch: 4, repeats: 3 },
    ];

    /// The case of a name.
    ///
    /// # Errors
    /// If there is none.
    pub fn named(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|case| case.name == name);
        found.ok_or_else(|| Error::value("case", name, "s, m or full"))
    }

    /// The same network with a batch of `rows` images.
    #[must_use]
    pub fn with_batch(self, rows: NonZeroU16) -> Self {
        Self { batch: usize::from(rows.get()), ..self }
    }

    fn config(self) -> UNetConfig {
        UNetConfig { blocks: self.blocks, ..UNetConfig::default() }
    }
}

/// The figures of one case: medians, in seconds, of repeats after a warm-up.
///
/// A share is the operations of the network's definition (two for each multiplication and addition of a direct
/// convolution) over the time, as a part of the rate of a large matrix product measured in the same process. An algorithm with
/// fewer operations than the definition can have a share above 1.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BenchReport {
    /// The case's name.
    pub case: String,
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
}

/// Measures a case on a device.
///
/// # Errors
/// If the device cannot be used, or a step fails.
pub fn bench(case: Case, device: Device) -> Result<BenchReport> {
    on_device!(open(device)?, device => bench_on(case, &device))
}

fn bench_on<D: ComputeDevice>(case: Case, device: &D) -> Result<BenchReport> {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let image = (case.side, case.side, 3);
    let network = DynamicUNet::sized(image, case.width, &case.config(), device, &mut rng)?;
    measure(case, DynNetwork::new(network))
}

impl fmt::Display for BenchReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "case {}: {} parameters, {} rows", self.case, self.params, self.batch)?;
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
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cases_are_found_by_name() {
        for case in Case::ALL {
            assert_eq!(Case::named(case.name).unwrap(), case);
        }
        let error = Case::named("xl").unwrap_err().to_string();
        assert_eq!(error, "case = xl: expected s, m or full");
    }
}
