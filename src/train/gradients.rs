//! The gradient of every parameter, by name.

use crate::communicator::Ranks;
use crate::error;
use crate::nn::Parameters;
use crate::tensor::{Kernels, Real};
use dfdx::prelude::*;

/// A parameter's name and its flat gradient.
type Entry<E, D> = (String, Tensor<(usize,), E, D>);

/// An engine that adds the gradients of all ranks where they lie, on devices; without one they are added on the hosts.
pub trait GradientSum<E: Real, D: Kernels<E>>: std::fmt::Debug + Send + Sync {
    /// The sums over ranks of the numbers of each tensor, in their place.
    ///
    /// # Errors
    /// If a rank is gone, or the engine fails.
    fn sum(&self, gradients: &[Tensor<(usize,), E, D>], ranks: &Ranks) -> error::Result<()>;
}

/// One flat gradient per parameter, in the order of the network's walk.
#[derive(Clone, Debug)]
pub struct GradientSet<E: Real, D: Kernels<E>> {
    entries: Vec<Entry<E, D>>,
}

impl<E: Real, D: Kernels<E>> GradientSet<E, D> {
    /// The gradients of `network`'s parameters; zeros for those that the loss does not depend on.
    pub fn of<N: Parameters<E, D>>(network: &N, mut gradients: Gradients<E, D>) -> Self {
        let (mut network, mut entries, mut device) = (network.clone(), Vec::new(), None);
        network.parameters("", &mut |_, _, parameter| device = Some(parameter.device().clone()));
        let mut walk = || {
            network.parameters("", &mut |name, _, parameter| {
                entries.push((name.to_owned(), parameter.gradient(&mut gradients)));
            });
        };
        match device {
            Some(device) => device.together(walk),
            None => walk(),
        }
        Self { entries }
    }

    /// The sum with another set of the same network.
    #[must_use]
    pub fn plus(mut self, other: Self) -> Self {
        for ((_, own), (_, other)) in self.entries.iter_mut().zip(other.entries) {
            *own = own.clone() + other;
        }
        self
    }

    /// The sum of those of all ranks: by an engine of the device, or as one bucket on the hosts.
    ///
    /// # Errors
    /// If a rank is gone, or the engine fails.
    pub fn over(mut self, ranks: &Ranks, engine: Option<&dyn GradientSum<E, D>>) -> error::Result<Self> {
        if ranks.size() == 1 {
            return Ok(self);
        }
        if let Some(engine) = engine {
            let gradients: Vec<_> = self.entries.iter().map(|(_, gradient)| gradient.clone()).collect();
            let bytes = gradients.iter().map(|gradient| size_of::<E>() * gradient.shape().0).sum::<usize>();
            return ranks.timed(bytes as u64, || engine.sum(&gradients, ranks)).map(|()| self);
        }
        let mut bucket = Vec::new();
        for (_, gradient) in &self.entries {
            bucket.extend_from_slice(&gradient.as_vec());
        }
        ranks.sum(&mut bucket)?;
        let mut rest = &bucket[..];
        for (_, gradient) in &mut self.entries {
            let (own, after) = rest.split_at(gradient.shape().0);
            gradient.copy_from(own);
            rest = after;
        }
        Ok(self)
    }

    /// The parameters' names and gradients.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &Tensor<(usize,), E, D>)> {
        self.entries.iter().map(|(name, gradient)| (name.as_str(), gradient))
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
