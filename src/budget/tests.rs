use super::*;
use crate::error::Result;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

/// Standard deviations of images, draws and probes.
const TRUTH: [f64; 3] = [0.5, 0.3, 0.8];

fn normal(rng: &mut ChaCha8Rng, sd: f64) -> f64 {
    sd * rng.sample::<f64, _>(StandardNormal)
}

/// A world of images: the value of any draw with any probes, by their numbers.
struct World {
    seed: u64,
    truth: [f64; 3],
}

impl World {
    fn value(&self, image: usize, draw: usize, probe: usize) -> f64 {
        let effect = |level: u64, sd: f64, at: u64| {
            normal(&mut ChaCha8Rng::seed_from_u64(self.seed << 40 | level << 36 | at), sd)
        };
        let (i, j, k) = (image as u64, draw as u64, probe as u64);
        7.0 + effect(0, self.truth[0], i)
            + effect(1, self.truth[1], i << 8 | j)
            + effect(2, self.truth[2], i << 16 | j << 8 | k)
    }

    /// The estimate: the mean of draws with the first of their probes.
    fn values(&self, images: usize, draws: usize) -> Vec<f64> {
        let mean = |image| (0..draws).map(|draw| self.value(image, draw, 0)).sum::<f64>() / draws as f64;
        (0..images).map(mean).collect()
    }

    fn budget(&self, images: usize, draws: usize, design: Design) -> Result<Budget> {
        let values = self.values(images, draws);
        measure(Estimated { values: &values, draws, solved: true }, design, |again, images| {
            Ok(match again {
                Again::Replicate { draw, probe } => {
                    (0..images).map(|image| self.value(image, draw, probe)).collect()
                }
                Again::Finer(_) => values[..images].to_vec(),
            })
        })
    }
}

#[test]
fn components_of_an_exact_design() -> Result<()> {
    // Two images, two draws, two probes. Probes differ by sqrt 2: MS_C = 1. Draws by 2: MS_B = 4. Images by 5: MS_A = 50.
    let values =
        vec![0.0, 2f64.sqrt(), 2.0, 2.0 + 2f64.sqrt(), 5.0, 5.0 + 2f64.sqrt(), 7.0, 7.0 + 2f64.sqrt()];
    let found = Nested::new(2, 2, values)?.components();
    let expected = [(found.probe, 1.0), (found.dequantization, 1.5), (found.data, (50.0 - 4.0) / 4.0)];
    for (found, expected) in expected {
        assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    }
    assert_eq!(found.images, 2);
    Ok(())
}

/// The mean over many designs is the truth: each estimator is unbiased.
#[test]
fn components_are_unbiased() -> Result<()> {
    let (repetitions, design) = (400, Design { images: 6, draws: 2, probes: 3 });
    let mut sums = [0.0; 3];
    for seed in 0..repetitions {
        let world = World { seed, truth: TRUTH };
        let mut values = Vec::new();
        for image in 0..design.images {
            for draw in 0..design.draws {
                values.extend((0..design.probes).map(|probe| world.value(image, draw, probe)));
            }
        }
        let found = Nested::new(design.draws, design.probes, values)?.components();
        for (sum, found) in sums.iter_mut().zip([found.data, found.dequantization, found.probe]) {
            *sum += found / repetitions as f64;
        }
    }
    // Standard errors of these means from the estimators' variances, 2 (E MS)^2 / df: 0.017, 0.010, 0.009.
    let errors = [0.02, 0.012, 0.01];
    for ((found, sd), error) in sums.iter().zip(TRUTH).zip(errors) {
        assert!((found - sd * sd).abs() < 4.0 * error, "{sums:?}");
    }
    Ok(())
}

