//! The right-hand sides of the diffusion ODE on states that live on a device.

use super::field::{DensityDrift, Drift};
use super::state::{TensorState, gather};
use crate::diffusion::Coefficients;
use crate::divergence::Jacobian;
use crate::nn::{Jvp, Network, Pass, conditions_of};
use crate::parameterization::Parameterization;
use crate::schedule::NoiseSchedule;
use crate::solver::{AnyState, Field, HostState};
use crate::tensor::{Dual, Kernels, Real, RowCoefficients, reshape};
use dfdx::prelude::*;

/// States on a device, `f64`.
type Rows<D> = Tensor<(usize, usize), f64, D>;

/// A network at rows on a device: see [`super::batched_network`] for the same on the host.
struct Call<'c, D: Kernels<f64>, N> {
    network: &'c N,
    batch: usize,
    z: &'c Rows<D>,
    levels: &'c [Coefficients],
    conditioning: Option<&'c [f64]>,
}

/// What each row sees beside its state.
struct Beside {
    times: Vec<f64>,
    scales: RowCoefficients,
    conditioning: Option<Vec<f64>>,
}

impl<D: Kernels<f64>, N> Call<'_, D, N> {
    fn beside(&self, rows: &[usize], each: usize) -> Beside {
        let (mut times, mut scales) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
        for &row in rows {
            times.push(self.levels[row].time);
            scales.push(self.levels[row].input_scale);
        }
        let conditioning = self.conditioning.map(|all| conditions_of(all, each, rows));
        Beside { times, scales: RowCoefficients::new(scales), conditioning }
    }

    /// The states of these rows; all of them without a copy.
    fn states(&self, rows: &[usize]) -> Rows<D> {
        let all = rows.len() == self.levels.len() && rows.iter().enumerate().all(|(i, &row)| i == row);
        if all { self.z.clone() } else { gather(self.z.clone(), rows.to_vec()) }
    }

    /// `F` of each row.
    fn forward<E: Real>(&self) -> Rows<D>
    where
        D: Kernels<E>,
        N: Network<E, D>,
    {
        let rows: Vec<usize> = (0..self.levels.len()).collect();
        let parts = rows.chunks(self.batch.max(1)).map(|rows| {
            let Beside { times, scales, conditioning } = self.beside(rows, self.network.conditions());
            let mut pass = Pass::eval(&times).with_conditioning(conditioning.as_deref());
            let z = input::<E, D, N>(self.network, scales.scale(self.states(rows)));
            numbers::<E, D, _>(self.network.forward(z, &mut pass), self.z.shape().1)
        });
        parts.reduce(|a, b| (a, b).concat_along(Axis::<0>)).unwrap_or_else(|| self.z.clone())
    }
}

/// Rows as the network takes them.
fn input<E: Real, D: Kernels<E> + Kernels<f64>, N: Network<E, D>>(
    network: &N,
    rows: Rows<D>,
) -> Tensor<N::Batch, E, D> {
    let shape = network.batch(rows.shape().0);
    reshape(rows.to_dtype::<E>(), shape)
}

/// What the network gives as rows.
fn numbers<E: Real, D: Kernels<E> + Kernels<f64>, S: Shape>(x: Tensor<S, E, D>, dims: usize) -> Rows<D> {
    let rows = x.shape().num_elements() / dims;
    reshape(x.to_dtype::<f64>(), (rows, dims))
}

/// The Jacobian of the network at rows on a device; `F` itself comes with the products.
struct DeviceJacobian<'c, D: Kernels<f64>, N> {
    call: Call<'c, D, N>,
    values: Option<Rows<D>>,
    known: Vec<bool>,
}

impl<'c, D: Kernels<f64>, N> DeviceJacobian<'c, D, N> {
    fn new(call: Call<'c, D, N>) -> Self {
        Self { known: vec![false; call.levels.len()], values: None, call }
    }

    /// `F` of each row.
    fn into_values<E: Real>(self) -> Rows<D>
    where
        D: Kernels<E>,
        N: Network<E, D>,
    {
        match self.values {
            Some(values) if self.known.iter().all(|known| *known) => values,
            _ => self.call.forward(),
        }
    }

    /// The tangents and their products, of at most one batch of pairs.
    fn one_batch<E: Real>(&mut self, rows: &[usize], tangents: &[f64]) -> (Rows<D>, Rows<D>)
    where
        D: Kernels<E>,
        N: Jvp<E, D>,
    {
        let Call { network, z, .. } = self.call;
        let dims = z.shape().1;
        let Beside { times, scales, conditioning } = self.call.beside(rows, self.call.network.conditions());
        let mut pass = Pass::eval(&times).with_conditioning(conditioning.as_deref());
        let tangent: Rows<D> = z.device().upload(tangents, (rows.len(), dims));
        // The network sees c_in z, so its tangent is c_in v.
        let at = Dual::new(self.call.states(rows), tangent.clone());
        let f = network.jvp(at.map(|x| input::<E, D, N>(network, scales.scale(x))), &mut pass);
        let f = f.map(|x| numbers::<E, D, _>(x, dims));
        self.learn(rows, f.value);
        (tangent, f.tangent)
    }

    /// Keeps `F` of the rows that are new.
    fn learn(&mut self, rows: &[usize], values: Rows<D>) {
        let count = self.known.len();
        let mut index: Vec<usize> = (0..count).collect();
        for (i, &row) in rows.iter().enumerate() {
            if !std::mem::replace(&mut self.known[row], true) {
                index[row] = count + i;
            }
        }
        let fresh = (0..count).all(|row| index[row] == count + row) && rows.len() == count;
        self.values = Some(match self.values.take() {
            _ if fresh => values,
            // Whatever stands where nothing is known yet is written over later.
            known => {
                gather((known.unwrap_or_else(|| self.call.z.clone()), values).concat_along(Axis::<0>), index)
            }
        });
    }
}

