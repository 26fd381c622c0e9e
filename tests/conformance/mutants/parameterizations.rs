//! Broken parameterizations. Any pair `(a, b)` with `a` not 0 is some parameterization: `formula` alone can tell which; the
//! other laws reject pairs that cannot be computed with.

use super::{Mutant, mutants};
use idode::level::Level;
use idode::parameterization::{Affine, Parameterization};
use idode::testkit::parameterization::Subject;
use idode::testkit::{Verdict, usual_range};
use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

/// `sqrt(alpha^2 + sigma^2)` times the velocity `v = (alpha eps - sigma x) / (alpha^2 + sigma^2)`, but for what its
/// functions do.
pub(super) struct Broken {
    target: Box<dyn Fn(&Level) -> Affine + Send + Sync>,
    scale: fn(&Level) -> f64,
}

impl fmt::Debug for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Broken")
    }
}

impl Parameterization for Broken {
    fn target(&self, level: &Level) -> Affine {
        (self.target)(level)
    }
    fn input_scale(&self, level: &Level) -> f64 {
        (self.scale)(level)
    }
}

/// `alpha eps - sigma x`, which is `(alpha + sigma^2/alpha) eps - (sigma/alpha) z`.
fn sound(level: &Level) -> Affine {
    let (alpha, sigma) = (level.alpha(), level.sigma());
    Affine { noise: alpha + sigma * sigma / alpha, state: -sigma / alpha }
}

fn paper(level: &Level, x: f64, eps: f64) -> f64 {
    level.alpha() * eps - level.sigma() * x
}

fn broken(target: impl Fn(&Level) -> Affine + Send + Sync + 'static) -> Broken {
    Broken { target: Box::new(target), scale: |_| 1.0 }
}

pub(super) fn wrong_sign() -> Broken {
    broken(|level| Affine { state: -sound(level).state, ..sound(level) })
}

/// Another pair at every call, as from a cache that is not keyed by the level.
fn fickle() -> Broken {
    let calls = AtomicU32::new(0);
    broken(move |level| {
        let scale = 1.0 + 0.25 * f64::from(calls.fetch_add(1, Ordering::Relaxed) % 4);
        Affine { noise: scale * sound(level).noise, state: sound(level).state }
    })
}

/// Nearly the state itself: the noise is lost in rounding.
fn state_alone() -> Broken {
    broken(|_| Affine { noise: 1e-12, state: 1.0 })
}

fn scaled(scale: fn(&Level) -> f64) -> Broken {
    Broken { scale, ..broken(sound) }
}

pub(super) fn verdict(broken: &Broken, law: &dyn Fn(&Subject<'_>) -> Verdict) -> Verdict {
    law(&Subject { parameterization: broken, formula: &paper, range: usual_range() })
}

/// The pair itself is right, so that every rejection is the bug's.
#[test]
fn the_unbroken_one_passes() -> Verdict {
    verdict(&broken(sound), &idode::testkit::parameterization::all)
}

pub(super) fn mutants() -> Vec<Mutant> {
    mutants! { parameterization, verdict;
        formula: "the sign of b" => wrong_sign();
        formula: "the sign of a" => broken(|level| Affine { noise: -sound(level).noise, ..sound(level) });
        formula: "variance preserving, whatever the schedule" => broken(|level| {
            Affine { noise: 1.0 / level.alpha(), ..sound(level) }
        });
        solvable: "no noise in it" => broken(|level| Affine { noise: 0.0, ..sound(level) });
        solvable: "1 / (1 - sigma) where sigma rounds to 1" => broken(|level| {
            let sigma = 1.0 - (-40.0 - level.gamma().0).exp().min(1.0);
            Affine { noise: 1.0 / (1.0 - sigma), ..sound(level) }
        });
        solvable: "an input scale of 0" => scaled(|_| 0.0);
        solvable: "an input scale of NaN" => scaled(|level| (-level.alpha()).sqrt());
        round_trip: "a pair that changes" => fickle();
        round_trip: "the state alone" => state_alone();
        drift: "a pair that changes" => fickle();
        drift: "the state alone" => state_alone();
        invariance: "a pair that changes" => fickle();
        invariance: "an input scale of 0" => scaled(|_| 0.0);
        second_order: "a pair that changes" => fickle();
        third_order: "a pair that changes" => fickle();
        second_order_bound: "a pair that changes" => fickle();
        third_order_bound: "a pair that changes" => fickle();
    }
}
