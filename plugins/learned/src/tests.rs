//! The laws on a toy whose density is known exactly: two pixels of four levels at a level where bins overlap.

use crate::noise::BinNoise;
use crate::{Learned, Learner, Training, WithModel};
use idode::data::ImageShape;
use idode::dequantization::{
    Dequantizer, PerCoordinate, TrainingStep, TruncatedNormal, gamma_of_half_bin, k_sample_bound,
    mean_of_draws,
};
use idode::level::{GammaRange, Level};
use idode::math::{LN_2_PI, integrate, log_sum_exp};
use idode::pixels::PixelGrid;
use idode::positive;
use idode::schedule::{NoiseSchedule, VariancePreserving};
use idode::train::AdamWConfig;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

const LEVELS: u32 = 4;

fn grid() -> PixelGrid {
    PixelGrid::new(LEVELS).expect("a grid")
}

/// Half a bin is 0.8 of the noise's scale.
fn level() -> Level {
    VariancePreserving.level(gamma_of_half_bin(0.8, LEVELS))
}

fn fresh() -> Learned {
    let shape = ImageShape::new(1, 2, 1);
    Learned::new(grid(), level(), shape, &mut ChaCha8Rng::seed_from_u64(0)).expect("a shape")
}

/// The images and their probabilities: two correlated pixels.
fn pmf() -> Vec<([u16; 2], f64)> {
    let weights = [[8.0, 3.0, 1.0, 0.2], [2.0, 6.0, 2.0, 0.5], [0.5, 1.0, 1.0, 4.0], [0.1, 0.2, 3.0, 9.0]];
    let total: f64 = weights.concat().iter().sum();
    let row = |i: u16| (0..4).map(move |j| ([i, j], weights[usize::from(i)][usize::from(j)] / total));
    (0..4).flat_map(row).collect()
}

/// `log p(z) = log sum_k P(k) N(z; alpha x_k, sigma^2 I)` and its gradient.
fn exact(z: [f64; 2]) -> (f64, [f64; 2]) {
    let (alpha, sigma) = (level().alpha(), level().sigma());
    let noise = |image: [u16; 2]| [0, 1].map(|i| (z[i] - alpha * grid().centre(image[i])) / sigma);
    let terms: Vec<([f64; 2], f64)> = (pmf().into_iter())
        .map(|(image, p)| {
            let eps = noise(image);
            (eps, p.ln() - 0.5 * (eps[0].powi(2) + eps[1].powi(2)) - LN_2_PI - 2.0 * sigma.ln())
        })
        .collect();
    let log_p = log_sum_exp(terms.iter().map(|term| term.1));
    let mean = |i: usize| terms.iter().map(|(eps, log)| (log - log_p).exp() * eps[i]).sum::<f64>();
    (log_p, [0, 1].map(|i| -mean(i) / sigma))
}

fn scores(z: &[f64]) -> Vec<f64> {
    z.as_chunks().0.iter().flat_map(|&z| exact(z).1).collect()
}

/// What the model gives an image: `log` of the mass of its bins.
fn log_mass(image: [u16; 2]) -> f64 {
    let bin = |k: u16, from: f64| level().alpha() * (grid().centre(k) + from * grid().bin_width());
    let inner = |z: f64| integrate(bin(image[1], -0.5), bin(image[1], 0.5), 2, |w| exact([z, w]).0.exp());
    integrate(bin(image[0], -0.5), bin(image[0], 0.5), 2, inner).ln()
}

/// Log-weights of draws for one image.
fn log_weights(q: &dyn Dequantizer, image: [u16; 2], draws: usize, rng: &mut ChaCha8Rng) -> Vec<f64> {
    (0..draws)
        .map(|_| {
            let draw = q.draw(&image, rng);
            exact([draw.z[0], draw.z[1]]).0 + draw.log_decoder - draw.log_q
        })
        .collect()
}

/// The mean over images of `log P` less the bound: what the noise costs, in nats an image.
fn cost(q: &dyn Dequantizer) -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let gap = |(image, p): ([u16; 2], f64)| {
        p * (log_mass(image) - mean_of_draws(&log_weights(q, image, 400, &mut rng)))
    };
    pmf().into_iter().map(gap).sum()
}

/// One that has learned for `steps` steps.
fn trained(steps: u64) -> Learned {
    let settings = AdamWConfig { ema: 0.98, weight_decay: 0.0, ..AdamWConfig::default() };
    let mut learner = Learner::new(fresh(), settings);
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let images = pmf();
    for _ in 0..steps {
        let batch: Vec<u16> = (0..64)
            .flat_map(|_| {
                let mut left: f64 = rng.r#gen();
                let mut choose = |p: f64| {
                    left -= p;
                    left < 0.0
                };
                images.iter().find(|(_, p)| choose(*p)).map_or([3, 3], |(image, _)| *image)
            })
            .collect();
        learner.step(&batch, 1e-2, &mut rng, |z| Ok(scores(z))).expect("finite");
    }
    learner.averaged()
}