/// A Jacobian whose network computes in `E`.
struct In<'j, 'c, E, D: Kernels<f64>, N>(&'j mut DeviceJacobian<'c, D, N>, std::marker::PhantomData<E>);

impl<E: Real, D: Kernels<E> + Kernels<f64>, N: Jvp<E, D>> Jacobian for In<'_, '_, E, D, N> {
    fn rows(&self) -> usize {
        self.0.known.len()
    }

    fn dims(&self) -> usize {
        self.0.call.z.shape().1
    }

    fn batch(&self) -> usize {
        self.0.call.batch.max(1)
    }

    fn products(&mut self, rows: &[usize], tangents: &[f64], products: &mut [f64]) {
        let (batch, dims) = (self.batch(), self.dims());
        let pairs = tangents.chunks(batch * dims).zip(products.chunks_mut(batch * dims));
        for (rows, (tangents, products)) in rows.chunks(batch).zip(pairs) {
            products.copy_from_slice(&self.0.one_batch::<E>(rows, tangents).1.as_vec());
        }
    }

    fn forms(&mut self, rows: &[usize], tangents: &[f64], forms: &mut [f64]) {
        let (batch, dims) = (self.batch(), self.dims());
        let pairs = tangents.chunks(batch * dims).zip(forms.chunks_mut(batch));
        for (rows, (tangents, forms)) in rows.chunks(batch).zip(pairs) {
            let (v, jv) = self.0.one_batch::<E>(rows, tangents);
            forms.copy_from_slice(&(v * jv).sum::<(usize,), Axis<1>>().as_vec());
        }
    }
}

/// `c_F F + c_z z` of each row, with these rates of the log-density where the state has one.
fn rates<D: Kernels<f64>>(
    y: &TensorState<D>,
    levels: &[Coefficients],
    f: Rows<D>,
    density: impl Fn(usize) -> f64,
) -> TensorState<D> {
    let of = |c: fn(&Coefficients) -> f64| RowCoefficients::new(levels.iter().map(c).collect());
    let values = of(|level| level.c_f).combine(&f, (&of(|level| level.c_z), y.values()));
    TensorState::new(values, y.log_density().map(|all| (0..all.len()).map(density).collect()))
}

impl<E, D, N, S, P> Field<TensorState<D>> for Drift<'_, E, D, N, S, P>
where
    E: Real,
    D: Kernels<E> + Kernels<f64>,
    N: Network<E, D>,
    S: NoiseSchedule,
    P: Parameterization,
{
    fn eval(&mut self, rows: &[usize], t: &[f64], y: &TensorState<D>) -> TensorState<D> {
        let (levels, conditioning) = (self.levels(t), self.conditioning(rows));
        let (network, batch) = (self.network(), self.batch());
        let call =
            Call { network, batch, z: y.values(), levels: &levels, conditioning: conditioning.as_deref() };
        let f = call.forward::<E>();
        rates(y, &levels, f, |_| 0.0)
    }
}

impl<E, D, N, S, P> Field<TensorState<D>> for DensityDrift<'_, E, D, N, S, P>
where
    E: Real,
    D: Kernels<E> + Kernels<f64>,
    N: Jvp<E, D>,
    S: NoiseSchedule,
    P: Parameterization,
{
    fn eval(&mut self, rows: &[usize], t: &[f64], y: &TensorState<D>) -> TensorState<D> {
        let drift = &self.drift;
        let (levels, conditioning) = (drift.levels(t), drift.conditioning(rows));
        let (network, batch) = (drift.network(), drift.batch());
        let call =
            Call { network, batch, z: y.values(), levels: &levels, conditioning: conditioning.as_deref() };
        let mut jacobian = DeviceJacobian::new(call);
        let traces = self.trace.trace(rows, &mut In::<E, D, N>(&mut jacobian, std::marker::PhantomData));
        let f = jacobian.into_values::<E>();
        let dims = y.dims() as f64;
        rates(y, &levels, f, |row| -(levels[row].c_f * traces[row] + dims * levels[row].c_z))
    }
}

/// Evaluates a field on states on any device.
fn wherever<D: Kernels<f64>, F: Field<HostState> + Field<TensorState<D>>>(
    field: &mut F,
    rows: &[usize],
    t: &[f64],
    y: &AnyState,
) -> AnyState {
    match (y.get::<HostState>(), y.get::<TensorState<D>>()) {
        (Some(y), _) => AnyState::new(field.eval(rows, t, y)),
        (_, Some(y)) => AnyState::new(field.eval(rows, t, y)),
        // A solve begins with one of the two, and a solver makes states from states only.
        _ => y.clone(),
    }
}

impl<E, D, N, S, P> Field<AnyState> for Drift<'_, E, D, N, S, P>
where
    E: Real,
    D: Kernels<E> + Kernels<f64>,
    N: Network<E, D>,
    S: NoiseSchedule,
    P: Parameterization,
{
    fn eval(&mut self, rows: &[usize], t: &[f64], y: &AnyState) -> AnyState {
        wherever::<D, _>(self, rows, t, y)
    }
}

impl<E, D, N, S, P> Field<AnyState> for DensityDrift<'_, E, D, N, S, P>
where
    E: Real,
    D: Kernels<E> + Kernels<f64>,
    N: Jvp<E, D>,
    S: NoiseSchedule,
    P: Parameterization,
{
    fn eval(&mut self, rows: &[usize], t: &[f64], y: &AnyState) -> AnyState {
        wherever::<D, _>(self, rows, t, y)
    }
}
