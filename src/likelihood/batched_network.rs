//! Calls of a network on rows of the host, in batches.

use crate::diffusion::Coefficients;
use crate::divergence::Jacobian;
use crate::nn::{Jvp, Network, Pass, conditions_of};
use crate::tensor::{Dual, Kernels, Real};
use dfdx::prelude::Tensor;
use std::marker::PhantomData;

/// A network with the buffers of its calls. Buffers are filled again, and tensors are taken from
/// the device's own store, so a call leaves no memory behind.
#[derive(Debug)]
pub(crate) struct BatchedNetwork<'a, E, D, N> {
    network: &'a N,
    batch: usize,
    dims: usize,
    value: Vec<E>,
    tangent: Vec<E>,
    device: PhantomData<fn() -> D>,
}

/// Rows that a network is called on: states `z`, before the input scale, with the scalars of
/// their levels.
///
/// # Shapes
/// `z`: `rows x dims`; the others one entry a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Rows<'a> {
    pub(crate) z: &'a [f64],
    pub(crate) levels: &'a [Coefficients],
    pub(crate) conditioning: Option<&'a [f64]>,
}

impl<'a, E: Real, D: Kernels<E>, N: Network<E, D>> BatchedNetwork<'a, E, D, N> {
    /// Calls of `network` on at most `batch` rows at once.
    pub(crate) fn new(network: &'a N, batch: usize) -> Self {
        let dims = network.dims();
        Self {
            network,
            batch: batch.max(1),
            dims,
            value: Vec::new(),
            tangent: Vec::new(),
            device: PhantomData,
        }
    }

    pub(super) fn network(&self) -> &'a N {
        self.network
    }

    pub(super) fn batch(&self) -> usize {
        self.batch
    }

    fn upload(&self, rows: usize, numbers: &[E]) -> Tensor<N::Batch, E, D> {
        self.network.device().upload(numbers, self.network.batch(rows))
    }

    /// `F` of each row.
    pub(crate) fn forward(&mut self, rows: Rows<'_>) -> Vec<f64> {
        let mut found = Vec::with_capacity(rows.z.len());
        for (i, levels) in rows.levels.chunks(self.batch).enumerate() {
            let first = i * self.batch;
            self.value.clear();
            for (z, level) in rows.z[first * self.dims..].chunks_exact(self.dims).zip(levels) {
                self.value.extend(z.iter().map(|z| E::of(level.input_scale * z)));
            }
            let times: Vec<f64> = levels.iter().map(|level| level.time).collect();
            let each = self.network.conditions();
            let conditioning = rows.conditioning.map(|all| &all[first * each..(first + levels.len()) * each]);
            let z = self.upload(levels.len(), &self.value);
            let f = self.network.forward(z, &mut Pass::eval(&times).with_conditioning(conditioning));
            found.extend(f.as_vec().into_iter().map(Real::to64));
        }
        found
    }
}

/// The Jacobian `dF/dz` of the network at rows; `F` itself comes with the products.
#[derive(Debug)]
pub(crate) struct NetworkJacobian<'c, 'a, E, D, N> {
    network: &'c mut BatchedNetwork<'a, E, D, N>,
    rows: Rows<'c>,
    values: Vec<f64>,
    known: Vec<bool>,
}

impl<'c, 'a, E: Real, D: Kernels<E>, N: Jvp<E, D>> NetworkJacobian<'c, 'a, E, D, N> {
    pub(crate) fn new(network: &'c mut BatchedNetwork<'a, E, D, N>, rows: Rows<'c>) -> Self {
        Self { network, rows, values: vec![0.0; rows.z.len()], known: vec![false; rows.levels.len()] }
    }

    /// `F` of each row.
    pub(crate) fn into_values(self) -> Vec<f64> {
        if self.known.iter().all(|known| *known) { self.values } else { self.network.forward(self.rows) }
    }

    /// The products of at most one batch of pairs.
    fn one_batch(&mut self, at: &[usize], tangents: &[f64], products: &mut [f64]) {
        let Self { network, rows, .. } = self;
        let dims = network.dims;
        network.value.clear();
        network.tangent.clear();
        for (&row, tangent) in at.iter().zip(tangents.chunks_exact(dims)) {
            // The network sees c_in z, so its tangent is c_in v.
            let scale = rows.levels[row].input_scale;
            network.value.extend(rows.z[row * dims..][..dims].iter().map(|z| E::of(scale * z)));
            network.tangent.extend(tangent.iter().map(|v| E::of(scale * v)));
        }
        let times: Vec<f64> = at.iter().map(|&row| rows.levels[row].time).collect();
        let each = network.network.conditions();
        let conditioning = rows.conditioning.map(|all| conditions_of(all, each, at));
        let mut pass = Pass::eval(&times).with_conditioning(conditioning.as_deref());
        let z =
            Dual::new(network.upload(at.len(), &network.value), network.upload(at.len(), &network.tangent));
        let f = network.network.jvp(z, &mut pass);
        for (out, product) in products.iter_mut().zip(f.tangent.as_vec()) {
            *out = product.to64();
        }
        let values = f.value.as_vec();
        for (&row, value) in at.iter().zip(values.chunks_exact(dims)) {
            if !std::mem::replace(&mut self.known[row], true) {
                let own = &mut self.values[row * dims..][..dims];
                own.iter_mut().zip(value).for_each(|(own, value)| *own = value.to64());
            }
        }
    }
}

impl<E: Real, D: Kernels<E>, N: Jvp<E, D>> Jacobian for NetworkJacobian<'_, '_, E, D, N> {
    fn rows(&self) -> usize {
        self.rows.levels.len()
    }

    fn dims(&self) -> usize {
        self.network.dims
    }

    fn batch(&self) -> usize {
        self.network.batch
    }

    fn products(&mut self, rows: &[usize], tangents: &[f64], products: &mut [f64]) {
        let (batch, dims) = (self.batch(), self.dims());
        let pairs = tangents.chunks(batch * dims).zip(products.chunks_mut(batch * dims));
        for (rows, (tangents, products)) in rows.chunks(batch).zip(pairs) {
            self.one_batch(rows, tangents, products);
        }
    }
}
