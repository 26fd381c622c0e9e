//! The name that a typed part has in a registry, found by what it does: a name is that of a part that gives the same numbers.

use crate::config::{self, Named, Recipe, Source, Unnamed};
use crate::dequantization::Dequantizer;
use crate::diffusion::{Diffusion, DynDiffusion};
use crate::divergence::{self, Blocks, Exact, HutchPlusPlus, Hutchinson};
use crate::level::{Gamma, GammaRange};
use crate::model::{Parts, States};
use crate::registry::{FlowState, ParameterizationInputs, Registry, ScheduleInputs};
use crate::solver::{ExplicitRk, OdeSolver};
use crate::time::{TimeSampler, TimeSamplerExt};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::any::{Any, type_name};

/// Levels that are looked at, over the range.
fn probes(range: GammaRange) -> impl Iterator<Item = Gamma> {
    const LEVELS: u32 = 17;
    let (min, max) = (range.min().0, range.max().0);
    (0..LEVELS).map(move |i| Gamma(min + (max - min) * f64::from(i) / f64::from(LEVELS - 1)))
}

/// Whether two diffusions have the same numbers at every level that is looked at, and the same prior.
pub(super) fn is_same_diffusion(a: &DynDiffusion, b: &DynDiffusion) -> bool {
    let same = |gamma| a.coefficients(gamma) == b.coefficients(gamma) && a.level(gamma) == b.level(gamma);
    a.range() == b.range() && a.prior() == b.prior() && probes(a.range()).all(same)
}

/// Gives the parts of a run without a name the one of the registry that does the same without any settings, if one does.
pub(super) fn find(parts: &mut Parts) {
    let none = Source::default();
    let (registry, range) = (&parts.registry, parts.diffusion.range());
    let mut recipe = parts.recipe.clone();
    let inputs = ScheduleInputs { range };
    // A prior of one's own has no name.
    let (schedule, parameterization, _) = parts.diffusion.clone().into_parts();
    let is_default = parts.diffusion.prior() == Diffusion::new(schedule, parameterization, range).prior();
    if recipe.schedule.without_name().is_some() && is_default {
        let same = |named: &Named| {
            let built = registry.schedules.build(named, &inputs, &none, "schedule");
            built.is_ok_and(|own| probes(range).all(|gamma| own.level(gamma) == parts.diffusion.level(gamma)))
        };
        first(registry.schedules.names(), &mut recipe.schedule, &same);
    }
    if recipe.parameterization.without_name().is_some() {
        let inputs = ParameterizationInputs { range, schedule: parts.diffusion.schedule().clone() };
        let same = |named: &Named| {
            let built = registry.parameterizations.build(named, &inputs, &none, "parameterization");
            built.is_ok_and(|own| {
                probes(range).all(|gamma| {
                    let (level, given) = (parts.diffusion.level(gamma), parts.diffusion.parameterization());
                    own.target(&level) == given.target(&level)
                        && own.input_scale(&level) == given.input_scale(&level)
                })
            })
        };
        first(registry.parameterizations.names(), &mut recipe.parameterization, &same);
    }
    if let Some(own) = parts.times.as_ref().filter(|_| recipe.time.without_name().is_some()) {
        let names = registry.time_samplers.names();
        let mut candidates = Vec::with_capacity(2 * names.len());
        for inner in &names {
            candidates.push(Named::new("stratified").with("inner", Named::new(*inner)));
        }
        for name in &names {
            candidates.push(Named::new(*name));
        }
        let same = |named: &Named| {
            let recipe = Recipe { time: named.clone(), ..recipe.clone() };
            let built = registry.time_sampler(&recipe, &parts.diffusion);
            built.is_ok_and(|built| is_same_sampler(built, own.make(), range))
        };
        if let Some(named) = candidates.into_iter().find(same) {
            recipe.time = named;
        }
    }
    let unnamed =
        |named: &Named| named.without_name().is_none() && parts.dequantizers.contains_key(&named.name);
    let mut without = Vec::new();
    for (index, named) in recipe.evaluation.dequantizers.iter().enumerate().filter(|(_, own)| unnamed(own)) {
        let by_name = Parts { dequantizers: Default::default(), ..parts.clone() };
        let one = |settings: Named| {
            let mut alone = by_name.clone();
            alone.recipe.evaluation.dequantizers = vec![settings];
            alone.dequantizers(&States::new()).ok().and_then(|mut found| found.pop()).map(|(_, own)| own)
        };
        let Some(own) = parts.dequantizers.get(&named.name).map(|own| own.make()) else { continue };
        let at = Named::new(named.name.clone()).with("gamma", own.level().gamma().0);
        let dims = recipe.row_shape().map_or(0, |shape| shape.dims());
        let same =
            |settings: &Named| one(settings.clone()).is_some_and(|it| is_same_noise(&*it, &*own, dims));
        let settings = [named.clone(), at].into_iter().find(same);
        without.push((index, settings.unwrap_or_else(|| Named::unnamed(&named.name))));
    }
    for (index, settings) in without {
        let before = std::mem::replace(&mut recipe.evaluation.dequantizers[index], settings.clone());
        if let Some(own) = parts.dequantizers.remove(&before.name) {
            parts.dequantizers.insert(settings.name, own);
        }
    }
    parts.recipe = recipe;
}

