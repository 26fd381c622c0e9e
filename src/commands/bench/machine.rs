//! What a device says about itself.

use crate::registry::ComputeDevice;
use dfdx::prelude::Cpu;

/// A device that is measured.
pub(super) trait Machine: ComputeDevice {
    /// Its name, or the processor's, if the system tells.
    fn name(&self) -> Option<String>;

    /// The bytes that are free on a device with memory of its own.
    fn free(&self) -> Option<usize>;
}

impl Machine for Cpu {
    fn name(&self) -> Option<String> {
        let about = std::fs::read_to_string("/proc/cpuinfo").ok()?;
        let line = about.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    }

    fn free(&self) -> Option<usize> {
        None
    }
}

#[cfg(feature = "cuda")]
impl Machine for dfdx::prelude::Cuda {
    fn name(&self) -> Option<String> {
        crate::tensor::cuda::describe(self).map(|(name, _)| name)
    }

    fn free(&self) -> Option<usize> {
        crate::tensor::cuda::describe(self).map(|(_, (free, _))| free)
    }
}
