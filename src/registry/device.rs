//! Opening the device that a recipe names.

use super::ComputeDevice;
use crate::config::{Device, Recipe};
use crate::error::{Error, Result};
use crate::tensor::{Kernels, Precision, Refused};
use dfdx::prelude::Cpu;

/// An open device.
pub(crate) enum Opened {
    Cpu(Cpu),
    #[cfg(feature = "cuda")]
    Cuda(dfdx::prelude::Cuda),
}

/// Does the same on whatever device was opened.
macro_rules! on_device {
    ($opened:expr, $device:ident => $body:expr) => {
        match $opened {
            $crate::registry::device::Opened::Cpu($device) => $body,
            #[cfg(feature = "cuda")]
            $crate::registry::device::Opened::Cuda($device) => $body,
        }
    };
}
pub(crate) use on_device;

/// Refuses a precision that `key` of a recipe asks for, if the device does not have it.
///
/// # Errors
/// With the place of the key.
pub(crate) fn check_precision<D: ComputeDevice>(
    device: &D,
    recipe: &Recipe,
    key: &str,
    precision: Precision,
) -> Result<()> {
    match <D as Kernels<f32>>::refusal(device, precision) {
        Some(refused) => Err(recipe.source.error(key, refused.found(), Refused::EXPECTED)),
        None => Ok(()),
    }
}

/// Opens a device.
///
/// # Errors
/// If this program was built without it, no driver answers, there is no device of that ordinal, or the environment may turn its `f32` into
/// something else.
pub(crate) fn open(device: Device) -> Result<Opened> {
    match device {
        Device::Cpu => Ok(Opened::Cpu(Cpu::default())),
        Device::Cuda(ordinal) => cuda(ordinal),
    }
}

#[cfg(not(feature = "cuda"))]
fn cuda(ordinal: usize) -> Result<Opened> {
    let expected = "cpu: this program was built without the feature \"cuda\"";
    Err(Error::value("device", Device::Cuda(ordinal), expected))
}

#[cfg(feature = "cuda")]
thread_local! {
    /// The devices that this thread has opened: a second handle would have buffers of its own.
    static OPEN: std::cell::RefCell<std::collections::BTreeMap<usize, dfdx::prelude::Cuda>> = Default::default();
}

#[cfg(feature = "cuda")]
fn cuda(ordinal: usize) -> Result<Opened> {
    use cudarc::driver::result::{device, init};
    use dfdx::prelude::{Cuda, Tensor, ZerosTensor};

    let name = Device::Cuda(ordinal);
    if let Some(device) = OPEN.with_borrow(|open| open.get(&ordinal).cloned()) {
        return Ok(Opened::Cuda(device));
    }
    let usable = "cpu, or a CUDA device that can be used";
    if let Some(missing) = crate::tensor::cuda::missing() {
        return Err(Error::value("device", name, format!("{usable}: {missing}")));
    }
    if let Some(expected) = crate::tensor::cuda::overridden() {
        return Err(Error::value("device", name, expected));
    }
    let unusable = |what: &str, error: &dyn std::fmt::Debug| {
        Error::value("device", name, format!("{usable}: {what} ({error:?})"))
    };
    // The library's own way in takes an answer for granted, so the driver is asked first; so does its way to print an
    // error, hence the bare code.
    init().map_err(|error| unusable("no driver answers", &error.0))?;
    let count = device::get_count().map_err(|error| unusable("the driver counts no devices", &error.0))?;
    let count = usize::try_from(count).unwrap_or(0);
    if ordinal >= count {
        let expected = match count {
            0 => "cpu: the driver has no CUDA device".to_owned(),
            _ => format!("an ordinal below {count}, the number of CUDA devices"),
        };
        return Err(Error::value("device", name, expected));
    }
    let device = Cuda::try_build(ordinal, 0).map_err(|error| unusable("it does not open", &error))?;
    // One small operation shows whether the kernels were built for this device.
    device
        .try_zeros_like(&(1usize,))
        .and_then(|x: Tensor<(usize,), f32, Cuda>| x.try_square())
        .map_err(|error| unusable("its kernels do not load", &error))?;
    OPEN.with_borrow_mut(|open| open.insert(ordinal, device.clone()));
    Ok(Opened::Cuda(device))
}
