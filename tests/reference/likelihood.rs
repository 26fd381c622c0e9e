//! Cases of kind "likelihood": bits/dim by the ODE, with recorded noise and probe.

use super::case::{Case, Dequantization, Result};
use super::network::{Task, with_network};
use super::place::{Place, WithF64};
use super::report::{Allowed, Report};
use super::trace::Recorded;
use idode::dequantization::{
    Gaussian, PerCoordinate, TruncatedNormal, UniformBin, k_sample_bound, mean_of_draws, nats_to_bits_per_dim,
};
use idode::diffusion::DynDiffusion;
use idode::level::Gamma;
use idode::likelihood::ProbabilityFlow;
use idode::nn::{Jvp, Network, Parameters};
use idode::parameterization::Parameterization;
use idode::schedule::NoiseSchedule;
use idode::solver::{ExplicitRk, Stepping, Tolerances, tables};
use idode::tensor::Real;
use std::sync::Arc;

/// Both solvers converged.
const BITS: Allowed = Allowed::Absolute(1e-3);

pub(crate) fn check(case: &Case, place: Place) -> Result<String> {
    with_network(place, &case.config, &case.parameters()?, Check(case))
}

/// The flow of a network and a diffusion whose parts were chosen by name.
pub(crate) type Flow<'a, E, D, N> =
    ProbabilityFlow<'a, E, D, N, Arc<dyn NoiseSchedule>, Arc<dyn Parameterization>>;

/// The flow with the case's tolerances.
pub(crate) fn flow<'a, E: Real, D: WithF64<E>, N: Network<E, D>>(
    case: &Case,
    network: &'a N,
    diffusion: &'a DynDiffusion,
) -> Result<Flow<'a, E, D, N>> {
    let relative = case.config.rtol.ok_or("rtol: not in the settings")?;
    let absolute = case.config.atol.ok_or("atol: not in the settings")?;
    let stepping = Stepping::adaptive(Tolerances { relative, absolute, log_density: 1e-3 });
    Ok(ProbabilityFlow::new(network, diffusion)
        .with_solver(ExplicitRk::new(&tables::DORMAND_PRINCE), stepping))
}

/// What the published code makes of the images and its draws: the start level, `z_0` of every draw, and of every
/// draw the nats to add to `log p(z_0)` and the standardised noise's `-log q` where draws are weighed.
struct Dequantized {
    from: Gamma,
    z: Vec<f64>,
    /// `-log q + log P(x | z_0)` in nats, a row each.
    prices: Vec<f64>,
}

fn dequantize(case: &Case, diffusion: &DynDiffusion, dims: usize) -> Result<Dequantized> {
    let (grid, images) = (case.config.grid()?, case.images()?);
    let alone = case.config.num_importance == 1;
    let start = diffusion.level(diffusion.range().min());
    let pixels = images.iter().cycle().zip(case.values("draw/dequantization")?);
    let noised = || pixels.clone().map(|(&k, eps)| (k, start.alpha() * grid.centre(k) + start.sigma() * eps));
    // A lone draw is priced by the entropy, several by their own densities.
    let prices = |q: &dyn PerCoordinate, decoder: &dyn Fn(u16, f64) -> f64| -> Vec<f64> {
        let each: Vec<f64> = noised()
            .map(|(k, z)| decoder(k, z) + if alone { q.entropy_per_dim() } else { -q.log_density(k, z) })
            .collect();
        each.chunks(dims).map(|row| row.iter().sum()).collect()
    };
    let z = || noised().map(|(_, z)| z).collect();
    Ok(match case.config.dequantization {
        Dequantization::TruncatedNormal => {
            let q = TruncatedNormal::new(grid, start);
            Dequantized { from: start.gamma(), z: z(), prices: prices(&q, &|_, _| 0.0) }
        }
        Dequantization::Gaussian => {
            let q = Gaussian::new(grid, start);
            // The published decoder divides by alpha_0 once more than ours.
            let decoder = |k, z: f64| q.log_decoder(k, z / start.alpha());
            Dequantized { from: start.gamma(), z: z(), prices: prices(&q, &decoder) }
        }
        Dequantization::Uniform => {
            // x + u goes into the ODE without alpha, and only the bin's own width is counted.
            let z: Vec<f64> = pixels.map(|(&k, u)| grid.centre(k) + grid.bin_width() * (u - 0.5)).collect();
            let price = dims as f64 * grid.bin_width().ln();
            let rows = z.len() / dims;
            Dequantized { from: UniformBin::default_gamma(256), z, prices: vec![price; rows] }
        }
    })
}

struct Check<'a>(&'a Case);

impl Task for Check<'_> {
    type Out = String;

    fn run<E: Real, D: WithF64<E>, N: Jvp<E, D> + Parameters<E, D>>(self, network: N) -> Result<String> {
        let Self(case) = self;
        let diffusion = case.config.diffusion()?;
        let (dims, images) = (network.dims(), case.images()?.len() / network.dims());
        let Dequantized { from, z, prices } = dequantize(case, &diffusion, dims)?;
        let rows = prices.len();
        let conditioning: Vec<f64> =
            case.values("in/conditioning")?.iter().copied().cycle().take(rows).collect();
        let divergence = Recorded::new(case.values("draw/hutchinson")?);
        let densities = flow(case, &network, &diffusion)?.log_density(
            z,
            from,
            &divergence,
            &vec![[0; 32]; rows],
            Some(&conditioning),
        )?;
        if let Some(row) = densities.iter().find(|row| !row.finished()) {
            return Err(format!("a solve {}", row.report.status).into());
        }
        let bits: Vec<f64> = (0..images)
            .map(|image| {
                let draws = (image..rows).step_by(images);
                let weights: Vec<f64> = draws.map(|row| densities[row].log_density + prices[row]).collect();
                let nats = match case.config.num_importance {
                    // A setting of one importance sample is the mean of five bounds.
                    1 => mean_of_draws(&weights),
                    // The published bound lacks - ln K.
                    k => k_sample_bound(&weights) + (k as f64).ln(),
                };
                nats_to_bits_per_dim(-nats, dims)
            })
            .collect();
        let mut report = Report::of(case);
        report.compare("out/bpd", &bits, BITS)?;
        let evaluations = densities.iter().map(|row| row.report.evaluations).max().unwrap_or_default();
        report.note(format!("at most {evaluations} evaluations a row"));
        report.finish()
    }
}
