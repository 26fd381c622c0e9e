//! The numbers of a CPU tensor as slices, and of its gradient.

#![allow(unsafe_code)]

use super::simd::add;
use dfdx::prelude::*;

/// A CPU tensor's buffer, as dfdx stores gradients.
pub(super) type Buffer = <Cpu as Storage<f32>>::Vec;

/// The numbers of a contiguous tensor, without a copy.
///
/// dfdx's public way to read a tensor is an index or a copy. Callers pass tensors that went through
/// `contiguous()`, whose buffer holds `num_elements` numbers in order.
pub(super) fn numbers<S: Shape, T>(x: &Tensor<S, f32, Cpu, T>) -> &[f32] {
    let len = x.shape().num_elements();
    if len == 0 {
        return &[];
    }
    let first: &f32 = &x[S::Concrete::default()];
    // SAFETY: `first` is element 0 of the `Vec` behind the tensor, which holds `len` initialized
    // numbers in a row because the tensor is contiguous; the slice borrows the tensor, which keeps
    // the buffer alive and unwritten.
    unsafe { std::slice::from_raw_parts(first, len) }
}

/// The numbers of a contiguous tensor, to be written; a shared buffer is copied first.
pub(super) fn numbers_mut<S: Shape>(x: &mut Tensor<S, f32, Cpu>) -> &mut [f32] {
    let len = x.shape().num_elements();
    if len == 0 {
        return &mut [];
    }
    let first: &mut f32 = &mut x[S::Concrete::default()];
    // SAFETY: as in `numbers`; indexing mutably made this tensor the buffer's only owner, and the
    // slice borrows the tensor mutably.
    unsafe { std::slice::from_raw_parts_mut(first, len) }
}

/// Takes an output's gradient out of the store, so that its memory is free for the next operation:
/// whoever made the output is the last to read its gradient.
pub(super) fn take(gradient: &mut Buffer, device: &Cpu) -> Result<Buffer, CpuError> {
    Ok(std::mem::replace(gradient, <Cpu as Storage<f32>>::try_alloc_len(device, 0)?))
}

/// Takes an input's gradient of `len` numbers out of the store to add to it beside others; [`give`] puts it back.
pub(super) fn claim(gradient: &mut Buffer, len: usize, device: &Cpu) -> Result<Buffer, CpuError> {
    let gradient = take(gradient, device)?;
    // The same tensor may be claimed twice: its second share starts at zero.
    if gradient.len() == len { Ok(gradient) } else { <Cpu as Storage<f32>>::try_alloc_len(device, len) }
}

/// Puts a claimed gradient back.
pub(super) fn give(kept: &mut Buffer, gradient: Buffer) {
    if kept.len() == gradient.len() {
        add(kept, &gradient);
    } else {
        *kept = gradient;
    }
}
