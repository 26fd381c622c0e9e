//! Dequantize, solve, prior: the whole chain in `f64`.

use super::gaussian::{GaussianVelocity, diffusions, loose, straight, tight};
use idode::dequantization::{Dequantizer, Gaussian, TruncatedNormal, UniformBin};
use idode::diffusion::Prior;
use idode::divergence::{Blocks, Divergence, Exact, HutchPlusPlus, Hutchinson, Probe};
use idode::likelihood::{DrawKey, Each, Evaluator, ImageRecord, ProbabilityFlow, Purpose};
use idode::pixels::PixelGrid;
use idode::progress::Silent;
use idode::solver::{ExplicitRk, Stepping, Tolerances, tables};

const LEVELS: u32 = 17;
const IMAGES: [u16; 12] = [0, 5, 16, 8, 8, 8, 3, 12, 1, 16, 0, 9];

fn divergences() -> [Box<dyn Divergence>; 4] {
    let two = Hutchinson::new(Probe::Rademacher, 2).unwrap();
    let blocks = Blocks::of_images([1, 3, 1], 2).unwrap();
    [Box::new(Exact), Box::<Hutchinson>::default(), Box::new(two), Box::new(blocks)]
}

/// Means and variances that differ; the prior is not the exact end of the diffusion.
#[test]
fn reproduces_the_exact_likelihood_of_a_gaussian() {
    let grid = PixelGrid::new(LEVELS).unwrap();
    for diffusion in diffusions(LEVELS) {
        let network = GaussianVelocity::new(&diffusion, [0.3, -0.6, 0.1], [0.09, 0.25, 0.02]);
        let start = diffusion.level(diffusion.range().min());
        let dequantizer = TruncatedNormal::new(grid, start);
        for divergence in divergences() {
            let flow = ProbabilityFlow::new(&network, &diffusion)
                .with_solver(ExplicitRk::new(&tables::TSITOURAS), tight());
            let evaluator = Evaluator::new(flow).with_divergence(divergence).with_seed(7);
            let found = evaluator.bits_per_dim(&IMAGES, &dequantizer, &mut Silent).unwrap();
            assert_eq!(found.summary.failures, 0);
            for (record, row) in found.records.iter().zip(IMAGES.chunks(3)) {
                let key = DrawKey { seed: 7, row: record.index, draw: 0 };
                let drawn = dequantizer.draw(row, &mut key.rng(Purpose::Dequantization));
                let entropy = dequantizer.entropy(3).unwrap();
                let exact = network.log_density(&drawn.z, start.gamma()) + entropy;
                let nats = -record.bits_per_dim * 3.0 * 2f64.ln();
                assert!((nats - exact).abs() < 1e-6, "{diffusion:?}: {nats}, exactly {exact}");
            }
        }
    }
}

/// With the marginal of the diffusion as the prior, the chain is the data's own density.
#[test]
fn reproduces_the_datas_own_density() {
    for diffusion in diffusions(LEVELS) {
        let end = diffusion.level(diffusion.range().max());
        let std = (0.16 * end.alpha().powi(2) + end.sigma().powi(2)).sqrt();
        let diffusion = diffusion.with_prior(Prior::new(std).unwrap());
        let network = GaussianVelocity::new(&diffusion, [0.0; 2], [0.16; 2]);
        let start = diffusion.level(diffusion.range().min());
        let variance = 0.16 * start.alpha().powi(2) + start.sigma().powi(2);
        let flow = ProbabilityFlow::new(&network, &diffusion)
            .with_solver(ExplicitRk::new(&tables::DORMAND_PRINCE), tight());
        let z = [0.5, -0.2, 1.1, 0.0];
        let found = Evaluator::new(flow).log_prob(&z, start.gamma()).unwrap();
        for (row, z) in found.iter().zip(z.chunks(2)) {
            let squares = z[0] * z[0] + z[1] * z[1];
            let exact = -0.5 * squares / variance - (std::f64::consts::TAU * variance).ln();
            assert!((row.log_density - exact).abs() < 1e-6, "{diffusion:?}: {row:?}, exactly {exact}");
        }
    }
}

