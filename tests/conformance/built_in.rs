//! Every built-in meets every law of its trait. The rosters say what there is: a name that is not known here fails.

use idode::config::{Named, Source};
use idode::dequantization::Dequantizer;
use idode::diffusion::Diffusion;
use idode::level::{GammaRange, Level};
use idode::pixels::PixelGrid;
use idode::registry::{DequantizerInputs, Registry, TimeInputs};
use idode::schedule::{NoiseSchedule, StraightPath, VariancePreserving};
use idode::solver::{ExplicitRk, HostState};
use idode::testkit::{Verdict, dequantizer, parameterization, schedule, solver, time, usual_range};
use idode::time::TimeSampler;
use idode::{dequantization, parameterization as parameterizations, schedule as schedules, time as times};
use std::sync::Arc;

/// The names that a module lists are those of the registry.
fn names(module: &[(&str, &str, &str)], registry: Vec<&str>) {
    let mut listed: Vec<&str> = module.iter().map(|row| row.0).collect();
    listed.sort_unstable();
    assert_eq!(listed, registry);
}

#[test]
fn every_schedule() -> Verdict {
    names(schedules::BUILT_IN, <Registry>::default().schedules.names());
    for (_, schedule) in idode::testkit::built_in::schedules(usual_range()).unwrap() {
        for range in [usual_range(), GammaRange::for_levels(256), GammaRange::new(-40.0, 40.0).unwrap()] {
            schedule::all(&schedule::Subject { schedule: &*schedule, range })?;
        }
    }
    Ok(())
}

/// What each parameterization's network regresses, as its paper defines it.
fn formula(name: &str) -> fn(&Level, f64, f64) -> f64 {
    match name {
        "velocity" => |level, x, eps| {
            let along = level.dlog_alpha() * level.alpha() * x + level.dlog_sigma() * level.sigma() * eps;
            along / (level.dlog_alpha() * level.alpha()).hypot(level.dlog_sigma() * level.sigma())
        },
        "noise" => |_, _, eps| eps,
        "data" => |_, x, _| x,
        "score" => |level, _, eps| -eps / level.sigma(),
        _ => panic!("the formula of {name} in terms of the data and the noise"),
    }
}

#[test]
fn every_parameterization() -> Verdict {
    names(parameterizations::BUILT_IN, <Registry>::default().parameterizations.names());
    let vp: Arc<dyn NoiseSchedule> = Arc::new(VariancePreserving);
    for (name, built) in idode::testkit::built_in::parameterizations(usual_range(), &vp).unwrap() {
        let subject = parameterization::Subject {
            parameterization: &*built,
            formula: &formula(&name),
            range: usual_range(),
        };
        parameterization::all(&subject)?;
    }
    Ok(())
}

#[test]
fn every_time_sampler() -> Verdict {
    let registry = <Registry>::default();
    names(times::BUILT_IN, registry.time_samplers.names());
    let vp: Arc<dyn NoiseSchedule> = Arc::new(VariancePreserving);
    for range in [GammaRange::for_levels(256), GammaRange::new(-7.9, 1.0).unwrap()] {
        for (_, parameterization) in idode::testkit::built_in::parameterizations(range, &vp).unwrap() {
            let diffusion = Diffusion::new(vp.clone(), parameterization, range);
            let weight = Arc::new(move |gamma| diffusion.coefficients(gamma).weight);
            for name in registry.time_samplers.names() {
                let inputs = TimeInputs { range, weight: weight.clone() };
                let make = || -> Box<dyn TimeSampler> {
                    registry
                        .time_samplers
                        .build(&Named::new(name), &inputs, &Source::default(), "time")
                        .unwrap()
                };
                time::all(&time::Subject { make: &make, pinned: &[] })?;
            }
        }
    }
    Ok(())
}

#[test]
fn every_dequantizer() -> Verdict {
    let registry = <Registry>::default();
    names(dequantization::BUILT_IN, registry.dequantizers.names());
    let schedules: [Arc<dyn NoiseSchedule>; 2] = [Arc::new(VariancePreserving), Arc::new(StraightPath)];
    for (levels, schedule) in [2, 17, 256].into_iter().zip(schedules.iter().cycle()) {
        let (range, grid) = (GammaRange::for_levels(levels), PixelGrid::new(levels).unwrap());
        let inputs = DequantizerInputs { range, grid, schedule: schedule.clone() };
        for name in registry.dequantizers.names() {
            // At its own start level, and where noise of neighbouring levels overlaps.
            let above = range.min().0 + 2.0;
            for named in [Named::new(name), Named::new(name).with("gamma", above)] {
                let built: Box<dyn Dequantizer> =
                    registry.dequantizers.build(&named, &inputs, &Source::default(), "dequantizer").unwrap();
                dequantizer::all(&dequantizer::Subject { dequantizer: &*built, grid, dims: 2 })?;
            }
        }
    }
    Ok(())
}

/// The evaluations of each problem, at tolerance 1e-4 and then 1e-6, or with 2,000 steps.
const EVALUATIONS: &[(&str, &[u32])] = &[];

#[test]
fn every_solver() -> Verdict {
    let mut listed: Vec<&str> = idode::solver::BUILT_IN.iter().map(|table| table.name).collect();
    listed.sort_unstable();
    assert_eq!(listed, Registry::<HostState>::default().solvers.names());
    for table in idode::solver::BUILT_IN {
        let pinned = EVALUATIONS.iter().find(|(name, _)| *name == table.name).map_or(&[][..], |row| row.1);
        solver::all(&solver::Subject { solver: &ExplicitRk::new(table), pinned })?;
    }
    Ok(())
}
