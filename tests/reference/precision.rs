//! The fused `f32` kernels against the portable operations in `f64`.

use super::case::{Case, Result, folder};
use super::cases;
use super::network::{Rows, Task, with_network};
use super::place::{Numbers, Place, WithF64};
use idode::nn::{Jvp, Parameters};
use idode::tensor::{Dual, Real};

/// The network's value and derivative in one type of number; the inputs are numbers of both.
struct Evaluate<'a>(&'a Case);

impl Task for Evaluate<'_> {
    type Out = Dual<Vec<f64>>;

    fn run<E: Real, D: WithF64<E>, N: Jvp<E, D> + Parameters<E, D>>(self, network: N) -> Result<Self::Out> {
        let Self(case) = self;
        Rows::of(case, &case.config.diffusion()?)?.jvp(&network, case.values("in/z")?, case.values("in/v")?)
    }
}

/// The largest difference, of the largest entry.
fn difference(a: &[f64], b: &[f64]) -> f64 {
    let scale = b.iter().fold(0.0, |most: f64, x| most.max(x.abs()));
    let differences = a.iter().zip(b).map(|(a, b)| (a - b).abs() / scale);
    differences.fold(0.0, |most: f64, x| if x.is_nan() { x } else { most.max(x) })
}

#[test]
fn fused_single_precision_agrees_with_portable_double() {
    let cases = cases(&folder()).unwrap();
    let mut seen = 0;
    for case in cases.iter().filter(|case| case.config.kind == "network") {
        let params = case.parameters().unwrap();
        let fused = with_network(Place::of(Numbers::Single), &case.config, &params, Evaluate(case)).unwrap();
        let portable =
            with_network(Place::of(Numbers::PortableDouble), &case.config, &params, Evaluate(case)).unwrap();
        let value = difference(&fused.value, &portable.value);
        let tangent = difference(&fused.tangent, &portable.tangent);
        println!("{}: f32 against f64: value {value:.1e}, derivative {tangent:.1e}", case.name);
        assert!(value <= 1e-4 && tangent <= 1e-4, "{}", case.name);
        seen += 1;
    }
    assert!(seen > 0, "no network in the folder");
}
