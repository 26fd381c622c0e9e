//! Where the numbers of a dfdx tensor lie on the device, and those of its gradient.
//!
//! dfdx 0.13 keeps a tensor's buffer to itself. Its `Debug` text tells the address and the length of it at its beginning:
//! `Tensor { id: .., data: CachableCudaSlice { data: CudaSlice { cu_device_ptr: 5, len: 6, ..`, and writing stops there. A gradient's
//! buffer is public.

use super::functions;
use super::launch::View;
use crate::tensor::{ImageBatch, reshape};
use cudarc::driver::{DevicePtr, DeviceSlice};
use dfdx::prelude::*;
use std::fmt::{self, Debug, Write};

/// A batch of images of a shape that is known at run time only.
pub(super) type Image<T> = Tensor<ImageBatch<usize, usize, usize>, f32, Cuda, T>;

/// Keeps what is written until it holds the address and the length.
#[derive(Default)]
struct Beginning(String);

const ADDRESS: &str = "CudaSlice { cu_device_ptr: ";
const LENGTH: &str = ", len: ";

impl Beginning {
    fn found(&self) -> Option<(u64, usize)> {
        let (_, rest) = self.0.split_once(ADDRESS)?;
        let (address, rest) = rest.split_once(LENGTH)?;
        let (length, _) = rest.split_once(',')?;
        Some((address.parse().ok()?, length.parse().ok()?))
    }
}

impl Write for Beginning {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.push_str(text);
        // What comes before is a few hundred characters at most: no more of it is formatted.
        if text.contains(',') && self.found().is_some() { Err(fmt::Error) } else { Ok(()) }
    }
}

/// The address and the length of a tensor's buffer.
///
/// # Panics
/// If dfdx's text is another.
#[allow(clippy::expect_used)]
fn buffer(tensor: &impl Debug) -> (u64, usize) {
    let mut beginning = Beginning::default();
    let _ = write!(beginning, "{tensor:?}");
    beginning.found().expect("the text of a tensor of dfdx 0.13.0")
}

/// The numbers of a tensor, which has all of its elements in memory and in order.
///
/// # Panics
/// If it holds fewer or more.
pub(super) fn view<S: Shape, E: Dtype>(tensor: &Tensor<S, E, Cuda>) -> View
where
    Cuda: Device<E>,
{
    let (address, length) = buffer(tensor);
    assert_eq!(length, tensor.shape().num_elements(), "a broadcast tensor");
    // SAFETY: the tensor's buffer has so many numbers from there on; callers keep the tensor as long as the view.
    unsafe { View::new(address, length * size_of::<E>() / size_of::<f32>()) }
}

/// A store of gradients of `f32`.
pub(super) type Store = Gradients<f32, Cuda>;

type Find = dyn for<'g> Fn(&'g mut Store) -> Result<&'g mut Taken, CudaError>;

/// Where the gradient of one tensor lies in a store, without a hold on its numbers.
pub(super) struct Ghost(Box<Find>);

impl Ghost {
    pub(super) fn of<S: Shape, T>(x: &Tensor<S, f32, Cuda, T>) -> Self {
        let ghost = x.ghost();
        Self(Box::new(move |store| store.get_or_alloc_mut(&ghost)))
    }

    /// The gradient, to be added to; zeros if there is none yet.
    pub(super) fn gradient(&self, store: &mut Store) -> Result<View, CudaError> {
        (self.0)(store).map(|held| taken(held))
    }

    /// Takes an output's gradient out of the store: whoever made the output is the last to read it, and when it is dropped its memory
    /// is free for the next.
    pub(super) fn take(&self, store: &mut Store, device: &Cuda) -> Result<Taken, CudaError> {
        Ok(std::mem::replace((self.0)(store)?, nothing(device)?))
    }
}

/// A buffer of no numbers.
pub(super) fn nothing(device: &Cuda) -> Result<Taken, CudaError> {
    functions::driver::unwritten(|| device.try_alloc_len(0))
}

/// A gradient that has left the store.
pub(super) type Taken = <Cuda as Storage<f32>>::Vec;

/// The numbers of a gradient, which its holder keeps as long as the view.
pub(super) fn taken(gradient: &Taken) -> View {
    // SAFETY: the buffer has so many numbers; callers keep it as long as the view.
    unsafe { View::new(*gradient.device_ptr(), gradient.len()) }
}

/// A tensor without its tape, which joins the others, and with its numbers in order.
pub(super) fn take_tape<S: Shape, T: Tape<f32, Cuda> + 'static>(
    x: Tensor<S, f32, Cuda, T>,
    tape: &mut T,
) -> Tensor<S, f32, Cuda> {
    let shape = *x.shape();
    let (x, own) = reshape(x, shape).split_tape();
    *tape = std::mem::take(tape).merge(own);
    x
}

/// An output of arbitrary numbers: a kernel writes each before it is read. dfdx's zeros would be a launch, and each number written twice.
pub(super) fn output<S: Shape, E: Dtype>(device: &Cuda, shape: S) -> Tensor<S, E, Cuda>
where
    Cuda: ZerosTensor<E>,
{
    functions::driver::unwritten(|| device.zeros_like(&shape))
}

/// What dfdx's own operations do with an error: these have no way to answer one.
///
/// # Panics
/// If it is one.
#[allow(clippy::panic)]
pub(super) fn done<R>(answer: Result<R, CudaError>) -> R {
    answer.unwrap_or_else(|error| panic!("{error:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_tensor_tells_its_buffer() {
        let mut beginning = Beginning::default();
        let written = write!(
            beginning,
            "Tensor {{ id: UniqueId({}), data: CachableCudaSlice {{ data: CudaSlice {{ cu_device_ptr: {}, len: {}, device: {} }} }} }}",
            1, 139_000, 6, 4
        );
        assert!(written.is_err());
        assert_eq!(beginning.found(), Some((139_000, 6)));
        assert!(!beginning.0.contains("device: 4"));
    }

    /// The format itself, where a device is: a number that is written at the address is the tensor's.
    #[test]
    fn the_buffer_of_a_tensor_is_where_its_text_says() {
        if super::super::missing().is_some() {
            eprintln!("not run: no driver");
            return;
        }
        let device = Cuda::try_build(0, 0).unwrap();
        let x: Tensor<(usize,), f32, Cuda> = device.tensor_from_vec(vec![1.0, 2.0, 3.0], (3,));
        let (address, length) = buffer(&x);
        assert_eq!(length, 3);
        let mut numbers = [0.0f32; 3];
        // SAFETY: the buffer holds three numbers.
        unsafe { cudarc::driver::result::memcpy_dtoh_sync(&mut numbers, address) }.unwrap();
        assert_eq!(numbers, [1.0, 2.0, 3.0]);
        let traced: Tensor<(usize,), f32, Cuda, OwnedTape<f32, Cuda>> = x.leaky_trace();
        assert_eq!(buffer(&traced), (address, 3));
    }
}
