//! Cases of kind "time": quantiles and normalizer of the importance sampler.

use super::case::{Case, Result};
use super::report::{Allowed, Report};
use idode::level::Gamma;
use idode::time::{Importance, TimeSampler};

/// The published code's numbers are `f64` here.
const TIMES: Allowed = Allowed::Absolute(1e-9);

pub(crate) fn check(case: &Case) -> Result<String> {
    let diffusion = case.config.diffusion()?;
    let range = diffusion.range();
    let times = Importance::for_weight(range, diffusion.weight_density())?;
    let gammas: Vec<f64> = case.values("in/u")?.iter().map(|&u| times.quantile(u).0).collect();
    // Their normalizer is of alpha^2, which is twice the weight for VP and the weight itself for SP.
    let squared = |gamma: Gamma| diffusion.level(gamma).alpha().powi(2);
    let normalizer = Importance::for_weight(range, squared)?.normalizer();
    let mut report = Report::of(case);
    report.compare("out/gamma", &gammas, TIMES)?;
    report.compare("out/normalizer", &[normalizer], TIMES)?;
    report.finish()
}
