//! The exact network of Gaussian data, and what its flow does in closed form.

use dfdx::prelude::*;
use idode::diffusion::{Diffusion, DynDiffusion};
use idode::level::{Gamma, GammaRange, Level};
use idode::nn::{Jvp, Network, Pass};
use idode::parameterization::{Affine, Data, Noise, Parameterization, Score, Velocity};
use idode::schedule::{NoiseSchedule, StraightPath, VariancePreserving};
use idode::solver::{Adaptive, Stepping, Tolerances};
use idode::tensor::Dual;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Velocity behind a network that sees `z / sqrt(alpha^2 + sigma^2)`.
#[derive(Debug)]
pub(crate) struct Preconditioned;

impl Parameterization for Preconditioned {
    fn target(&self, level: &Level) -> Affine {
        Velocity.target(level)
    }
    fn input_scale(&self, level: &Level) -> f64 {
        1.0 / level.alpha().hypot(level.sigma())
    }
}

/// Every pair of VP or SP and a parameterization, on the range of `levels` grey levels.
pub(crate) fn diffusions(levels: u32) -> Vec<DynDiffusion> {
    let mut all = Vec::new();
    for vp in [true, false] {
        let parameterizations: [Arc<dyn Parameterization>; 5] =
            [Arc::new(Velocity), Arc::new(Noise), Arc::new(Data), Arc::new(Score), Arc::new(Preconditioned)];
        for parameterization in parameterizations {
            let schedule: Arc<dyn NoiseSchedule> =
                if vp { Arc::new(VariancePreserving) } else { Arc::new(StraightPath) };
            all.push(Diffusion::new(schedule, parameterization, GammaRange::for_levels(levels)));
        }
    }
    all
}

/// The straight path with velocity.
pub(crate) fn straight(levels: u32) -> DynDiffusion {
    diffusions(levels).swap_remove(5)
}

/// Tolerances far below the tests' bounds.
pub(crate) fn tight() -> Stepping {
    Stepping::adaptive(Tolerances { relative: 1e-10, absolute: 1e-11, log_density: 1e-10 })
}

/// Tolerances for tests of statistics, and the default first step.
pub(crate) fn loose() -> Stepping {
    Stepping::Adaptive(Adaptive::default())
}

/// `F* = E[F | z]` of data `N(mean, diag(variance))`: affine in `z`, coordinate by coordinate.
///
/// A row whose first coordinate is above `poison` gives NaN. Where it is `moved`, a row's conditions are added to its mean.
#[derive(Debug)]
pub(crate) struct GaussianVelocity<'a, const N: usize> {
    pub(crate) diffusion: &'a DynDiffusion,
    pub(crate) mean: [f64; N],
    pub(crate) variance: [f64; N],
    pub(crate) poison: f64,
    pub(crate) moved: bool,
    /// The most rows of a call.
    pub(crate) most: Arc<AtomicUsize>,
    pub(crate) device: Cpu,
}

impl<'a, const N: usize> GaussianVelocity<'a, N> {
    pub(crate) fn new(diffusion: &'a DynDiffusion, mean: [f64; N], variance: [f64; N]) -> Self {
        let (poison, most) = (f64::INFINITY, Arc::default());
        Self { diffusion, mean, variance, poison, moved: false, most, device: Cpu::default() }
    }

    fn total(&self, level: &Level) -> [f64; N] {
        self.variance.map(|variance| level.alpha().powi(2) * variance + level.sigma().powi(2))
    }

    /// The mean and the variance of each coordinate of the model at `gamma`: the prior, carried
    /// down by the flow, which is affine.
    pub(crate) fn model(&self, gamma: Gamma) -> [(f64, f64); N] {
        let (here, end) = (self.diffusion.level(gamma), self.diffusion.level(self.diffusion.range().max()));
        let (v0, v1) = (self.total(&here), self.total(&end));
        std::array::from_fn(|i| {
            let ratio = v0[i] / v1[i];
            let mean = (here.alpha() - end.alpha() * ratio.sqrt()) * self.mean[i];
            (mean, self.diffusion.prior().std().powi(2) * ratio)
        })
    }

    /// The model's exact log-density at `gamma`, in nats.
    pub(crate) fn log_density(&self, z: &[f64], gamma: Gamma) -> f64 {
        let numbers = z.iter().zip(self.model(gamma));
        numbers
            .map(|(z, (mean, variance))| {
                -0.5 * ((z - mean).powi(2) / variance + (std::f64::consts::TAU * variance).ln())
            })
            .sum()
    }

    /// Slope and offset of `F` in what the network sees, for every number of a batch.
    fn affine(&self, pass: &Pass<'_>, numbers: &[f64]) -> (Vec<f64>, Vec<f64>) {
        self.most.fetch_max(pass.times.len(), Ordering::Relaxed);
        let rows = pass.times.iter().zip(numbers.chunks_exact(N)).enumerate();
        rows.flat_map(|(index, (time, row))| {
            let given = pass.conditions_of(index);
            let mean: [f64; N] = std::array::from_fn(|i| self.mean[i] + given.get(i).unwrap_or(&0.0));
            let gamma = self.diffusion.range().at(*time);
            let level = self.diffusion.level(gamma);
            let target = self.diffusion.parameterization().target(&level);
            let scale = self.diffusion.parameterization().input_scale(&level);
            let total = self.total(&level);
            let poison = if row[0] > self.poison { f64::NAN } else { 1.0 };
            (0..N).map(move |i| {
                let noise = target.noise * level.sigma() / total[i];
                let slope = poison * (noise + target.state) / scale;
                (slope, -noise * level.alpha() * mean[i])
            })
        })
        .unzip()
    }
}

impl<const N: usize> Network<f64, Cpu> for GaussianVelocity<'_, N> {
    type Batch = (usize, Const<N>);

    fn batch(&self, rows: usize) -> Self::Batch {
        (rows, Const)
    }

    fn device(&self) -> &Cpu {
        &self.device
    }

    fn conditions(&self) -> usize {
        if self.moved { N } else { 0 }
    }

    fn forward<T: Tape<f64, Cpu> + 'static>(
        &self,
        z: Tensor<Self::Batch, f64, Cpu, T>,
        pass: &mut Pass<'_>,
    ) -> Tensor<Self::Batch, f64, Cpu, T> {
        let shape = *z.shape();
        let (slope, offset) = self.affine(pass, &z.as_vec());
        z * self.device.tensor_from_vec(slope, shape) + self.device.tensor_from_vec(offset, shape)
    }
}

impl<const N: usize> Jvp<f64, Cpu> for GaussianVelocity<'_, N> {
    fn jvp<T: Tape<f64, Cpu> + 'static>(
        &self,
        z: Dual<Tensor<Self::Batch, f64, Cpu, T>>,
        pass: &mut Pass<'_>,
    ) -> Dual<Tensor<Self::Batch, f64, Cpu, T>> {
        let shape = *z.value.shape();
        let (slope, _) = self.affine(pass, &z.value.as_vec());
        let tangent = z.tangent * self.device.tensor_from_vec(slope, shape);
        Dual::new(self.forward(z.value, pass), tangent)
    }
}
