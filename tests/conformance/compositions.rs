//! Everything composes: every schedule with every parameterization, and random compositions of all five traits, train
//! and are measured on the two-pixel data.

use dfdx::prelude::Cpu;
use idode::config::Named;
use idode::data::{ImageSource, Shuffle, Split, TwoPixel};
use idode::level::GammaRange;
use idode::likelihood::{Evaluator, ProbabilityFlow};
use idode::nn::{MlpConfig, StaticMlp};
use idode::objective::FirstOrder;
use idode::progress::Silent;
use idode::registry::Registry;
use idode::solver::{Stepping, Tolerances};
use idode::testkit::strategies::composition::{Composition, Parts};
use idode::testkit::strategies::{composition, draws};
use idode::train::{AdamWConfig, Rate, RateDecay, Trainer, TrainerConfig};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeSet;

const STEPS: u64 = 20;
const ROWS: usize = 32;
const IMAGES: usize = 256;

/// Trains 20 steps and measures two images, in bits/dim.
fn trained(composition: &Composition, registry: &Registry) -> idode::error::Result<f64> {
    let data = TwoPixel::new().sample(IMAGES, 1, Split::Train)?;
    let mut order = Shuffle::new(IMAGES, 0)?;
    let range = GammaRange::for_levels(256);
    let Parts { diffusion, time, dequantizer, solver } = composition.build(registry, range, data.grid())?;
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let config = MlpConfig { blocks: 1, ..MlpConfig::default() };
    let network = StaticMlp::<2, 8, f32, Cpu>::new(&config, &Cpu::default(), &mut rng)?;
    let rate = Rate { peak: 1e-3, warmup: 5, decay: RateDecay::Cosine { final_rate: 0.0 }, steps: STEPS };
    let settings = TrainerConfig { seed: 0, accumulation: 1, rate, optimizer: AdamWConfig::default() };
    let mut trainer = Trainer::new(network, FirstOrder, diffusion, time, settings);
    for step in 1..=STEPS {
        let x = data.grid().centres(&data.batch(&order.next_batch(ROWS))?);
        let report = trainer.step(step, step, &x)?;
        assert!(report.loss.is_finite(), "{composition:?}");
    }
    let network = trainer.optimizer.averaged(&trainer.network);
    let stepping = match solver.error_order() {
        None => Stepping::steps(32)?,
        Some(_) => Stepping::adaptive(Tolerances { relative: 1e-2, absolute: 1e-2, log_density: 1e-1 }),
    };
    let flow = ProbabilityFlow::new(&network, &trainer.diffusion).with_solver(solver, stepping);
    let bits = Evaluator::new(flow).bits_per_dim(&data.pixels()[..4], &*dequantizer, &mut Silent)?;
    assert_eq!(bits.summary.failures, 0, "{composition:?}");
    Ok(bits.summary.bits_per_dim)
}

fn finite(composition: &Composition, registry: &Registry) {
    let bits = trained(composition, registry).unwrap_or_else(|error| panic!("{composition:?}: {error}"));
    assert!(bits.is_finite(), "{composition:?}: {bits} bits/dim");
}

#[test]
fn every_schedule_with_every_parameterization() {
    let registry = Registry::default();
    for schedule in registry.schedules.names() {
        for parameterization in registry.parameterizations.names() {
            let composition = Composition {
                schedule: Named::new(schedule),
                parameterization: Named::new(parameterization),
                time: Named::new("importance"),
                dequantizer: Named::new("truncated_normal"),
                solver: Named::new("dormand_prince"),
            };
            finite(&composition, &registry);
        }
    }
}

/// 200 of them, the same on every run; every name of the five kinds is among them.
#[test]
fn random_compositions() {
    let registry = Registry::default();
    let all = draws(&composition(&registry), 200);
    assert_eq!(all.len(), 200);
    let drawn = |part: fn(&Composition) -> &Named| -> BTreeSet<&str> {
        all.iter().map(|composition| part(composition).name.as_str()).collect()
    };
    assert_eq!(drawn(|c| &c.schedule), registry.schedules.names().into_iter().collect());
    assert_eq!(drawn(|c| &c.parameterization), registry.parameterizations.names().into_iter().collect());
    assert_eq!(drawn(|c| &c.time), registry.time_samplers.names().into_iter().collect());
    assert_eq!(drawn(|c| &c.dequantizer), registry.dequantizers.names().into_iter().collect());
    assert_eq!(drawn(|c| &c.solver), registry.solvers.names().into_iter().collect());
    for composition in &all {
        finite(composition, &registry);
    }
}
