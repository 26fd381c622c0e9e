//! Sums over the GPUs of several processes, by NVIDIA's NCCL.

use super::storage::view;
use super::{NCCL, ordinal};
use cudarc::driver::result::event;
use cudarc::driver::sys::{CUevent_flags, CUresult, cuEventQuery};
use cudarc::driver::{CudaDevice, DriverError};
use cudarc::nccl::result::{self as nccl, NcclError};
use cudarc::nccl::sys::{ncclComm_t, ncclDataType_t, ncclRedOp_t, ncclUniqueId};
use dfdx::prelude::*;
use std::ffi::c_char;
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// The bytes of an [`id`].
const ID: usize = 128;

/// How often a process that joins looks whether the others are there.
const PAUSE: Duration = Duration::from_millis(10);

/// The library, if it cannot be loaded, in words.
pub(crate) fn missing() -> Option<String> {
    NCCL.open().is_none().then(|| format!("no NCCL can be loaded ({})", NCCL.names.join(", ")))
}

/// What the processes of a run know each other by: one of them makes it, and all [join](Nccl::join) with it.
pub(crate) fn id() -> Result<Vec<u8>, String> {
    let id = nccl::get_uniqueid().map_err(|error| words("an id", &error))?;
    Ok(id.internal.map(|byte| byte as u8).to_vec())
}

/// The place of this process among those whose GPUs add their numbers.
pub(crate) struct Nccl {
    /// None once a sum was ended before it was there.
    comm: Option<ncclComm_t>,
    device: Arc<CudaDevice>,
}

// SAFETY: NCCL allows calls of one communicator from any thread, one at a time; `sum` waits for its own.
unsafe impl Send for Nccl {}

impl std::fmt::Debug for Nccl {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Nccl").field("device", &self.device.ordinal()).finish_non_exhaustive()
    }
}

/// Why a sum has no value.
#[derive(Debug)]
pub(crate) enum Failed<W> {
    /// NCCL or the driver says so.
    Engine(String),
    /// Whoever waited ended it.
    Ended(W),
}

/// A communicator on its way from the thread that has made it.
struct Joined(ncclComm_t);

// SAFETY: as for `Nccl`.
unsafe impl Send for Joined {}

/// Waits for all processes.
fn comm_init(
    device: &CudaDevice,
    id: ncclUniqueId,
    (rank, size): (usize, usize),
    what: &str,
) -> Result<Joined, String> {
    let number = |n: usize| i32::try_from(n).map_err(|_| format!("{n} processes"));
    device.bind_to_thread().map_err(|error| format!("{:?}", error.0))?;
    let mut comm = MaybeUninit::uninit();
    // SAFETY: there is a place for the communicator, and the numbers are those of the run's processes.
    unsafe { nccl::comm_init_rank(comm.as_mut_ptr(), number(size)?, id, number(rank)?) }
        .map_err(|error| words(what, &error))?;
    // SAFETY: the call has written it.
    Ok(Joined(unsafe { comm.assume_init() }))
}

impl Nccl {
    /// Joins the others: returns once all `size` of them have. `wait` is called until then, and may end that.
    pub(crate) fn join<W>(
        device: &Cuda,
        id: &[u8],
        (rank, size): (usize, usize),
        mut wait: impl FnMut() -> Result<(), W>,
    ) -> Result<Self, Failed<W>> {
        let own = <Cuda as Storage<f32>>::try_alloc_len(device, 0)
            .map_err(|error| Failed::Engine(format!("{error:?}")))?
            .device();
        let bytes: [u8; ID] = id
            .try_into()
            .map_err(|_| Failed::Engine(format!("an id of {} bytes, expected {ID}", id.len())))?;
        let id = ncclUniqueId { internal: bytes.map(|byte| byte as c_char) };
        let (what, on) = (format!("process {rank} of {size} on device {}", ordinal(device)), own.clone());
        // The call has no limit of its own; where it is given up, its thread is left to it.
        let (told, answer) = channel();
        let call = move || drop(told.send(comm_init(&on, id, (rank, size), &what)));
        std::thread::Builder::new()
            .spawn(call)
            .map_err(|error| Failed::Engine(format!("a thread: {error}")))?;
        loop {
            match answer.recv_timeout(PAUSE) {
                Ok(joined) => {
                    let Joined(comm) = joined.map_err(Failed::Engine)?;
                    return Ok(Self { comm: Some(comm), device: own });
                }
                Err(RecvTimeoutError::Timeout) => wait().map_err(Failed::Ended)?,
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Failed::Engine("NCCL ended without an answer".to_owned()));
                }
            }
        }
    }

    /// The sums over processes of the numbers of each of these buffers, in their place. `wait` is called until they are there, and may end that;
    /// there are no more sums then.
    ///
    /// NCCL chooses the order in which it adds by the number of processes and how they are connected: with another number of them the sums
    /// are rounded otherwise.
    pub(crate) fn sum<W>(
        &mut self,
        buffers: &[Tensor<(usize,), f32, Cuda>],
        mut wait: impl FnMut() -> Result<(), W>,
    ) -> Result<(), Failed<W>> {
        let driver = |error: DriverError| Failed::Engine(format!("{:?}", error.0));
        let engine = |error: NcclError| Failed::Engine(words("a sum", &error));
        let Some(comm) = self.comm else {
            return Err(Failed::Engine("NCCL, a sum was ended before".to_owned()));
        };
        self.device.bind_to_thread().map_err(driver)?;
        let stream = *self.device.cu_stream();
        nccl::group_start().map_err(engine)?;
        let asked = buffers.iter().try_for_each(|buffer| {
            let numbers = view(buffer);
            let at = numbers.address();
            // SAFETY: the buffer has so many numbers, and its owner, who waits here, uses them for nothing else.
            let asked = unsafe {
                nccl::all_reduce(
                    at as *const _,
                    at as *mut _,
                    numbers.len(),
                    ncclDataType_t::ncclFloat32,
                    ncclRedOp_t::ncclSum,
                    comm,
                    stream.cast(),
                )
            };
            asked.map(drop)
        });
        let ended = nccl::group_end();
        asked.and(ended.map(drop)).map_err(engine)?;
        let done = event::create(CUevent_flags::CU_EVENT_DISABLE_TIMING).map_err(driver)?;
        // SAFETY: the event was just made, and is destroyed once, behind its last use.
        let ended = unsafe {
            event::record(done, stream).map_err(driver).and_then(|()| {
                loop {
                    match cuEventQuery(done) {
                        CUresult::CUDA_SUCCESS => break Ok(()),
                        CUresult::CUDA_ERROR_NOT_READY => wait().map_err(Failed::Ended)?,
                        error => break Err(Failed::Engine(format!("{error:?}"))),
                    }
                }
            })
        };
        // SAFETY: as above.
        let _ = unsafe { event::destroy(done) };
        if ended.is_err() {
            self.comm = None;
            // SAFETY: what is still on its way ends now; nothing is asked of the communicator again.
            let _ = unsafe { nccl::comm_abort(comm) };
        }
        ended
    }
}

fn words(what: &str, error: &NcclError) -> String {
    format!("NCCL, {what}: {:?}", error.0)
}
