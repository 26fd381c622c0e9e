//! Broken schedules.

use super::{Mutant, mutants};
use idode::level::{Gamma, GammaRange, Level};
use idode::math::{sigmoid, softplus};
use idode::schedule::NoiseSchedule;
use idode::testkit::Verdict;
use idode::testkit::schedule::Subject;
use std::fmt;

/// Variance preserving, but for what its function does.
struct Faulty(fn(f64) -> Level);

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Faulty")
    }
}

impl NoiseSchedule for Faulty {
    fn level(&self, gamma: Gamma) -> Level {
        self.0(gamma.0)
    }
}

fn verdict(faulty: &Faulty, law: &dyn Fn(&Subject<'_>) -> Verdict) -> Verdict {
    law(&Subject { schedule: faulty, range: GammaRange::new(-40.0, 40.0).unwrap() })
}

pub(super) fn mutants() -> Vec<Mutant> {
    mutants! { schedule, verdict;
        derivative: "the chain rule's half is forgotten" => Faulty(|g| {
            Level::new(Gamma(g), -softplus(0.5 * g), -sigmoid(0.5 * g))
        });
        derivative: "one in ten thousand off" => Faulty(|g| {
            Level::new(Gamma(g), -0.5 * softplus(g), -0.5 * sigmoid(g) * 1.0001)
        });
        ratio: "gamma is -log SNR of the amplitude" => Faulty(|g| {
            Level::new(Gamma(2.0 * g), -0.5 * softplus(2.0 * g), -0.5 * sigmoid(2.0 * g))
        });
        monotone: "the sign of ln alpha" => Faulty(|g| Level::new(Gamma(g), 0.5 * softplus(g), 0.5 * sigmoid(g)));
        monotone: "the exponent of the straight path" => Faulty(|g| {
            Level::new(Gamma(g), -softplus(g), -sigmoid(g))
        });
        finite: "alpha by a difference that cancels" => Faulty(|g| {
            Level::new(Gamma(g), 0.5 * (1.0 - sigmoid(g)).ln(), -0.5 * sigmoid(g))
        });
        finite: "overflow" => Faulty(|g| {
            let r = (20.0 * g).exp();
            Level::new(Gamma(g), -(1.0 + r).ln() / 40.0, -0.5 * r / (1.0 + r))
        });
    }
}
