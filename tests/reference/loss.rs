//! Cases of kind "loss": every term of the published loss, its gradients and their norm.

use super::case::{Case, Result};
use super::network::{ROUNDING, Task, upload, with_network};
use super::place::{Place, WithF64};
use super::report::{Allowed, Report};
use super::single;
use dfdx::prelude::*;
use idode::dequantization::{Gaussian, PerCoordinate, nats_to_bits_per_dim};
use idode::diffusion::{DynDiffusion, Prior};
use idode::level::Gamma;
use idode::nn::{Jvp, Parameters, Pass};
use idode::objective::{FirstOrder, Given, Matching, Passes, SecondOrderTrace, TraceEstimator};
use idode::tensor::Real;
use idode::train::GradientSet;

pub(crate) fn check(case: &Case, place: Place) -> Result<String> {
    with_network(place, &case.config, &case.parameters()?, Check(case))
}

struct Check<'a>(&'a Case);

impl Task for Check<'_> {
    type Out = String;

    fn run<E: Real, D: WithF64<E>, N: Jvp<E, D> + Parameters<E, D>>(self, network: N) -> Result<String> {
        let Self(case) = self;
        let diffusion = case.config.diffusion()?;
        let images = case.images()?;
        let rows = images.len() / network.dims();
        let mut report = Report::of(case);

        let reconstruction = reconstruction(case, &diffusion, &images, network.dims())?;
        report.compare("out/loss_recon", &reconstruction, ROUNDING)?;
        let prior = prior(case, &diffusion, &images, network.dims())?;
        report.compare("out/loss_klz", &prior, ROUNDING)?;

        let (gammas, pdf) = single::levels(&case.config, &diffusion, case.values("draw/t0")?, rows)?;
        let centres = case.config.grid()?.centres(&images);
        let eps = case.values("draw/eps")?;
        let x = upload(&network, rows, &centres)?;
        let noise = upload(&network, rows, eps)?;
        let mut problem = Matching::new(&diffusion, x, noise, &gammas, &pdf)?;
        problem.z = rounded_as_published(case, &network, &problem, &centres, eps)?;
        let times = problem.times();
        let mut pass = Pass::eval(&times).with_conditioning(Some(case.values("in/conditioning")?));
        let mut probes = Given::new(case.values("draw/hutchinson").map(<[f64]>::to_vec));
        let passes = Passes::new(&network, &problem, &mut pass, &mut probes);
        let (losses, second) = if case.config.second_order {
            let weight = case.config.second_order_weight.ok_or("second_order_weight: not in the settings")?;
            let trace = SecondOrderTrace(TraceEstimator::SquaredProbe);
            let losses = passes.evaluate(&(FirstOrder + weight * trace))?;
            // The published term has its weight in the total in it.
            let second = losses.terms[0].losses.iter().map(|loss| weight * loss).collect();
            (losses, second)
        } else {
            (passes.evaluate(&FirstOrder)?, vec![0.0; rows])
        };
        let (first, weighted) = (losses.first_order, losses.rows);
        report.compare("out/loss_diff", &first, ROUNDING)?;
        report.compare("out/loss_diff2", &second, ROUNDING)?;

        let diffusion_nats = host(&weighted);
        let nats: f64 = (0..rows).map(|i| reconstruction[i] + prior[i] + diffusion_nats[i]).sum();
        let bits = |nats: f64| nats_to_bits_per_dim(nats / rows as f64, network.dims());
        report.compare("out/total_bpd", &[bits(nats)], ROUNDING)?;

        // Neither the reconstruction nor the prior's term depends on a parameter.
        let gradients = (weighted.sum::<(), _>() * E::of(bits(1.0))).backward();
        let gradients = GradientSet::of(&network, gradients);
        let largest =
            |name: &str| case.values(name).map_or(0.0, |x| x.iter().fold(0.0, |m, x| x.abs().max(m)));
        let names = case.arrays.keys().filter(|name| name.starts_with("grad/"));
        let largest_of_all = names.map(|name| largest(name)).fold(0.0, f64::max);
        let rounding = f64::from(f32::EPSILON);
        for (name, gradient) in gradients.iter() {
            let name = format!("grad/score_model/{name}");
            if case.arrays.contains_key(&name) {
                let gradient: Vec<f64> = gradient.as_vec().into_iter().map(Real::to64).collect();
                // At width 32 every group of a norm is one channel, so that what is the same at all positions
                // (the embedding of time) has no effect, and its gradient is the rounding of 0.
                let zero = largest(&name) <= rounding * largest_of_all;
                let of_all = Allowed::Of { scale: largest_of_all, part: rounding };
                let allowed = if zero { of_all } else { ROUNDING };
                report.compare(&name, &gradient, allowed)?;
            }
        }
        let norm = gradients.norm().map_err(|name| format!("{name}: a gradient that is not finite"))?;
        report.compare("out/grad_norm", &[norm], ROUNDING)?;
        report.finish()
    }
}

