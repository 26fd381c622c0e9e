//! Likelihood invariance: the model's density does not depend on what its network regresses.

use super::Subject;
use crate::analytic::{Gaussian, GaussianMixture};
use crate::diffusion::Diffusion;
use crate::divergence::Exact;
use crate::level::{Gamma, GammaRange};
use crate::likelihood::{Evaluator, ProbabilityFlow};
use crate::parameterization::{Noise, Parameterization};
use crate::pixels::PixelGrid;
use crate::progress::Silent;
use crate::schedule::NoiseSchedule;
use crate::solver::{ExplicitRk, Stepping, Tolerances, tables};
use crate::testkit::exact::ExactNetwork;
use crate::testkit::{Law, Verdict, Violation, built_in};
use crate::time::Uniform;
use std::sync::Arc;

/// Grey levels of the images whose bound is compared.
const LEVELS: u32 = 17;

/// States at the data's end, and images.
const STATES: [f64; 6] = [0.31, -0.62, -0.9, 0.2, 1.1, 0.4];
const IMAGES: [u16; 6] = [3, 12, 16, 0, 8, 9];

/// The VLB and the ODE's log-density of exact data are those of every other parameterization, and of
/// Gaussian data what the flow's closed form says.
///
/// The whole chain is used: a network that sees scaled states, the solver, the exact divergence.
///
/// # Errors
/// The first schedule where a number differs: by more than 1e-5 nats (ODE) or 1e-8 of the VLB.
pub fn invariance(subject: &Subject<'_>) -> Verdict {
    let law = subject.law("invariance");
    let tilted = [0.5, 0.2, 0.2, 0.3];
    let tilted = nalgebra::DMatrix::from_row_slice(2, 2, &tilted);
    let gaussian = law.given("Gaussian data", Gaussian::new(&[0.3, -0.6], tilted))?;
    let mixture = GaussianMixture::new([
        (0.4, law.given("mixture", Gaussian::diagonal(&[-0.7, 0.1], &[0.05, 0.1]))?),
        (0.6, gaussian.clone()),
    ]);
    let mixture = law.given("mixture", mixture)?;
    let range = GammaRange::for_levels(LEVELS);
    for (name, schedule) in law.given("built-in schedules", built_in::schedules(range))? {
        let ours = Diffusion::new(schedule.clone(), subject.parameterization, range);
        let noise = Diffusion::new(schedule.clone(), &Noise as &dyn Parameterization, range);
        let place = format!("gamma {} of {name}", range.min());

        let found = Measured::new(&law, &place, &ours, &mixture)?;
        let expected = Measured::new(&law, &place, &noise, &mixture)?;
        for (i, (found, expected)) in found.log_densities.iter().zip(&expected.log_densities).enumerate() {
            law.close(format_args!("{place}, ODE's log-density of state {i}"), *found, *expected, 1e-5)?;
        }
        for (i, (found, expected)) in found.bounds.iter().zip(&expected.bounds).enumerate() {
            let what = format_args!("{place}, VLB of image {i} in nats");
            law.close(what, *found, *expected, 1e-8 * (1.0 + expected.abs()))?;
        }

        let (here, end) = (schedule.level(range.min()), schedule.level(range.max()));
        let flow = gaussian.flow(&here, &end);
        let found = log_densities(&law, &place, &ours, &GaussianMixture::from(gaussian.clone()))?;
        for (i, (found, z)) in found.iter().zip(STATES.chunks_exact(2)).enumerate() {
            let arrived = law.given(&place, flow.apply(z))?;
            let expected = ours.prior().log_density(arrived.as_slice()) + flow.log_det();
            law.close(format_args!("{place}, ODE's log-density of Gaussian {i}"), *found, expected, 1e-5)?;
        }
    }
    Ok(())
}

type Any<'a> = Diffusion<Arc<dyn NoiseSchedule>, &'a dyn Parameterization>;

/// What is compared between parameterizations, in nats.
struct Measured {
    log_densities: Vec<f64>,
    bounds: Vec<f64>,
}

impl Measured {
    fn new(law: &Law, place: &str, diffusion: &Any<'_>, data: &GaussianMixture) -> Result<Self, Violation> {
        let network = ExactNetwork::<2, _, _>::new(data, diffusion);
        let evaluator = Evaluator::new(ProbabilityFlow::new(&network, diffusion));
        let grid = law.given(place, PixelGrid::new(LEVELS))?;
        let time = Uniform::new(diffusion.range());
        let bound = law.given(place, evaluator.vlb(&IMAGES, grid, 16, &time, &mut Silent))?;
        let nats = |record: &crate::likelihood::VlbRecord| {
            record.reconstruction_nats + record.prior_nats + record.diffusion_nats
        };
        Ok(Self {
            log_densities: log_densities(law, place, diffusion, data)?,
            bounds: bound.records.iter().map(nats).collect(),
        })
    }
}

/// The ODE's log-density of each state at the data's end.
fn log_densities(
    law: &Law,
    place: &str,
    diffusion: &Any<'_>,
    data: &GaussianMixture,
) -> Result<Vec<f64>, Violation> {
    let network = ExactNetwork::<2, _, _>::new(data, diffusion);
    let tolerances = Tolerances { relative: 1e-8, absolute: 1e-8, log_density: 1e-8 };
    let flow = ProbabilityFlow::new(&network, diffusion)
        .with_solver(ExplicitRk::new(&tables::DORMAND_PRINCE), Stepping::adaptive(tolerances));
    let evaluator = Evaluator::new(flow).with_divergence(Exact);
    let from: Gamma = diffusion.range().min();
    let rows = law.given(place, evaluator.log_prob(&STATES, from))?;
    Ok(rows.iter().map(|row| row.log_density).collect())
}
