//! The device of a test: the one that `IDODE_TEST_DEVICE` names, `cpu` if none.
//!
//! Other tests take this file as a module; alone it tests that the device is what it was asked to be.

use dfdx::prelude::Cpu;
use idode::tensor::Kernels;

/// Something to do on a device that is known at run time.
#[allow(dead_code)]
pub(crate) trait OnDevice {
    type Out;
    fn run<D: Kernels<f32> + Kernels<f64>>(self, device: D) -> Self::Out;
}

/// Does `work` on the device of the test.
///
/// # Panics
/// If the variable names no device that this build can use.
#[allow(dead_code, clippy::panic)]
pub(crate) fn on_test_device<F: OnDevice>(work: F) -> F::Out {
    let name = std::env::var("IDODE_TEST_DEVICE").unwrap_or_else(|_| "cpu".into());
    match name.parse::<idode::config::Device>() {
        Ok(idode::config::Device::Cpu) => work.run(Cpu::default()),
        #[cfg(feature = "cuda")]
        Ok(idode::config::Device::Cuda(ordinal)) => match dfdx::prelude::Cuda::try_build(ordinal, 0) {
            Ok(device) => work.run(device),
            Err(error) => panic!("IDODE_TEST_DEVICE = {name}: {error}"),
        },
        #[cfg(not(feature = "cuda"))]
        Ok(_) => panic!("IDODE_TEST_DEVICE = {name}: these tests were built without the feature \"cuda\""),
        Err(error) => panic!("IDODE_TEST_DEVICE: {error}"),
    }
}

#[test]
fn the_device_adds() {
    struct Add;
    impl OnDevice for Add {
        type Out = Vec<f64>;
        fn run<D: Kernels<f32> + Kernels<f64>>(self, device: D) -> Vec<f64> {
            let x = device.upload(&[1.0f64, 2.0], (2usize,));
            (x.clone() + x).as_vec()
        }
    }
    assert_eq!(on_test_device(Add), [2.0, 4.0]);
}
