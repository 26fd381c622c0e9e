//! The laws of a network: [`Network`] and [`Jvp`].
//!
//! They are checked in `f64` on the CPU, where a difference has digits. Parameters must not be zero, or the laws
//! say little: the last layers of a fresh network are, see [`randomized`].

use super::{Law, Verdict};
use crate::data::RowShape;
use crate::nn::{Jvp, ModeNetwork, Network, Parameters, Pass, Portable, SecondJvp};
use crate::registry::{BuildNetwork, NetworkInputs};
use crate::tensor::{Dual, Kernels, Real};
use dfdx::prelude::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// The laws' names, as in the traits' documentation.
pub const LAWS: &[&str] =
    &["value", "jvp", "second_jvp", "rows", "conditions", "parameters", "evaluation", "devices"];

/// Checks every law.
///
/// # Errors
/// The first that does not hold.
pub fn all<N: ModeNetwork<f64, Cpu> + Parameters<f64, Cpu>>(network: &N) -> Verdict {
    value(network)?;
    jvp(network)?;
    second_jvp(network)?;
    rows(network)?;
    conditions(network)?;
    parameters(network)?;
    evaluation(network)?;
    devices(network)
}

/// A network by name as a recipe builds it, in `f64` and [`randomized`].
///
/// # Errors
/// Settings that it does not take.
pub fn built<B: BuildNetwork>(
    network: &B,
    settings: &B::Settings,
    inputs: &NetworkInputs,
) -> crate::error::Result<B::Network<f64, Cpu>> {
    network.check(settings, inputs)?;
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let built = network.build::<f64, _>(settings, inputs, &Cpu::default(), &mut rng)?;
    Ok(randomized(&built, 7))
}

/// What a network by name is built for in a test: rows of `shape` on the usual range, of 17 grey levels if they are images, with these conditions.
pub fn inputs(shape: RowShape, conditions: usize) -> NetworkInputs {
    let levels = matches!(shape, RowShape::Image(_)).then_some(17);
    NetworkInputs { shape, range: super::usual_range(), levels, conditions }
}

/// A network by name computes the same with a device's own kernels in `f32` as without them, values and derivatives; what is at stake are layers
/// of its own that a device treats in another way.
///
/// # Errors
/// The first number that is off by more than 1e-4 of the largest, or settings that the network does not take. The largest of a
/// gradient is taken over all parameters: terms that cancel, such as those of a bias before a norm, leave their rounding.
pub fn single<B: BuildNetwork>(network: &B, settings: &B::Settings, inputs: &NetworkInputs) -> Verdict {
    let law = Law::new("network", "devices", &format_args!("{network:?}"));
    let build = || {
        let mut rng = ChaCha8Rng::seed_from_u64(6);
        network.build::<f32, _>(settings, inputs, &Cpu::default(), &mut rng)
    };
    let (own, portable) = match (build(), build()) {
        (Ok(own), Ok(portable)) => (moved(&own, 7), Portable(moved(&portable, 7))),
        (Err(error), _) | (_, Err(error)) => {
            return law.holds("settings", false, error, "settings that the network takes");
        }
    };
    let (found, expected) = (passes(&own), passes(&portable));
    let is_gradient = |what: &str| what.starts_with("gradient");
    let gradients =
        expected.iter().filter(|(what, _)| is_gradient(what)).map(|(_, numbers)| largest(numbers));
    let gradient = gradients.fold(1.0, f64::max);
    for ((what, found), (_, expected)) in found.iter().zip(&expected) {
        let size = if is_gradient(what) { gradient } else { largest(expected) };
        within(&law, what, own.dims(), found, expected, SINGLE * size)?;
    }
    Ok(())
}

/// The same network with every parameter moved by a normal number of standard deviation 0.3 over the square root of
/// its first axis.
pub fn randomized<N: Parameters<f64, Cpu>>(network: &N, seed: u64) -> N {
    moved(network, seed)
}

/// [`randomized`], in either type of number.
fn moved<E: Real, N: Parameters<E, Cpu>>(network: &N, seed: u64) -> N
where
    Cpu: Kernels<E>,
{
    let (mut network, mut rng) = (network.clone(), ChaCha8Rng::seed_from_u64(seed));
    network.parameters("", &mut |_, _, parameter| {
        let first = parameter.shape().first().copied().unwrap_or(1).max(1);
        let size = 0.3 / (first as f64).sqrt();
        let moved = parameter
            .numbers()
            .into_iter()
            .map(|x| E::of(x.to64() + size * rng.sample::<f64, _>(StandardNormal)));
        parameter.replace(moved.collect());
    });
    network
}

/// Rows that a law is checked on.
const ROWS: usize = 5;

/// The step of a difference, and how far its answer may be off, relative to the largest number.
const STEP: f64 = 1e-5;
const DIFFERENCE: f64 = 1e-6;