/// `-log P(x | z_0)` of each image. The published decoder is given `z_0 / alpha_0` and divides by alpha_0 once more;
/// both round in float32, which the decoder's scale of 773 per unit makes visible.
fn reconstruction(case: &Case, diffusion: &DynDiffusion, images: &[u16], dims: usize) -> Result<Vec<f64>> {
    let grid = case.config.grid()?;
    let start = diffusion.level(diffusion.range().min());
    let decoder = Gaussian::new(grid, start);
    let (alpha, noise) = (start.alpha() as f32, (0.5 * start.gamma().0 as f32).exp());
    let nats: Vec<f64> = images
        .iter()
        .zip(case.values("draw/eps_0")?)
        .map(|(&k, &eps)| {
            let once = grid.centre(k) as f32 + noise * eps as f32;
            -decoder.log_decoder(k, f64::from(once / alpha) * start.alpha())
        })
        .collect();
    Ok(nats.chunks(dims).map(|row| row.iter().sum()).collect())
}

/// The KL divergence of each image to the published loss's prior, `N(0, I)`.
fn prior(case: &Case, diffusion: &DynDiffusion, images: &[u16], dims: usize) -> Result<Vec<f64>> {
    let grid = case.config.grid()?;
    let diffusion = diffusion.clone().with_prior(Prior::new(1.0)?);
    Ok(images.chunks(dims).map(|row| diffusion.prior_kl(&grid.centres(row))).collect())
}

/// The states as the published code rounds them, which must be ours but for the rounding.
fn rounded_as_published<E: Real, D: WithF64<E>, N: Jvp<E, D>>(
    case: &Case,
    network: &N,
    problem: &Matching<N::Batch, E, D>,
    x: &[f64],
    eps: &[f64],
) -> Result<Tensor<N::Batch, E, D>> {
    let dims = network.dims();
    let pairs = x.chunks(dims).zip(eps.chunks(dims));
    let z: Vec<f64> = pairs
        .zip(&problem.rows)
        .flat_map(|((x, eps), row)| single::noised(case.config.schedule, Gamma(row.gamma), x, eps))
        .collect();
    let moved =
        z.iter().zip(problem.z.as_vec()).fold(0.0, |most: f64, (a, b)| most.max((a - b.to64()).abs()));
    let size = z.iter().fold(0.0, |most: f64, z| most.max(z.abs()));
    if moved.is_nan() || moved > 4.0 * size * f64::from(f32::EPSILON) {
        return Err(format!("states differ by {moved:.1e}, more than float32 rounds").into());
    }
    // In f32 the angles round by themselves.
    let turns = size_of::<E>() > size_of::<f32>() && !case.config.network().fourier.is_empty();
    let z = if turns { z.into_iter().map(single::turned).collect() } else { z };
    upload(network, problem.rows.len(), &z)
}

fn host<E: Real, D: WithF64<E>, T: Tape<E, D>>(x: &Tensor<(usize,), E, D, T>) -> Vec<f64> {
    x.as_vec().into_iter().map(Real::to64).collect()
}
