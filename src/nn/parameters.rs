//! Named parameters: one walk serves the optimizer, checkpoints and imports.

use crate::tensor::{Kernels, Moments, Real, Slot, Updates, reshape};
use dfdx::prelude::{Gradients, HasShape, Shape, Tensor};

/// What a parameter is to its layer; decides whether weight decay applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A matrix: decayed.
    Weight,
    /// A convolution's kernel of `size x size` taps, their axes and the inputs flattened into one: decayed.
    Kernel {
        /// The taps along either axis.
        size: usize,
    },
    /// A term: not decayed.
    Bias,
    /// A factor of a norm: not decayed.
    Scale,
}

impl Role {
    /// Whether weight decay applies.
    pub(crate) fn is_decayed(self) -> bool {
        matches!(self, Self::Weight | Self::Kernel { .. })
    }
}

/// One parameter of a network, whatever its shape.
pub trait Parameter<E: Real, D: Kernels<E>> {
    /// The length of each axis.
    fn shape(&self) -> Vec<usize>;

    /// The device that it is on.
    fn device(&self) -> &D;

    /// The numbers, row-major.
    fn numbers(&self) -> Vec<E>;

    /// Puts other numbers in their place, in memory of their own: what a clone of the network holds stays as it is.
    ///
    /// # Panics
    /// If there are fewer or more than the shape has elements.
    fn replace(&mut self, numbers: Vec<E>);

    /// Where its gradient lies.
    fn slot(&self) -> Slot<E, D>;

    /// Its gradient as one axis; zeros if the loss does not depend on it.
    fn gradient(&self, gradients: &mut Gradients<E, D>) -> Tensor<(usize,), E, D>;

    /// One step of AdamW and of the moving average with this weight decay, at once or gathered: see [`Kernels::adamw`].
    fn update(
        &mut self,
        gradient: &Tensor<(usize,), E, D>,
        moments: &mut Moments<E, D>,
        decay: f64,
        updates: &mut Updates<E, D>,
    );
}

impl<S: Shape, E: Real, D: Kernels<E>> Parameter<E, D> for Tensor<S, E, D> {
    fn shape(&self) -> Vec<usize> {
        HasShape::shape(self).concrete().into()
    }

    fn device(&self) -> &D {
        Tensor::device(self)
    }

    fn numbers(&self) -> Vec<E> {
        self.as_vec()
    }

    fn replace(&mut self, numbers: Vec<E>) {
        *self = Tensor::device(self).tensor_from_vec(numbers, *HasShape::shape(self));
    }

    fn slot(&self) -> Slot<E, D> {
        Slot::of(self)
    }

    fn gradient(&self, gradients: &mut Gradients<E, D>) -> Tensor<(usize,), E, D> {
        let len = (HasShape::shape(self).num_elements(),);
        match gradients.try_alloc_for(self) {
            Ok(()) => reshape(gradients.get(self), len),
            Err(_) => Tensor::device(self).zeros_like(&len),
        }
    }

    fn update(
        &mut self,
        gradient: &Tensor<(usize,), E, D>,
        moments: &mut Moments<E, D>,
        decay: f64,
        updates: &mut Updates<E, D>,
    ) {
        D::adamw(self, gradient, moments, decay, updates);
    }
}

/// Something done to every parameter of a network, in a fixed order: the name is the path from the root, parts joined by `/`.
pub type Visit<'v, E, D> = dyn FnMut(&str, Role, &mut dyn Parameter<E, D>) + 'v;

/// A layer or network with parameters.
///
/// Tensors share their storage until one is written, so a clone costs no memory of its own.
pub trait Parameters<E: Real, D: Kernels<E>>: Clone {
    /// Walks over all parameters, each named by `prefix`, `/` and its own name.
    fn parameters(&mut self, prefix: &str, visit: &mut Visit<'_, E, D>);
}

/// The path of a part.
pub(crate) fn path(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") }
}

/// The number of parameters of a network.
pub fn count<E: Real, D: Kernels<E>, N: Parameters<E, D>>(network: &N) -> usize {
    let mut count = 0;
    network
        .clone()
        .parameters("", &mut |_, _, parameter| count += parameter.shape().iter().product::<usize>());
    count
}

/// Where the gradient of each parameter of a part lies: for its [`Segment`](crate::tensor::Segment).
pub(crate) fn slots<E: Real, D: Kernels<E>, N: Parameters<E, D>>(part: &N) -> Vec<Slot<E, D>> {
    let mut slots = Vec::new();
    part.clone().parameters("", &mut |_, _, parameter| slots.push(parameter.slot()));
    slots
}