#[test]
fn training_makes_the_bound_tight_and_never_more() {
    let learned = trained(300);
    let (start, own) = (cost(&fresh()), cost(&learned));
    let cut = cost(&TruncatedNormal::new(grid(), level()));
    // Untrained it is the truncated normal. The noise of the pixels is independent given the image: some cost stays.
    assert!((start - cut).abs() < 1e-9, "{start} {cut}");
    assert!(own < 0.3 * start, "{own} of {start} nats");
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    for (image, _) in pmf() {
        let weights = log_weights(&learned, image, 4000, &mut rng);
        let truth = log_mass(image);
        let mut last = f64::NEG_INFINITY;
        for k in [1, 4, 16] {
            let bounds: Vec<f64> = weights.chunks_exact(k).map(k_sample_bound).collect();
            let mean = mean_of_draws(&bounds);
            let variance = bounds.iter().map(|b| (b - mean).powi(2)).sum::<f64>() / bounds.len() as f64;
            let error = (variance / bounds.len() as f64).sqrt();
            assert!(mean < truth + 4.0 * error, "{image:?}, K = {k}: {mean} above {truth}");
            assert!(mean > last - 4.0 * error, "{image:?}, K = {k}: {mean} below {last}");
            last = mean;
        }
    }
}

#[test]
fn the_density_integrates_to_one_and_is_what_draws_say() {
    let learned = trained(30);
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    for image in [[0, 3], [2, 1]] {
        for noise in learned.noise(&image).expect("two pixels") {
            let mass = integrate(-1.0, 1.0, 40, |v| noise.log_density(v).exp());
            assert!((mass - 1.0).abs() < 1e-12, "{noise:?}: {mass}");
            assert_eq!(noise.log_density(-1.1), f64::NEG_INFINITY);
        }
        for _ in 0..100 {
            let draw = learned.draw(&image, &mut rng);
            let again = learned.log_density(&image, &draw.z);
            assert!((draw.log_q - again).abs() < 1e-9 * (1.0 + again.abs()), "{draw:?} {again}");
            let x = draw.z.iter().map(|z| grid().nearest(z / level().alpha()));
            assert_eq!(x.collect::<Vec<_>>(), image);
        }
    }
}

/// The gradient of one draw against finite differences of `ln q(v) - ln p(v)`.
#[test]
fn the_gradient_is_that_of_the_bound() {
    let log_p = |v: f64| -2.0 * (v - 0.3).powi(2) + v.sin();
    let slope = |v: f64| -4.0 * (v - 0.3) + v.cos();
    for (raw, uniform) in [([0.3, -0.4], 0.7), ([-2.0, 1.5], 0.1), ([0.0, 0.0], 0.5), ([2.5, -2.0], 1e-9)] {
        let loss = |raw: [f64; 2]| {
            let at = BinNoise::new(raw, 0.5).at(uniform);
            at.log_density - log_p(at.v)
        };
        let noise = BinNoise::new(raw, 0.5);
        let at = noise.at(uniform);
        let found = noise.gradient(at, slope(at.v));
        for (i, found) in found.into_iter().enumerate() {
            let shifted = |h: f64| loss(std::array::from_fn(|j| raw[j] + if i == j { h } else { 0.0 }));
            let expected = (shifted(1e-5) - shifted(-1e-5)) / 2e-5;
            assert!((found - expected).abs() < 1e-7, "{raw:?} {i}: {} {expected}", found);
        }
    }
}

#[test]
fn a_file_gives_back_the_same_dequantizer_and_a_bad_one_a_line() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("noise.safetensors");
    let learned = trained(3);
    learned.save(&path).expect("written");
    let range = GammaRange::new(-5.0, 5.0).expect("a range");
    let load = |path, grid, range| Learned::load(path, grid, range, &VariancePreserving);
    let again = load(&path, grid(), range).expect("its own file");
    let draw = |q: &Learned| q.draw(&[1, 2], &mut ChaCha8Rng::seed_from_u64(4));
    assert_eq!(draw(&learned), draw(&again));

    let message = |grid, range| load(&path, grid, range).expect_err("refused").to_string();
    let line = message(PixelGrid::new(5).expect("a grid"), range);
    assert!(line.ends_with("noise.safetensors: grey levels: found 4, expected 5"), "{line}");
    let line = message(grid(), GammaRange::new(0.0, 1.0).expect("a range"));
    assert!(line.contains("start level: found -2.3") && line.ends_with("of the range [0, 1]"), "{line}");
    let bytes = std::fs::read(&path).expect("the file");
    for bad in [&bytes[..bytes.len() - 1], b"", b"{}"] {
        std::fs::write(&path, bad).expect("a file");
        let line = message(grid(), range);
        assert!(line.contains("expected a whole safetensors file") && line.lines().count() == 1, "{line}");
    }
    let line = load(&folder.path().join("none"), grid(), range).expect_err("no file").to_string();
    assert!(line.contains("none: cannot read: "), "{line}");
}

