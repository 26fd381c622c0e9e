//! The built-in names.

use super::network::{self, Networks};
use super::networks::{MlpByName, UnetByName};
use super::{Entry, NoSettings, Registry};
use crate::config::Named;
use crate::dequantization::{self, Gaussian, TruncatedNormal, UniformBin};
use crate::parameterization::{self, Data, Noise, Score, Velocity};
use crate::schedule::{self, StraightPath, SubVariancePreserving, VarianceExploding, VariancePreserving};
use crate::solver::{ExplicitRk, OdeState, tables};
use crate::time::{self, Cosine, Importance, LogNormal, LogNormalConfig, Stratified, Uniform};
use serde::Deserialize;

impl<Y: OdeState> Default for Registry<Y> {
    fn default() -> Self {
        let mut registry = Self::empty();
        schedules(&mut registry);
        parameterizations(&mut registry);
        time_samplers(&mut registry);
        dequantizers(&mut registry);
        solvers(&mut registry);
        networks(&mut registry.networks);
        registry
    }
}

/// Of no type's state, so that networks are compiled here, once, and not again in every program that has a registry.
#[inline(never)]
fn networks(networks: &mut Networks) {
    network::add(networks, "unet", network::entry("unet"), UnetByName);
    network::add(networks, "mlp", network::entry("mlp"), MlpByName);
}

/// Formula and reference of a name, from the module that has it.
fn entry(table: &[(&str, &'static str, &'static str)], name: &str) -> Entry {
    let found = table.iter().find(|row| row.0 == name);
    let (_, formula, reference) = found.copied().unwrap_or(("", "", ""));
    Entry { formula, reference }
}

/// One line a name: the name and its builder.
macro_rules! add {
    ($registry:ident.$add:ident, $module:ident: $($name:literal => $build:expr;)*) => {$(
        $registry.$add($name, entry($module::BUILT_IN, $name), $build);
    )*};
}

fn schedules<Y: OdeState>(registry: &mut Registry<Y>) {
    add! { registry.add_schedule, schedule:
        "vp" => |_: NoSettings, _| Ok(VariancePreserving);
        "sp" => |_: NoSettings, _| Ok(StraightPath);
        "ve" => |_: NoSettings, _| Ok(VarianceExploding);
        "sub_vp" => |_: NoSettings, _| Ok(SubVariancePreserving);
    }
}

fn parameterizations<Y: OdeState>(registry: &mut Registry<Y>) {
    add! { registry.add_parameterization, parameterization:
        "velocity" => |_: NoSettings, _| Ok(Velocity);
        "noise" => |_: NoSettings, _| Ok(Noise);
        "data" => |_: NoSettings, _| Ok(Data);
        "score" => |_: NoSettings, _| Ok(Score);
    }
}

/// The settings of a wrapper around another time sampler.
#[derive(Clone, Debug, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Around {
    inner: Named,
}

impl Default for Around {
    fn default() -> Self {
        Self { inner: Named::new("importance") }
    }
}

fn time_samplers<Y: OdeState>(registry: &mut Registry<Y>) {
    add! { registry.add_time_sampler, time:
        "uniform" => |_: NoSettings, context| Ok(Uniform::new(context.inputs.range));
        "importance" => |_: NoSettings, context| {
            let weight = context.inputs.weight.clone();
            Importance::for_weight(context.inputs.range, move |gamma| weight(gamma))
        };
        "cosine" => |_: NoSettings, context| Ok(Cosine::new(context.inputs.range));
        "log_normal" => |settings: LogNormalConfig, context| LogNormal::new(context.inputs.range, settings);
        "stratified" => |settings: Around, context| Ok(Stratified(context.build("inner", &settings.inner)?));
    }
}

fn dequantizers<Y: OdeState>(registry: &mut Registry<Y>) {
    add! { registry.add_dequantizer, dequantization:
        "uniform" => |settings, context| {
            let default = UniformBin::default_gamma(context.inputs.grid.levels());
            Ok(UniformBin::new(context.inputs.grid, context.inputs.start_or(settings, default)?))
        };
        "truncated_normal" => |settings, context| {
            Ok(TruncatedNormal::new(context.inputs.grid, context.inputs.start(settings)?))
        };
        "gaussian" => |settings, context| {
            Ok(Gaussian::new(context.inputs.grid, context.inputs.start(settings)?))
        };
    }
}

fn solvers<Y: OdeState>(registry: &mut Registry<Y>) {
    for &tableau in tables::BUILT_IN {
        let entry = Entry { formula: tableau.formula, reference: tableau.reference };
        registry.add_solver(tableau.name, entry, move |_: NoSettings, _| Ok(ExplicitRk::new(tableau)));
    }
}