/// What two ways to compute in `f32` may differ by, relative to the largest number.
const SINGLE: f64 = 1e-4;

/// Rounding, relative to the largest number: sums may be added up in another order.
const ROUNDING: f64 = 1e-11;

/// States, tangents and times of a few rows.
#[derive(Clone)]
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
    within(law, what, dims, found, expected, relative * largest(expected))
}

/// The largest number without its sign, or 1 where all are smaller.
fn largest(numbers: &[f64]) -> f64 {
    numbers.iter().fold(1.0, |size: f64, x| size.max(x.abs()))
}

/// Upheld if all numbers agree to `tolerance`.
fn within(law: &Law, what: &str, dims: usize, found: &[f64], expected: &[f64], tolerance: f64) -> Verdict {
    law.holds(what, found.len() == expected.len(), found.len(), format_args!("{} numbers", expected.len()))?;
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        let place = format_args!("{what}, row {}, number {}", i / dims, i % dims);
        law.close(place, *found, *expected, tolerance)?;
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
    let expected = difference(at);
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

/// The value and derivatives of `second_jvp` are those of `jvp`, and its last tangent is the derivative of `jvp`'s along the outer probe: a
/// fourth-order difference.
///
/// # Errors
/// The first number that is another.
pub fn second_jvp<N: SecondJvp<f64, Cpu>>(network: &N) -> Verdict {
    let (law, dims) = (law::<N>("second_jvp"), network.dims());
    let inputs = Inputs::new(dims);
    let w: Vec<f64> = inputs.v.iter().rev().copied().collect();
    let of = |numbers: &[f64]| tensor(network, ROWS, numbers);
    let none = of(&vec![0.0; ROWS * dims]);
    let z = Dual::new(Dual::new(of(&inputs.z), of(&inputs.v)), Dual::new(of(&w), none));
    let f = network.second_jvp(z, &mut Pass::eval(&inputs.times));
    let (value, along_v) = both(network, &inputs);
    let (_, along_w) = both(network, &Inputs { v: w.clone(), ..inputs.clone() });
    agree(&law, "value", dims, &f.value.value.as_vec(), &value, ROUNDING)?;
    agree(&law, "inner tangent", dims, &f.value.tangent.as_vec(), &along_v, ROUNDING)?;
    agree(&law, "outer tangent", dims, &f.tangent.value.as_vec(), &along_w, ROUNDING)?;
    let at = |k: f64| {
        let z = inputs.z.iter().zip(&w).map(|(z, w)| z + k * STEP * w).collect();
        both(network, &Inputs { z, ..inputs.clone() }).1
    };
    let expected = difference(at);
    agree(&law, "tangent of the tangent", dims, &f.tangent.tangent.as_vec(), &expected, DIFFERENCE)
}

/// A row's conditioning numbers reach that row only, and without any it is as with zeros.
///
/// # Errors
/// The first number that is another.
pub fn conditions<N: Network<f64, Cpu>>(network: &N) -> Verdict {
    let (law, dims, each) = (law::<N>("conditions"), network.dims(), network.conditions());
    let inputs = Inputs::new(dims);
    let given = |numbers: &[f64]| {
        let mut pass = Pass::eval(&inputs.times).with_conditioning(Some(numbers));
        network.forward(tensor(network, ROWS, &inputs.z), &mut pass).as_vec()
    };
    let without = forward(network, &inputs.z, &inputs.times);
    let zeros = vec![0.0; ROWS * each];
    agree(&law, "zeros", dims, &given(&zeros), &without, ROUNDING)?;
    let row = ROWS / 2;
    let mut one = zeros;
    one[row * each..(row + 1) * each].fill(1.0);
    let mut found = given(&one);
    found[row * dims..(row + 1) * dims].copy_from_slice(&without[row * dims..(row + 1) * dims]);
    agree(&law, "rows beside the one with conditions", dims, &found, &without, ROUNDING)
}

/// Every parameter has a name of its own; a clone keeps its numbers when they are replaced; and the gradient of each is the derivative of
/// the output's sum of squares: a fourth-order difference along a random direction.
///
/// # Errors
/// The first name that comes twice, or the first number that is another.
pub fn parameters<N: Network<f64, Cpu> + Parameters<f64, Cpu>>(network: &N) -> Verdict {
    let law = law::<N>("parameters");
    let inputs = Inputs::new(network.dims());
    let mut names = std::collections::BTreeSet::new();
    let mut twice = None;
    network.clone().parameters("", &mut |name, _, _| {
        if name.is_empty() || !names.insert(name.to_owned()) {
            twice.get_or_insert(name.to_owned());
        }
    });
    law.holds("names", twice.is_none() && !names.is_empty(), format_args!("{twice:?}"), "each name once")?;
    let loss = |network: &N| forward(network, &inputs.z, &inputs.times).iter().map(|f| f * f).sum::<f64>();
    let before = loss(network);
    let mut copy = network.clone();
    copy.parameters("", &mut |_, _, parameter| {
        let zeros = vec![0.0; parameter.numbers().len()];
        parameter.replace(zeros);
    });
    law.close("the network whose clone was changed", loss(network), before, 0.0)?;
    let z = tensor(network, ROWS, &inputs.z);
    let mut pass = Pass::eval(&inputs.times);
    let gradients = network.forward(z.leaky_trace(), &mut pass).square().sum::<Rank0, _>().backward();
    let gradients = crate::train::GradientSet::of(network, gradients);
    for (index, (name, gradient)) in gradients.iter().enumerate() {
        let gradient = gradient.as_vec();
        let mut rng = ChaCha8Rng::seed_from_u64(index as u64);
        let direction: Vec<f64> = gradient.iter().map(|_| rng.sample(StandardNormal)).collect();
        let at = |k: f64| {
            let (mut copy, mut next) = (network.clone(), 0);
            copy.parameters("", &mut |_, _, parameter| {
                if next == index {
                    let numbers = parameter.numbers().into_iter().zip(&direction);
                    parameter.replace(numbers.map(|(x, v)| x + k * STEP * v).collect());
                }
                next += 1;
            });
            vec![loss(&copy)]
        };
        let expected = difference(at)[0];
        let found: f64 = gradient.iter().zip(&direction).map(|(g, v)| g * v).sum();
        // The difference of losses has their rounding over the step.
        let size = expected.abs().max(1.0).max(before * 1e-4);
        law.close(format_args!("gradient of {name}"), found, expected, 1e-5 * size)?;
    }
    Ok(())
}

/// An evaluation draws nothing: dropout is off.
///
/// # Errors
/// The first number that is another the second time.
pub fn evaluation<N: Network<f64, Cpu>>(network: &N) -> Verdict {
    let inputs = Inputs::new(network.dims());
    let [first, second] = [(); 2].map(|()| forward(network, &inputs.z, &inputs.times));
    agree(&law::<N>("evaluation"), "again", network.dims(), &second, &first, 0.0)
}

/// What a network computes does not depend on a device's own kernels: it agrees with the portable operations.
///
/// # Errors
/// The first number that is another.
pub fn devices<N: ModeNetwork<f64, Cpu> + Parameters<f64, Cpu>>(network: &N) -> Verdict {
    let law = law::<N>("devices");
    let (found, expected) = (passes(network), passes(&Portable(network.clone())));
    for ((what, found), (_, expected)) in found.iter().zip(&expected) {
        agree(&law, what, network.dims(), found, expected, ROUNDING)?;
    }
    Ok(())
}

/// The value and the derivatives of a network in a training pass, and the gradient of every parameter.
fn passes<E: Real, N>(network: &N) -> Vec<(String, Vec<f64>)>
where
    Cpu: Kernels<E>,
    N: SecondJvp<E, Cpu> + Parameters<E, Cpu>,
{
    let inputs = Inputs::new(network.dims());
    let of = |numbers: &[f64]| {
        let numbers: Vec<E> = numbers.iter().map(|&x| E::of(x)).collect();
        network.device().upload(&numbers, network.batch(ROWS))
    };
    let host = |x: Vec<E>| x.into_iter().map(Real::to64).collect::<Vec<f64>>();
    let mut rng = ChaCha8Rng::seed_from_u64(13);
    let mut pass = Pass::train(&inputs.times, &mut rng);
    let z = Dual::new(of(&inputs.z).leaky_traced(), of(&inputs.v).retaped());
    let f = network.jvp(z, &mut pass);
    let mut found = vec![("value".to_owned(), host(f.value.as_vec()))];
    found.push(("tangent".to_owned(), host(f.tangent.as_vec())));
    let loss = (f.value.square() + f.tangent.square()).sum::<Rank0, _>();
    for (name, gradient) in crate::train::GradientSet::of(network, loss.backward()).iter() {
        found.push((format!("gradient of {name}"), host(gradient.as_vec())));
    }
    let z = Dual::new(of(&inputs.z), of(&inputs.v));
    let z = Dual::new(z, Dual::new(of(&inputs.v), of(&vec![0.0; inputs.z.len()])));
    let f = network.second_jvp(z, &mut Pass::eval(&inputs.times));
    found.push(("tangent of the tangent".to_owned(), host(f.tangent.tangent.as_vec())));
    found
}

/// The derivative at 0 of a function of steps: a fourth-order difference.
fn difference(at: impl Fn(f64) -> Vec<f64>) -> Vec<f64> {
    let far = at(2.0).into_iter().zip(at(-2.0)).map(|(a, b)| a - b);
    let near = at(1.0).into_iter().zip(at(-1.0)).map(|(a, b)| a - b);
    near.zip(far).map(|(near, far)| (8.0 * near - far) / (12.0 * STEP)).collect()
}
