//! What a device says about itself, and the candidates that it has.

use crate::registry::ComputeDevice;
use crate::tensor::choices::Candidate;
use crate::tensor::operation::Operation;
use crate::tensor::trial::{Trial, error};
use dfdx::prelude::Cpu;

/// The rows on which candidates are compared.
const ROWS: usize = 2;

/// A device that is measured.
pub(super) trait Machine: ComputeDevice {
    /// Its name, or the processor's, if the system tells.
    fn name(&self) -> Option<String>;

    /// The bytes that are free on a device with memory of its own.
    fn free(&self) -> Option<usize>;

    /// The ways to compute an operation, in order.
    fn candidates(&self, operation: Operation) -> Vec<Candidate>;

    /// The library that one of the ways is missing, in words.
    fn missing(&self) -> Option<String> {
        None
    }

    /// The way that networks take.
    fn taken(&self, operation: Operation) -> Candidate;

    /// Does `work` with one candidate for every operation.
    fn with<R>(&self, candidate: Candidate, work: impl FnOnce() -> R) -> R;

    /// The largest error of each candidate against the portable operations in `f64`, as a part of the largest entry; `None` if one fails.
    fn errors(&self, operation: Operation, candidates: &[Candidate]) -> Vec<Option<f64>>;
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

    fn candidates(&self, _: Operation) -> Vec<Candidate> {
        vec![Candidate::Own, Candidate::Portable]
    }

    fn taken(&self, _: Operation) -> Candidate {
        Candidate::Own
    }

    fn with<R>(&self, _: Candidate, work: impl FnOnce() -> R) -> R {
        work()
    }

    fn errors(&self, operation: Operation, candidates: &[Candidate]) -> Vec<Option<f64>> {
        let truth = Trial::<f64, Self>::new(self, operation, ROWS).answers(true);
        let answers = |portable| match operation.is_double() {
            true => Trial::<f64, Self>::new(self, operation, ROWS).answers(portable),
            false => Trial::<f32, Self>::new(self, operation, ROWS).answers(portable),
        };
        let of = |candidate| error(&answers(candidate == Candidate::Portable), &truth);
        candidates.iter().map(|candidate| Some(of(*candidate))).collect()
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

    fn candidates(&self, operation: Operation) -> Vec<Candidate> {
        crate::tensor::cuda::candidates::candidates(self, operation)
    }

    fn missing(&self) -> Option<String> {
        crate::tensor::cuda::candidates::without_cudnn(self)
    }

    fn taken(&self, operation: Operation) -> Candidate {
        crate::tensor::cuda::candidates::taken(self, operation)
    }

    fn with<R>(&self, candidate: Candidate, work: impl FnOnce() -> R) -> R {
        crate::tensor::cuda::candidates::with(candidate, work)
    }

    fn errors(&self, operation: Operation, candidates: &[Candidate]) -> Vec<Option<f64>> {
        let errors = crate::tensor::cuda::candidates::errors_of(self, operation, candidates);
        errors.unwrap_or_else(|| vec![None; candidates.len()])
    }
}
