//! Proptest strategies: levels, ranges, mixtures, and compositions of all five traits.

pub mod composition;
mod mixture;

pub use composition::composition;
pub use mixture::{Case, case, mixture};

use super::built_in;
use crate::level::{Gamma, GammaRange, Level};
use crate::parameterization::{Affine, Parameterization};
use crate::registry::Registry;
use crate::schedule::NoiseSchedule;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use std::sync::Arc;

/// Values of a strategy that are the same on every run.
pub fn draws<S: Strategy>(strategy: &S, count: usize) -> Vec<S::Value> {
    let mut runner = TestRunner::deterministic();
    (0..count).filter_map(|_| Some(strategy.new_tree(&mut runner).ok()?.current())).collect()
}

/// Levels of a range, its ends among them.
pub fn gamma(range: GammaRange) -> impl Strategy<Value = Gamma> + Clone {
    prop_oneof![
        8 => (0.0..=1.0f64).prop_map(move |u| range.at(u)),
        1 => Just(range.min()),
        1 => Just(range.max()),
    ]
}

/// Ranges around the usual ones: from -16..-4 to 0..8.
pub fn range() -> impl Strategy<Value = GammaRange> + Clone {
    (-16.0..-4.0f64, 0.0..8.0f64).prop_filter_map("a range", |(min, max)| GammaRange::new(min, max).ok())
}

/// Built-in schedules, each as likely as any other.
pub fn schedule(range: GammaRange) -> impl Strategy<Value = Arc<dyn NoiseSchedule>> + Clone {
    composition::name(<Registry>::default().schedules.names())
        .prop_filter_map("a schedule", move |named| built_in::schedule(&named.name, range).ok())
}

/// Built-in parameterizations, each as likely as any other.
pub fn parameterization(range: GammaRange) -> impl Strategy<Value = Arc<dyn Parameterization>> + Clone {
    let names = composition::name(<Registry>::default().parameterizations.names());
    (names, schedule(range)).prop_filter_map("a parameterization", move |(named, schedule)| {
        built_in::parameterization(&named.name, range, &schedule).ok()
    })
}

/// Levels of built-in schedules.
pub fn level(range: GammaRange) -> impl Strategy<Value = Level> + Clone {
    (schedule(range), gamma(range)).prop_map(|(schedule, gamma)| schedule.level(gamma))
}

/// Pairs `(a, b)` that a parameterization may have: `0.1 <= |a| <= 10`, `|b| <= 10`.
pub fn affine() -> impl Strategy<Value = Affine> + Clone {
    (0.1..10.0f64, any::<bool>(), -10.0..10.0f64)
        .prop_map(|(a, negative, state)| Affine { noise: if negative { -a } else { a }, state })
}