/// What does not vary has one member and no part; what fails is left out whole.
#[test]
fn single_members_and_failures() -> Result<()> {
    let found = Nested::new(1, 1, vec![1.0, 3.0])?.components();
    assert_eq!((found.data, found.dequantization, found.probe), (2.0, 0.0, 0.0));
    let found = Nested::new(1, 2, vec![0.0, 2.0, 4.0, 6.0])?.components();
    assert_eq!((found.data, found.dequantization, found.probe), (8.0 - 1.0, 0.0, 2.0));
    let found = Nested::new(2, 1, vec![0.0, 2.0, 4.0, 6.0])?.components();
    assert_eq!((found.data, found.dequantization, found.probe), (8.0 - 1.0, 2.0, 0.0));
    let found = Nested::new(2, 1, vec![0.0, 2.0, f64::NAN, 6.0])?.components();
    assert!(found.data.is_nan() && (found.dequantization, found.images) == (2.0, 1));
    let error = Nested::new(2, 2, vec![0.0; 6]).unwrap_err().to_string();
    assert_eq!(error, "nested design = 6 values: expected images of 2 draws with 2 probes each");
    Ok(())
}

/// Each part within 20% of the truth by the default design, and the total's square that of the mean.
#[test]
fn parts_are_standard_errors_of_the_mean() -> Result<()> {
    for (images, draws) in [(400, 1), (400, 3)] {
        let budget = World { seed: 1, truth: TRUTH }.budget(images, draws, Design::default())?;
        let (n, m) = (images as f64, draws as f64);
        let truth = [TRUTH[0] / n.sqrt(), TRUTH[1] / (n * m).sqrt(), TRUTH[2] / (n * m).sqrt()];
        let found = [budget.data, budget.dequantization, budget.probe];
        for (found, truth) in found.into_iter().flatten().zip(truth) {
            assert!((found / truth - 1.0).abs() < 0.2, "{draws} draws: {found} {truth}");
        }
        let values = World { seed: 1, truth: TRUTH }.values(images, draws);
        let mean = values.iter().sum::<f64>() / n;
        let error = (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (n - 1.0) / n).sqrt();
        assert!((budget.total.unwrap_or(f64::NAN) / error - 1.0).abs() < 1e-12, "{budget:?}");
        assert_eq!((budget.solver, budget.images, budget.draws, budget.probes), (Some(0.0), 64, 4, 4));
    }
    Ok(())
}

#[test]
fn the_total_covers_the_truth() -> Result<()> {
    let design = Design { images: 16, draws: 2, probes: 2 };
    let mut covered = 0;
    for seed in 0..200 {
        let world = World { seed, truth: TRUTH };
        let values = world.values(100, 1);
        let mean = values.iter().sum::<f64>() / 100.0;
        let total = world.budget(100, 1, design)?.total.unwrap_or(f64::NAN);
        covered += usize::from((mean - 7.0).abs() <= 2.0 * total);
    }
    assert!((180..=198).contains(&covered), "{covered} of 200");
    Ok(())
}

#[test]
fn a_negative_variance_is_zero_and_said() -> Result<()> {
    // Draws that differ less than their probes do.
    let values = [1.0, 2.0];
    let found =
        measure(Estimated { values: &values, draws: 1, solved: false }, Design::default(), |again, n| {
            let Again::Replicate { draw: _, probe } = again else { unreachable!("no solver") };
            Ok(vec![probe as f64; n])
        })?;
    assert_eq!(found.dequantization, Some(0.0));
    assert!(found.probe > Some(0.0) && found.negative.contains(&"dequantization".to_owned()), "{found:?}");
    Ok(())
}

/// A solver whose error falls by ten with its tolerance, from 10: the change is below the other parts at last.
#[test]
fn a_solver_above_the_other_parts_is_said_with_the_tolerance_that_is_enough() -> Result<()> {
    let of = |noise: f64| {
        let values = [10.0, noise + 10.0];
        measure(Estimated { values: &values, draws: 1, solved: true }, Design::default(), |again, images| {
            let bias = match again {
                Again::Replicate { .. } => 10.0,
                Again::Finer(times) => 10.0 * 0.1f64.powi(times as i32),
            };
            Ok([0.0, noise][..images].iter().map(|value| value + bias).collect())
        })
    };
    let quiet = of(40.0)?;
    assert!(!quiet.is_of_the_solver() && quiet.finer.is_none(), "{quiet:?}");
    // Parts together: noise / 2. Changes: 9, 0.9, 0.09.
    assert!(quiet.solver.is_some_and(|solver| (solver + 9.0).abs() < 1e-12), "{quiet:?}");
    assert_eq!((of(4.0)?.is_of_the_solver(), of(4.0)?.finer), (true, Some(1)));
    assert_eq!(of(0.4)?.finer, Some(2));
    assert_eq!(of(0.04)?.finer, None);
    Ok(())
}

