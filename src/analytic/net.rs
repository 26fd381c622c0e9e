//! An exactly known network as a [`Network`], for objectives, likelihoods and samplers.

use crate::analytic::{Model, nalgebra::DVector};
use crate::diffusion::Diffusion;
use crate::error::{Error, Result};
use crate::nn::{Jvp, Network, Pass, SecondJvp};
use crate::parameterization::{Affine, Parameterization};
use crate::schedule::NoiseSchedule;
use crate::tensor::parallel::each;
use crate::tensor::{Dual, Kernels};
use dfdx::prelude::*;

/// `F1(z, t) = F*(z) - delta(z)` of a Gaussian mixture in `N` dimensions, with its first and second derivatives: a
/// [`Model`] seen through a diffusion.
///
/// It is computed on the host in `f64`, row by row on all threads, and has no parameters: tapes pass through it, but no gradient in `z` does. A row
/// that is not finite gives NaN.
///
/// # Shapes
/// `(batch, N)` to the same.
#[derive(Clone, Debug)]
pub struct AnalyticNet<const N: usize, S, P> {
    model: Model,
    diffusion: Diffusion<S, P>,
    device: Cpu,
}

impl<const N: usize, S: NoiseSchedule, P: Parameterization> AnalyticNet<N, S, P> {
    /// The model as a network of `diffusion`.
    ///
    /// # Errors
    /// Unless the model has `N` dimensions.
    pub fn new(model: Model, diffusion: Diffusion<S, P>) -> Result<Self> {
        if model.data().dim() != N {
            return Err(Error::value("dimension of the model", model.data().dim(), N.to_string()));
        }
        Ok(Self { model, diffusion, device: Cpu::default() })
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// `f` of each row: its level, its target, the scale of its input, its state and its index.
    fn rows(
        &self,
        z: &[f64],
        times: &[f64],
        f: impl Fn(&Row<'_>) -> Result<DVector<f64>> + Sync,
    ) -> Vec<f64> {
        let one = |index: usize, to: &mut [f64], z: &[f64], time: f64| {
            let level = self.diffusion.level(self.diffusion.range().at(time));
            let target = self.diffusion.parameterization().target(&level);
            let scale = self.diffusion.parameterization().input_scale(&level);
            let z: Vec<f64> = z.iter().map(|z| z / scale).collect();
            let row = Row { level: &level, target, scale, z: &z, index };
            match f(&row) {
                Ok(value) => to.copy_from_slice(value.as_slice()),
                Err(_) => to.fill(f64::NAN),
            }
        };
        let mut out = vec![0.0; z.len()];
        let rows = out.chunks_exact_mut(N).zip(z.chunks_exact(N).zip(times));
        match z.len() * N * self.model.data().components().len() < WORTHWHILE {
            true => rows.enumerate().for_each(|(i, (to, (z, time)))| one(i, to, z, *time)),
            false => each(rows, |i, (to, (z, time))| one(i, to, z, *time)),
        }
        out
    }
}

/// The entries of Jacobians, of all rows and components, that are work enough for several threads.
const WORTHWHILE: usize = 4096;

/// One row as the model sees it.
struct Row<'a> {
    level: &'a crate::level::Level,
    target: Affine,
    scale: f64,
    z: &'a [f64],
    index: usize,
}

impl Row<'_> {
    /// This row of a batch of directions, in units of `z`.
    fn of(&self, directions: &[f64]) -> Vec<f64> {
        let n = self.z.len();
        directions[self.index * n..][..n].iter().map(|v| v / self.scale).collect()
    }
}

impl<const N: usize, S: NoiseSchedule, P: Parameterization> Network<f64, Cpu> for AnalyticNet<N, S, P> {
    type Batch = (usize, Const<N>);

    fn batch(&self, rows: usize) -> Self::Batch {
        (rows, Const)
    }

    fn device(&self) -> &Cpu {
        &self.device
    }

    fn forward<T: Tape<f64, Cpu> + 'static>(
        &self,
        z: Tensor<Self::Batch, f64, Cpu, T>,
        pass: &mut Pass<'_>,
    ) -> Tensor<Self::Batch, f64, Cpu, T> {
        let (z, tape) = z.split_tape();
        let value = self.rows(&z.as_vec(), pass.times, |row| {
            Ok(self.model.jets(row.level, row.target, row.z)?.remove(0).value)
        });
        self.device.upload(&value, *z.shape()).put_tape(tape)
    }
}

#[diagnostic::do_not_recommend]
impl<const N: usize, S: NoiseSchedule, P: Parameterization> Jvp<f64, Cpu> for AnalyticNet<N, S, P> {
    fn jvp<T: Tape<f64, Cpu> + 'static>(
        &self,
        z: Dual<Tensor<Self::Batch, f64, Cpu, T>>,
        pass: &mut Pass<'_>,
    ) -> Dual<Tensor<Self::Batch, f64, Cpu, T>> {
        let (v, tape) = z.tangent.split_tape();
        let (state, directions) = (z.value.as_vec(), v.as_vec());
        let tangent = self.rows(&state, pass.times, |row| {
            Ok(self.model.jvp(row.level, row.target, row.z, &row.of(&directions))?.1)
        });
        let tangent = self.device.upload(&tangent, *v.shape()).put_tape(tape);
        Dual::new(self.forward(z.value, pass), tangent)
    }
}

#[diagnostic::do_not_recommend]
impl<const N: usize, S: NoiseSchedule, P: Parameterization> SecondJvp<f64, Cpu> for AnalyticNet<N, S, P> {
    fn second_jvp<T: Tape<f64, Cpu> + 'static>(
        &self,
        z: Dual<Dual<Tensor<Self::Batch, f64, Cpu, T>>>,
        pass: &mut Pass<'_>,
    ) -> Dual<Dual<Tensor<Self::Batch, f64, Cpu, T>>> {
        let (state, v, w) = (z.value.value.as_vec(), z.value.tangent.as_vec(), z.tangent.value.as_vec());
        // F''[v, w] + F' dv/dw.
        let second = self.rows(&state, pass.times, |row| {
            self.model.second(row.level, row.target, row.z, &row.of(&v), &row.of(&w))
        });
        let second = self.device.upload(&second, *z.value.value.shape());
        let outer = Dual::new(z.value.value.retaped::<T>(), z.tangent.tangent);
        let second = second.retaped::<T>() + self.jvp(outer, pass).tangent;
        let outer = Dual::new(z.value.value.retaped::<T>(), z.tangent.value);
        let along_w = self.jvp(outer, pass).tangent;
        Dual::new(self.jvp(z.value, pass), Dual::new(along_w, second))
    }
}
