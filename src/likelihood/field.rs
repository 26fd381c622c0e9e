//! The right-hand sides of the diffusion ODE, on the host in `f64`; [`super::device_field`] has them on a device.
//!
//! `dz/dgamma = c_F F + c_z z`, and along the flow `d log p / dgamma = -(c_F tr dF/dz + d c_z)`. The
//! network computes in its own type; everything else is `f64`.

use super::batched_network::{BatchedNetwork, NetworkJacobian, Rows};
use crate::diffusion::{Coefficients, Diffusion};
use crate::divergence::{ProbeSeed, Trace};
use crate::level::Gamma;
use crate::nn::{Jvp, Network, conditions_of};
use crate::parameterization::Parameterization;
use crate::schedule::NoiseSchedule;
use crate::solver::{Field, HostState};
use crate::tensor::{Kernels, Real};
use std::borrow::Cow;

/// The drift alone: for sampling. No derivative of the network is taken.
#[derive(Debug)]
pub struct Drift<'a, E, D, N, S, P> {
    network: BatchedNetwork<'a, E, D, N>,
    diffusion: &'a Diffusion<S, P>,
    conditioning: Option<Cow<'a, [f64]>>,
}

impl<'a, E: Real, D: Kernels<E>, N: Network<E, D>, S: NoiseSchedule, P: Parameterization>
    Drift<'a, E, D, N, S, P>
{
    /// The drift of `network` under `diffusion`, called on at most `batch` rows at once.
    pub fn new(network: &'a N, diffusion: &'a Diffusion<S, P>, batch: usize) -> Self {
        Self { network: BatchedNetwork::new(network, batch), diffusion, conditioning: None }
    }

    /// The same with the conditioning numbers of each row that the solve begins with.
    #[must_use]
    pub fn with_conditioning(self, conditioning: Option<&'a [f64]>) -> Self {
        Self { conditioning: conditioning.map(Cow::Borrowed), ..self }
    }

    /// The same with the log-density; `trace` belongs to the one solve that this field is for.
    #[must_use]
    pub fn with_density(self, trace: Box<dyn Trace>) -> DensityDrift<'a, E, D, N, S, P> {
        DensityDrift { drift: self, trace }
    }

    pub(super) fn network(&self) -> &'a N {
        self.network.network()
    }

    pub(super) fn batch(&self) -> usize {
        self.network.batch()
    }

    pub(super) fn levels(&self, t: &[f64]) -> Vec<Coefficients> {
        let mut levels = Vec::with_capacity(t.len());
        for &t in t {
            levels.push(self.diffusion.coefficients(Gamma(t)));
        }
        levels
    }

    pub(super) fn conditioning(&self, rows: &[usize]) -> Option<Vec<f64>> {
        let all = self.conditioning.as_deref();
        all.map(|all| conditions_of(all, self.network.network().conditions(), rows))
    }

    /// Gives rows other conditioning numbers, where they have any; rows beyond those of before are new.
    pub(super) fn renew(&mut self, rows: &[usize], numbers: Option<&[f64]>) {
        let Some(numbers) = numbers else { return };
        let each = self.network.network().conditions();
        let all = self.conditioning.get_or_insert_default().to_mut();
        for (&row, own) in rows.iter().zip(numbers.chunks_exact(each.max(1))) {
            all.resize(all.len().max((row + 1) * each), 0.0);
            all[row * each..][..each].copy_from_slice(own);
        }
    }
}

/// `c_F F + c_z z` of each row, with `-divergence(row)` as the rate of the log-density.
fn rates(y: &HostState, levels: &[Coefficients], f: &[f64], divergence: impl Fn(usize) -> f64) -> HostState {
    let dims = y.dims();
    y.map_rows(|row, z, out| {
        let (level, f) = (&levels[row], &f[row * dims..]);
        for ((out, z), f) in out.iter_mut().zip(z).zip(f) {
            *out = level.c_f * f + level.c_z * z;
        }
        -divergence(row)
    })
}

impl<E: Real, D: Kernels<E>, N: Network<E, D>, S: NoiseSchedule, P: Parameterization> Field<HostState>
    for Drift<'_, E, D, N, S, P>
{
    fn eval(&mut self, rows: &[usize], t: &[f64], y: &HostState) -> HostState {
        let (levels, conditioning) = (self.levels(t), self.conditioning(rows));
        let at = Rows { z: y.values(), levels: &levels, conditioning: conditioning.as_deref() };
        let f = self.network.forward(at);
        rates(y, &levels, &f, |_| 0.0)
    }
}

/// The drift and the rate of the log-density: for likelihoods.
#[derive(Debug)]
pub struct DensityDrift<'a, E, D, N, S, P> {
    pub(super) drift: Drift<'a, E, D, N, S, P>,
    pub(super) trace: Box<dyn Trace>,
}

impl<E: Real, D: Kernels<E>, N: Network<E, D>, S: NoiseSchedule, P: Parameterization>
    DensityDrift<'_, E, D, N, S, P>
{
    /// Makes rows new ones, with these seeds of their probes and their conditioning numbers.
    pub(super) fn renew(&mut self, rows: &[usize], seeds: &[ProbeSeed], conditioning: Option<&[f64]>) {
        self.drift.renew(rows, conditioning);
        self.trace.renew(rows, seeds);
    }
}

impl<E: Real, D: Kernels<E>, N: Jvp<E, D>, S: NoiseSchedule, P: Parameterization> Field<HostState>
    for DensityDrift<'_, E, D, N, S, P>
{
    fn eval(&mut self, rows: &[usize], t: &[f64], y: &HostState) -> HostState {
        let (levels, conditioning) = (self.drift.levels(t), self.drift.conditioning(rows));
        let at = Rows { z: y.values(), levels: &levels, conditioning: conditioning.as_deref() };
        let mut jacobian = NetworkJacobian::new(&mut self.drift.network, at);
        let traces = self.trace.trace(rows, &mut jacobian);
        let f = jacobian.into_values();
        let dims = y.dims() as f64;
        rates(y, &levels, &f, |row| levels[row].c_f * traces[row] + dims * levels[row].c_z)
    }
}
