//! Cases of kind "checkpoint": a Flax checkpoint's moving average, as a network.

use super::case::{Array, Arrays, Case, Result};
use super::network::{ROUNDING, Rows, Task, with_network};
use super::report::Report;
use dfdx::prelude::Cpu;
use idode::flax::{TrainState, Tree};
use idode::nn::{Jvp, Parameters};

pub(crate) fn check(case: &Case) -> Result<String> {
    let path = case.folder.join(case.config.file.as_ref().ok_or("file: not in the settings")?);
    let average = TrainState::parse(&path, Tree::load(&path)?)?.ema.ok_or("no moving average in the file")?;
    let mut params = Arrays::new();
    for (name, array) in average {
        let values = array.values().ok_or_else(|| format!("{name}: no float32"))?;
        let values = values.into_iter().map(f64::from).collect();
        params.insert(format!("score_model/{name}"), Array { shape: array.shape().to_vec(), values });
    }
    with_network::<f32, _>(&case.config, &params, Check(case))
}

struct Check<'a>(&'a Case);

impl Task<f32> for Check<'_> {
    type Out = String;

    fn run<N: Jvp<f32, Cpu> + Parameters<f32, Cpu>>(self, network: N) -> Result<String> {
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
