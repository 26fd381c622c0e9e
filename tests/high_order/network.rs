//! Networks, problems and parameter gradients for the objectives' tests.

use dfdx::prelude::*;
use idode::diffusion::{Diffusion, DynDiffusion};
use idode::level::{Gamma, GammaRange};
use idode::nn::{Network, Parameters, Pass};
use idode::objective::{Given, Losses, Matching, Objective, Passes};
use idode::parameterization::Parameterization;
use idode::schedule::NoiseSchedule;
use idode::tensor::{Kernels, Real};
use idode::train::GradientSet;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use std::sync::Arc;

/// The diffusion of a schedule and a parameterization on the levels of the properties.
pub(crate) fn diffusion(
    schedule: Box<dyn NoiseSchedule>,
    parameterization: Box<dyn Parameterization>,
) -> DynDiffusion {
    let range = GammaRange::new(-8.0, 4.0).expect("a range");
    Diffusion::new(Arc::from(schedule), Arc::from(parameterization), range)
}

/// Moves every parameter by `size` times standard normal noise from `seed`: fresh networks have zeros where a derivative
/// would hide, and a direction in parameter space is such a move.
pub(crate) fn moved<D: Kernels<f64>, N: Parameters<f64, D>>(network: &N, size: f64, seed: u64) -> N {
    let (mut network, mut rng) = (network.clone(), ChaCha8Rng::seed_from_u64(seed));
    network.parameters("", &mut |_, _, parameter| {
        let values = parameter.numbers().into_iter();
        parameter.replace(values.map(|x| x + size * rng.sample::<f64, _>(StandardNormal)).collect());
    });
    network
}

/// A problem of `rows` rows from one seed; `same` makes all rows equal.
pub(crate) fn problem<D: Kernels<f64>, N: Network<f64, D>>(
    network: &N,
    diffusion: &DynDiffusion,
    gamma: f64,
    rows: usize,
    seed: u64,
) -> Matching<N::Batch, f64, D> {
    let (d, mut rng) = (network.dims(), ChaCha8Rng::seed_from_u64(seed));
    let mut row = || -> Vec<f64> { (0..d).map(|_| rng.sample(StandardNormal)).collect() };
    let (x, eps) = (row(), row());
    let upload = |row: &[f64]| network.device().upload(&row.repeat(rows), network.batch(rows));
    let levels = vec![Gamma(gamma); rows];
    Matching::new(diffusion, upload(&x), upload(&eps), &levels, &vec![0.7; rows]).expect("a problem")
}

/// The losses of `objective` with these probes, everything without a gradient being `reference`'s.
pub(crate) fn losses<D: Kernels<f64>, N: Network<f64, D>, O: Objective<f64, D, N>>(
    network: &N,
    reference: &N,
    problem: &Matching<N::Batch, f64, D>,
    objective: &O,
    probes: &[Vec<f64>],
) -> Losses<f64, D> {
    let times = problem.times();
    let (mut pass, mut probes) = (Pass::eval(&times), Given::new(probes.to_vec()));
    let passes = Passes::new(network, problem, &mut pass, &mut probes).with_reference(reference);
    passes.evaluate(objective).expect("losses")
}

/// The mean over rows.
pub(crate) fn mean<D: Kernels<f64>>(losses: &Losses<f64, D>) -> f64 {
    let rows = losses.rows.as_vec();
    rows.iter().sum::<f64>() / rows.len() as f64
}

/// The gradient of the mean loss, flat.
pub(crate) fn gradient<D: Kernels<f64>, N: Parameters<f64, D>>(
    network: &N,
    losses: Losses<f64, D>,
) -> Vec<f64> {
    let rows = losses.rows.shape().0 as f64;
    let gradients = (losses.rows.sum::<(), _>() * (1.0 / rows)).backward();
    GradientSet::of(network, gradients).iter().flat_map(|(_, gradient)| gradient.as_vec()).collect()
}

/// The direction of [`moved`], flat.
pub(crate) fn direction<D: Kernels<f64>, N: Parameters<f64, D>>(network: &N, seed: u64) -> Vec<f64> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..idode::nn::count(network)).map(|_| rng.sample(StandardNormal)).collect()
}

/// `g . v`.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The central difference of `f` along [`moved`] with `seed`, by Richardson's extrapolation of two steps.
pub(crate) fn difference<D: Kernels<f64>, N: Parameters<f64, D>>(
    network: &N,
    seed: u64,
    f: impl Fn(&N) -> f64,
) -> f64 {
    let at = |h: f64| (f(&moved(network, h, seed)) - f(&moved(network, -h, seed))) / (2.0 * h);
    let h = 1e-4;
    (4.0 * at(0.5 * h) - at(h)) / 3.0
}

/// `x` as `f64`s, whatever the type.
pub(crate) fn numbers<S: Shape, E: Real, D: Kernels<E>, T>(x: &Tensor<S, E, D, T>) -> Vec<f64> {
    x.as_vec().into_iter().map(Real::to64).collect()
}
