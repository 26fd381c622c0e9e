//! Fused kernels for `f32` on the CPU.

impl super::Kernels<f32> for dfdx::prelude::Cpu {}
