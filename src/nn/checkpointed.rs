//! A whole network of which a tape keeps the input alone.

use super::operations::walk;
use super::{ModeNetwork, Parameters, Pass, Visit, slots};
use crate::tensor::{Kernels, Mode, Real, Segment, Slot, checkpoint};

/// The network `N`, run again in the backward pass: see [`checkpoint`].
///
/// Values, draws and gradients are those of `N`, bit for bit. It spares memory where several networks' tapes live at once
/// (a loss of several passes); inside one network, checkpoints of its blocks do.
#[derive(Clone, Debug)]
pub struct Checkpointed<N>(pub N);

impl<E: Real, D: Kernels<E>, N> ModeNetwork<E, D> for Checkpointed<N>
where
    N: ModeNetwork<E, D> + Parameters<E, D> + 'static,
{
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
        let run = Run {
            network: self.0.clone(),
            times: pass.times.to_vec(),
            conditioning: pass.conditioning.map(<[f64]>::to_vec),
            keys: pass.keys(|pass| walk(&self.0, pass)),
        };
        checkpoint::<M, _, E, D>(run, vec![z])
    }
}

/// One run of a network, with everything that it sees.
struct Run<N> {
    network: N,
    times: Vec<f64>,
    conditioning: Option<Vec<f64>>,
    keys: Vec<u64>,
}

impl<E: Real, D: Kernels<E>, N> Segment<E, D> for Run<N>
where
    N: ModeNetwork<E, D> + Parameters<E, D> + 'static,
{
    type Input = N::Batch;
    type Output = N::Batch;

    fn apply<M: Mode<E, D>>(&self, mut inputs: Vec<M::Of<N::Batch>>) -> M::Of<N::Batch> {
        let mut pass = Pass::given(&self.times, self.conditioning.as_deref(), self.keys.clone());
        self.network.apply::<M>(inputs.swap_remove(0), &mut pass)
    }

    fn slots(&self) -> Vec<Slot<E, D>> {
        slots(&self.network)
    }
}

impl<E: Real, D: Kernels<E>, N: Parameters<E, D>> Parameters<E, D> for Checkpointed<N> {
    fn parameters(&mut self, prefix: &str, visit: &mut Visit<'_, E, D>) {
        self.0.parameters(prefix, visit);
    }
}
