// A likelihood needs the network's derivatives.
use dfdx::prelude::{Const, Cpu, Tape, Tensor};
use idode::diffusion::DynDiffusion;
use idode::likelihood::{Evaluator, ProbabilityFlow};
use idode::nn::{Network, Pass};

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

fn main() {
    let likelihood = |network: &Opaque, diffusion: &DynDiffusion, z: &[f64]| {
        Evaluator::new(ProbabilityFlow::new(network, diffusion)).log_prob(z, diffusion.range().min())
    };
}
