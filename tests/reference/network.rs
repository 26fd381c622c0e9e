//! Networks of a case's shape, with a case's parameters; and the cases of kind "network".

use super::case::{Arrays, Case, Config, Result};
use super::place::{Numbers, Place, WithF64};
use super::report::{Allowed, Report};
use super::trace::Recorded;
use dfdx::prelude::Tensor;
use idode::diffusion::{Coefficients, DynDiffusion};
use idode::divergence::{Divergence, Exact};
use idode::level::Gamma;
use idode::likelihood::Drift;
use idode::nn::{DynamicUNet, Jvp, Parameters, Pass, Portable};
use idode::parameterization::ParameterizationExt;
use idode::solver::{Field, HostState};
use idode::tensor::{Dual, Real};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeSet;

/// Networks, JVPs, drifts, losses and gradients: rounding in `f32`.
pub(crate) const ROUNDING: Allowed = Allowed::OfLargest(1e-4);

/// Something to do with a network of a shape, of numbers and on a device that are known at run time.
pub(crate) trait Task {
    type Out;
    fn run<E: Real, D: WithF64<E>, N: Jvp<E, D> + Parameters<E, D>>(self, network: N) -> Result<Self::Out>;
}

/// Runs `task` with the network of `config`, its parameters from `params`.
pub(crate) fn with_network<T: Task>(
    place: Place,
    config: &Config,
    params: &Arrays,
    task: T,
) -> Result<T::Out> {
    place.visit(On { numbers: place.numbers, config, params, task })
}

struct On<'a, T> {
    numbers: Numbers,
    config: &'a Config,
    params: &'a Arrays,
    task: T,
}

impl<T: Task> super::place::OnDevice for On<'_, T> {
    type Out = Result<T::Out>;

    fn run<D: WithF64<f32> + WithF64<f64>>(self, device: D) -> Self::Out {
        let Self { numbers, config, params, task } = self;
        match numbers {
            Numbers::Single => task.run(load::<f32, D>(&device, config, params)?),
            Numbers::PortableSingle => task.run(Portable(load::<f32, D>(&device, config, params)?)),
            Numbers::PortableDouble => task.run(load::<f64, D>(&device, config, params)?),
        }
    }
}

/// The network, every parameter from the array of its name; kernels are stored as matrices, in the same order.
fn load<E: Real, D: WithF64<E>>(device: &D, config: &Config, params: &Arrays) -> Result<DynamicUNet<E, D>> {
    let [height, width, channels] = config.image.ok_or("a case without the shape of its images")?;
    let (image, mut rng) = ((height, width, channels), ChaCha8Rng::seed_from_u64(0));
    let mut network = DynamicUNet::sized(image, config.sm_n_embd, &config.network(), device, &mut rng)?;
    let (mut known, mut error) = (BTreeSet::new(), None);
    network.parameters("score_model", &mut |name, _, parameter| {
        let shape = parameter.shape();
        match params.get(name) {
            // The last axis is the output's in both.
            Some(array)
                if array.values.len() == shape.iter().product::<usize>()
                    && array.shape.last() == shape.last() =>
            {
                parameter.replace(array.values.iter().map(|&x| E::of(x)).collect());
                known.insert(name.to_owned());
            }
            Some(array) => error = Some(format!("{name}: shape {:?}, expected {shape:?}", array.shape)),
            None => error = Some(format!("{name}: no such array")),
        }
    });
    if let Some(error) = error {
        return Err(error.into());
    }
    match params.keys().find(|name| !known.contains(*name)) {
        Some(name) => Err(format!("{name}: the network has no such parameter").into()),
        None => Ok(network),
    }
}

/// Rows of a case for a network: states, levels and conditioning.
#[derive(Debug)]
pub(crate) struct Rows {
    pub(crate) levels: Vec<Coefficients>,
    pub(crate) conditioning: Vec<f64>,
}

impl Rows {
    pub(crate) fn of(case: &Case, diffusion: &DynDiffusion) -> Result<Self> {
        let gammas = case.values("in/gamma")?;
        Ok(Self {
            levels: gammas.iter().map(|&gamma| diffusion.coefficients(Gamma(gamma))).collect(),
            conditioning: case.values("in/conditioning")?.to_vec(),
        })
    }

    pub(crate) fn times(&self) -> Vec<f64> {
        self.levels.iter().map(|level| level.time).collect()
    }