/// Puts the first name that stands for the same in the place of none.
fn first(names: Vec<&str>, place: &mut Named, same: &dyn Fn(&Named) -> bool) {
    for name in names {
        let named = Named::new(name);
        if same(&named) {
            *place = named;
            return;
        }
    }
}

/// Whether two time samplers have the same density and draw the same levels.
fn is_same_sampler(mut a: Box<dyn TimeSampler>, mut b: Box<dyn TimeSampler>, range: GammaRange) -> bool {
    let draws = |sampler: &mut Box<dyn TimeSampler>| sampler.draw(5, &mut ChaCha8Rng::seed_from_u64(0));
    // One that learns has a name of its own.
    let is_fixed = a.state().is_none() && b.state().is_none();
    is_fixed && probes(range).all(|gamma| a.pdf(gamma) == b.pdf(gamma)) && draws(&mut a) == draws(&mut b)
}

/// Whether two dequantizers draw the same.
fn is_same_noise(a: &dyn Dequantizer, b: &dyn Dequantizer, dims: usize) -> bool {
    let draw = |own: &dyn Dequantizer| own.draw(&vec![0; dims], &mut ChaCha8Rng::seed_from_u64(0));
    let is_fixed = a.state().is_none() && b.state().is_none();
    is_fixed && a.level() == b.level() && draw(a) == draw(b)
}

/// What a recipe calls a solver: a Runge-Kutta method by the name of its tableau.
pub(super) fn solver<M: OdeSolver<FlowState> + 'static>(registry: &Registry, given: &M) -> Named {
    let method = (given as &dyn Any).downcast_ref::<ExplicitRk>().map(|method| method.tableau().name);
    match method.filter(|name| registry.solvers.names().contains(name)) {
        Some(name) => Named::new(name),
        None => Named::unnamed(type_name::<M>()),
    }
}

/// What a recipe calls a way to compute divergences.
pub(super) fn divergence<V: 'static>(given: &V) -> config::Divergence {
    let given: &dyn Any = given;
    if given.is::<Exact>() {
        return config::Divergence::Exact;
    }
    if let Some(own) = given.downcast_ref::<Hutchinson>() {
        let probe = match own.probe() {
            divergence::Probe::Rademacher => config::Probe::Rademacher,
            divergence::Probe::Gaussian => config::Probe::Gaussian,
        };
        let probes = own.probes() as u64;
        return config::Divergence::Hutchinson(config::Hutchinson { probe, probes });
    }
    if let Some(own) = given.downcast_ref::<HutchPlusPlus>() {
        let products = (own.basis() + own.probes()) as u64;
        return config::Divergence::HutchPlusPlus(config::HutchPlusPlus { products });
    }
    if let Some(own) = given.downcast_ref::<Blocks>() {
        return config::Divergence::Blocks(config::Blocks { stride: own.stride() as u64 });
    }
    config::Divergence::Program(Unnamed::of::<V>())
}
