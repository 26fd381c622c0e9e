//! The laws of a [`TimeSampler`].

mod adaptation;

pub use adaptation::{adaptation, resume};

use super::quadrature::adaptive;
use super::statistics::Mean;
use super::{Law, Verdict};
use crate::level::{Gamma, GammaRange};
use crate::time::{TimeSampler, TimeSamplerExt};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::f64::consts::PI;
use std::fmt;

crate::__idode_laws! { time __idode_table }

/// A time sampler, as what makes a fresh one.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// Makes a sampler that has observed nothing.
    pub make: &'a dyn Fn() -> Box<dyn TimeSampler>,
    /// The first draws with seed [`PINNED_SEED`], as many as are to be pinned.
    pub pinned: &'a [f64],
}

impl fmt::Debug for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subject").field("sampler", &(self.make)()).field("pinned", &self.pinned).finish()
    }
}

/// The seed of the draws that a caller may pin.
pub const PINNED_SEED: u64 = 1;

/// Relative accuracy of a mass.
const ACCURACY: f64 = 1e-8;

impl Subject<'_> {
    fn fresh(&self, name: &'static str) -> (Law, Box<dyn TimeSampler>) {
        let sampler = (self.make)();
        (Law::new("time sampler", name, &sampler), sampler)
    }
}

/// The mass of the density between two levels.
fn mass(sampler: &dyn TimeSampler, from: Gamma, to: Gamma) -> f64 {
    adaptive(from.0, to.0, 1e-12, &|g| sampler.pdf(Gamma(g)))
}

/// `pdf` integrates to 1 over the range and is positive inside it.
///
/// # Errors
/// Where it does not, by more than 1e-8, or is not.
pub fn normalized(subject: &Subject<'_>) -> Verdict {
    let (law, sampler) = subject.fresh("normalized");
    check_normalized(&law, &*sampler)
}

/// `quantile` inverts the cumulative distribution of `pdf`, in both tails.
///
/// # Errors
/// The first fraction below whose quantile another mass lies, by more than 1e-8 of it.
pub fn inverse(subject: &Subject<'_>) -> Verdict {
    let (law, sampler) = subject.fresh("inverse");
    check_inverse(&law, &*sampler)
}

/// `quantile(0)` and `quantile(1)` are the range's ends, and no draw leaves it.
///
/// # Errors
/// The first quantile or draw that does.
pub fn ends(subject: &Subject<'_>) -> Verdict {
    let (law, mut sampler) = subject.fresh("ends");
    check_ends(&law, &mut *sampler)
}

/// Draws weighed with `1 / pdf` leave a known integral unbiased.
///
/// # Errors
/// The first integral that is off by more than five standard errors.
pub fn unbiased(subject: &Subject<'_>) -> Verdict {
    let (law, mut sampler) = subject.fresh("unbiased");
    check_unbiased(&law, &mut *sampler)
}

/// The same seed gives the same draws, bit for bit, another seed others; and they are the pinned ones to 1e-12.
///
/// # Errors
/// The first draw that is another.
pub fn value_stability(subject: &Subject<'_>) -> Verdict {
    let (law, mut first) = subject.fresh("value_stability");
    let mut second = (subject.make)();
    let draws = |sampler: &mut dyn TimeSampler, seed: u64, count: usize| -> Vec<f64> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        sampler.draw(count, &mut rng).iter().map(|gamma| gamma.0).collect()
    };
    for count in [1, 64] {
        let (one, two) = (draws(&mut *first, 3, count), draws(&mut *second, 3, count));
        law.holds(format_args!("{count} draws"), one.len() == count, one.len(), count)?;
        let same = one.iter().zip(&two).position(|(a, b)| a.to_bits() != b.to_bits());
        if let Some(i) = same {
            let place = format!("draw {i} of {count} with one seed twice");
            return Err(law.broken(place, two[i], format_args!("{}, as before", one[i])));
        }
    }
    let (one, other) = (draws(&mut *first, 3, 64), draws(&mut *first, 4, 64));
    law.holds("64 draws with another seed", one != other, "the same draws", "others")?;
    let found = draws(&mut *(subject.make)(), PINNED_SEED, subject.pinned.len());
    for (i, (&found, &pinned)) in found.iter().zip(subject.pinned).enumerate() {
        law.close(format_args!("draw {i} with seed {PINNED_SEED}"), found, pinned, 1e-12 * pinned.abs())?;
    }
    Ok(())
}

