//! A device that fails, or has not enough memory: one line in place of the panic that dfdx makes of it.

use crate::error::{Error, Result};
use crate::tensor::cuda::{Shortage, shortage};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind, set_hook, take_hook};

/// How the names of errors begin, of the driver, of its products and of its compiler.
const NAMES: [&str; 3] = ["CUDA_ERROR_", "CUBLAS_STATUS_", "NVRTC_ERROR_"];

/// Runs `f`; an end by a device is an error. Any other panic goes on.
pub(super) fn as_error<T>(f: impl FnOnce() -> Result<T>) -> Result<T> {
    let usual = take_hook();
    set_hook(Box::new(move |panic| {
        if shortage().is_none() && failure(panic.payload()).is_none() {
            usual(panic);
        }
    }));
    catch_unwind(AssertUnwindSafe(f)).unwrap_or_else(|panic| match (shortage(), failure(&*panic)) {
        (Some(Shortage { needed, free }), _) => Err(Error::OutOfMemory { needed, free }),
        (None, Some(found)) => Err(Error::value(
            "device",
            found,
            "no error of it; what was written, the last checkpoint too, stands",
        )),
        (None, None) => resume_unwind(panic),
    })
}

/// The name of a device's error in the text of a panic, which is all that dfdx leaves of it.
fn failure(panic: &(dyn Any + Send)) -> Option<String> {
    let text =
        panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied())?;
    let begins = NAMES.iter().find_map(|name| text.find(name))?;
    let of_name = |c: &char| c.is_ascii_uppercase() || c.is_ascii_digit() || *c == '_';
    Some(text[begins..].chars().take_while(of_name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_of_a_device_has_its_name() {
        let text =
            "called `Result::unwrap()` on an `Err` value: Cuda(DriverError(CUDA_ERROR_LAUNCH_FAILED, \"\"))";
        assert_eq!(failure(&text.to_owned()).as_deref(), Some("CUDA_ERROR_LAUNCH_FAILED"));
        assert_eq!(
            failure(&"Blas(CublasError(CUBLAS_STATUS_NOT_SUPPORTED))").as_deref(),
            Some("CUBLAS_STATUS_NOT_SUPPORTED")
        );
        assert_eq!(failure(&"index out of bounds"), None);
        assert_eq!(failure(&7), None);
    }
}
