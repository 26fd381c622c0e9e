//! Divergences of networks: against finite differences, and estimates against exact ones.

use super::gaussian::diffusions;
use dfdx::prelude::*;
use idode::diffusion::Diffusion;
use idode::divergence::{Blocks, Divergence, Exact, HutchPlusPlus, Hutchinson, Probe, ProbeSeed};
use idode::level::GammaRange;
use idode::likelihood::{DrawKey, Drift, Evaluator, ProbabilityFlow, Purpose};
use idode::nn::{MlpConfig, Parameters, StaticMlp, StaticUNet, UNetConfig};
use idode::parameterization::Velocity;
use idode::schedule::StraightPath;
use idode::solver::{ExplicitRk, Field, HostState, Stepping, tables};
use idode::tensor::{Kernels, Real};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Moves every parameter off its start, where networks are the identity.
pub(crate) fn shake<E: Real, D: Kernels<E>>(
    network: &mut impl Parameters<E, D>,
    mut rng: ChaCha8Rng,
    size: f64,
) {
    network.parameters("", &mut |_, _, parameter| {
        let numbers = parameter.numbers().into_iter();
        parameter.replace(numbers.map(|x| E::of(x.to64() + size * rng.gen_range(-1.0..1.0))).collect());
    });
}

fn mlp(size: f64) -> StaticMlp<3, 16, f64, Cpu> {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut network = StaticMlp::new(&MlpConfig::default(), &Cpu::default(), &mut rng).unwrap();
    shake(&mut network, rng, size);
    network
}

fn seeds(count: usize) -> Vec<ProbeSeed> {
    (0..count).map(|row| DrawKey { seed: 2, row, draw: 0 }.bytes(Purpose::Probe)).collect()
}

#[test]
fn exact_is_the_trace_of_finite_differences() {
    let network = mlp(0.5);
    for diffusion in diffusions(17) {
        let gamma = diffusion.range().at(0.4).0;
        let z = [0.3, -0.8, 0.5];
        let trace = Exact.begin(3, &[[0; 32]]);
        let mut density = Drift::new(&network, &diffusion, 2).with_density(trace);
        let y = HostState::from_rows(&[z]).with_log_density(vec![0.0]).unwrap();
        let rate = density.eval(&[0], &[gamma], &y).log_density().unwrap()[0];
        let mut drift = Drift::new(&network, &diffusion, 8);
        // Central differences of 4th order: an error of h^4 plus rounding / h.
        let h = 1e-3;
        let mut difference = 0.0;
        for i in 0..3 {
            let mut at = |step: f64| {
                let mut z = z;
                z[i] += step * h;
                drift.eval(&[0], &[gamma], &HostState::from_rows(&[z])).values()[i]
            };
            difference += (8.0 * (at(1.0) - at(-1.0)) - (at(2.0) - at(-2.0))) / (12.0 * h);
        }
        assert!((rate + difference).abs() < 1e-8 * difference.abs().max(1.0), "{rate} {difference}");
    }
}

/// Probes in batches of any size, rows in any slot: the same rates.
#[test]
fn batches_of_products_change_nothing() {
    let (network, diffusion) = (mlp(0.5), diffusions(17).swap_remove(0));
    let z: Vec<f64> = (0..15).map(|i| (f64::from(i) * 0.7).sin()).collect();
    let y = HostState::new(3, z).unwrap().with_log_density(vec![0.0; 5]).unwrap();
    let t: Vec<f64> = (0..5).map(|i| f64::from(i) - 3.0).collect();
    let divergences: [Box<dyn Divergence>; 4] = [
        Box::new(Exact),
        Box::new(Hutchinson::new(Probe::Rademacher, 4).unwrap()),
        Box::new(HutchPlusPlus::new(3).unwrap()),
        Box::new(Blocks::of_images([1, 3, 1], 2).unwrap()),
    ];
    for divergence in divergences {
        let rates = |batch: usize| {
            let trace = divergence.begin(3, &seeds(5));
            let drift =
                Drift::new(&network, &diffusion, batch).with_density(trace).eval(&[0, 1, 2, 3, 4], &t, &y);
            [drift.values(), drift.log_density().unwrap()].concat()
        };
        let whole = rates(100);
        for batch in [1, 2, 7] {
            // Matrix products of another size may round differently.
            let worst = whole.iter().zip(rates(batch)).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
            assert!(worst < 1e-12, "batch {batch}: {worst}");
        }
    }
}