    /// The network's value at `z` and its derivative along `v`.
    pub(crate) fn jvp<E: Real, D: WithF64<E>, N: Jvp<E, D>>(
        &self,
        network: &N,
        z: &[f64],
        v: &[f64],
    ) -> Result<Dual<Vec<f64>>> {
        let tensor = |numbers: &[f64]| upload(network, self.levels.len(), numbers);
        let times = self.times();
        let mut pass = Pass::eval(&times).with_conditioning(Some(&self.conditioning));
        let out = network.jvp(Dual::new(tensor(z)?, tensor(v)?), &mut pass);
        let host = |x: Tensor<N::Batch, E, D>| x.as_vec().into_iter().map(Real::to64).collect();
        Ok(Dual::new(host(out.value), host(out.tangent)))
    }
}

/// Rows of numbers as a batch of `network`.
pub(crate) fn upload<E: Real, D: WithF64<E>, N: Jvp<E, D>>(
    network: &N,
    rows: usize,
    numbers: &[f64],
) -> Result<Tensor<N::Batch, E, D>> {
    if numbers.len() != rows * network.dims() {
        return Err(format!("{} numbers for {rows} rows of {}", numbers.len(), network.dims()).into());
    }
    let numbers: Vec<E> = numbers.iter().map(|&x| E::of(x)).collect();
    Ok(network.device().upload(&numbers, network.batch(rows)))
}

/// `f(row, value)` of every number of rows of `dims` numbers.
fn per_row(dims: usize, numbers: &[f64], f: impl Fn(usize, usize, f64) -> f64) -> Vec<f64> {
    numbers.iter().enumerate().map(|(i, &x)| f(i / dims, i, x)).collect()
}

/// The network and its derivative, noise, drift, and the drift's derivative and divergences.
pub(crate) fn check(case: &Case, place: Place) -> Result<String> {
    with_network(place, &case.config, &case.parameters()?, Check(case))
}

struct Check<'a>(&'a Case);

impl Task for Check<'_> {
    type Out = String;

    fn run<E: Real, D: WithF64<E>, N: Jvp<E, D> + Parameters<E, D>>(self, network: N) -> Result<String> {
        let Self(case) = self;
        let diffusion = case.config.diffusion()?;
        let rows = Rows::of(case, &diffusion)?;
        let (z, v, dims) = (case.values("in/z")?, case.values("in/v")?, network.dims());
        let f = rows.jvp(&network, z, v)?;
        let mut report = Report::of(case);
        report.compare("out/network", &f.value, ROUNDING)?;
        report.compare("out/network_jvp", &f.tangent, ROUNDING)?;

        let noise = per_row(dims, &f.value, |row, i, f| {
            let level = diffusion.level(Gamma(rows.levels[row].gamma));
            diffusion.parameterization().noise(&level).apply(f, z[i])
        });
        report.compare("out/noise_prediction", &noise, ROUNDING)?;
        let tangent = per_row(dims, &f.tangent, |row, i, f| {
            let level = &rows.levels[row];
            level.c_f * f + level.c_z * v[i]
        });
        report.compare("out/drift_jvp", &tangent, ROUNDING)?;

        let count = rows.levels.len();
        let t: Vec<f64> = rows.levels.iter().map(|level| level.gamma).collect();
        let y = HostState::new(dims, z.to_vec())?.with_log_density(vec![0.0; count])?;
        let indices: Vec<usize> = (0..count).collect();
        let drift = |divergence: &dyn Divergence| {
            let drift = Drift::<E, D, _, _, _>::new(&network, &diffusion, 64)
                .with_conditioning(Some(&rows.conditioning));
            let trace = divergence.begin(dims, &vec![[0; 32]; count]);
            let rates = drift.with_density(trace).eval(&indices, &t, &y);
            // The log-density falls by the divergence.
            let falls = rates.log_density().unwrap_or_default().iter().map(|rate| -rate).collect::<Vec<_>>();
            (rates.values().to_vec(), falls)
        };
        let (rates, divergence) = drift(&Recorded::new(v));
        report.compare("out/drift", &rates, ROUNDING)?;
        report.compare("out/drift_divergence", &divergence, ROUNDING)?;
        if case.arrays.contains_key("out/drift_exact_divergence") {
            report.compare("out/drift_exact_divergence", &drift(&Exact).1, ROUNDING)?;
        }
        report.finish()
    }
}