fn check_normalized(law: &Law, sampler: &dyn TimeSampler) -> Verdict {
    let range = sampler.range();
    for i in 1..200 {
        let gamma = range.at(f64::from(i) / 200.0);
        let pdf = sampler.pdf(gamma);
        let holds = pdf > 0.0 && pdf.is_finite();
        law.holds(format_args!("gamma {gamma}, pdf"), holds, pdf, "a positive number")?;
    }
    let place = format_args!("gamma {} to {}, integral of pdf", range.min(), range.max());
    law.close(place, mass(sampler, range.min(), range.max()), 1.0, ACCURACY)
}

fn check_inverse(law: &Law, sampler: &dyn TimeSampler) -> Verdict {
    let range = sampler.range();
    let mut last = range.min();
    for u in [1e-9, 1e-5, 0.01, 0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9, 0.99, 1.0 - 1e-5, 1.0 - 1e-9] {
        let gamma = sampler.quantile(u);
        law.holds(format_args!("quantile({u})"), gamma >= last, gamma, format_args!("at least {last}"))?;
        last = gamma;
        // The tail beyond gamma, from the nearer end, so that both tails are held to relative accuracy.
        let (found, expected, side) = if u < 0.5 {
            (mass(sampler, range.min(), gamma), u, "below")
        } else {
            (mass(sampler, gamma, range.max()), 1.0 - u, "above")
        };
        // A few units in the last place of gamma move the tail by as many times the density.
        let rounding = 4e-15 * (1.0 + gamma.0.abs()) * sampler.pdf(gamma);
        let place = format_args!("gamma {gamma} = quantile({u}), mass {side}");
        law.close(place, found, expected, ACCURACY * expected + rounding)?;
    }
    Ok(())
}

fn check_ends(law: &Law, sampler: &mut dyn TimeSampler) -> Verdict {
    let range: GammaRange = sampler.range();
    for (u, end) in [(0.0, range.min()), (1.0, range.max())] {
        let found = sampler.quantile(u);
        law.holds(format_args!("quantile({u})"), found == end, found, end)?;
    }
    let within = format!("a level of the range [{}, {}]", range.min(), range.max());
    for u in [f64::MIN_POSITIVE, 1e-300, f64::EPSILON, 0.5, 1.0 - f64::EPSILON / 2.0] {
        let found = sampler.quantile(u);
        law.holds(format_args!("quantile({u:e})"), range.contains(found), found, &within)?;
    }
    let draws = sampler.draw(4096, &mut ChaCha8Rng::seed_from_u64(5));
    for (i, gamma) in draws.into_iter().enumerate() {
        law.holds(format_args!("draw {i}"), range.contains(gamma), gamma, &within)?;
    }
    Ok(())
}

/// Optimizer steps, and rows of each, that an integral is estimated from.
const STEPS: usize = 1000;
const ROWS: usize = 64;

fn check_unbiased(law: &Law, sampler: &mut dyn TimeSampler) -> Verdict {
    let range = sampler.range();
    let mut rng = ChaCha8Rng::seed_from_u64(6);
    let mut step = || sampler.draw(ROWS, &mut rng);
    let draws: Vec<Vec<Gamma>> = (0..STEPS).map(|_| step()).collect();
    let with_pdf = |gamma: Gamma| (range.fraction(gamma), sampler.pdf(gamma));
    let draws: Vec<Vec<(f64, f64)>> =
        draws.into_iter().map(|rows| rows.into_iter().map(with_pdf).collect()).collect();
    // Integrands that are nowhere above twice the density: what is averaged is bounded, whatever the sampler.
    let uniform = 1.0 / range.width();
    let shapes: [(&str, &dyn Fn(f64) -> f64); 2] =
        [("the density", &|pdf| pdf), ("the lesser of the density and the uniform", &|pdf| pdf.min(uniform))];
    for ((shape, cap), wave) in shapes.into_iter().flat_map(|shape| (0..5).map(move |wave| (shape, wave))) {
        let integrand =
            |(fraction, pdf): (f64, f64)| cap(pdf) * (1.0 + 0.9 * (PI * f64::from(wave) * fraction).cos());
        let exact = adaptive(range.min().0, range.max().0, 1e-10, &|g| integrand(with_pdf(Gamma(g))));
        // Rows of one step may be coupled, steps are not.
        let row = |draw: &(f64, f64)| integrand(*draw) / draw.1 / ROWS as f64;
        let means: Vec<f64> = draws.iter().map(|rows| rows.iter().map(row).sum()).collect();
        let mean = Mean::of(&means);
        let place = format_args!("integral of {shape}, {wave} half waves, from draws");
        law.close(place, mean.value, exact, mean.allowed() + 1e-9)?;
    }
    Ok(())
}
