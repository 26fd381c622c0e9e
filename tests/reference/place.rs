//! Where a case is computed: the device that `IDODE_TEST_DEVICE` names, and the numbers.

#[path = "../device.rs"]
mod device;

pub(crate) use device::OnDevice;
use idode::tensor::{Kernels, Real};

/// A device for networks of numbers `E`, and for states, which are `f64`.
pub(crate) trait WithF64<E: Real>: Kernels<E> + Kernels<f64> {}
impl<E: Real, D: Kernels<E> + Kernels<f64>> WithF64<E> for D {}

/// A type of number and whose operations compute with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// `f32`, by the device's own kernels.
    Single,
    /// `f32`, by the portable operations.
    PortableSingle,
    /// `f64`, by the portable operations: no device has others.
    PortableDouble,
}

/// Where and in which numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    pub(crate) numbers: Numbers,
}

impl Place {
    pub(crate) fn of(numbers: Numbers) -> Self {
        Self { numbers }
    }

    pub(crate) fn visit<F: OnDevice>(self, work: F) -> F::Out {
        device::on_test_device(work)
    }
}
