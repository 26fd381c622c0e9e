//! A network that is the exact regression of a mixture, so that the whole chain can be checked against closed forms.

use crate::analytic::GaussianMixture;
use crate::diffusion::Diffusion;
use crate::nn::{Jvp, Network, Pass};
use crate::parameterization::Parameterization;
use crate::schedule::NoiseSchedule;
use crate::tensor::Dual;
use dfdx::prelude::*;

/// `F* = E[F | z]` of a mixture in `N` dimensions under a diffusion, as a network: it sees `c_in z` and the
/// time, as any network does.
///
/// A state that the mixture refuses gives NaN.
///
/// # Shapes
/// `(batch, N)` to the same.
#[derive(Debug)]
pub struct ExactNetwork<'a, const N: usize, S, P> {
    data: &'a GaussianMixture,
    diffusion: &'a Diffusion<S, P>,
    device: Cpu,
}

impl<'a, const N: usize, S: NoiseSchedule, P: Parameterization> ExactNetwork<'a, N, S, P> {
    /// The exact regression of `data` under `diffusion`; NaN everywhere unless `data` has `N` dimensions.
    pub fn new(data: &'a GaussianMixture, diffusion: &'a Diffusion<S, P>) -> Self {
        Self { data, diffusion, device: Cpu::default() }
    }

    /// `F` of each row, and its derivative along the row's tangent.
    fn rows(&self, inputs: &[f64], tangents: &[f64], pass: &Pass<'_>) -> (Vec<f64>, Vec<f64>) {
        let mut found = (Vec::with_capacity(inputs.len()), Vec::with_capacity(inputs.len()));
        let rows = inputs.chunks_exact(N).zip(tangents.chunks_exact(N)).zip(pass.times);
        for ((input, tangent), &time) in rows {
            let level = self.diffusion.level(self.diffusion.range().at(time));
            let target = self.diffusion.parameterization().target(&level);
            let scale = self.diffusion.parameterization().input_scale(&level);
            let z: Vec<f64> = input.iter().map(|z| z / scale).collect();
            let marginal = self.data.at(&level);
            match marginal.point(&z) {
                Ok(point) => {
                    let jet = point.target(target);
                    found.0.extend(jet.value.iter());
                    found.1.extend(
                        (jet.jacobian * nalgebra::DVector::from_column_slice(tangent) / scale).iter(),
                    );
                }
                Err(_) => {
                    found.0.extend([f64::NAN; N]);
                    found.1.extend([f64::NAN; N]);
                }
            }
        }
        found
    }
}

impl<const N: usize, S: NoiseSchedule, P: Parameterization> Network<f64, Cpu> for ExactNetwork<'_, N, S, P> {
    type Batch = (usize, Const<N>);

    fn batch(&self, rows: usize) -> Self::Batch {
        (rows, Const)
    }

    fn device(&self) -> &Cpu {
        &self.device
    }

    /// No gradient flows back: the network has no parameters.
    fn forward<T: Tape<f64, Cpu>>(
        &self,
        z: Tensor<Self::Batch, f64, Cpu, T>,
        pass: &mut Pass<'_>,
    ) -> Tensor<Self::Batch, f64, Cpu, T> {
        let (z, tape) = z.split_tape();
        let inputs = z.as_vec();
        let (value, _) = self.rows(&inputs, &vec![0.0; inputs.len()], pass);
        self.device.tensor_from_vec(value, *z.shape()).put_tape(tape)
    }
}

impl<const N: usize, S: NoiseSchedule, P: Parameterization> Jvp<f64, Cpu> for ExactNetwork<'_, N, S, P> {
    fn jvp<T: Tape<f64, Cpu>>(
        &self,
        z: Dual<Tensor<Self::Batch, f64, Cpu, T>>,
        pass: &mut Pass<'_>,
    ) -> Dual<Tensor<Self::Batch, f64, Cpu, T>> {
        let ((value, tape), (tangent, other)) = (z.value.split_tape(), z.tangent.split_tape());
        let shape = *value.shape();
        let (f, df) = self.rows(&value.as_vec(), &tangent.as_vec(), pass);
        Dual::new(
            self.device.tensor_from_vec(f, shape).put_tape(tape),
            self.device.tensor_from_vec(df, shape).put_tape(other),
        )
    }
}