#[test]
fn does_not_depend_on_the_batch() {
    let grid = PixelGrid::new(LEVELS).unwrap();
    let diffusion = straight(LEVELS);
    let network = GaussianVelocity::new(&diffusion, [0.3, -0.6, 0.1], [0.09, 0.25, 0.02]);
    let start = diffusion.level(diffusion.range().min());
    let dequantizers: [Box<dyn Dequantizer>; 3] = [
        Box::new(TruncatedNormal::new(grid, start)),
        Box::new(Gaussian::new(grid, start)),
        Box::new(UniformBin::new(grid, diffusion.level(UniformBin::default_gamma(LEVELS)))),
    ];
    let divergences: [fn() -> Box<dyn Divergence>; 3] = [
        || Box::new(Hutchinson::new(Probe::Gaussian, 2).unwrap()),
        || Box::new(HutchPlusPlus::new(2).unwrap()),
        || Box::new(Blocks::of_images([1, 3, 1], 2).unwrap()),
    ];
    for (dequantizer, divergence) in dequantizers.iter().flat_map(|d| divergences.map(|other| (d, other))) {
        for (draws, samples) in [(1, 1), (2, 3)] {
            let run = |batch: usize| {
                let flow = ProbabilityFlow::new(&network, &diffusion).with_batch(batch).unwrap();
                let evaluator = Evaluator::new(flow).with_divergence(divergence());
                let evaluator = evaluator.with_draws(draws, samples).unwrap();
                evaluator.bits_per_dim(&IMAGES, &**dequantizer, &mut Silent).unwrap()
            };
            let whole = run(64);
            for batch in [1, 3, 4] {
                assert_eq!(run(batch), whole, "batch {batch}");
            }
        }
    }
}

/// Networks in `f32`, whose products are a library's: alone, or among others up to a size at which it blocks otherwise.
#[test]
fn single_precision_does_not_depend_on_the_batch() {
    use dfdx::prelude::Cpu;
    use idode::nn::{DynamicMlp, MlpConfig, Parameters};
    use rand::{Rng, SeedableRng};
    let (device, mut rng) = (Cpu::default(), rand_chacha::ChaCha8Rng::seed_from_u64(5));
    for (dims, width) in [(1, 32), (2, 32), (3, 128), (12, 256)] {
        let mut network =
            DynamicMlp::<f32, Cpu>::sized(dims, width, &MlpConfig::default(), &device, &mut rng).unwrap();
        let mut moves = rand_chacha::ChaCha8Rng::seed_from_u64(6);
        network.parameters("", &mut |_, _, parameter| {
            let moved = parameter.numbers().into_iter().map(|x| x + moves.gen_range(-0.1..0.1));
            parameter.replace(moved.collect());
        });
        let diffusion = straight(LEVELS);
        let pixels: Vec<u16> = (0..96 * dims).map(|i| (i * 7 % LEVELS as usize) as u16).collect();
        let start = diffusion.level(diffusion.range().min());
        let dequantizer = TruncatedNormal::new(PixelGrid::new(LEVELS).unwrap(), start);
        let run = |batch: usize, images: usize| {
            let flow = ProbabilityFlow::new(&network, &diffusion).with_batch(batch).unwrap();
            let solver = ExplicitRk::new(&tables::DORMAND_PRINCE);
            let flow = flow.with_solver(solver, Stepping::steps(2).unwrap());
            let evaluator = Evaluator::new(flow).with_divergence(Hutchinson::default());
            evaluator.bits_per_dim(&pixels[..images * dims], &dequantizer, &mut Silent).unwrap().records
        };
        let whole = run(96, 96);
        for (batch, images) in [(1, 5), (2, 5), (3, 7), (7, 20), (64, 96), (65, 96)] {
            assert_eq!(run(batch, images), whole[..images], "{dims} numbers, width {width}, batch {batch}");
        }
    }
}

#[test]
fn does_not_depend_on_the_order_of_rows() {
    let diffusion = straight(LEVELS);
    let network = GaussianVelocity::new(&diffusion, [0.3, -0.6], [0.09, 0.25]);
    let evaluator = Evaluator::new(ProbabilityFlow::new(&network, &diffusion)).with_divergence(Exact);
    let from = diffusion.range().min();
    let there = evaluator.log_prob(&[0.1, 0.2, -0.3, 0.4, 0.9, -0.9], from).unwrap();
    let mut back = evaluator.log_prob(&[0.9, -0.9, -0.3, 0.4, 0.1, 0.2], from).unwrap();
    back.reverse();
    assert_eq!(there, back);
}

/// Costs are answers too: at the default tolerances.
#[test]
fn evaluations() {
    let diffusion = straight(LEVELS);
    let network = GaussianVelocity::new(&diffusion, [0.3, -0.6, 0.1], [0.09, 0.25, 0.02]);
    let flow = ProbabilityFlow::new(&network, &diffusion)
        .with_solver(ExplicitRk::new(&tables::DORMAND_PRINCE), loose());
    let start = diffusion.level(diffusion.range().min());
    let dequantizer = TruncatedNormal::new(PixelGrid::new(LEVELS).unwrap(), start);
    let found = Evaluator::new(flow).bits_per_dim(&IMAGES, &dequantizer, &mut Silent).unwrap();
    let evaluations: Vec<u64> = found.records.iter().map(|record| record.evaluations).collect();
    assert_eq!(evaluations, [68, 62, 68, 62]);
    let bits: Vec<f64> = found.records.iter().map(|record| record.bits_per_dim).collect();
    assert_eq!(format!("{bits:.6?}"), "[15.205550, 3.822259, 16.333474, 4.272697]");
}

