//! What a step costs on this machine: the command `bench`.

mod case;
#[cfg(feature = "cuda")]
mod kernels;
mod machine;
mod measure;
mod ranks;
mod report;

pub(crate) use case::Case;
pub(crate) use ranks::RanksReport;
pub(crate) use report::BenchReport;

use crate::communicator::Ranks;
use crate::config::Device;
use crate::error::{Error, Result};
use crate::nn::{DynNetwork, DynamicUNet};
use crate::registry::ComputeDevice;
use crate::registry::device::{Opened, on_device, open};
use crate::tensor::Precision;
use machine::Machine;
use measure::measure;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Measures a case on a device, whose products are made in a precision.
///
/// # Errors
/// If the device cannot be used or does not have the precision, or a step fails.
pub(crate) fn bench(case: Case, device: Device, precision: Precision) -> Result<BenchReport> {
    on_device!(open(device)?, device => bench_on(case, &device, precision))
}

/// Measures a training step that several processes share.
///
/// # Errors
/// If the device cannot be used or does not have the precision, a step fails, the case's rows cannot be dealt, or a rank is gone.
pub(crate) fn bench_ranks(
    ranks: &Ranks,
    case: Case,
    device: Device,
    precision: Precision,
) -> Result<RanksReport> {
    on_device!(open(device)?, device => ranks::measure(ranks, case, network(case, &device)?, precision))
}

#[cfg(feature = "cuda")]
type Kernels = kernels::KernelsReport;
/// No device of this program has several ways to compute an operation.
#[cfg(not(feature = "cuda"))]
type Kernels = String;

/// Times the operations of a case one by one, by each way that a CUDA device has.
///
/// # Errors
/// If it is no CUDA device, or cannot be used.
pub(crate) fn bench_kernels(case: Case, device: Device) -> Result<Kernels> {
    match open(device)? {
        #[cfg(feature = "cuda")]
        Opened::Cuda(device) => kernels::measure(case, &device),
        Opened::Cpu(_) => Err(Error::value(
            "device",
            Device::Cpu,
            format!("a CUDA device: on others no operation of case {} has several ways", case.name),
        )),
    }
}

fn bench_on<D: Machine>(case: Case, device: &D, precision: Precision) -> Result<BenchReport> {
    let free = device.free();
    measure(case, network(case, device)?, precision, free)
}

fn network<D: ComputeDevice>(case: Case, device: &D) -> Result<DynNetwork<f32, D>> {
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let image = (case.side, case.side, 3);
    let network = DynamicUNet::sized(image, case.width, &case.config(), device, &mut rng)?;
    Ok(DynNetwork::new(network))
}
