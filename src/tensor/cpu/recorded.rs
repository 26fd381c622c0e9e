//! Operations on bare tensors, tied to tapes of any type: so that an operation is compiled once, and not again for each type of tape.

use dfdx::prelude::*;

/// The backward pass of an operation, as a tape keeps it.
pub(super) type Backward = Box<dyn FnOnce(&mut Gradients<f32, Cpu>) -> Result<(), CpuError>>;

/// The tapes of an operation's inputs, merged in the order in which these were taken off them.
pub(super) struct Tapes<T>(T);

impl<T: Tape<f32, Cpu> + 'static> Tapes<T> {
    /// Whether there is a tape that takes a backward pass.
    pub(super) const RECORD: bool = T::OWNS_TAPE;

    pub(super) fn new() -> Self {
        Self(T::default())
    }

    /// Takes a tensor off its tape: a contiguous one, as what was given another shape is.
    pub(super) fn bare<S: Shape>(&mut self, x: Tensor<S, f32, Cpu, T>) -> Tensor<S, f32, Cpu> {
        let (x, own) = x.split_tape();
        self.0 = std::mem::take(&mut self.0).merge(own);
        x
    }

    /// The merged tape, with the backward pass at its end.
    pub(super) fn recorded(mut self, backward: Option<Backward>) -> T {
        if let Some(backward) = backward {
            self.0.add_backward_op(backward);
        }
        self.0
    }
}
