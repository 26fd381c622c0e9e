//! Broken time samplers.

use super::{Mutant, mutants};
use idode::error::Result;
use idode::level::{Gamma, GammaRange};
use idode::testkit::Verdict;
use idode::testkit::time::Subject;
use idode::time::{Cosine, TimeSampler};
use rand::{Rng, RngCore};
use std::fmt;

/// The cosine density, but for what its functions do; `learned` is the mean of the losses.
#[derive(Clone, Copy)]
struct Broken {
    inner: Cosine,
    learned: f64,
    pdf: fn(&Self, Gamma) -> f64,
    quantile: fn(&Self, f64) -> Gamma,
    uniforms: fn(usize, &mut dyn RngCore) -> Vec<f64>,
    state: fn(&Self) -> Option<String>,
    restore: fn(&mut Self, &str),
}

impl fmt::Debug for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Broken")
    }
}

impl TimeSampler for Broken {
    fn range(&self) -> GammaRange {
        self.inner.range()
    }
    fn pdf(&self, gamma: Gamma) -> f64 {
        (self.pdf)(self, gamma)
    }
    fn quantile(&self, u: f64) -> Gamma {
        (self.quantile)(self, u)
    }
    fn uniforms(&mut self, count: usize, rng: &mut dyn RngCore) -> Vec<f64> {
        (self.uniforms)(count, rng)
    }
    fn observe(&mut self, _: Gamma, loss: f64) {
        self.learned = 0.99 * self.learned + 0.01 * loss.min(2.0);
    }
    fn state(&self) -> Option<String> {
        (self.state)(self)
    }
    fn restore(&mut self, state: &str) -> Result<()> {
        (self.restore)(self, state);
        Ok(())
    }
}

fn independent(count: usize, rng: &mut dyn RngCore) -> Vec<f64> {
    (0..count).map(|_| rng.r#gen()).collect()
}

const NOTHING: &str = "0";

fn sound() -> Broken {
    Broken {
        inner: Cosine::new(GammaRange::for_levels(256)),
        learned: 0.0,
        pdf: |it, gamma| it.inner.pdf(gamma),
        quantile: |it, u| it.inner.quantile(u),
        uniforms: independent,
        state: |_| None,
        restore: |_, _| {},
    }
}

/// A mixture of the cosine and the uniform density, by what was learned: not even its mass is 1.
fn forgets_to_normalize() -> Broken {
    Broken { pdf: |it, gamma| it.inner.pdf(gamma) * (1.0 + 0.1 * it.learned), ..sound() }
}

/// `u` is bent by what was learned, and the density with it: a sampler that learns, and is right.
fn learns() -> Broken {
    Broken {
        pdf: |it, gamma| {
            // The fraction below gamma without bending, by bisection: u -> u^p has the density p u^(p-1).
            let p = 1.0 + 0.2 * it.learned;
            let (mut low, mut high) = (0.0, 1.0);
            for _ in 0..60 {
                let middle = 0.5 * (low + high);
                if it.inner.quantile(middle) < gamma { low = middle } else { high = middle }
            }
            it.inner.pdf(gamma) / p * (0.5 * (low + high)).powf(1.0 / p - 1.0)
        },
        quantile: |it, u| it.inner.quantile(u.powf(1.0 + 0.2 * it.learned)),
        state: |it| Some(it.learned.to_string()),
        restore: |it, state| it.learned = state.parse().unwrap(),
        ..sound()
    }
}

fn verdict(broken: &(Broken, &[f64]), law: &dyn Fn(&Subject<'_>) -> Verdict) -> Verdict {
    law(&Subject { make: &|| Box::new(broken.0), pinned: broken.1 })
}

#[test]
fn the_unbroken_ones_pass() -> Verdict {
    verdict(&(sound(), &[]), &idode::testkit::time::all)?;
    let resume = verdict(&(learns(), &[]), &idode::testkit::time::resume);
    assert_eq!(learns().state().as_deref(), Some(NOTHING));
    resume
}

pub(super) fn mutants() -> Vec<Mutant> {
    mutants! { time, verdict;
        normalized: "one in ten thousand too much" => (Broken { pdf: |it, g| it.inner.pdf(g) * 1.0001, ..sound() }, &[]);
        normalized: "nothing near the end" => (Broken {
            pdf: |it, g| if it.range().fraction(g) > 0.98 { 0.0 } else { it.inner.pdf(g) },
            ..sound()
        }, &[]);
        inverse: "the quantile of another density" => (Broken { quantile: |it, u| it.range().at(u), ..sound() }, &[]);
        inverse: "upside down" => (Broken { quantile: |it, u| it.inner.quantile(1.0 - u), ..sound() }, &[]);
        inverse: "a tail cut off" => (Broken { quantile: |it, u| it.inner.quantile(u.clamp(1e-4, 1.0)), ..sound() }, &[]);
        ends: "an end is missed by rounding" => (Broken {
            quantile: |it, u| Gamma(it.inner.quantile(u).0 * (1.0 + 1e-15)),
            ..sound()
        }, &[]);
        ends: "the range is left" => (Broken {
            quantile: |it, u| Gamma(if u == 0.5 { 6.0 } else { it.inner.quantile(u).0 }),
            ..sound()
        }, &[]);
        unbiased: "strata are drawn at their middles" => (Broken {
            uniforms: |count, _| (0..count).map(|i| i as f64 / count as f64).collect(),
            ..sound()
        }, &[]);
        unbiased: "uniforms are not uniform" => (Broken {
            uniforms: |count, rng| independent(count, rng).into_iter().map(|u| u.powf(1.05)).collect(),
            ..sound()
        }, &[]);
        value_stability: "a seed of its own" => (Broken {
            uniforms: |count, _| independent(count, &mut rand::thread_rng()),
            ..sound()
        }, &[]);
        value_stability: "no seed at all" => (Broken {
            uniforms: |count, _| (0..count).map(|i| (0.618 * i as f64).fract()).collect(),
            ..sound()
        }, &[]);
        value_stability: "other draws than pinned" => (sound(), &[-5.9, -11.8]);
        adaptation: "learning forgets to normalize" => (forgets_to_normalize(), &[]);
        adaptation: "the range shrinks" => (Broken {
            quantile: |it, u| it.inner.quantile(if it.learned > 0.0 { u.max(0.1) } else { u }),
            ..sound()
        }, &[]);
        resume: "learns without a state" => (Broken { state: |_| None, ..learns() }, &[]);
        resume: "restores nothing" => (Broken { restore: |_, _| {}, ..learns() }, &[]);
        resume: "restores six digits" => (Broken {
            restore: |it, state| it.learned = (state.parse::<f64>().unwrap() * 1e6).round() / 1e6,
            ..learns()
        }, &[]);
    }
}
