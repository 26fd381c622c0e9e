//! Broken dequantizers.

use super::{Mutant, mutants};
use idode::dequantization::{Dequantizer, Draw, Gaussian, TrainingStep, TruncatedNormal, UniformBin};
use idode::error::Result;
use idode::level::{Gamma, Level};
use idode::pixels::PixelGrid;
use idode::schedule::{NoiseSchedule, StraightPath};
use idode::testkit::dequantizer::Subject;
use idode::testkit::{Verdict, dequantizer};
use rand::RngCore;
use std::fmt;

const LEVELS: u32 = 17;

fn grid() -> PixelGrid {
    PixelGrid::new(LEVELS).unwrap()
}

/// Where noise of neighbouring levels overlaps.
fn level() -> Level {
    StraightPath.level(Gamma(-6.4))
}

/// A dequantizer, but for what its functions do.
struct Broken<Q> {
    inner: Q,
    edit: fn(&[u16], Draw) -> Draw,
    entropy: fn(f64) -> f64,
    draw: fn(&Q, &[u16], &mut dyn RngCore) -> Draw,
}

impl<Q> fmt::Debug for Broken<Q> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Broken")
    }
}

impl<Q: Dequantizer> Dequantizer for Broken<Q> {
    fn level(&self) -> Level {
        self.inner.level()
    }
    fn draw(&self, row: &[u16], rng: &mut dyn RngCore) -> Draw {
        (self.edit)(row, (self.draw)(&self.inner, row, rng))
    }
    fn entropy(&self, dims: usize) -> Option<f64> {
        self.inner.entropy(dims).map(self.entropy)
    }
}

/// The uniform one, scaled towards the middle by what it has learned: the number of its steps.
#[derive(Clone, Copy, Debug)]
struct Learning {
    steps: u32,
    state: fn(u32) -> Option<String>,
    restore: fn(&str) -> u32,
}

const LEARNS: Learning =
    Learning { steps: 0, state: |steps| Some(steps.to_string()), restore: |state| state.parse().unwrap() };

impl Dequantizer for Learning {
    fn level(&self) -> Level {
        level()
    }
    fn draw(&self, row: &[u16], rng: &mut dyn RngCore) -> Draw {
        let mut draw = uniform().draw(row, rng);
        let scale = 0.99f64.powi(self.steps as i32);
        for (z, k) in draw.z.iter_mut().zip(row) {
            let middle = level().alpha() * grid().centre(*k);
            *z = middle + scale * (*z - middle);
            draw.log_q -= scale.ln();
        }
        draw
    }
    fn learn(&mut self, _: &TrainingStep<'_>, _: &mut dyn RngCore) -> Result<()> {
        self.steps += 1;
        Ok(())
    }
    fn state(&self) -> Option<String> {
        (self.state)(self.steps)
    }
    fn restore(&mut self, state: &str) -> Result<()> {
        self.steps = (self.restore)(state);
        Ok(())
    }
}

fn sound<Q: Dequantizer>(inner: Q) -> Broken<Q> {
    Broken { inner, edit: |_, draw| draw, entropy: |nats| nats, draw: |q, row, rng| q.draw(row, rng) }
}

fn edited<Q: Dequantizer + 'static>(inner: Q, edit: fn(&[u16], Draw) -> Draw) -> Box<dyn Dequantizer> {
    Box::new(Broken { edit, ..sound(inner) })
}

fn truncated() -> TruncatedNormal {
    TruncatedNormal::new(grid(), level())
}

fn uniform() -> UniformBin {
    UniformBin::new(grid(), level())
}

fn gaussian() -> Gaussian {
    Gaussian::new(grid(), level())
}

#[allow(clippy::borrowed_box)]
fn verdict(dequantizer: &Box<dyn Dequantizer>, law: &dyn Fn(&Subject<'_>) -> Verdict) -> Verdict {
    law(&Subject { dequantizer, make: &|| Box::new(truncated()), grid: grid(), dims: 2 })
}

fn taught(learning: Learning) -> Verdict {
    let make = || -> Box<dyn Dequantizer> { Box::new(learning) };
    dequantizer::resume(&Subject { dequantizer: &learning, make: &make, grid: grid(), dims: 2 })
}

#[test]
fn the_unbroken_ones_pass() -> Verdict {
    let built: [Box<dyn Dequantizer>; 3] =
        [Box::new(sound(truncated())), Box::new(sound(uniform())), Box::new(sound(gaussian()))];
    built.iter().try_for_each(|built| verdict(built, &dequantizer::all))?;
    taught(LEARNS)
}

pub(super) fn mutants() -> Vec<Mutant> {
    let mut mutants = mutants! { dequantizer, verdict;
        normalized: "a density of eps instead of z" => edited(truncated(), |row, draw| {
            Draw { log_q: draw.log_q + row.len() as f64 * level().log_sigma(), ..draw }
        });
        normalized: "draws narrower than the density" => edited(gaussian(), |row, mut draw| {
            for (z, k) in draw.z.iter_mut().zip(row) {
                let middle = level().alpha() * grid().centre(*k);
                *z = middle + 0.9 * (*z - middle);
            }
            draw
        });
        entropy: "of eps instead of z" => Box::new(Broken {
            entropy: |nats| nats - 2.0 * level().log_sigma(),
            ..sound(gaussian())
        }) as Box<dyn Dequantizer>;
        entropy: "in bits" => Box::new(Broken { entropy: |nats| nats / 2f64.ln(), ..sound(uniform()) })
            as Box<dyn Dequantizer>;
        bound: "noise that leaves the bin, without a decoder" => edited(gaussian(), |_, draw| {
            Draw { log_decoder: 0.0, ..draw }
        });
        bound: "alpha is forgotten in log q" => edited(uniform(), |row, draw| {
            Draw { log_q: draw.log_q + row.len() as f64 * level().log_alpha(), ..draw }
        });
        bound: "the decoder's sign" => edited(gaussian(), |_, draw| {
            Draw { log_decoder: -draw.log_decoder, ..draw }
        });
        more_draws: "a claim too high by less than a single draw loses" => edited(truncated(), |_, draw| {
            Draw { log_q: draw.log_q - 0.015, ..draw }
        });
        reproducible: "a seed of its own" => Box::new(Broken {
            draw: |q: &TruncatedNormal, row, _| q.draw(row, &mut rand::thread_rng()),
            ..sound(truncated())
        }) as Box<dyn Dequantizer>;
        reproducible: "a decoder above 1" => edited(gaussian(), |_, draw| Draw { log_decoder: 0.1, ..draw });
        reproducible: "half an image" => edited(uniform(), |_, mut draw| {
            draw.z.pop();
            draw
        });
    };
    for (bug, learning) in [
        ("learns without a state", Learning { state: |_| None, ..LEARNS }),
        ("restores nothing", Learning { restore: |_| 0, ..LEARNS }),
        (
            "restores one step too many",
            Learning { restore: |state| state.parse::<u32>().unwrap() + 1, ..LEARNS },
        ),
    ] {
        mutants.push(Mutant { law: "resume", bug, verdict: taught(learning) });
    }
    mutants
}