/// A solve with probes equals a solve with the exact divergence on average.
#[test]
fn log_densities_are_unbiased() {
    let (network, diffusion) = (mlp(0.2), diffusions(17).swap_remove(5));
    let count = 400;
    let z = [0.3, -0.2, 0.5].repeat(count);
    // On a fixed grid the log-density is linear in the divergence, so the solver adds no bias.
    let flow = || {
        ProbabilityFlow::new(&network, &diffusion)
            .with_solver(ExplicitRk::new(&tables::RK4), Stepping::steps(20).unwrap())
            .with_batch(400)
            .unwrap()
    };
    let from = diffusion.range().min();
    let exact = Evaluator::new(flow()).with_divergence(Exact).log_prob(&z[..3], from).unwrap()[0].log_density;
    let divergences: [Box<dyn Divergence>; 4] = [
        Box::new(Hutchinson::new(Probe::Rademacher, 1).unwrap()),
        Box::new(Hutchinson::new(Probe::Gaussian, 1).unwrap()),
        Box::new(HutchPlusPlus::new(2).unwrap()),
        Box::new(Blocks::of_images([1, 3, 1], 2).unwrap()),
    ];
    for divergence in divergences {
        let name = format!("{divergence:?}");
        let rows = Evaluator::new(flow()).with_divergence(divergence).log_prob(&z, from).unwrap();
        let n = count as f64;
        let mean = rows.iter().map(|row| row.log_density).sum::<f64>() / n;
        let variance = rows.iter().map(|row| (row.log_density - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let error = (variance / n).sqrt();
        assert!((mean - exact).abs() < 4.0 * error, "{name}: {mean} +- {error}, exactly {exact}");
    }
}

#[test]
fn a_u_nets_exact_divergence_is_the_mean_over_probes() {
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let config = UNetConfig { blocks: 1, ..UNetConfig::default() };
    let mut network = StaticUNet::<8, 8, 1, 32, f32, Cpu>::new(&config, &Cpu::default(), &mut rng).unwrap();
    shake(&mut network, rng.clone(), 0.05);
    let diffusion = Diffusion::new(StraightPath, Velocity, GammaRange::for_levels(17));
    let z: Vec<f64> = (0..64).map(|_| rng.gen_range(-1.0..1.0)).collect();
    let gamma = -2.0;
    let rate = |divergence: &dyn Divergence, count: usize| -> Vec<f64> {
        let y = HostState::new(64, z.repeat(count)).unwrap();
        let y = y.with_log_density(vec![0.0; count]).unwrap();
        let rows: Vec<usize> = (0..count).collect();
        let trace = divergence.begin(64, &seeds(count));
        let mut field = Drift::new(&network, &diffusion, 64).with_density(trace);
        field.eval(&rows, &vec![gamma; count], &y).log_density().unwrap().to_vec()
    };
    let exact = rate(&Exact, 1)[0];
    let probes = rate(&Hutchinson::default(), 256);
    let mean = probes.iter().sum::<f64>() / 256.0;
    let variance = probes.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / 255.0;
    let error = (variance / 256.0).sqrt();
    assert!(error > 0.0 && (mean - exact).abs() < 4.0 * error, "{mean} +- {error}, exactly {exact}");
    // Every pixel a block of its own is exact, in as many products of another order.
    let blocks = rate(&Blocks::of_images([8, 8, 1], 8).unwrap(), 1)[0];
    assert!((blocks - exact).abs() < 1e-5 * exact.abs(), "{blocks} {exact}");
    for divergence in [
        &Blocks::of_images([8, 8, 1], 2).unwrap() as &dyn Divergence,
        &HutchPlusPlus::new(4).unwrap() as &dyn Divergence,
    ] {
        let four = rate(divergence, 256);
        let (mean, worst) = (four.iter().sum::<f64>() / 256.0, 4.0 * error);
        assert!((mean - exact).abs() < worst, "{divergence:?}: {mean}, exactly {exact} within {worst}");
        // The same in any batch.
        assert_eq!(rate(divergence, 3), four[..3], "{divergence:?}");
    }
    // One row with 256 probes is another estimate of the same, as precise.
    let averaged = rate(&Hutchinson::new(Probe::Rademacher, 256).unwrap(), 1)[0];
    assert!((averaged - exact).abs() < 4.0 * error, "{averaged} +- {error}, exactly {exact}");
}
