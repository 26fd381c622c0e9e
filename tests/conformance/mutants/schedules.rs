//! Broken schedules.

use super::{Mutant, mutants};
use idode::level::{Gamma, GammaRange, Level};
use idode::math::{sigmoid, softplus};
use idode::schedule::NoiseSchedule;
use idode::testkit::Verdict;
use idode::testkit::schedule::Subject;
use std::fmt;

/// Variance preserving, but for what its function does.
struct Broken(fn(f64) -> Level);

impl fmt::Debug for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Broken")
    }
}

impl NoiseSchedule for Broken {
    fn level(&self, gamma: Gamma) -> Level {
        self.0(gamma.0)
    }
}

fn verdict(broken: &Broken, law: &dyn Fn(&Subject<'_>) -> Verdict) -> Verdict {
    law(&Subject { schedule: broken, range: GammaRange::new(-40.0, 40.0).unwrap() })
}

pub(super) fn mutants() -> Vec<Mutant> {
    mutants! { schedule, verdict;
        derivative: "the chain rule's half is forgotten" => Broken(|g| {
            Level::new(Gamma(g), -softplus(0.5 * g), -sigmoid(0.5 * g))
        });
        derivative: "one in ten thousand off" => Broken(|g| {
            Level::new(Gamma(g), -0.5 * softplus(g), -0.5 * sigmoid(g) * 1.0001)
        });
        ratio: "gamma is -log SNR of the amplitude" => Broken(|g| {
            Level::new(Gamma(2.0 * g), -0.5 * softplus(2.0 * g), -0.5 * sigmoid(2.0 * g))
        });
        monotone: "the sign of ln alpha" => Broken(|g| Level::new(Gamma(g), 0.5 * softplus(g), 0.5 * sigmoid(g)));
        monotone: "the exponent of the straight path" => Broken(|g| {
            Level::new(Gamma(g), -softplus(g), -sigmoid(g))
        });
        finite: "alpha by a difference that cancels" => Broken(|g| {
            Level::new(Gamma(g), 0.5 * (1.0 - sigmoid(g)).ln(), -0.5 * sigmoid(g))
        });
        finite: "overflow" => Broken(|g| {
            let r = (20.0 * g).exp();
            Level::new(Gamma(g), -(1.0 + r).ln() / 40.0, -0.5 * r / (1.0 + r))
        });
    }
}
