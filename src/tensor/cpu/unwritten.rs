//! Tensors whose numbers are yet to be written.
//!
//! dfdx fills every buffer that it hands out, on one thread, while the others wait. Its cache is asked for buffers of a
//! number that has no default value, and writing no value takes no time.

#![allow(unsafe_code)]

use dfdx::prelude::*;
use std::mem::{ManuallyDrop, MaybeUninit, forget, take};

/// The place of an `f32`.
#[derive(Clone, Copy, Debug)]
#[repr(transparent)]
struct Place(MaybeUninit<f32>);

impl Default for Place {
    fn default() -> Self {
        Self(MaybeUninit::uninit())
    }
}

impl PartialEq for Place {
    fn eq(&self, _: &Self) -> bool {
        false
    }
}

impl PartialOrd for Place {
    fn partial_cmp(&self, _: &Self) -> Option<std::cmp::Ordering> {
        None
    }
}

impl SafeZeros for Place {}

impl Unit for Place {
    const ONE: Self = Self(MaybeUninit::new(1.0));
}

// SAFETY: any bits, zeros among them, are a place's.
#[cfg(feature = "cuda")]
unsafe impl cudarc::driver::ValidAsZeroBits for Place {}

// SAFETY: a place is as large as an `f32` and lies as one does.
#[cfg(feature = "cuda")]
unsafe impl cudarc::driver::DeviceRepr for Place {}

/// A tensor from the device's cache whose numbers are arbitrary: the caller writes every one of them and reads none before.
///
/// Where assertions are on they are NaN, so that a test sees a number that was not written.
pub(super) fn unwritten<S: Shape>(device: &Cpu, shape: &S) -> Tensor<S, f32, Cpu> {
    let Ok(mut buffer) = <Cpu as Storage<Place>>::try_alloc_len(device, shape.num_elements()) else {
        return device.zeros_like(shape);
    };
    let mut places = ManuallyDrop::new(take(&mut *buffer));
    // Dropped, it would leave an empty buffer in the cache, one more each time. It owns nothing.
    forget(buffer);
    // SAFETY: the vector is taken apart once, `Place` lies in memory as `f32` does, and the numbers are written before
    // they are read.
    let mut numbers: Vec<f32> =
        unsafe { Vec::from_raw_parts(places.as_mut_ptr().cast::<f32>(), places.len(), places.capacity()) };
    if cfg!(debug_assertions) {
        numbers.fill(f32::NAN);
    }
    device.tensor_from_vec(numbers, *shape)
}
