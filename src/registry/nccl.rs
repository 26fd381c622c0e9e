//! The sums of gradients over several GPUs: NVIDIA's NCCL, whose id goes from rank to rank by the communicator.

use crate::communicator::Ranks;
use crate::error::{Error, Result};
use crate::tensor::cuda::nccl::{self, Failed, Nccl};
use crate::train::GradientSum;
use dfdx::prelude::{Cuda, Tensor};
use std::sync::{Arc, Mutex, PoisonError};

/// One rank's place in the sums.
#[derive(Debug)]
struct OverGpus(Mutex<Nccl>);

/// NCCL on this device, where every rank can load it and there are several.
///
/// # Errors
/// If a rank is gone, or NCCL is there and does not begin.
pub(super) fn gradient_sum(device: &Cuda, ranks: &Ranks) -> Result<Option<Arc<dyn GradientSum<f32, Cuda>>>> {
    if ranks.size() == 1 || ranks.any(nccl::missing().is_some())? {
        return Ok(None);
    }
    let failed =
        |found: String| Error::value("device", found, "a GPU of its own for each rank, which NCCL connects");
    let id = ranks.is_first().then(nccl::id).transpose().map_err(failed)?;
    let id = ranks.broadcast(id)?;
    // Joining waits for all, without a limit: they come to it together.
    ranks.barrier()?;
    let own = Nccl::join(device, &id, ranks.rank(), ranks.size()).map_err(failed)?;
    Ok(Some(Arc::new(OverGpus(Mutex::new(own)))))
}

impl GradientSum<f32, Cuda> for OverGpus {
    fn sum(&self, gradients: &[Tensor<(usize,), f32, Cuda>], ranks: &Ranks) -> Result<()> {
        let mut own = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        own.sum(gradients, || ranks.alive()).map_err(|failed| match failed {
            Failed::Engine(found) => Error::value("sum of gradients", found, "one that NCCL computes"),
            Failed::Ended(why) => why,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Device;
    use crate::registry::device::{Opened, open};
    use dfdx::prelude::TensorFromVec;

    /// Where a device and the library are.
    #[test]
    fn the_sum_over_one_rank_is_its_own_gradient() {
        let (Ok(Opened::Cuda(device)), None) = (open(Device::Cuda(0)), nccl::missing()) else {
            eprintln!("not run: no CUDA device with NCCL");
            return;
        };
        let own = Nccl::join(&device, &nccl::id().unwrap(), 0, 1).unwrap();
        let engine = OverGpus(Mutex::new(own));
        let numbers = [vec![1.5f32, -2.0, 0.25], vec![4.0]];
        let gradients: Vec<Tensor<(usize,), f32, Cuda>> =
            numbers.iter().map(|own| device.tensor_from_vec(own.clone(), (own.len(),))).collect();
        engine.sum(&gradients, &Ranks::alone()).unwrap();
        assert!(gradients.iter().zip(&numbers).all(|(found, own)| found.as_vec() == *own));
    }
}