#[test]
fn bad_input_is_named() {
    let diffusion = straight(LEVELS);
    let network = GaussianVelocity::new(&diffusion, [0.3, -0.6], [0.09, 0.25]);
    let flow = || ProbabilityFlow::new(&network, &diffusion);
    let from = diffusion.range().min();
    let message = |z: &[f64], gamma: f64| {
        let error = Evaluator::new(flow()).log_prob(z, idode::level::Gamma(gamma)).unwrap_err();
        error.to_string()
    };
    assert_eq!(message(&[0.0; 3], from.0), "z = 3 numbers: expected whole rows of 2, the network's shape");
    assert!(message(&[0.0; 2], -30.0).starts_with("gamma = -30: expected a level of the range ["));
    assert!(message(&[0.0; 2], f64::NAN).starts_with("gamma = NaN"));
    let given = Evaluator::new(flow()).log_prob_given(&[0.0; 4], from, Some(&[1.0])).unwrap_err();
    assert_eq!(given.to_string(), "conditioning = 1 numbers: expected 0 for each of 2 rows");
    assert_eq!(flow().with_batch(0).unwrap_err().to_string(), "batch = 0: expected at least 1");
    let draws = Evaluator::new(flow()).with_draws(1, 0).unwrap_err();
    assert_eq!(draws.to_string(), "importance_samples = 0: expected at least 1");
    assert!(Evaluator::new(flow()).log_prob(&[], from).unwrap().is_empty());
}

/// A row that is done gives its place to the next: of whatever batch, and in whatever order, each has the same bits and the same cost.
#[test]
fn rows_take_turns_and_none_is_the_wiser() {
    let (grid, diffusion) = (PixelGrid::new(LEVELS).unwrap(), straight(LEVELS));
    let network = GaussianVelocity::new(&diffusion, [0.3, -0.6, 0.1], [0.09, 0.25, 0.02]);
    let pixels: Vec<u16> = (0..3 * 37).map(|i| (i * i * 7 % 17) as u16).collect();
    let dequantizer = TruncatedNormal::new(grid, diffusion.level(diffusion.range().min()));
    let by =
        |(table, stepping): (_, &Stepping), rows: &[usize], batch: usize, divergence: Box<dyn Divergence>| {
            let flow = ProbabilityFlow::new(&network, &diffusion)
                .with_solver(ExplicitRk::new(table), stepping.clone())
                .with_batch(batch)
                .unwrap();
            let evaluator = Evaluator::new(flow).with_divergence(divergence).with_draws(2, 3).unwrap();
            let mut found = Vec::new();
            let take: &mut dyn FnMut(&[ImageRecord]) -> idode::error::Result<()> = &mut |records| {
                found.extend_from_slice(records);
                Ok(())
            };
            evaluator.each_bits_per_dim(&pixels, &dequantizer, Each { rows, take }).unwrap();
            found.sort_by_key(|record| record.index);
            found
        };
    let rows: Vec<usize> = (0..37).collect();
    let backwards: Vec<usize> = (0..37).rev().collect();
    let plus: fn() -> Box<dyn Divergence> = || Box::new(HutchPlusPlus::new(2).unwrap());
    let one: fn() -> Box<dyn Divergence> = || Box::<Hutchinson>::default();
    // Finer where a method takes few steps: so rows differ in how many they take.
    let fine = Stepping::adaptive(Tolerances { relative: 1e-8, absolute: 1e-9, log_density: 1e-8 });
    for (table, stepping, divergence) in
        [(&tables::DORMAND_PRINCE, fine, one), (&tables::HEUN, loose(), plus)]
    {
        let how = (table, &stepping);
        let expected = by(how, &rows, 1000, divergence());
        let costs: std::collections::BTreeSet<u64> =
            expected.iter().map(|record| record.evaluations).collect();
        assert!(costs.len() > 5, "rows differ: {costs:?}");
        for batch in [1, 2, 9, 40] {
            assert_eq!(by(how, &rows, batch, divergence()), expected, "{batch}");
            assert_eq!(by(how, &backwards, batch, divergence()), expected, "{batch}");
        }
        assert_eq!(by(how, &rows[30..33], 4, divergence()), expected[30..33]);
    }
}
