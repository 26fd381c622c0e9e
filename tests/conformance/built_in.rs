//! Every built-in meets every law of its trait. The registry says what there is: a name that is not known here fails.

use dfdx::prelude::Cpu;
use idode::config::{Named, Source};
use idode::dequantization::{Dequantizer, Gaussian, PerCoordinate, TruncatedNormal, UniformBin};
use idode::diffusion::Diffusion;
use idode::level::{Gamma, GammaRange, Level};
use idode::nn::{Attention, FadingFourier, MlpConfig, StaticMlp, StaticUNet, UNetConfig};
use idode::pixels::PixelGrid;
use idode::registry::{DequantizerInputs, Registry, TimeInputs};
use idode::schedule::{NoiseSchedule, StraightPath, VariancePreserving};
use idode::solver::{ExplicitRk, HostState};
use idode::testkit::{Verdict, dequantizer, network, parameterization, per_coordinate};
use idode::testkit::{schedule, solver, time, usual_range};
use idode::time::TimeSampler;
use idode::{dequantization, parameterization as parameterizations, schedule as schedules, time as times};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
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
    let (usual, short) = (GammaRange::for_levels(256), GammaRange::new(-7.9, 1.0).unwrap());
    // Densities that follow a weight, with the weights of several parameterizations.
    for (range, names) in [(usual, registry.time_samplers.names()), (short, vec!["importance"])] {
        for (weighed, parameterization) in idode::testkit::built_in::parameterizations(range, &vp).unwrap() {
            let diffusion = Diffusion::new(vp.clone(), parameterization, range);
            let weight = Arc::new(move |gamma| diffusion.coefficients(gamma).weight);
            let names = names.iter().filter(|name| weighed == "velocity" || **name == "importance");
            for name in names {
                let inputs = TimeInputs { range, weight: weight.clone() };
                let make = || -> Box<dyn TimeSampler> {
                    registry
                        .time_samplers
                        .build(&Named::new(*name), &inputs, &Source::default(), "time")
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
        let inputs = DequantizerInputs { range, grid, schedule: schedule.clone(), shape: None };
        for name in registry.dequantizers.names() {
            // At its own start level, and where noise of neighbouring levels overlaps.
            let above = range.min().0 + 2.0;
            for named in [Named::new(name), Named::new(name).with("gamma", above)] {
                let make = || -> Box<dyn Dequantizer> {
                    registry.dequantizers.build(&named, &inputs, &Source::default(), "dequantizer").unwrap()
                };
                let subject = dequantizer::Subject { dequantizer: &*make(), make: &make, grid, dims: 2 };
                dequantizer::all(&subject)?;
            }
        }
    }
    Ok(())
}

/// At the levels of several grids, around and above the default ones.
#[test]
fn every_dequantizer_of_coordinates() -> Verdict {
    for levels in [2, 17, 256] {
        let grid = PixelGrid::new(levels).unwrap();
        for shift in [-1.5, 0.0, 1.5] {
            for schedule in [&VariancePreserving as &dyn NoiseSchedule, &StraightPath] {
                let at = |gamma: Gamma| schedule.level(Gamma(gamma.0 + shift));
                let uniform = UniformBin::new(grid, at(UniformBin::default_gamma(levels)));
                let truncated = TruncatedNormal::new(grid, at(TruncatedNormal::default_gamma(levels)));
                let gaussian = Gaussian::new(grid, at(Gaussian::default_gamma(levels)));
                for dequantizer in [&uniform as &dyn PerCoordinate, &truncated, &gaussian] {
                    per_coordinate::all(&per_coordinate::Subject { dequantizer, grid })?;
                }
            }
        }
    }
    Ok(())
}

#[test]
fn every_network() -> Verdict {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for name in <Registry>::default().networks.names() {
        match name {
            "mlp" => {
                let features = FadingFourier { exponents: vec![0, 3], gamma: [-13.3, 5.0] };
                for fourier in [None, Some(features)] {
                    let settings = MlpConfig { blocks: 2, fourier, ..MlpConfig::default() };
                    let network =
                        StaticMlp::<3, 16, f64, Cpu>::new(&settings, &Cpu::default(), &mut rng).unwrap();
                    network::all(&network::randomized(&network, 4))?;
                }
            }
            "unet" => {
                for attention in [Attention::Middle, Attention::EveryBlock] {
                    let fourier = vec![1, 2];
                    let settings =
                        UNetConfig { blocks: 1, attention, dropout: 0.0, fourier, ..UNetConfig::default() };
                    let network =
                        StaticUNet::<4, 4, 2, 32, f64, Cpu>::new(&settings, &Cpu::default(), &mut rng)
                            .unwrap();
                    network::all(&network::randomized(&network, 5))?;
                }
            }
            other => panic!("{other}: no network of this name is checked"),
        }
    }
    Ok(())
}

/// The evaluations of each problem, at tolerance 1e-4 and then 1e-6, or with 2,000 steps.
const EVALUATIONS: &[(&str, &[u32])] = &[
    ("euler", &[2000; 5]),
    ("midpoint", &[4000; 5]),
    ("heun", &[283, 191, 113, 449, 431, 2647, 1693, 999, 4163, 3967]),
    ("rk4", &[8000; 5]),
    ("bogacki_shampine", &[62, 53, 35, 119, 119, 209, 173, 95, 422, 404]),
    ("dormand_prince", &[44, 50, 26, 56, 68, 86, 86, 50, 122, 122]),
    ("tsitouras", &[44, 50, 26, 56, 74, 80, 92, 44, 140, 134]),
];

#[test]
fn every_solver() -> Verdict {
    let mut listed: Vec<&str> = idode::solver::BUILT_IN.iter().map(|table| table.name).collect();
    listed.sort_unstable();
    assert_eq!(listed, Registry::<HostState>::default().solvers.names());
    for table in idode::solver::BUILT_IN {
        let (_, pinned) = EVALUATIONS.iter().find(|(name, _)| *name == table.name).expect("pinned costs");
        solver::all(&solver::Subject { solver: &ExplicitRk::new(table), pinned })?;
    }
    Ok(())
}
