//! The laws of a network: [`Network`] and [`Jvp`].
//!
//! They are checked in `f64` on the CPU, where a difference has digits. Parameters must not be zero, or the laws
//! say little: the last layers of a fresh network are, see [`randomized`].

use super::{Law, Verdict};
use crate::nn::{Jvp, Network, Parameters, Pass};
use crate::tensor::{Dual, Kernels};
use dfdx::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// The laws' names, as in the traits' documentation.
pub const LAWS: &[&str] = &["value", "jvp", "rows"];

/// Checks every law.
///
/// # Errors
/// The first that does not hold.
pub fn all<N: Jvp<f64, Cpu>>(network: &N) -> Verdict {
    value(network)?;
    jvp(network)?;
    rows(network)
}

/// The same network with every parameter moved by a normal number of standard deviation 0.3 over the square root of
/// its first axis.
pub fn randomized<N: Parameters<f64, Cpu>>(network: &N, seed: u64) -> N {
    let (mut network, mut rng) = (network.clone(), ChaCha8Rng::seed_from_u64(seed));
    network.parameters("", &mut |_, _, parameter| {
        let first = parameter.shape().first().copied().unwrap_or(1).max(1);
        let size = 0.3 / (first as f64).sqrt();
        let moved = parameter.numbers().into_iter().map(|x| x + size * rng.sample::<f64, _>(StandardNormal));
        parameter.replace(moved.collect());
    });
    network
}

/// Rows that a law is checked on.
const ROWS: usize = 5;

/// The step of a difference, and how far its answer may be off, relative to the largest number.
const STEP: f64 = 1e-5;
const DIFFERENCE: f64 = 1e-6;

/// Rounding, relative to the largest number: sums may be added up in another order.
const ROUNDING: f64 = 1e-11;

/// States, tangents and times of a few rows.
struct Inputs {
    z: Vec<f64>,
    v: Vec<f64>,
    times: Vec<f64>,
}

impl Inputs {
    fn new(dims: usize) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(12);
        let mut normal = |count: usize| (0..count).map(|_| rng.sample(StandardNormal)).collect::<Vec<f64>>();
        let (z, v) = (normal(ROWS * dims), normal(ROWS * dims));
        Self { z, v, times: (0..ROWS).map(|i| (i as f64 + 0.5) / ROWS as f64).collect() }
    }
}

fn law<N>(name: &'static str) -> Law {
    Law::new("network", name, &format_args!("{}", std::any::type_name::<N>()))
}

fn tensor<N: Network<f64, Cpu>>(network: &N, rows: usize, numbers: &[f64]) -> Tensor<N::Batch, f64, Cpu> {
    network.device().upload(numbers, network.batch(rows))
}

fn forward<N: Network<f64, Cpu>>(network: &N, z: &[f64], times: &[f64]) -> Vec<f64> {
    network.forward(tensor(network, times.len(), z), &mut Pass::eval(times)).as_vec()
}

fn both<N: Jvp<f64, Cpu>>(network: &N, inputs: &Inputs) -> (Vec<f64>, Vec<f64>) {
    let of = |numbers| tensor(network, ROWS, numbers);
    let f = network.jvp(Dual::new(of(&inputs.z), of(&inputs.v)), &mut Pass::eval(&inputs.times));
    (f.value.as_vec(), f.tangent.as_vec())
}

/// Upheld if all numbers agree to `relative` of the largest.
fn agree(law: &Law, what: &str, dims: usize, found: &[f64], expected: &[f64], relative: f64) -> Verdict {
    law.holds(what, found.len() == expected.len(), found.len(), format_args!("{} numbers", expected.len()))?;
    let size = expected.iter().fold(1.0, |size: f64, x| size.max(x.abs()));
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let place = format_args!("{what}, row {}, number {}", i / dims, i % dims);
        law.close(place, *found, *expected, relative * size)?;
    }
    Ok(())
}

/// The value of `jvp` is that of `forward`.
///
/// # Errors
/// The first number that is another.
pub fn value<N: Jvp<f64, Cpu>>(network: &N) -> Verdict {
    let inputs = Inputs::new(network.dims());
    let expected = forward(network, &inputs.z, &inputs.times);
    let (found, _) = both(network, &inputs);
    agree(&law::<N>("value"), "value of jvp", network.dims(), &found, &expected, ROUNDING)
}

/// The tangent of `jvp` is the derivative of `forward` along the probe: a fourth-order difference.
///
/// # Errors
/// The first number that is off by more than 1e-6 of the largest.
pub fn jvp<N: Jvp<f64, Cpu>>(network: &N) -> Verdict {
    let inputs = Inputs::new(network.dims());
    let at = |k: f64| {
        let moved: Vec<f64> = inputs.z.iter().zip(&inputs.v).map(|(z, v)| z + k * STEP * v).collect();
        forward(network, &moved, &inputs.times)
    };
    let far = at(2.0).into_iter().zip(at(-2.0)).map(|(a, b)| a - b);
    let near = at(1.0).into_iter().zip(at(-1.0)).map(|(a, b)| a - b);
    let expected: Vec<f64> = near.zip(far).map(|(near, far)| (8.0 * near - far) / (12.0 * STEP)).collect();
    let (_, found) = both(network, &inputs);
    agree(&law::<N>("jvp"), "tangent of jvp", network.dims(), &found, &expected, DIFFERENCE)
}

/// A row of the output depends on the same row of the input only: alone, in a batch, and among other rows.
///
/// # Errors
/// The first number that is another.
pub fn rows<N: Jvp<f64, Cpu>>(network: &N) -> Verdict {
    let law = law::<N>("rows");
    let (inputs, dims) = (Inputs::new(network.dims()), network.dims());
    let together = forward(network, &inputs.z, &inputs.times);
    let (_, tangents) = both(network, &inputs);
    for (row, own) in together.chunks_exact(dims).enumerate() {
        let z = &inputs.z[row * dims..][..dims];
        let alone = forward(network, z, &inputs.times[row..=row]);
        agree(&law, &format!("row {row} alone"), dims, &alone, own, ROUNDING)?;
        // Every other row moved: nothing of it may show, in the value or the tangent.
        let mut others = Inputs::new(dims);
        for (i, z) in others.z.iter_mut().enumerate() {
            *z += if i / dims == row { 0.0 } else { 1.0 };
        }
        let (value, tangent) = both(network, &others);
        let part = |all: &[f64]| all[row * dims..][..dims].to_vec();
        agree(&law, &format!("row {row} among others"), dims, &part(&value), own, ROUNDING)?;
        let what = format!("tangent of row {row} among others");
        agree(&law, &what, dims, &part(&tangent), &part(&tangents), ROUNDING)?;
    }
    Ok(())
}
