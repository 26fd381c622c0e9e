//! The flow's states on the device of the network.

use crate::solver::{HostState, OdeState, Tolerances};
use crate::tensor::Kernels;
use dfdx::prelude::*;

/// A batch of states on a device, with one log-density a row on the host where they carry one.
///
/// Only numbers of whole rows leave the device while a solve runs: coefficients go there, norms and log-densities come
/// back. States are `f64` as on the host, whatever the network computes in: a solve adds up many small steps.
///
/// # Shapes
/// `(rows, dims)`.
#[derive(Clone, Debug)]
pub struct TensorState<D: Kernels<f64>> {
    values: Tensor<(usize, usize), f64, D>,
    log_density: Option<Vec<f64>>,
}

impl<D: Kernels<f64>> TensorState<D> {
    /// The states `values`, with log-densities in nats, one a row, if any.
    pub(crate) fn new(values: Tensor<(usize, usize), f64, D>, log_density: Option<Vec<f64>>) -> Self {
        Self { values, log_density }
    }

    /// Brings states to a device.
    pub fn upload(state: &HostState, device: &D) -> Self {
        let values = device.upload(state.values(), (state.rows(), state.dims()));
        Self { values, log_density: state.log_density().map(<[f64]>::to_vec) }
    }

    /// Brings the states to the host.
    ///
    /// # Errors
    /// If there are no dimensions.
    pub fn download(&self) -> crate::error::Result<HostState> {
        // dfdx cannot read a tensor without elements.
        let values = if self.rows() == 0 { Vec::new() } else { self.values.as_vec() };
        let state = HostState::new(self.dims(), values)?;
        match &self.log_density {
            Some(log_density) => state.with_log_density(log_density.clone()),
            None => Ok(state),
        }
    }

    /// The number of dimensions of a row.
    pub fn dims(&self) -> usize {
        self.values.shape().1
    }

    /// The states.
    pub fn values(&self) -> &Tensor<(usize, usize), f64, D> {
        &self.values
    }

    /// The rows' log-densities in nats, where they carry them.
    pub fn log_density(&self) -> Option<&[f64]> {
        self.log_density.as_deref()
    }
}

/// `rows` of `x`, in this order.
pub(crate) fn gather<D: Kernels<f64>>(
    x: Tensor<(usize, usize), f64, D>,
    rows: Vec<usize>,
) -> Tensor<(usize, usize), f64, D> {
    let index = x.device().tensor_from_vec(rows.clone(), (rows.len(),));
    x.gather(index)
}

impl<D: Kernels<f64>> OdeState for TensorState<D> {
    fn rows(&self) -> usize {
        self.values.shape().0
    }

    fn add_scaled(&self, terms: &[(&[f64], &Self)]) -> Self {
        // The terms are summed before the state is added: they are small beside it.
        let own: Vec<_> = terms.iter().map(|(c, k)| (*c, &k.values)).collect();
        let values = match own.is_empty() {
            true => self.values.clone(),
            false => D::combine_rows(&own, Some(&self.values)),
        };
        let log_density = self.log_density.as_ref().map(|own| {
            let mut sums = Vec::with_capacity(own.len());
            for (row, own) in own.iter().enumerate() {
                let mut sum = 0.0;
                for (c, k) in terms {
                    sum += k.log_density.as_ref().map_or(0.0, |k| c[row] * k[row]);
                }
                sums.push(sum + own);
            }
            sums
        });
        Self { values, log_density }
    }

    fn select(&self, rows: &[usize]) -> Self {
        Self {
            values: gather(self.values.clone(), rows.to_vec()),
            log_density: self.log_density.as_ref().map(|all| rows.iter().map(|&i| all[i]).collect()),
        }
    }

    fn scatter(&mut self, rows: &[usize], from: &Self) {
        if rows.is_empty() {
            return;
        }
        let own = self.rows();
        let mut index: Vec<usize> = (0..own).collect();
        rows.iter().enumerate().for_each(|(i, &row)| index[row] = own + i);
        let both = (self.values.clone(), from.values.clone()).concat_along(Axis::<0>);
        self.values = gather(both, index);
        if let (Some(to), Some(from)) = (&mut self.log_density, &from.log_density) {
            rows.iter().zip(from).for_each(|(&i, x)| to[i] = *x);
        }
    }

    fn error_norm(error: &Self, before: &Self, after: &Self, tolerances: &Tolerances) -> Vec<f64> {
        let Tolerances { absolute, relative, .. } = *tolerances;
        let squares = D::error_sums(&error.values, &before.values, &after.values, absolute, relative);
        let mut norms = Vec::with_capacity(squares.len());
        for (row, &sum) in squares.iter().enumerate() {
            let density = error.log_density.as_ref().map(|errors| errors[row]);
            norms.push(tolerances.norm_of_sum(sum, error.dims(), density));
        }
        norms
    }

    fn finite(&self) -> Vec<bool> {
        let mut finite = D::finite_rows(&self.values);
        for (row, finite) in finite.iter_mut().enumerate() {
            *finite &= self.log_density.as_ref().is_none_or(|all| all[row].is_finite());
        }
        finite
    }
}
