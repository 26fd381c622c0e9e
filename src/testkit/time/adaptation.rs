//! What must stay true of a sampler that learns.

use super::{Subject, check_ends, check_inverse, check_normalized, check_unbiased};
use crate::level::Gamma;
use crate::testkit::{Law, Verdict};
use crate::time::{TimeSampler, TimeSamplerExt};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Optimizer steps that a sampler observes, and the rows of each.
const STEPS: usize = 100;
const ROWS: usize = 32;

/// Lets a sampler observe the losses of its own draws: a bump over gamma, with noise, a loss of 0 and a few
/// very large ones.
fn observe(sampler: &mut dyn TimeSampler, seed: u64) {
    let range = sampler.range();
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    for step in 0..STEPS {
        for (row, gamma) in sampler.draw(ROWS, &mut rng).into_iter().enumerate() {
            let distance = (range.fraction(gamma) - 0.35) / 0.1;
            let loss = (0.05 + (-0.5 * distance * distance).exp()) * rng.gen_range(0.2..2.0);
            let loss = match (step, row) {
                (7, 3) => 0.0,
                (11 | 57, 5) => 1e6,
                _ => loss,
            };
            sampler.observe(gamma, loss);
        }
    }
}

/// Whatever was observed: `normalized`, `inverse`, `ends` and `unbiased` still hold, on the same range.
///
/// # Errors
/// The first of them that does not.
pub fn adaptation(subject: &Subject<'_>) -> Verdict {
    let (law, mut sampler) = subject.fresh("adaptation");
    let range = sampler.range();
    observe(&mut *sampler, 8);
    let (min, max) = (sampler.range().min(), sampler.range().max());
    let expected = format_args!("[{}, {}]", range.min(), range.max());
    law.holds("range", sampler.range() == range, format_args!("[{min}, {max}]"), expected)?;
    check_normalized(&law, &*sampler)?;
    check_inverse(&law, &*sampler)?;
    check_ends(&law, &mut *sampler)?;
    check_unbiased(&law, &mut *sampler)
}

/// A sampler that goes on from its state is the one that wrote it, bit for bit, also after more observations; and
/// one without a state has learned nothing.
///
/// # Errors
/// The first level where the density is another.
pub fn resume(subject: &Subject<'_>) -> Verdict {
    let (law, mut learned) = subject.fresh("resume");
    observe(&mut *learned, 9);
    let mut other = (subject.make)();
    match learned.state() {
        None => return same(&law, &*learned, &*other, "without a state, after observations"),
        Some(state) => law.given("restore of its own state", other.restore(&state))?,
    }
    same(&law, &*other, &*learned, "restored")?;
    observe(&mut *learned, 10);
    observe(&mut *other, 10);
    same(&law, &*other, &*learned, "restored, after more observations")
}

/// Upheld if two samplers are the same density, bit for bit.
fn same(law: &Law, found: &dyn TimeSampler, expected: &dyn TimeSampler, when: &str) -> Verdict {
    let range = expected.range();
    for i in 0..=100 {
        let u = f64::from(i) / 100.0;
        let gamma: Gamma = range.at(u);
        let (a, b) = (found.pdf(gamma), expected.pdf(gamma));
        law.holds(format_args!("gamma {gamma}, pdf {when}"), a.to_bits() == b.to_bits(), a, b)?;
        let (a, b) = (found.quantile(u), expected.quantile(u));
        law.holds(format_args!("quantile({u}) {when}"), a.0.to_bits() == b.0.to_bits(), a, b)?;
    }
    Ok(())
}
