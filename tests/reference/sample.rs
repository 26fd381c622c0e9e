//! Cases of kind "sample": the ODE from recorded prior noise, and the decoded pixels.

use super::case::{Case, Result};
use super::likelihood::flow;
use super::network::{Task, with_network};
use super::place::{Place, WithF64};
use super::report::{Allowed, Report};
use idode::dequantization::decode_row;
use idode::nn::{Jvp, Parameters};
use idode::solver::HostState;
use idode::tensor::Real;

/// Both solvers converged.
const SAMPLES: Allowed = Allowed::OfLargest(1e-3);

pub(crate) fn check(case: &Case, place: Place) -> Result<String> {
    with_network(place, &case.config, &case.parameters()?, Check(case))
}

struct Check<'a>(&'a Case);

impl Task for Check<'_> {
    type Out = String;

    fn run<E: Real, D: WithF64<E>, N: Jvp<E, D> + Parameters<E, D>>(self, network: N) -> Result<String> {
        let Self(case) = self;
        let diffusion = case.config.diffusion()?;
        let range = diffusion.range();
        let std = diffusion.prior().std();
        let z = case.values("in/z_1")?.iter().map(|z| std * z).collect();
        let solution = flow(case, &network, &diffusion)?.transport(
            HostState::new(network.dims(), z)?,
            range.max(),
            range.min(),
            Some(case.values("in/conditioning")?),
        )?;
        if let Some((row, failure, _)) = solution.failures().next() {
            return Err(format!("row {row}: {failure}").into());
        }
        let start = diffusion.level(range.min());
        // The published decoder divides by alpha_0 once more than ours.
        let decode = |z: &[f64]| {
            let z: Vec<f64> = z.iter().map(|z| z / start.alpha()).collect();
            let grid = case.config.grid()?;
            Ok::<Vec<f64>, Box<dyn std::error::Error>>(
                decode_row(grid, &start, &z).into_iter().map(f64::from).collect(),
            )
        };
        let mut report = Report::of(case);
        report.compare("out/z_0", solution.y.values(), SAMPLES)?;
        report.compare("out/pixels", &decode(solution.y.values())?, Allowed::Absolute(0.0))?;
        let ours = solution.rows.iter().map(|row| row.evaluations).max().unwrap_or_default();
        let theirs = case.values("out/nfe")?[0];
        report.set_aside("out/nfe", format!("{ours} evaluations, {theirs} of the coupled batch"))?;
        report.finish()
    }
}
