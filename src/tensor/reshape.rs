//! The one way to another shape, which a tensor that is broadcast must not go on a taped path.
//!
//! A broadcast tensor holds fewer numbers than its shape has elements. dfdx 0.13 copies one that is reshaped. On CUDA the
//! backward pass of that copy visits as many elements as the *input's memory* has, not as its shape has
//! (`tensor_ops/reshape_to/cuda_kernel.rs`, `numel = grad_inp.len()`), and the rest of the gradient is lost. On a CPU it is
//! right, so no test of values finds it there. The rule is checked instead: here in debug builds, which the tests are, and by a
//! test that reads the sources for reshapes that go another way.

use super::{Kernels, Real};
use dfdx::prelude::*;

/// `x` under another shape with as many elements: the same memory, no copy.
pub(crate) fn reshape<S: Shape, R: Shape, E: Real, D: Kernels<E>, T: Tape<E, D> + 'static>(
    x: Tensor<S, E, D, T>,
    shape: R,
) -> Tensor<R, E, D, T> {
    debug_assert!(
        !T::OWNS_TAPE || !is_broadcast(&x),
        "a broadcast tensor of shape {:?} is reshaped",
        x.shape()
    );
    x.reshape_like(&shape)
}

/// Whether `x` has fewer numbers than elements: its gradient, which has its memory's length, tells.
fn is_broadcast<S: Shape, E: Real, D: Kernels<E>, T>(x: &Tensor<S, E, D, T>) -> bool {
    let mut gradients = Gradients::<E, D>::leaky();
    let held = gradients.get_or_alloc_mut(x).map(|numbers| Storage::<E>::len(x.device(), numbers));
    held.is_ok_and(|held| held < x.shape().num_elements())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "a broadcast tensor of shape (2, 3) is reshaped")]
    fn a_taped_broadcast_tensor_is_refused() {
        let x: Tensor<(usize,), f64, Cpu> = Cpu::default().zeros_like(&(2,));
        let _ = reshape(x.leaky_traced().broadcast_like::<_, Axis<1>>(&(2usize, 3usize)), (6,));
    }

    #[test]
    fn every_other_tensor_passes() {
        let x: Tensor<(usize, usize), f64, Cpu> = Cpu::default().zeros_like(&(2, 3));
        let untaped = x.clone().sum::<(usize,), Axis<1>>().broadcast_like::<_, Axis<1>>(&(2usize, 3usize));
        assert_eq!(reshape(untaped, (6,)).shape().0, 6);
        assert_eq!(reshape(x.leaky_traced().square(), (3, 2)).shape(), &(3, 2));
    }
}
