//! The bounds: no dequantizer may claim more than the truth, on pixels whose distribution is known.
//!
//! The model is ideal: at the start level its density is the exact mixture `p(z) = sum_x P(x) N(z; alpha x, sigma^2)`.
//! Without a decoder `P(x)` is its mass of the image's bins; with one it is unknown, but the mean of
//! `log P(x)` over images is at most `-H`, by Gibbs' inequality.

use super::{Pixel, Subject};
use crate::dequantization::{Draw, k_sample_bound, mean_of_draws};
use crate::level::Level;
use crate::testkit::statistics::Mean;
use crate::testkit::{Law, Verdict};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// Images drawn from a toy, and draws of each.
const IMAGES: usize = 500;
const DRAWS: usize = 64;

/// Every toy: coordinates are independent, each with this distribution.
fn toys(subject: &Subject<'_>) -> [(&'static str, Pixel); 3] {
    let middle = f64::from(subject.grid.levels() / 2);
    [
        ("flat pixels", Pixel::flat(subject.grid)),
        ("pixels of sd 2 levels", Pixel::bell(subject.grid, middle, 2.0)),
        ("pixels of sd 5 levels", Pixel::bell(subject.grid, middle, 5.0)),
    ]
}

/// One image of a toy: the log-weights of its draws in nats, and what they may not pass in expectation.
struct Weights {
    log_weights: Vec<f64>,
    /// `log P(x)` of the model, where there is no decoder, and of the data.
    model: Option<f64>,
    data: f64,
}

fn weights(subject: &Subject<'_>, toy: &Pixel) -> Vec<Weights> {
    let level: Level = subject.dequantizer.level();
    let mut rng = ChaCha8Rng::seed_from_u64(40);
    let log_weight = |draw: &Draw| {
        let log_p: f64 = draw.z.iter().map(|z| toy.log_density(&level, *z)).sum();
        log_p + draw.log_decoder - draw.log_q
    };
    let image = |_| {
        let image: Vec<u16> = (0..subject.dims).map(|_| toy.sample(&mut rng)).collect();
        let draws: Vec<Draw> = (0..DRAWS).map(|_| subject.dequantizer.draw(&image, &mut rng)).collect();
        let bare = draws.iter().all(|draw| draw.log_decoder == 0.0);
        Weights {
            log_weights: draws.iter().map(log_weight).collect(),
            model: bare.then(|| image.iter().map(|k| toy.log_bin_mass(&level, *k)).sum()),
            data: image.iter().map(|k| toy.pmf()[usize::from(*k)].ln()).sum(),
        }
    };
    (0..IMAGES).map(image).collect()
}

/// Upheld if the mean of `bound` over images is at most the truth's.
fn never_above(law: &Law, what: &str, images: &[Weights], bound: impl Fn(&[f64]) -> f64) -> Verdict {
    let mean_less = |truth: &dyn Fn(&Weights) -> f64| {
        Mean::of(&images.iter().map(|image| bound(&image.log_weights) - truth(image)).collect::<Vec<_>>())
    };
    let data = mean_less(&|image| image.data);
    law.at_most(format_args!("{what}, mean bound less -H in nats"), data.value, 0.0, data.allowed())?;
    if images.iter().all(|image| image.model.is_some()) {
        let model = mean_less(&|image| image.model.unwrap_or(f64::NAN));
        let place = format_args!("{what}, mean bound less log P of the bins in nats");
        law.at_most(place, model.value, 0.0, model.allowed())?;
    }
    Ok(())
}

/// `E[log p + log P(x | z) - log q]` never exceeds `log P(x)`.
///
/// # Errors
/// The first toy where the bound passes the truth by more than five standard errors.
pub fn bound(subject: &Subject<'_>) -> Verdict {
    let law = subject.law("bound");
    toys(subject).iter().try_for_each(|(name, toy)| {
        let place = format!("gamma {}, {name}", subject.dequantizer.level().gamma());
        never_above(&law, &place, &weights(subject, toy), mean_of_draws)
    })
}

/// More draws only tighten the K-sample bound, and never past `log P(x)`.
///
/// # Errors
/// The first toy and number of draws where one of it fails.
pub fn more_draws(subject: &Subject<'_>) -> Verdict {
    let law = subject.law("more_draws");
    for (name, toy) in toys(subject) {
        let images = weights(subject, &toy);
        let mut last = f64::NEG_INFINITY;
        for k in [1, 2, 4, 16, DRAWS] {
            let bound = |weights: &[f64]| {
                let groups: Vec<f64> = weights.chunks_exact(k).map(k_sample_bound).collect();
                mean_of_draws(&groups)
            };
            let place = format!("gamma {}, {name}, K = {k}", subject.dequantizer.level().gamma());
            let mean: f64 = images.iter().map(|image| bound(&image.log_weights)).sum::<f64>() / IMAGES as f64;
            law.at_most(format_args!("{place}, bound of half the draws or fewer"), last, mean, 1e-9)?;
            last = mean;
            never_above(&law, &place, &images, bound)?;
        }
    }
    Ok(())
}
