//! Dequantizers that learn.

use super::Subject;
use crate::dequantization::{Dequantizer, TrainingStep};
use crate::testkit::{Law, Verdict};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Training steps, and images of each.
const STEPS: usize = 6;
const IMAGES: usize = 8;

/// Teaches a model of the images' own size: `z` of variance `alpha^2 + sigma^2`.
fn teach(law: &Law, subject: &Subject<'_>, learner: &mut dyn Dequantizer, seed: u64) -> Verdict {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let level = learner.level();
    let variance = level.alpha().powi(2) + level.sigma().powi(2);
    let score = |z: &[f64]| Ok(z.iter().map(|z| -z / variance).collect());
    for step in 0..STEPS {
        let last = (subject.grid.levels() - 1) as u16;
        let images: Vec<u16> = (0..IMAGES * subject.dims).map(|_| rng.gen_range(0..=last)).collect();
        let training_step = TrainingStep { images: &images, rate: 1e-2, score: &score };
        law.given(format_args!("step {step}"), learner.learn(&training_step, &mut rng))?;
    }
    Ok(())
}

/// A dequantizer that goes on from its state is the one that wrote it, bit for bit, also after more steps; and one
/// without a state has learned nothing.
///
/// # Errors
/// The first draw that is another.
pub fn resume(subject: &Subject<'_>) -> Verdict {
    let law = subject.law("resume");
    let (mut learned, mut other) = ((subject.make)(), (subject.make)());
    teach(&law, subject, &mut *learned, 40)?;
    match learned.state() {
        None => return same(&law, subject, &*learned, &*other, "without a state, after steps"),
        Some(state) => law.given("restore of its own state", other.restore(&state))?,
    }
    same(&law, subject, &*other, &*learned, "restored")?;
    teach(&law, subject, &mut *learned, 41)?;
    teach(&law, subject, &mut *other, 41)?;
    same(&law, subject, &*other, &*learned, "restored, after more steps")
}

/// Upheld if two dequantizers draw the same, bit for bit.
fn same(
    law: &Law,
    subject: &Subject<'_>,
    found: &dyn Dequantizer,
    expected: &dyn Dequantizer,
    when: &str,
) -> Verdict {
    for image in subject.images() {
        let draw = |dequantizer: &dyn Dequantizer| {
            let mut rng = ChaCha8Rng::seed_from_u64(42);
            format!("{:?}", dequantizer.draw(&image, &mut rng))
        };
        let (a, b) = (draw(found), draw(expected));
        law.holds(format_args!("image {image:?}, {when}"), a == b, &a, &b)?;
    }
    Ok(())
}