#[test]
fn rows_of_another_length_have_no_density() {
    let draw = fresh().draw(&[0, 1, 2], &mut ChaCha8Rng::seed_from_u64(5));
    assert!(draw.log_q.is_nan() && draw.z.len() == 3, "{draw:?}");
    assert!(fresh().log_density(&[0, 1], &[0.0]).is_nan());
    let mut learner = Learner::new(fresh(), AdamWConfig::default());
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let error = learner.step(&[0; 3], 1e-3, &mut rng, |z| Ok(scores(z))).expect_err("no image").to_string();
    assert_eq!(error, "images = 3 numbers: expected whole images of 2 numbers");
    let error =
        learner.step(&[0; 2], 1e-3, &mut rng, |_| Ok(vec![f64::NAN; 2])).expect_err("NaN").to_string();
    assert_eq!(error, "score = 2 numbers: expected 2 finite numbers");
    assert!(Learned::new(grid(), level(), ImageShape::new(0, 2, 1), &mut rng).is_err());
}

#[test]
fn it_starts_as_the_truncated_normal() {
    for tau in [0.8, 2.0, 3.0187] {
        let level = VariancePreserving.level(gamma_of_half_bin(tau, 256));
        let grid = PixelGrid::new(256).expect("a grid");
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let learned = Learned::new(grid, level, ImageShape::new(1, 1, 1), &mut rng).expect("a shape");
        let cut = TruncatedNormal::new(grid, level);
        for k in [0, 100, 255] {
            let draw = learned.draw(&[k], &mut rng);
            let expected = cut.log_density(k, draw.z[0]);
            assert!((draw.log_q - expected).abs() < 1e-9, "{tau} {k}: {draw:?} {expected}");
        }
        let noise = learned.noise(&[7]).expect("a pixel")[0];
        for u in [1e-6, 0.2, 0.5, 0.9] {
            assert!((noise.at(u).v - cut.quantile(u) / tau).abs() < 1e-9, "{tau} {u}");
        }
    }
}

#[test]
fn value_stability() {
    let draw = fresh().draw(&[1, 2], &mut ChaCha8Rng::seed_from_u64(8));
    let expected = ([-0.4364639596317961, 0.3436077444815229], 1.4019676886814452);
    assert!(draw.z.iter().zip(expected.0).all(|(z, e)| (z - e).abs() < 1e-13), "{draw:?}");
    assert!((draw.log_q - expected.1).abs() < 1e-12, "{draw:?}");
}

/// One that has learned with a model whose score is exact, as `idode train` teaches it.
fn taught(steps: u64) -> WithModel {
    let mut learner = WithModel::new(fresh(), Training { rate: positive!(0.5), ema: 0.98 });
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let images: Vec<u16> =
        pmf().iter().flat_map(|(image, p)| image.repeat((200.0 * p).round() as usize)).collect();
    for _ in 0..steps {
        let step = TrainingStep { images: &images, rate: 2e-2, score: &|z| Ok(scores(z)) };
        learner.learn(&step, &mut rng).expect("finite");
    }
    learner
}

#[test]
fn training_steps_make_the_bound_tight_too() {
    let (start, own) = (cost(&taught(0)), cost(&taught(300)));
    assert!((start - cost(&fresh())).abs() < 1e-12 && own < 0.3 * start, "{own} of {start} nats");
}

#[test]
fn a_state_of_other_noise_or_a_corrupt_one_is_refused_and_changes_nothing() {
    let mut learner = taught(3);
    let state = learner.state().expect("it learns");
    let shape = ImageShape::new(1, 1, 2);
    let other = Learned::new(grid(), level(), shape, &mut ChaCha8Rng::seed_from_u64(0)).expect("a shape");
    let other = WithModel::new(other, Training::default()).state().expect("it learns");
    for (bad, expected) in [
        ("", "expected a whole safetensors file"),
        ("0", "expected the hexadecimal digits of a checkpoint"),
        ("zz", "expected the hexadecimal digits of a checkpoint"),
        (&state[..state.len() - 2], "expected a whole safetensors file"),
        (&other, "found learned noise for 1x1x2 of 4 levels"),
    ] {
        let line = learner.restore(bad).expect_err("refused").to_string();
        assert!(line.contains(expected) && line.lines().count() == 1, "{line}");
        assert_eq!(learner.state().as_deref(), Some(state.as_str()));
    }
}
