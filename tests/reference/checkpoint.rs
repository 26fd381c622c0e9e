//! Cases of kind "checkpoint": a Flax checkpoint's moving average, as a network.

use super::case::{Array, Arrays, Case, Result};
use super::network::{ROUNDING, Rows, Task, with_network};
use super::place::{Place, WithF64};
use super::report::Report;
use idode::flax::{TrainState, Tree};
use idode::nn::{Jvp, Parameters};
use idode::tensor::Real;

pub(crate) fn check(case: &Case, place: Place) -> Result<String> {
    let path = case.folder.join(case.config.file.as_ref().ok_or("file: not in the settings")?);
    let average = TrainState::parse(&path, Tree::load(&path)?)?.ema.ok_or("no moving average in the file")?;
    let mut params = Arrays::new();
    for (name, array) in average {
        let values = array.values().ok_or_else(|| format!("{name}: no float32"))?;
        let values = values.into_iter().map(f64::from).collect();
        params.insert(format!("score_model/{name}"), Array { shape: array.shape().to_vec(), values });
    }
    with_network(place, &case.config, &params, Check(case))
}

struct Check<'a>(&'a Case);

impl Task for Check<'_> {
    type Out = String;

    fn run<E: Real, D: WithF64<E>, N: Jvp<E, D> + Parameters<E, D>>(self, network: N) -> Result<String> {
        let Self(case) = self;
        let diffusion = case.config.diffusion()?;
        let rows = Rows::of(case, &diffusion)?;
        let z = case.values("in/z")?;
        let f = rows.jvp(&network, z, &vec![0.0; z.len()])?;
        let mut report = Report::of(case);
        report.compare("out/network", &f.value, ROUNDING)?;
        report.finish()
    }
}
