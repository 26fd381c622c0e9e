//! Named parameters: one walk serves the optimizer, checkpoints and imports.

use crate::tensor::{Kernels, Real, Slot};
use dfdx::prelude::{HasShape, Shape, Tensor};

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
    pub fn is_decayed(self) -> bool {
        matches!(self, Self::Weight | Self::Kernel { .. })
    }
}

/// Something done to every parameter of a network, in a fixed order.
pub trait ParameterVisitor<E: Real, D: Kernels<E>> {
    /// Called once per parameter. `name` is the path from the root, parts joined by `/`.
    fn parameter<S: Shape>(&mut self, name: &str, role: Role, tensor: &mut Tensor<S, E, D>);
}

/// A layer or network with parameters.
///
/// Tensors share their storage until one is written, so a clone costs no memory of its own.
pub trait Parameters<E: Real, D: Kernels<E>>: Clone {
    /// Walks over all parameters, each named by `prefix`, `/` and its own name.
    fn parameters<V: ParameterVisitor<E, D>>(&mut self, prefix: &str, visitor: &mut V);
}

/// The path of a part.
pub(crate) fn path(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}/{name}") }
}

/// The number of parameters of a network.
pub fn count<E: Real, D: Kernels<E>, N: Parameters<E, D>>(network: &N) -> usize {
    struct Count(usize);
    impl<E: Real, D: Kernels<E>> ParameterVisitor<E, D> for Count {
        fn parameter<S: Shape>(&mut self, _: &str, _: Role, tensor: &mut Tensor<S, E, D>) {
            self.0 += tensor.shape().num_elements();
        }
    }
    let mut count = Count(0);
    network.clone().parameters("", &mut count);
    count.0
}

/// Where the gradient of each parameter of a part lies: for its [`Segment`](crate::tensor::Segment).
pub fn slots<E: Real, D: Kernels<E>, N: Parameters<E, D>>(part: &N) -> Vec<Slot<E, D>> {
    struct Collect<E: Real, D: Kernels<E>>(Vec<Slot<E, D>>);
    impl<E: Real, D: Kernels<E>> ParameterVisitor<E, D> for Collect<E, D> {
        fn parameter<S: Shape>(&mut self, _: &str, _: Role, tensor: &mut Tensor<S, E, D>) {
            self.0.push(Slot::of(tensor));
        }
    }
    let mut collect = Collect(Vec::new());
    part.clone().parameters("", &mut collect);
    collect.0
}
