//! A network without a device's own kernels.

use super::{ModeNetwork, Parameters, Pass, Visit};
use crate::tensor::{Kernels, Mode, Real};

/// The network `N` in the portable operations: what a device computes that has no kernels of its own, such as CUDA.
#[derive(Clone, Debug)]
pub struct Portable<N>(pub N);

impl<E: Real, D: Kernels<E>, N: ModeNetwork<E, D>> ModeNetwork<E, D> for Portable<N> {
    type Batch = N::Batch;

    fn batch(&self, rows: usize) -> Self::Batch {
        self.0.batch(rows)
    }

    fn device(&self) -> &D {
        self.0.device()
    }

    fn conditions(&self) -> usize {
        self.0.conditions()
    }

    fn apply<M: Mode<E, D>>(&self, z: M::Of<Self::Batch>, pass: &mut Pass<'_>) -> M::Of<Self::Batch> {
        M::from_portable(self.0.apply::<M::Portable>(M::to_portable(z), pass))
    }
}

impl<E: Real, D: Kernels<E>, N: Parameters<E, D>> Parameters<E, D> for Portable<N> {
    fn parameters(&mut self, prefix: &str, visit: &mut Visit<'_, E, D>) {
        self.0.parameters(prefix, visit);
    }
}
