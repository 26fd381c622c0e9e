// An objective of order 2 needs the network's derivatives.
use dfdx::prelude::{Const, Cpu, Tape, Tensor};
use idode::nn::{Network, Pass};
use idode::objective::{FirstOrder, Objective, SecondOrderTrace};

struct Opaque(Cpu);

impl Network<f32, Cpu> for Opaque {
    type Batch = (usize, Const<2>);

    fn batch(&self, rows: usize) -> Self::Batch {
        (rows, Const)
    }

    fn device(&self) -> &Cpu {
        &self.0
    }

    fn forward<T: Tape<f32, Cpu> + 'static>(
        &self,
        z: Tensor<Self::Batch, f32, Cpu, T>,
        _: &mut Pass<'_>,
    ) -> Tensor<Self::Batch, f32, Cpu, T> {
        z
    }
}

fn train<N: Network<f32, Cpu>, O: Objective<f32, Cpu, N>>(_: &N, _: O) {}

fn main() {
    let network = Opaque(Cpu::default());
    train(&network, FirstOrder);
    train(&network, FirstOrder + 0.1 * SecondOrderTrace::default());
}
