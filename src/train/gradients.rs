//! The gradient of every parameter, by name.

use crate::nn::{ParameterVisitor, Parameters, Role};
use crate::tensor::{Kernels, Real, reshape};
use dfdx::prelude::*;

/// A parameter's name and its flat gradient.
type Entry<E, D> = (String, Tensor<(usize,), E, D>);

/// One flat gradient per parameter, in the order of the network's walk.
#[derive(Clone, Debug)]
pub struct GradientSet<E: Real, D: Kernels<E>> {
    entries: Vec<Entry<E, D>>,
}

impl<E: Real, D: Kernels<E>> GradientSet<E, D> {
    /// The gradients of `network`'s parameters; zeros for those that the loss does not depend on.
    pub fn of<N: Parameters<E, D>>(network: &N, mut gradients: Gradients<E, D>) -> Self {
        struct Collect<'a, E: Real, D: Kernels<E>> {
            gradients: &'a mut Gradients<E, D>,
            entries: Vec<Entry<E, D>>,
        }
        impl<E: Real, D: Kernels<E>> ParameterVisitor<E, D> for Collect<'_, E, D> {
            fn parameter<S: Shape>(&mut self, name: &str, _: Role, tensor: &mut Tensor<S, E, D>) {
                let len = (tensor.shape().num_elements(),);
                let gradient = match self.gradients.try_alloc_for(&*tensor) {
                    Ok(()) => reshape(self.gradients.get(&*tensor), len),
                    Err(_) => tensor.device().zeros_like(&len),
                };
                self.entries.push((name.to_owned(), gradient));
            }
        }
        let mut collect = Collect { gradients: &mut gradients, entries: Vec::new() };
        network.clone().parameters("", &mut collect);
        Self { entries: collect.entries }
    }

    /// Adds another set of the same network.
    pub fn add(&mut self, other: Self) {
        for ((_, own), (_, other)) in self.entries.iter_mut().zip(other.entries) {
            *own = own.clone() + other;
        }
    }

    /// The parameters' names and gradients.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Tensor<(usize,), E, D>)> {
        self.entries.iter().map(|(name, gradient)| (name.as_str(), gradient))
    }

    /// The gradient of the parameter at `index` in the network's walk.
    pub(super) fn at(&self, index: usize) -> &Tensor<(usize,), E, D> {
        &self.entries[index].1
    }

    /// The global norm, or the name of the first parameter whose gradient is not finite.
    pub fn norm(&self) -> Result<f64, &str> {
        let gradients: Vec<&Tensor<(usize,), E, D>> = self.iter().map(|(_, gradient)| gradient).collect();
        let mut sum = 0.0;
        for ((name, _), own) in self.iter().zip(D::sums_of_squares(&gradients)) {
            if !own.is_finite() {
                return Err(name);
            }
            sum += own;
        }
        Ok(sum.sqrt())
    }
}