#[test]
fn of_one_image_the_data_are_not_known() -> Result<()> {
    let budget = World { seed: 0, truth: TRUTH }.budget(1, 1, Design::default())?;
    assert_eq!((budget.data, budget.total, budget.images), (None, None, 1));
    assert!(budget.probe > Some(0.0) && budget.random() > 0.0);
    // Where nothing of the subset has a value, nothing is known of it.
    let failed = Nested::new(2, 2, vec![f64::NAN; 8])?.components();
    let budget = Budget::new(Spread::of(&[1.0, 2.0], 1), failed, Design::default(), None);
    assert_eq!((budget.data, budget.dequantization, budget.probe, budget.total), (None, None, None, None));
    Ok(())
}

fn budget(parts: [f64; 4]) -> Budget {
    let [data, dequantization, probe, solver] = parts;
    let total = Some(parts.iter().map(|part| part * part).sum::<f64>().sqrt());
    let [data, dequantization, probe, solver] = [data, dequantization, probe, solver].map(Some);
    let (negative, finer) = (Vec::new(), None);
    Budget { data, dequantization, probe, solver, total, images: 64, draws: 4, probes: 4, negative, finer }
}

/// What a plan asks for is enough by the formula, and one less is not.
#[test]
fn plans_are_enough_and_no_more() {
    let now = Effort { images: 100, draws: 1, probes: 1 };
    let limits = Limits { images: 1000, drawn: true, probed: true };
    let found = budget([0.03, 0.04, 0.12, 0.0]);
    let total = |effort: Effort| {
        let (n, m, q) = (effort.images as f64, effort.draws as f64, effort.probes as f64);
        (0.09 / n + 0.16 / (n * m) + 1.44 / (n * m * q)).sqrt()
    };
    assert_eq!(plan(&found, now, limits, 0.2), Plan::Reached);
    let Plan::Spend(images) = plan(&found, now, limits, 0.06) else { unreachable!("images are enough") };
    assert_eq!((images.draws, images.probes), (1, 1));
    assert!(total(images) <= 0.057 && total(Effort { images: images.images - 1, ..images }) > 0.057);
    let Plan::Spend(draws) = plan(&found, now, limits, 0.02) else { unreachable!("draws are enough") };
    assert_eq!((draws.images, draws.probes), (1000, 1));
    assert!(total(draws) <= 0.019 && total(Effort { draws: draws.draws - 1, ..draws }) > 0.019, "{draws:?}");
    let of_rows = Limits { drawn: false, ..limits };
    let Plan::Spend(probes) = plan(&budget([0.03, 0.0, 0.12, 0.0]), now, of_rows, 0.02) else {
        unreachable!("probes are enough")
    };
    assert_eq!((probes.images, probes.draws), (1000, 1));
    assert!(probes.probes > 1);
}

#[test]
fn what_is_out_of_reach_is_said_with_its_price() {
    let now = Effort { images: 100, draws: 1, probes: 1 };
    let limits = Limits { images: 1000, drawn: true, probed: true };
    // The images alone: 0.09 / 1000 is 0.0095^2.
    let Plan::MoreImages { images: Some(images), least: Some(least) } =
        plan(&budget([0.03, 0.04, 0.0, 0.0]), now, limits, 0.005)
    else {
        unreachable!("no draws are enough")
    };
    assert_eq!(images, (0.25 / 0.00475f64.powi(2)).ceil() as u64);
    assert!((least - 0.00009f64.sqrt()).abs() < 1e-12);
    assert_eq!(plan(&budget([0.03, 0.0, 0.0, -0.02]), now, limits, 0.01), Plan::FinerSolver);
    let unknown = Budget { data: None, total: None, ..budget([0.0, 0.1, 0.0, 0.0]) };
    let one = Effort { images: 1, ..now };
    assert_eq!(plan(&unknown, one, limits, 0.01), Plan::Spend(Effort { images: 64, ..one }));
    let alone = Limits { images: 1, ..limits };
    assert_eq!(plan(&unknown, one, alone, 0.01), Plan::MoreImages { images: None, least: None });
}
